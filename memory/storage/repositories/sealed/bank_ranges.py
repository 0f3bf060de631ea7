"""In-memory copy of the ranges of a bank, to locate many messages at once."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Connection, Select, bindparam, or_, select

from foxing.memory.ascending import distinct, is_in
from foxing.memory.storage import schema, snapshot
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import bank_versions

from .cache import cache_of

_AT_ONCE = 50_000  # ranges read together
_c = schema.message_ranges.c

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BankRanges:
    """Ranges of a bank by thread and message, see `ranges.MessageRange`. If several ranges begin with the same message,
    which is on several pages, this is the one on the page where the message begins."""

    #: `banks.ranges_added` and `banks.ranges_changed`
    version: tuple[int, int]
    #: int64[n] each
    first: Numbers
    last: Numbers
    page: Numbers
    thread: Numbers
    messages: Numbers
    #: int64[m, 5], the further ranges that begin with the same messages
    repeated: Numbers
    #: int64[n] each, indices of the ranges sorted by message, and their first messages in that order
    _by_message: Numbers = field(repr=False)
    _firsts: Numbers = field(repr=False)

    @classmethod
    def of(cls, version: tuple[int, int], rows: Numbers) -> Self:
        """Returns the ranges of `rows`: int64[n, 5], first message, last message, page, thread and number of messages,
        in any order."""
        rows = rows[np.lexsort((rows[:, 2], -rows[:, 4], rows[:, 0], rows[:, 3]))]
        new = np.append(True, rows[1:, 0] != rows[:-1, 0])[: len(rows)]
        first, last, page, thread, messages = np.ascontiguousarray(rows[new].T)
        by_message = np.argsort(first)
        return cls(version, first, last, page, thread, messages, rows[~new], by_message, first[by_message])

    def __len__(self) -> int:
        return len(self.first)

    @property
    def rows(self) -> Numbers:
        """All ranges as int64[n, 5], as passed to `of`."""
        whole = np.stack([self.first, self.last, self.page, self.thread, self.messages], axis=1)
        return np.concatenate([whole, self.repeated])

    @property
    def memory_bytes(self) -> int:
        """Approximate size in memory, in bytes."""
        return 1_000 + 7 * self.first.nbytes + self.repeated.nbytes

    def pages_of(self, ids: Numbers) -> dict[int, list[int]]:
        """Returns message id → pages of the ranges that contain it, for messages in any. `ids`: ascending."""
        places = self.find(ids)
        ids = ids[places >= 0]
        pages = self.page[places[places >= 0]]
        result = {i: [page] for i, page in zip(ids.tolist(), pages.tolist(), strict=True)}
        for message_id, _, page, *_ in self.repeated[is_in(self.repeated[:, 0], ids)].tolist():
            result[message_id].append(page)
        return result

    def find(self, ids: Numbers) -> Numbers:
        """Returns int64[n]: the index of the range that contains each message; -1 for messages in none."""
        if not len(self):
            return np.full(len(ids), -1)
        places = self._by_message[np.searchsorted(self._firsts, ids, side="right") - 1]
        return np.where((self.first[places] <= ids) & (ids <= self.last[places]), places, -1)

    def adjacent(self, places: Numbers, reach: int) -> Numbers:
        """Returns the indices of the ranges before and after these in their threads that hold `reach` messages on
        either side."""
        parts = [np.zeros(0, dtype=np.int64)]
        for step in (-1, 1):
            following = places
            reached = np.zeros(len(places), dtype=np.int64)
            while len(following):
                thread = self.thread[following]
                following = following + step
                inside = (following >= 0) & (following < len(self)) & (reached < reach)
                inside[inside] = self.thread[following[inside]] == thread[inside]
                following = following[inside]
                reached = reached[inside] + self.messages[following]
                parts.append(following)
        reached_places = distinct(np.concatenate(parts))
        return reached_places[~is_in(reached_places, places)]

    def around(self, thread_id: int, message_id: int, reach: int) -> Numbers:
        """Returns the indices of the ranges of a thread with the `reach` messages before an open message, and those
        after it."""
        start, stop = np.searchsorted(self.thread, [thread_id, thread_id + 1]).tolist()
        place = start + int(np.searchsorted(self.first[start:stop], message_id))
        ends = np.array([i for i in (place - 1, place) if start <= i < stop], dtype=np.int64)
        return np.union1d(ends, self.adjacent(ends, reach))

    def last_messages(self, threads: Numbers) -> Numbers:
        """Returns int64[n], the highest id of a sealed message of each thread; 0 if it has none."""
        if not len(self):
            return np.zeros(len(threads), dtype=np.int64)
        places = np.searchsorted(self.thread, threads, side="right") - 1
        return np.where((places >= 0) & (self.thread[places] == threads), self.last[places], 0)

    def messages_of(self, places: Numbers, ids: Numbers) -> tuple[Numbers, Numbers]:
        """Returns int64[m] each: the ids of the messages of these ranges, by thread and id, and their threads. `ids`:
        ids of all messages on their pages, ascending."""
        start = np.searchsorted(ids, self.first[places])
        lengths = np.searchsorted(ids, self.last[places], side="right") - start
        before = np.cumsum(lengths) - lengths
        indices = np.repeat(start - before, lengths) + np.arange(lengths.sum())
        return ids[indices], np.repeat(self.thread[places], lengths)


def of_bank(connection: Connection, bank_id: int) -> BankRanges:
    """Returns the ranges of a bank, cached. Only for read-only transactions, which see committed rows."""
    read = snapshot.of(connection)
    assert read is not None
    ranges: BankRanges | None = read.ranges.get(bank_id)
    if ranges is None:
        ranges = read.ranges[bank_id] = _current(connection, bank_id)
    return ranges


def known(connection: Connection, bank_id: int) -> BankRanges | None:
    """Returns the ranges of a bank if the current transaction has read them; None otherwise."""
    read = snapshot.of(connection)
    return None if read is None else read.ranges.get(bank_id)


def _current(connection: Connection, bank_id: int) -> BankRanges:
    version = bank_versions.of_bank(connection, bank_id).ranges
    cache = cache_of(connection)
    cached = cache.ranges.get(bank_id)
    if cached is not None and cached.version == version:
        return cached
    if cached is not None and cached.version[1] == version[1] and cached.version[0] < version[0]:
        known_rows = cached.rows
        added = read_rows(connection, bank_id, int(known_rows[:, 2].max(initial=0)))
        read = BankRanges.of(version, np.concatenate([known_rows, added]))
    else:
        read = BankRanges.of(version, read_rows(connection, bank_id))
    cache.ranges.put(bank_id, read)
    return read


def read_rows(connection: Connection, bank_id: int, after_page: int = 0) -> Numbers:
    """Returns int64[n, 5]: the ranges of a bank on pages after `after_page`, as for `BankRanges.of`."""
    parts = [np.zeros((0, 5), dtype=np.int64)]
    after = {"message": -1, "page": -1}
    while True:
        parameters = {"bank": bank_id, "after_page": after_page, **after, "limit": _AT_ONCE}
        rows = dialect_of(connection).fetch_numbers(connection, _ranges(), parameters)
        if not rows:
            return np.concatenate(parts)
        part = np.array([tuple(row) for row in rows], dtype=np.int64)
        parts.append(part)
        if len(rows) < _AT_ONCE:
            return np.concatenate(parts)
        last = part[np.lexsort((part[:, 2], part[:, 0]))[-1]]
        after = {"message": int(last[0]), "page": int(last[2])}


@cache
def _ranges() -> Select[Any]:
    """Returns a query for up to `limit` ranges of the `bank` after `message` and `page`, on pages after
    `after_page`."""
    message, page, after_page = (bindparam(name, type_=BigInteger) for name in ("message", "page", "after_page"))
    query = select(_c.first_message, _c.last_message, _c.page_id, _c.thread_id, _c.messages)
    beyond = or_(_c.first_message > message, (_c.first_message == message) & (_c.page_id > page))
    query = query.where(_c.bank_id == bindparam("bank", type_=BigInteger), _c.page_id > after_page)
    query = query.where(_c.first_message >= message, beyond).order_by(_c.first_message, _c.page_id)
    return query.limit(bindparam("limit", type_=BigInteger))
