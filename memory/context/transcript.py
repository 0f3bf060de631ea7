"""Messages as lines of text: when, who, and what was said."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from foxing.encoder.text_tokens import count_text_tokens


class Said(Protocol):
    """A message as far as a transcript shows it."""

    @property
    def role(self) -> str: ...

    @property
    def name(self) -> str | None: ...

    @property
    def created_at(self) -> datetime: ...

    @property
    def text(self) -> str: ...


def line(message: Said) -> str:
    """The message with who spoke and when, in UTC to the minute."""
    who = message.role if message.name is None else f"{message.role} {message.name}"
    return f"[{minute(message.created_at)}] {who}: {message.text}"


def transcript(messages: Iterable[Said]) -> str:
    """The messages in their order, each on lines of its own."""
    return "\n".join(map(line, messages))


def line_tokens(message: Said) -> int:
    """Text tokens of the message in a transcript."""
    return count_text_tokens(line(message) + "\n")


def minute(at: datetime) -> str:
    """Date and time to the minute in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
