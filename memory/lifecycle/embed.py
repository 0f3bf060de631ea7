"""Embedding the messages of a bank that have no embedding of the present embedder."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from foxing.memory.recall.indexing import Reindexer
from foxing.memory.recall.semantic.vectors import MessageVectors
from foxing.memory.reports import EmbeddingReport
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, embeddings

BATCH = 64  # messages, written in one transaction
ATTEMPTS = 5  # while other processes change the pages of a batch

Progress = Callable[[int, int], None]  # messages embedded, messages in all


class MessageEmbedder:
    """Makes the embeddings that are missing."""

    def __init__(self, database: Database, reindexer: Reindexer) -> None:
        self.database = database
        self.reindexer = reindexer
        #: bank id → the highest message id that `embed_new` has looked at
        self._done: dict[int, int] = {}

    @property
    def vectors(self) -> MessageVectors:
        return self.reindexer.vectors

    def embed(self, bank_name: str, progress: Progress | None = None) -> EmbeddingReport:
        """See `Memory.reindex`."""
        source = self.vectors.source
        embedder = source.load()
        if not embedder.dimensions or getattr(embedder, "slow", False):
            source.documents(["the number of dimensions"])  # what a server has is known only from its answer
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
            total = embeddings.count_pending(connection, bank_id, self._embedder_id(connection))
        embedded = left = 0
        last = 0
        while True:
            with self.database.read() as connection:
                ids = embeddings.pending(connection, bank_id, self._embedder_id(connection), last, BATCH)
            if not ids:
                return EmbeddingReport(bank=bank_name, embedder=embedder.name, embedded=embedded, left=left)
            last = ids[-1]
            done = self._embed_batch(bank_id, ids)
            embedded += done
            left += len(ids) - done
            if progress is not None:
                progress(embedded, max(total, embedded))

    def embed_new(self, bank_name: str) -> int:
        """See `Memory.embed_new`."""
        if not self.vectors.source.usable:
            return 0
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
            after = self._done.get(bank_id, 0)
            ids = embeddings.pending(connection, bank_id, self._embedder_id(connection), after, BATCH)
        if not ids:
            return 0
        done = self._embed_batch(bank_id, ids)
        self._done[bank_id] = ids[-1]
        return done

    def is_due(self, connection: Connection, bank_id: int) -> bool:
        """Whether a message has no embedding, as far as the embedder can tell without being asked."""
        return bool(embeddings.pending(connection, bank_id, self._embedder_id(connection), 0, 1))

    def _embed_batch(self, bank_id: int, ids: Sequence[int]) -> int:
        """How many of the messages have an embedding now."""
        for _ in range(ATTEMPTS):
            prepared = self.reindexer.prepare_codes(ids)
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                if self.reindexer.is_current(connection, prepared):
                    self.reindexer.write(connection, bank_id, prepared)
                    return len(prepared.changed)
        return 0

    def _embedder_id(self, connection: Connection) -> int | None:
        embedder = self.vectors.source.load()
        return embeddings.find_embedder(connection, embedder.name, embedder.dimensions)
