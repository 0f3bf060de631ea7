"""Interface of a memory, and text for a model made from ranked messages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from typing import Protocol, runtime_checkable

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import InvalidInput

from .conversation import Message, Passage, Recalled


@runtime_checkable
class DatedMemory(Protocol):
    """A memory of dated conversations. The name of a bank keeps conversations apart."""

    def store(self, bank: str, messages: Sequence[Message]) -> None:
        """Stores the messages of a conversation, in time order. The time is that of the last message."""

    def pass_time(self, bank: str, now: datetime) -> bool:
        """Does what the memory does until `now`, such as forgetting. Returns whether what it holds has changed."""

    def recall(self, bank: str, question: str, max_tokens: int) -> Recalled:
        """Returns what the memory gives a model for a question, within `max_tokens` text tokens."""

    def export(self, bank: str) -> Iterable[Passage]:
        """Returns all that the memory still holds, in time order."""

    def bytes_held(self, bank: str) -> int | None:
        """Returns the bytes of what it holds of the conversation, without indexes; None if that is not known."""

    def close(self) -> None:
        """Releases files and connections."""


def transcript(messages: Iterable[Message], texts: Mapping[str, str]) -> str:
    """Returns messages as text for a model: the date once a day, then a line for each message with its speaker, in
    time order. `texts`: message id → the text that is left of it."""
    lines: list[str] = []
    day = ""
    for message in sorted(messages, key=lambda each: each.created_at):
        if (now := _day(message)) != day:
            lines.append(now)
            day = now
        lines.append(_line(message, texts[message.id]))
    return "\n".join(lines)


def fit(ranked: Iterable[Message], texts: Mapping[str, str], max_tokens: int) -> Recalled:
    """Returns the transcript of the first messages that fit `max_tokens`; those that do not fit are passed over.
    `texts`: message id → the text that is left of it."""
    taken: list[Message] = []
    days: set[str] = set()
    left = max_tokens
    for message in ranked:
        cost = _tokens(_line(message, texts[message.id])) + 1
        if (day := _day(message)) not in days:
            cost += count_text_tokens(day) + 1
        if cost <= left:
            taken.append(message)
            days.add(day)
            left -= cost
    return Recalled(transcript(taken, texts), [Passage(texts[message.id], message.id) for message in taken])


@lru_cache(maxsize=50_000)
def _tokens(line: str) -> int:
    """Counts once what many questions rank."""
    return count_text_tokens(line)


def _day(message: Message) -> str:
    return f"{message.created_at:%Y-%m-%d}"


def _line(message: Message, text: str) -> str:
    return f"{message.speaker}: {text}"


def open_named(path: str) -> Callable[[], DatedMemory]:
    """Returns the class or function that `module:name` names, which opens an empty memory. Raises `InvalidInput`."""
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(f"there is no memory {path}; give MODULE:NAME of a class ({error})") from error
    opened: Callable[[], DatedMemory] = found
    return opened
