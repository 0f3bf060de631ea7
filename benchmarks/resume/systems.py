"""Systems that give a customer's past back: Foxing by one plain recall, others over the full text of the same messages.

All count tokens alike. The others write what they give as `benchmarks.decay` does: the date once a day, then a line for
each message.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from benchmarks.baselines.system import LIMIT, Ranking
from benchmarks.bm25 import Bm25
from benchmarks.decay.conversation import Message
from benchmarks.decay.foxing_memory import FoxingMemory
from benchmarks.decay.memories import fit
from benchmarks.decay.references import kept_within, newest_first
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import NewMessage

from .conversations import Conversation

BANK = "shop"


class System(Protocol):
    """Gives text for what a customer says on return."""

    name: str

    def recall(self, text: str, thread: str, max_tokens: int) -> str:
        """Returns what a model gets to see, within `max_tokens`. `thread`: the right one, for upper bounds alone."""


class FoxingBank(FoxingMemory):
    """A memory that conversations reach as they end."""

    name = "foxing"

    def store_conversations(self, conversations: Iterable[Conversation]) -> None:
        """Stores conversations in the order in which they end."""
        for conversation in sorted(conversations, key=_end):
            self._now = _end(conversation)
            self.memory.store(BANK, conversation.messages)

    def thread_of(self, text: str) -> str | None:
        """Returns the thread of the first span."""
        spans = self.memory.recall(BANK, text).spans
        return spans[0].thread if spans else None

    def tiers(self) -> dict[str, int]:
        """Returns tier → pages."""
        return {tier: held.pages for tier, held in self.memory.bank(BANK).tiers.items()}


class PlainRecall:
    """One recall with defaults: what it renders."""

    name = "foxing"

    def __init__(self, bank: FoxingBank) -> None:
        self._bank = bank

    def recall(self, text: str, thread: str, max_tokens: int) -> str:
        """Returns `rendered`."""
        return self._bank.memory.recall(BANK, text, max_tokens=max_tokens).rendered


class RankedMessages:
    """Whole messages in the order of a ranking."""

    def __init__(self, ranking: Ranking, conversations: Sequence[Conversation]) -> None:
        self.name = ranking.name
        self._ranking = ranking
        self._messages, self._texts = _plain(conversations)
        ranking.store([message for conversation in conversations for message in conversation.messages])
        self._ranked: tuple[str, Sequence[str]] = ("", ())

    def recall(self, text: str, thread: str, max_tokens: int) -> str:
        """Returns the first messages that fit."""
        if self._ranked[0] != text:
            self._ranked = text, self._ranking.ranked(text)[:LIMIT]
        return fit([self._messages[key] for key in self._ranked[1]], self._texts, max_tokens).text


class NewestOfThread:
    """The newest messages of one thread that fit."""

    def __init__(self, name: str, finder: "ThreadFinder", conversations: Sequence[Conversation]) -> None:
        self.name = name
        self._finder = finder
        messages, self._texts = _plain(conversations)
        self._threads = {
            conversation.thread: [messages[str(m.id)] for m in conversation.messages][::-1]
            for conversation in conversations
        }

    def hold_bytes(self, held: int) -> None:
        """Drops all but the newest text that takes so many bytes with zstd -19."""
        newest = [message for thread in self._threads.values() for message in thread]
        newest.sort(key=lambda message: message.created_at)
        self._texts = kept_within(newest_first(newest), held)
        self._threads = {
            key: [each for each in thread if each.id in self._texts] for key, thread in self._threads.items()
        }

    def recall(self, text: str, thread: str, max_tokens: int) -> str:
        """Returns the newest messages, in time order."""
        found = self._finder.find(text, thread)
        return fit(self._threads.get(found or "", ()), self._texts, max_tokens).text


class ThreadFinder(Protocol):
    """Finds the thread that a customer returns to."""

    def find(self, text: str, thread: str) -> str | None:
        """Returns a thread, or None. `thread`: the right one."""


class RightThread:
    """Knows the answer."""

    def find(self, text: str, thread: str) -> str:
        """Returns `thread`."""
        return thread


class Bm25Thread:
    """BM25 over the stemmed full text of each thread."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        self._index = Bm25(
            {
                conversation.thread: terms("\n".join(message.text for message in conversation.messages))
                for conversation in conversations
            }
        )

    def find(self, text: str, thread: str) -> str | None:
        """Returns the best thread."""
        return next(iter(self._index.rank(query_terms(text))), None)


class FirstMessageThread:
    """The thread of the first message of a ranking."""

    def __init__(self, ranking: Ranking, conversations: Sequence[Conversation]) -> None:
        self._ranking = ranking
        self._threads = {
            str(message.id): conversation.thread for conversation in conversations for message in conversation.messages
        }
        ranking.store([message for conversation in conversations for message in conversation.messages])

    def find(self, text: str, thread: str) -> str | None:
        """Returns the thread of the first message."""
        return next((self._threads[key] for key in self._ranking.ranked(text)), None)


class FoxingThread:
    """The thread of the first span that Foxing recalls."""

    def __init__(self, bank: FoxingBank) -> None:
        self._bank = bank
        self._threads: dict[str, str | None] = {}

    def find(self, text: str, thread: str) -> str | None:
        """Returns the thread of the first span."""
        if text not in self._threads:
            self._threads[text] = self._bank.thread_of(text)
        return self._threads[text]


def _plain(conversations: Iterable[Conversation]) -> tuple[dict[str, Message], Mapping[str, str]]:
    """Messages and texts by id."""
    messages = {
        str(message.id): _message(message) for conversation in conversations for message in conversation.messages
    }
    return messages, {key: message.text for key, message in messages.items()}


def _message(message: NewMessage) -> Message:
    if message.created_at is None:
        raise ValueError("a message of the benchmark has no time")
    return Message(
        id=str(message.id),
        speaker=message.role,
        text=message.text,
        created_at=message.created_at,
        role=message.role,
        thread=message.thread or "",
    )


def _end(conversation: Conversation) -> datetime:
    time = conversation.messages[-1].created_at
    if time is None:
        raise ValueError("a message of the benchmark has no time")
    return time
