"""Codes in a table of PostgreSQL, found by its extension pgvector: exactly, and with an index that may miss some."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import psycopg

from foxing.memory.index.codes import Codes, to_codes
from foxing.memory.storage.database import database_url

MOST_EXAMINED = 1000  # of the index; pgvector allows no more

#: Numbers of the nearest codes to a question, given by its number.
Nearest = Callable[[int], npt.NDArray[np.int64]]


class CodeTable:
    """A table of codes, dropped at the end of the block of `code_table`."""

    def __init__(self, connection: psycopg.Connection, name: str, bits: int) -> None:
        self._connection, self._name, self._bits = connection, name, bits

    def fill(self, held: Codes) -> float:
        """Writes the codes; returns how many ms that took."""
        start = time.perf_counter()
        with self._connection.cursor().copy(f"COPY {self._name} FROM STDIN") as copy:
            for number, row in enumerate(np.unpackbits(held, axis=1)):
                copy.write_row((number, (row + ord("0")).tobytes().decode()))
        self._connection.execute(f"ANALYZE {self._name}")
        return (time.perf_counter() - start) * 1e3

    def index(self) -> float:
        """Makes an HNSW index; returns how many ms that took."""
        start = time.perf_counter()
        self._connection.execute("SET maintenance_work_mem = '1GB'")
        self._connection.execute(f"CREATE INDEX ON {self._name} USING hnsw (code bit_hamming_ops)")
        self._connection.execute(f"SET hnsw.ef_search = {MOST_EXAMINED}")
        return (time.perf_counter() - start) * 1e3

    @property
    def bytes(self) -> int:
        """Of the table and its indexes on disk."""
        size = "SELECT pg_total_relation_size(%s::regclass)"
        [total] = self._connection.execute(size, (self._name,)).fetchone() or (0,)
        return int(total)

    def nearest(self, asked: npt.NDArray[np.float32], count: int) -> Nearest:
        """`asked`: float32[questions, bits]."""
        questions = ["".join(map(str, row)) for row in np.unpackbits(to_codes(asked), axis=1)]
        found = f"SELECT id FROM {self._name} ORDER BY code <~> %s::bit({self._bits}) LIMIT {count}"

        def nearest(number: int) -> npt.NDArray[np.int64]:
            rows = self._connection.execute(found, (questions[number],)).fetchall()
            return np.array([row[0] for row in rows], dtype=np.int64)

        return nearest


@contextmanager
def code_table(url: str, bits: int) -> Iterator[CodeTable]:
    """A new table in the database of a URL, whose role may create the extension. Raises `psycopg.Error`."""
    plain = database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    name = f"codes_{uuid.uuid4().hex}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, code bit({bits}) NOT NULL)")
        try:
            yield CodeTable(connection, name, bits)
        finally:
            connection.execute(f"DROP TABLE {name}")
