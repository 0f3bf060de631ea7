"""Reindexing of a bank: embedding what the current embedder has not embedded, and indexing words again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from threading import Lock
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from foxing.memory.index.embedder import NONE, Embedder
from foxing.memory.index.vectors import MessageVectors
from foxing.memory.pages.indexing import PreparedTerms, Reindexer
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, embeddings, messages
from foxing.memory.values.reports import EmbeddingReport
from foxing.renderer import Progress

BATCH = 64  # messages, written in one transaction
BATCH_PASSAGES = 512  # per transaction, unless one message has more; embedding them takes half a second
MAX_NEWER = 10_000  # cap on new messages that are counted
ATTEMPTS = 5  # while other processes change the pages of a batch

#: Returns the ids of the next messages of a bank after a given id, and the total.
_Lister = Callable[[Connection, int, int], tuple[list[int], int]]
#: Changes messages of a bank; returns how many it changed.
_Change = Callable[[int, Sequence[int]], int]


class _Done(NamedTuple):
    """Number of messages changed, and of messages that cannot be read now."""

    done: int = 0
    skipped: int = 0


class RecordsToEmbed(Protocol):
    """The records of banks, which are embedded after the messages."""

    def exist(self, connection: Connection, bank_id: int) -> bool:
        """True if a record of a bank is to be embedded. Raises `EmbedderError`."""

    def embed(self, bank_id: int) -> int:
        """Embeds the records of a bank. Returns how many. Raises `EmbedderError`."""


class MessageEmbedder:
    """Computes missing embeddings and indexes words again."""

    def __init__(self, database: Database, reindexer: Reindexer, records: RecordsToEmbed | None = None) -> None:
        """`records`: None to embed messages only."""
        self.database = database
        self.reindexer = reindexer
        self._records = records
        #: bank id → highest message id that `_new_batch` has processed
        self._done: dict[int, int] = {}
        #: ids of banks whose new messages a thread is embedding
        self._busy: set[int] = set()
        self._lock = Lock()

    @property
    def vectors(self) -> MessageVectors:
        """Vector index of messages."""
        return self.reindexer.vectors

    def reindex(self, bank_name: str, *, words: bool, progress: Progress | None = None) -> EmbeddingReport:
        """Implements `Operations.reindex`."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
        indexed = self._run(bank_id, self._all, self._index_batch, progress) if words else _Done()
        if words and not self.vectors.source.enabled:
            return EmbeddingReport(
                bank=bank_name, embedder=NONE, embedded=0, indexed=indexed.done, skipped=indexed.skipped
            )
        embedder = self._known_embedder()
        embedded = self._run(bank_id, self._without_code, self._embed_batch, progress)
        if self._records is not None:
            self._records.embed(bank_id)
        unchanged = max(indexed.skipped, embedded.skipped)
        return EmbeddingReport(
            bank=bank_name, embedder=embedder.name, embedded=embedded.done, indexed=indexed.done, skipped=unchanged
        )

    def embed_new(self, bank_name: str) -> int:
        """Implements `Operations.embed_new`."""
        if not self.vectors.source.usable:
            return 0
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
        with self._alone(bank_id) as alone:
            return self._new_batch(bank_id) if alone else 0

    def embed_stored(self, bank_name: str) -> None:
        """Embeds the messages of a bank that have no embedding. Raises `NotFound`, `EmbedderError`."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
        self.embed_missing(bank_id)

    def embed_missing(self, bank_id: int, progress: Progress | None = None) -> None:
        """Embeds all messages without an embedding, new ones first, and then records. Does nothing while another thread
        embeds the bank's new messages, or if no embedder is usable. Raises `EmbedderError`."""
        if not self.vectors.source.usable:
            return
        with self._alone(bank_id) as alone:
            if not alone:
                return
            self._known_embedder()
            with self.database.read() as connection:
                newest = messages.newest_id(connection, bank_id)
            done = 0
            while self._done.get(bank_id, 0) < newest and (batch := self._new_batch(bank_id)):
                done += batch
                if progress is not None:
                    progress(done, done)
            if self._misses_older(bank_id, max(newest, self._done.get(bank_id, 0))):
                self._run(bank_id, self._without_code, self._embed_batch, progress)
            if self._records is not None:
                self._records.embed(bank_id)

    def is_due(self, connection: Connection, bank_id: int) -> bool:
        """True if a message or record has no embedding, as far as is known without calling the embedder."""
        if not self.vectors.source.usable:
            return False
        pending = embeddings.count_pending(connection, bank_id, self._embedder_id(connection)) > 0
        return pending or (self._records is not None and self._records.exist(connection, bank_id))

    def _misses_older(self, bank_id: int, last: int) -> bool:
        """True if a message up to `last` has no embedding, or more than `MAX_NEWER` messages follow it."""
        with self.database.read() as connection:
            newer = messages.ids_after(connection, bank_id, last, MAX_NEWER)
            return embeddings.count_pending(connection, bank_id, self._embedder_id(connection)) > len(newer)

    @contextmanager
    def _alone(self, bank_id: int) -> Iterator[bool]:
        """Yields True if no other thread embeds the new messages of the bank, and keeps others from starting."""
        with self._lock:
            alone = bank_id not in self._busy
            self._busy.add(bank_id)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._busy.discard(bank_id)

    def _known_embedder(self) -> Embedder:
        """Returns the embedder with its number of dimensions. Raises `EmbedderError`."""
        source = self.vectors.source
        embedder = source.load()
        if not embedder.dimensions or getattr(embedder, "slow", False):
            source.documents(["the number of dimensions"])  # known only from an answer of the server
        return embedder

    def _new_batch(self, bank_id: int) -> int:
        """Embeds the next messages after the last one processed or embedded. Returns how many."""
        with self.database.read() as connection:
            embedder = self._embedder_id(connection)
            after = self._done.get(bank_id, 0) or embeddings.newest(connection, bank_id, embedder)
            ids = embeddings.pending(connection, bank_id, embedder, after, BATCH)
            ids = _first(connection, bank_id, ids)
        if not ids:
            return 0
        done = self._embed_batch(bank_id, ids)
        self._done[bank_id] = ids[-1]
        return done

    def _run(self, bank_id: int, list_ids: "_Lister", change: "_Change", progress: Progress | None) -> "_Done":
        """Changes the listed messages batch by batch."""
        last = done = unchanged = total = 0
        while True:
            with self.database.read() as connection:
                ids, waiting = list_ids(connection, bank_id, last)
                total = total or waiting
                ids = _first(connection, bank_id, ids)
            if not ids:
                return _Done(done, unchanged)
            changed = change(bank_id, ids)
            last = ids[-1]
            done = done + changed
            unchanged = unchanged + len(ids) - changed
            if progress is not None:
                progress(done, max(total, done + unchanged))

    def _all(self, connection: Connection, bank_id: int, after: int) -> tuple[list[int], int]:
        return messages.ids_after(connection, bank_id, after, BATCH), messages.count(connection, bank_id)

    def _without_code(self, connection: Connection, bank_id: int, after: int) -> tuple[list[int], int]:
        embedder = self._embedder_id(connection)
        ids = embeddings.pending(connection, bank_id, embedder, after, BATCH)
        return ids, embeddings.count_pending(connection, bank_id, embedder)

    def _index_batch(self, bank_id: int, ids: Sequence[int]) -> int:
        """Indexes the words of messages. Returns how many messages were indexed."""
        prepared = self._write(bank_id, ids, self.reindexer.prepare_words)
        return 0 if prepared is None else len(prepared.counts) + len(prepared.faded)

    def _embed_batch(self, bank_id: int, ids: Sequence[int]) -> int:
        """Embeds messages. Returns how many were embedded."""
        prepared = self._write(bank_id, ids, self.reindexer.prepare_codes)
        return 0 if prepared is None else len(prepared.changed)

    def _write(
        self, bank_id: int, ids: Sequence[int], prepare: Callable[[int, Sequence[int]], PreparedTerms]
    ) -> PreparedTerms | None:
        """Writes what `prepare` returns; None while other processes keep changing the pages."""
        for _ in range(ATTEMPTS):
            prepared = prepare(bank_id, ids)
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                if self.reindexer.is_current(connection, prepared):
                    self.reindexer.write(connection, bank_id, prepared)
                    return prepared
        return None

    def _embedder_id(self, connection: Connection) -> int | None:
        embedder = self.vectors.source.load()
        return embeddings.find_embedder(connection, embedder.name, embedder.dimensions)


def _first(connection: Connection, bank_id: int, ids: Sequence[int]) -> list[int]:
    """Returns the first messages that have `BATCH_PASSAGES` passages in total; at least one message if there is any."""
    counts = messages.passage_counts(connection, bank_id, ids)
    totals = accumulate(counts.get(message_id, 1) for message_id in ids)
    return [
        i for number, (i, total) in enumerate(zip(ids, totals, strict=True)) if not number or total <= BATCH_PASSAGES
    ]
