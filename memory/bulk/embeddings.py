"""Embedding of the messages of a file in other processes. They read the file themselves, so that no messages are sent
to them."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foxing.memory.errors import InvalidInput
from foxing.memory.index.vectors import MessageCodes
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.ingest.importers import ImportSource
from foxing.memory.ingest.store import MessageStore, PreparedCall
from foxing.memory.values.messages import NewMessage


@dataclass(frozen=True)
class EmbedBatch:
    """A batch of the messages of a file."""

    source: ImportSource
    #: index of the batch in the file, from 0
    number: int


@dataclass(frozen=True)
class EmbeddedBatch:
    """Embeddings of the messages of a batch."""

    #: checksum of their texts, which detects changes of the file during the import
    checksum: int
    #: None if the messages are embedded later, or not at all
    codes: MessageCodes | None

    @classmethod
    def of(cls, messages: Sequence[NewMessage], codes: MessageCodes | None) -> "EmbeddedBatch":
        """Returns the batch of `messages` with their `codes`."""
        return cls(_checksum(messages), codes)

    def matches(self, messages: Sequence[NewMessage]) -> bool:
        """Returns True if the batch was made from messages with these texts."""
        return self.checksum == _checksum(messages)


class FileReader:
    """Reads batches of a file, forward only."""

    def __init__(self, source: ImportSource) -> None:
        self._source = source
        self._batches = source.read()
        self._next = 0

    def reaches(self, batch: EmbedBatch) -> bool:
        """Returns True if the batch is of this file and has not been read or skipped."""
        return batch.source == self._source and batch.number >= self._next

    def messages(self, batch: EmbedBatch) -> list[NewMessage]:
        """Returns the messages of a batch; empty past the end of the file. Raises `InvalidInput`."""
        for imported in self._batches:
            self._next += 1
            if self._next > batch.number:
                return [item.message for item in imported]
        return []


class EmbeddedStorage:
    """Stores the batches of a file in order, with the embeddings made by other processes."""

    def __init__(self, store: MessageStore, embedded: Iterator[EmbeddedBatch], now: Callable[[], datetime]) -> None:
        self._store = store
        self._embedded = embedded
        self._now = now

    def prepare(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> PreparedCall:
        """See `Operations.prepare`."""
        valid = [NewMessage.model_validate(message) for message in messages]
        embedded = next(self._embedded, None)
        if embedded is None or not embedded.matches(valid):
            raise InvalidInput("the file has changed while it was imported; import it again")
        return self._store.prepare(StoreCall(bank, valid, codes=embedded.codes), self._now())


def _checksum(messages: Sequence[NewMessage]) -> int:
    total = len(messages)
    for message in messages:
        total = zlib.crc32(message.text.encode("utf-8", "surrogatepass"), total)
    return total
