"""Transcripts: messages as lines of text with time and speaker."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from foxing.encoder.text_tokens import count_text_tokens

#: Maximum length of a transcript that is counted line by line. The counter slices long texts, so that the sum over the
#: lines would differ.
MOST_CHARS = 50_000


class Said(Protocol):
    """The fields of a message that a transcript shows."""

    @property
    def role(self) -> str:
        """The speaker's role."""

    @property
    def name(self) -> str | None:
        """The speaker's name, if it has one."""

    @property
    def created_at(self) -> datetime:
        """The time of the message, timezone-aware."""

    @property
    def text(self) -> str:
        """The remembered text."""

    @property
    def kept_percent(self) -> int:
        """Percentage of its characters that the memory still holds, 0 to 100."""


def line(message: Said) -> str:
    """Returns the message with its time, in UTC to the minute, its speaker, and the percentage kept if below 100."""
    who = message.role if message.name is None else f"{message.role} {message.name}"
    kept = "" if message.kept_percent == 100 else f" ({message.kept_percent}% kept)"
    return f"[{minute(message.created_at)}] {who}{kept}: {message.text}"


def transcript(messages: Iterable[Said]) -> str:
    """Returns the messages in order, each starting on a new line."""
    return "\n".join(map(line, messages))


def line_tokens(message: Said) -> int:
    """Returns the number of text tokens of the message in a transcript."""
    return count_text_tokens(line(message) + "\n")


def headed(head: str, messages: Iterable[Said]) -> str:
    """Returns `head` as the first line, followed by the transcript."""
    return f"{head}\n{transcript(messages)}"


def headed_tokens(head: str, messages: Sequence[Said]) -> int:
    """Returns the number of text tokens of `headed`: the sum over its lines, since each line begins with a bracket,
    which no token joins with the preceding line break."""
    if not messages:
        return count_text_tokens(f"{head}\n")
    *others, last = messages
    if sum(len(message.text) for message in messages) > MOST_CHARS:
        return count_text_tokens(headed(head, messages))
    return count_text_tokens(f"{head}\n") + sum(map(line_tokens, others)) + count_text_tokens(line(last))


def minute(at: datetime) -> str:
    """Returns the date and time in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
