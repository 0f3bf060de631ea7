"""Embedding the messages of a file in other processes, which read it themselves: messages are not sent to them."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foxing.memory.errors import InvalidInput
from foxing.memory.index.vectors import MessageCodes
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.ingest.importers import ImportSource
from foxing.memory.ingest.store import MessageStore
from foxing.memory.values.messages import NewMessage, StoreResult


@dataclass(frozen=True)
class EmbedBatch:
    """A batch of the messages of a file."""

    source: ImportSource
    #: which one, from 0
    number: int


@dataclass(frozen=True)
class EmbeddedBatch:
    """What the messages of a batch mean."""

    #: of their texts, to notice a file that is written to meanwhile
    checksum: int
    #: None if they are embedded later, or not at all
    codes: MessageCodes | None

    @classmethod
    def of(cls, messages: Sequence[NewMessage], codes: MessageCodes | None) -> "EmbeddedBatch":
        return cls(_checksum(messages), codes)

    def matches(self, messages: Sequence[NewMessage]) -> bool:
        return self.checksum == _checksum(messages)


class FileReader:
    """Reads batches of a file, forward only."""

    def __init__(self, source: ImportSource) -> None:
        self._source = source
        self._batches = source.read()
        self._next = 0

    def reaches(self, batch: EmbedBatch) -> bool:
        """Whether the batch is of this file and has not been passed."""
        return batch.source == self._source and batch.number >= self._next

    def messages(self, batch: EmbedBatch) -> list[NewMessage]:
        """The messages of a batch, none past the end of the file. Raises `InvalidInput`."""
        for imported in self._batches:
            self._next += 1
            if self._next > batch.number:
                return [item.message for item in imported]
        return []


class EmbeddedStorage:
    """Stores the batches of a file in their order, each with what others have made of it."""

    def __init__(self, store: MessageStore, embedded: Iterator[EmbeddedBatch], now: Callable[[], datetime]) -> None:
        self._store = store
        self._embedded = embedded
        self._now = now

    def store(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> StoreResult:
        """See `Memory.store`."""
        given = [NewMessage.model_validate(message) for message in messages]
        embedded = next(self._embedded, None)
        if embedded is None or not embedded.matches(given):
            raise InvalidInput("the file has changed while it was imported; import it again")
        return self._store.store(StoreCall(bank, given, codes=embedded.codes), self._now())


def _checksum(messages: Sequence[NewMessage]) -> int:
    total = len(messages)
    for message in messages:
        total = zlib.crc32(message.text.encode("utf-8", "surrogatepass"), total)
    return total
