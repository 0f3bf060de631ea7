"""Foxing as a store."""

from collections.abc import Sequence

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

from .store import Place


class FoxingMemory:
    """Messages in banks. `finish` seals them; nothing ages, so that every page is fresh and its text exact."""

    def __init__(self, place: Place, embedder: Embedder) -> None:
        self._memory = Memory(database(place), options=MemoryOptions(embedder=embedder))
        self._banks: set[str] = set()

    def add(self, conversation: str, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Stores messages in the bank of a conversation; returns their ids."""
        self._memory.store(conversation, messages)
        self._banks.add(conversation)
        return [str(message.id) for message in messages]

    def finish(self) -> None:
        """Seals all banks."""
        for bank in sorted(self._banks):
            self._memory.seal(bank)

    def search(self, conversation: str, question: str, limit: int) -> Sequence[str]:
        """Returns the ids of recalled messages, best first."""
        spans = self._memory.recall(conversation, question, limit=limit).spans
        return list(dict.fromkeys(span.message_id for span in spans))

    def close(self) -> None:
        """Closes the memory."""
        self._memory.close()


def database(place: Place) -> str:
    """Returns the URL of Foxing's database at a location."""
    return place.url or f"sqlite:///{place.folder / 'foxing.db'}"
