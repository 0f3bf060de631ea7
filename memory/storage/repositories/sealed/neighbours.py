"""Neighbours of a message in its thread, open or sealed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Select, func, select

from foxing.memory.ascending import distinct, is_first, is_in, places_in
from foxing.memory.storage import columns, schema, snapshot
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.manifest import PageMessages

from . import bank_ranges, manifests
from .bank_ranges import Numbers

_c = schema.messages.c


_several_passages = select(_c.id, _c.passages).where(columns.is_given(_c.id), _c.passages > 1)


class Neighbours(NamedTuple):
    """Ids of the messages around one in its thread, nearest first on either side."""

    before: Sequence[int]
    after: Sequence[int]


@dataclass(frozen=True)
class Neighbourhood:
    """Neighbours of some messages."""

    #: int64[m, 1 + 2·reach], by id: a message, those before it in its thread and those after it, nearest first, 0 if
    #: there is none
    rows: Numbers
    #: message id → number of passages, for those of all these messages with several
    several_passages: Mapping[int, int]

    @property
    def of(self) -> dict[int, Neighbours]:
        """Message id → its neighbours."""
        reach = self.rows.shape[1] // 2
        return {
            i: Neighbours([n for n in around_it[:reach] if n], [n for n in around_it[reach:] if n])
            for i, *around_it in self.rows.tolist()
        }


def around(connection: Connection, bank_id: int, ids: Sequence[int] | Numbers, reach: int) -> Neighbourhood:
    """Returns up to `reach` messages before and after each of the messages in its thread, in order of storage. Only for
    read-only transactions, see `bank_ranges.of_bank`."""
    if not len(ids):
        return Neighbourhood(np.zeros((0, 1 + 2 * reach), dtype=np.int64), {})
    return _Search(connection, bank_id, reach).around(distinct(np.asarray(ids, dtype=np.int64)))


class _Search:
    """Search for neighbours in a bank."""

    def __init__(self, connection: Connection, bank_id: int, reach: int) -> None:
        self.connection = connection
        self.reach = reach
        self.ranges = bank_ranges.of_bank(connection, bank_id)
        self.pages: dict[int, PageMessages] = {}
        #: ids of all messages on these pages, ascending; none for a page without a manifest, which `foxing db check`
        #: reports
        self.ids: Numbers = np.zeros(0, dtype=np.int64)
        self.open: set[int] = set()

    def around(self, message_ids: Numbers) -> Neighbourhood:
        query = dialect_of(self.connection).fetch_numbers(
            self.connection, _open_neighbours(self.reach), {"ids": message_ids.tolist()}
        )
        still_open = np.array([tuple(row) for row in query], dtype=np.int64).reshape(-1, 2 + 2 * self.reach)
        sealed = self._sealed(message_ids[~is_in(message_ids, np.sort(still_open[:, 0]))])
        spans = _open_spans(self.connection, set(sealed.threads.tolist()))
        for place in np.flatnonzero(_beside_spans(sealed, spans)).tolist():
            row, thread = sealed.rows[place].tolist(), int(sealed.threads[place])
            open_ids = _open_beside(self.connection, thread, row[0], self.reach)
            self.open.update(open_ids)
            sealed.rows[place] = _row({*row[1:], *open_ids} - {0}, row[0], self.reach)
        rows = np.concatenate([sealed.rows, self._of_open(still_open)])
        rows = rows[np.argsort(rows[:, 0])]
        return Neighbourhood(rows, self._several_passages(rows))

    def _of_open(self, still_open: Numbers) -> Numbers:
        """Returns the rows of open messages. `still_open`: int64[m, 2 + 2·reach], an open message, its thread, and the
        open messages around it."""
        threads, rows = still_open[:, 1], np.delete(still_open, 1, axis=1)
        self.open.update(rows[rows > 0].tolist())
        last = self.ranges.last_messages(threads)
        for place in np.flatnonzero(rows[:, self.reach] < last).tolist():
            message_id, *open_ids = rows[place].tolist()
            range_places = self.ranges.around(int(threads[place]), message_id, self.reach)
            self._read(range_places)
            ids, _ = self.ranges.messages_of(range_places, self.ids)
            ids = ids[ids != message_id]  # a part of it may be sealed
            at = int(ids.searchsorted(message_id))
            sealed = ids[max(0, at - self.reach) : at + self.reach].tolist()
            rows[place] = _row({*open_ids, *sealed} - {0}, message_id, self.reach)
        return rows

    def _sealed(self, message_ids: Numbers) -> "_Sealed":
        """Returns the rows of sealed messages, with sealed neighbours only."""
        places = self.ranges.find(message_ids)
        message_ids, places = message_ids[places >= 0], places[places >= 0]
        used = distinct(places)
        self._read(used)
        next_ranges = self.ranges.adjacent(distinct(places[self._at_edge(message_ids, places)]), self.reach)
        self._read(next_ranges)
        range_places = distinct(np.concatenate([used, next_ranges]))
        return _windows(*self.ranges.messages_of(range_places, self.ids), message_ids, self.reach)

    def _at_edge(self, message_ids: Numbers, places: Numbers) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for messages so close to an end of their range that they have neighbours in other
        ranges."""
        at, first, last = (
            self.ids.searchsorted(values)
            for values in (message_ids, self.ranges.first[places], self.ranges.last[places])
        )
        return (at - first < self.reach) | (last - at < self.reach)

    def _read(self, places: Numbers) -> None:
        """Reads the ids of the messages on the pages of these ranges."""
        missing = set(self.ranges.page[places].tolist()) - self.pages.keys()
        if missing:
            read = manifests.messages_on(self.connection, missing)
            self.pages |= read
            ids = np.concatenate([self.ids, *(page.ids for page in read.values())])
            ids.sort(kind="stable")  # fast for partly sorted input
            self.ids = ids[is_first(ids)]

    def _several_passages(self, rows: Numbers) -> dict[int, int]:
        several: dict[int, int] = {}
        for page in self.pages.values():
            several |= page.several_passages
        if self.open:
            ids = {"ids": sorted(self.open)}
            numbers = dialect_of(self.connection).fetch_numbers(self.connection, _several_passages, ids)
            several |= {i: passages for i, passages in numbers}
        ids_in_rows = set(rows.ravel().tolist()) if several else set()
        return {i: passages for i, passages in several.items() if i in ids_in_rows}


