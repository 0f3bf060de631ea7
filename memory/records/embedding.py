"""Embedding of records that the current embedder has not embedded."""

from collections.abc import Sequence

from sqlalchemy import Connection

from foxing.memory.index.embedder_source import EmbedderSource
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, embeddings, records

from .vectors import GIVEN, RecordEmbedder, searchable_json

BATCH = 64  # records, embedded together and written in one transaction


class MissingVectors:
    """Records without vectors by the current embedder. Those with vectors given by callers are left out."""

    def __init__(self, database: Database, source: EmbedderSource) -> None:
        self._database = database
        self._source = source

    def exist(self, connection: Connection, bank_id: int) -> bool:
        """True if a record of a bank is to be embedded. Raises `EmbedderError`."""
        return records.lacks_vectors(connection, bank_id, self._embedders(connection))

    def embed(self, bank_id: int) -> int:
        """Embeds the records of a bank. Returns how many. Raises `EmbedderError`."""
        embedder = RecordEmbedder(self._source)
        last = done = 0
        while True:
            with self._database.read() as connection:
                rows = records.without_vectors(connection, bank_id, self._embedders(connection), last, BATCH)
            if not rows:
                return done
            numbers = embedder.embed([searchable_json(row.value, row.text) for row in rows])
            with self._database.write() as connection:
                banks.lock(connection, bank_id)
                for row, vectors in zip(rows, numbers, strict=True):
                    embedder_id = vectors.embedder_id(connection)
                    records.set_vectors(connection, row.id, row.version, embedder_id, vectors.packed)
            last = rows[-1].id
            done = done + len(rows)

    def _embedders(self, connection: Connection) -> Sequence[int]:
        """Returns the embedders whose vectors are not replaced."""
        embedder = self._source.load()
        current = embeddings.find_embedder(connection, embedder.name, embedder.dimensions)
        return [*embeddings.embedders_named(connection, GIVEN), *([] if current is None else [current])]
