"""LangGraph's store and mem0 as memories of the benchmark. Neither forgets with time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from benchmarks.baselines.packages import LangGraphInMemory, Mem0
from benchmarks.baselines.system import Ranking
from foxing.memory.index.embedder import USE, Embedder
from foxing.memory.index.embedders import open_embedder
from foxing.memory.values.messages import NewMessage

from .conversation import Message, Passage, Recalled
from .memories import fit


class RankingMemory:
    """Messages kept as they are, in a system that ranks them by meaning."""

    def __init__(self, opened: Callable[[Embedder], Ranking]) -> None:
        """Raises `NotInstalled`."""
        self._embedder = open_embedder(USE)
        self._open = opened
        self._opened: dict[str, Ranking] = {}
        self._messages: dict[str, Mapping[str, Message]] = {}
        opened(self._embedder)  # raises before anything is measured

    def store(self, bank: str, messages: Sequence[Message]) -> None:
        """Stores and embeds each message, with its speaker."""
        self._messages[bank] = {message.id: message for message in messages}
        self._opened[bank] = self._open(self._embedder)
        self._opened[bank].store(
            [
                NewMessage(id=each.id, role=each.role, name=each.speaker, content=each.text, created_at=each.created_at)
                for each in messages
            ]
        )

    def pass_time(self, bank: str, now: datetime) -> bool:
        """Does nothing: everything is kept."""
        return False

    def recall(self, bank: str, question: str, max_tokens: int) -> Recalled:
        """Returns the nearest messages that fit, in time order, with dates and speakers."""
        messages = self._messages[bank]
        ranked = [messages[key] for key in self._opened[bank].ranked(question)]
        return fit(ranked, {message.id: message.text for message in ranked}, max_tokens)

    def export(self, bank: str) -> Iterable[Passage]:
        """Returns the messages as they were stored."""
        return [Passage(message.text, message.id) for message in self._messages[bank].values()]

    def bytes_held(self, bank: str) -> int:
        """Bytes of the text alone."""
        return sum(len(message.text.encode()) for message in self._messages[bank].values())

    def close(self) -> None:
        """Drops the stores, which are in memory."""
        self._opened.clear()


def open_langgraph() -> RankingMemory:
    """Opens LangGraph's `InMemoryStore` with semantic search. Raises `NotInstalled`."""
    return RankingMemory(LangGraphInMemory)


def open_mem0() -> RankingMemory:
    """Opens mem0 without a model, so that it stores messages as they are. Raises `NotInstalled`."""
    return RankingMemory(Mem0)