class _Sealed(NamedTuple):
    """Rows of `Neighbourhood` with sealed neighbours only, and the thread of each."""

    rows: Numbers
    threads: Numbers


def _windows(ids: Numbers, threads: Numbers, message_ids: Numbers, reach: int) -> _Sealed:
    """Returns those of the messages that are among `ids`, with their neighbours. `ids`: sorted by thread and id."""
    if not len(ids):
        return _Sealed(np.zeros((0, 1 + 2 * reach), dtype=np.int64), ids)
    order = np.argsort(ids, kind="stable")
    at, is_there = places_in(ids[order], message_ids)
    message_ids, at = message_ids[is_there], order[at[is_there]]
    indices = at[:, None] + np.concatenate([-np.arange(1, reach + 1), np.arange(1, reach + 1)])
    inside = (indices >= 0) & (indices < len(ids))
    indices = np.where(inside, indices, 0)
    in_thread = inside & (threads[indices] == threads[at][:, None])
    rows = np.where(in_thread, ids[indices], 0)
    return _Sealed(np.concatenate([message_ids[:, None], rows], axis=1), threads[at])


def _beside_spans(sealed: _Sealed, spans: Mapping[int, tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Returns bool[n]: True for messages with open neighbours. `spans`: thread id → lowest and highest id of its open
    messages."""
    if not spans:
        return np.zeros(len(sealed.rows), dtype=np.bool_)
    reach = sealed.rows.shape[1] // 2
    full = (sealed.rows > 0).all(axis=1)
    threads = sorted(spans)
    places, of_thread = places_in(np.array(threads, dtype=np.int64), sealed.threads)
    low, high = np.array([spans[thread] for thread in threads], dtype=np.int64)[places].T
    is_clear = full & ((sealed.rows[:, -1] < low) | (sealed.rows[:, reach] > high))
    return np.asarray(of_thread & ~is_clear, dtype=np.bool_)


def _row(candidates: Collection[int], message_id: int, reach: int) -> list[int]:
    """Returns the row of a message with the nearest of `candidates`."""
    before = sorted((i for i in candidates if i < message_id), reverse=True)[:reach]
    later = sorted(i for i in candidates if i > message_id)[:reach]
    return [message_id, *before, *[0] * (reach - len(before)), *later, *[0] * (reach - len(later))]


def _open_spans(connection: Connection, threads: Collection[int]) -> dict[int, tuple[int, int]]:
    """Returns thread id → lowest and highest id of its open messages, for threads that have any."""
    if not threads:
        return {}
    rows = connection.execute(_ends_of_threads(), {"ids": sorted(threads)}).all()
    read = snapshot.of(connection)
    if read is not None:
        read.threads |= {row.id: row.name for row in rows}
    return {row.id: (row.first, row.last) for row in rows if row.first is not None}


@cache
def _ends_of_threads() -> Select[Any]:
    """Returns a query for the name, and the lowest and the highest id of an open message, of the threads `ids`."""
    t = schema.threads.c
    ends = [
        select(extreme(_c.id)).where(_c.thread_id == t.id).correlate(schema.threads).scalar_subquery().label(name)
        for name, extreme in (("first", func.min), ("last", func.max))
    ]
    return select(t.id, t.name, *ends).where(columns.is_given(t.id))


def _open_beside(connection: Connection, thread_id: int, message_id: int, reach: int) -> list[int]:
    """Returns the ids of up to `reach` open messages of a thread on either side of a sealed one."""
    of_thread = select(_c.id).where(_c.thread_id == thread_id)
    before = of_thread.where(_c.id < message_id).order_by(_c.id.desc()).limit(reach)
    after = of_thread.where(_c.id > message_id).order_by(_c.id).limit(reach)
    return [i for query in (before, after) for i in connection.execute(query).scalars()]


@cache
def _open_neighbours(reach: int) -> Select[Any]:
    """Returns a query for id, thread, and open messages before and after each of the open messages `ids`, 0 where there
    is none. Cached, because building it takes longer than executing it."""
    other = schema.messages.alias("near").c

    def distant(distance: int, *, later: bool) -> ColumnElement[int | None]:
        beyond, nearest = (other.id > _c.id, other.id) if later else (other.id < _c.id, other.id.desc())
        query = select(other.id).where(other.thread_id == _c.thread_id, beyond).order_by(nearest)
        return query.offset(distance - 1).limit(1).correlate(schema.messages).scalar_subquery()

    distances = range(1, reach + 1)
    distances_to = [func.coalesce(distant(n, later=later), 0) for later in (False, True) for n in distances]
    return select(_c.id, _c.thread_id, *distances_to).where(columns.is_given(_c.id))
