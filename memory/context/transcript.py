"""Messages as lines of text: when, who, and what was said."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from foxing.encoder.text_tokens import count_text_tokens

#: Texts of more characters are counted in slices, and so as a whole.
MOST_CHARS = 50_000


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

    @property
    def kept_percent(self) -> int: ...


def line(message: Said) -> str:
    """The message with who spoke and when, in UTC to the minute, and how much of it is left if that is not all."""
    who = message.role if message.name is None else f"{message.role} {message.name}"
    kept = "" if message.kept_percent == 100 else f" ({message.kept_percent}% kept)"
    return f"[{minute(message.created_at)}] {who}{kept}: {message.text}"


def transcript(messages: Iterable[Said]) -> str:
    """The messages in their order, each on lines of its own."""
    return "\n".join(map(line, messages))


def line_tokens(message: Said) -> int:
    """Text tokens of the message in a transcript."""
    return count_text_tokens(line(message) + "\n")


def headed(head: str, messages: Iterable[Said]) -> str:
    """`head` on a line of its own, then the transcript."""
    return f"{head}\n{transcript(messages)}"


def headed_tokens(head: str, messages: Sequence[Said]) -> int:
    """Text tokens of `headed`, which are those of its lines: a line begins with a bracket, which no token joins with
    the line break before it."""
    if not messages:
        return count_text_tokens(f"{head}\n")
    *others, last = messages
    if sum(len(message.text) for message in messages) > MOST_CHARS:
        return count_text_tokens(headed(head, messages))
    return count_text_tokens(f"{head}\n") + sum(map(line_tokens, others)) + count_text_tokens(line(last))


def minute(at: datetime) -> str:
    """Date and time to the minute in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
