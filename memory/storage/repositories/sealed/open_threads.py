"""In-memory copy of the threads of the open messages of a bank, to find many neighbours at once."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Connection, Select, bindparam, select

from foxing.memory.storage import schema
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import bank_versions

from .cache import cache_of

_AT_ONCE = 50_000  # messages read together
_c = schema.messages.c

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OpenThreads:
    """Open messages of a bank by thread and id."""

    #: `banks.ranges_added` and `banks.ranges_changed`
    version: tuple[int, int]
    #: int64[n] each
    ids: Numbers
    threads: Numbers
    passages: Numbers

    @classmethod
    def of(cls, version: tuple[int, int], rows: Numbers) -> Self:
        """Returns the messages of `rows`: int64[n, 3], id, thread and number of passages, in any order."""
        ids, threads, passages = np.ascontiguousarray(rows[np.lexsort((rows[:, 0], rows[:, 1]))].T)
        return cls(version, ids, threads, passages)

    @property
    def memory_bytes(self) -> int:
        """Approximate size in memory, in bytes."""
        return 1_000 + 3 * self.ids.nbytes

    @property
    def last(self) -> int:
        """Highest id; 0 if there is none."""
        return int(self.ids.max(initial=0))

    def followed_by(self, rows: Numbers) -> "OpenThreads":
        """Returns these and messages stored since, see `of`."""
        columns = np.stack([self.ids, self.threads, self.passages], axis=1)
        return OpenThreads.of(self.version, np.concatenate([columns, rows]))


def of_bank(connection: Connection, bank_id: int) -> OpenThreads:
    """Returns the open messages of a bank, cached. Only for read-only transactions, which see committed rows. Writers
    of a bank are serialized, so ids of its messages ascend in commit order."""
    versions = bank_versions.of_bank(connection, bank_id)
    cached = cache_of(connection).open_threads.get(bank_id)
    if cached is None or cached.version != versions.ranges:
        cached = OpenThreads.of(versions.ranges, np.zeros((0, 3), dtype=np.int64))
    by_id = versions.newest - cached.last <= len(cached.ids)  # messages of other banks are fewer than those of this one
    added = _read(connection, bank_id, cached.last, by_id=by_id)
    if not len(added):
        return cached
    current = cached.followed_by(added)
    cache_of(connection).open_threads.put(bank_id, current)
    return current


def _read(connection: Connection, bank_id: int, after: int, *, by_id: bool) -> Numbers:
    """Returns int64[n, 3]: the open messages of a bank with ids above `after`, as for `OpenThreads.of`. `by_id`:
    whether these are looked for among those of all banks, rather than among all of the bank."""
    batches = [np.zeros((0, 3), dtype=np.int64)]
    while True:
        parameters = {"bank": bank_id, "after": after, "limit": _AT_ONCE}
        rows = dialect_of(connection).fetch_numbers(connection, _open(by_id=by_id), parameters)
        if rows:
            batches.append(np.array([tuple(row) for row in rows], dtype=np.int64))
            after = int(batches[-1][:, 0].max())
        if len(rows) < _AT_ONCE:
            return np.concatenate(batches)


@cache
def _open(*, by_id: bool) -> Select[Any]:
    """Returns a query for up to `limit` open messages of the `bank` with ids above `after`. `by_id`: whether it
    does not use the index of banks, which has no order of ids."""
    bank, after, limit = (bindparam(name, type_=BigInteger) for name in ("bank", "after", "limit"))
    of_bank = (_c.bank_id + 0 if by_id else _c.bank_id) == bank
    return select(_c.id, _c.thread_id, _c.passages).where(of_bank, _c.id > after).order_by(_c.id).limit(limit)
