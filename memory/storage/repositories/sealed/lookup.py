"""Looking for sealed messages: by id, by time, and by what a filter lets through."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, select

from foxing.memory.storage import schema
from foxing.memory.storage.directory import PageDirectory, SealedMessage
from foxing.memory.storage.message_filter import MessageFilter, microseconds

from . import directories, runs

_p = schema.pages.c
_AT_ONCE = 32  # pages whose directories are read together


class Located(NamedTuple):
    """Where a message is: its number in a directory."""

    directory: PageDirectory
    number: int

    @property
    def message(self) -> SealedMessage:
        return self.directory.message(self.number)


def locate(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, Located]:
    """Message id → where it is, for messages on pages; if several pages hold it, on one of them."""
    found = runs.of_messages(connection, bank_id, ids)
    known = directories.get(connection, {run.page_id for of_one in found.values() for run in of_one})
    result: dict[int, Located] = {}
    for message_id, of_one in found.items():
        for run in of_one:
            directory = known.get(run.page_id)
            if directory is not None and message_id in directory.place_of:
                result[message_id] = Located(directory, directory.place_of[message_id])
    return result


def ids_within(connection: Connection, bank_id: int, within: MessageFilter) -> set[int]:
    """Ids of the sealed messages of a bank that the filter lets through."""
    query = select(_p.id).where(_p.bank_id == bank_id, *within.page_conditions())
    result: set[int] = set()
    for _, directory in directories.of_pages(connection, connection.execute(query).scalars()):
        result.update(directory.ids[within.admitted(directory)].tolist())
    return result


def ids_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[int]:
    """Ids of up to `limit` sealed messages of a bank above `message_id`, ascending."""
    result: set[int] = set()
    after = message_id
    while len(result) < limit and (found := runs.after(connection, bank_id, after, limit)):
        known = directories.get(connection, {run.page_id for run in found})
        for run in found:
            ids = known[run.page_id].ids if run.page_id in known else np.zeros(0, np.int64)
            result.update(ids[(ids >= max(run.first, message_id + 1)) & (ids <= run.last)].tolist())
        after = max(run.last for run in found)
    return sorted(result)[:limit]


def in_time_order(
    connection: Connection, bank_id: int, within: MessageFilter, after: tuple[datetime, int] | None
) -> Iterator[SealedMessage]:
    """The sealed messages that the filter lets through by time and id, starting after the message of that time and id.
    A message that several pages hold comes once."""
    query = select(_p.id, _p.first_at).where(_p.bank_id == bank_id, *within.page_conditions())
    if after is not None:
        query = query.where(_p.last_at >= after[0])
    rows = connection.execute(query.order_by(_p.first_at, _p.id)).all()
    beyond = None if after is None else (microseconds(after[0]), after[1])
    begins = [(row.id, microseconds(row.first_at)) for row in rows]
    return _in_order(connection, begins, within, beyond)


def _in_order(
    connection: Connection,
    begins: Sequence[tuple[int, int]],
    within: MessageFilter,
    beyond: tuple[int, int] | None,
) -> Iterator[SealedMessage]:
    """`begins`: pages and the times of their first messages, ascending. Only what is asked for is read."""
    waiting: list[tuple[int, int, Located]] = []
    last: int | None = None
    for start in range(0, len(begins), _AT_ONCE):
        part = begins[start : start + _AT_ONCE]
        found = [
            item
            for _, directory in directories.of_pages(connection, [page_id for page_id, _ in part])
            for item in _admitted(directory, within)
            if beyond is None or item[:2] > beyond
        ]
        waiting = list(merge(waiting, sorted(found, key=_time_and_id), key=_time_and_id))
        following = begins[start + _AT_ONCE][1] if start + _AT_ONCE < len(begins) else None
        ready = len(waiting) if following is None else sum(1 for item in waiting if item[0] < following)
        for _, message_id, located in waiting[:ready]:
            if message_id != last:
                yield located.message
            last = message_id
        waiting = waiting[ready:]


def _admitted(directory: PageDirectory, within: MessageFilter) -> Iterator[tuple[int, int, Located]]:
    for number in np.flatnonzero(within.admitted(directory)).tolist():
        yield int(directory.times[number]), int(directory.ids[number]), Located(directory, number)


def _time_and_id(item: tuple[int, int, Located]) -> tuple[int, int]:
    return item[:2]


def latest(connection: Connection, bank_id: int, within: MessageFilter, limit: int) -> list[SealedMessage]:
    """The last `limit` sealed messages that the filter lets through, in no order."""
    query = select(_p.id, _p.last_at).where(_p.bank_id == bank_id, *within.page_conditions())
    rows = connection.execute(query.order_by(_p.last_at.desc(), _p.id.desc())).all()
    found: dict[int, tuple[int, int, Located]] = {}
    for start in range(0, len(rows), _AT_ONCE):
        ends = microseconds(rows[start].last_at)
        best = sorted((item[:2] for item in found.values()), reverse=True)[limit - 1 : limit]
        if best and best[0][0] > ends:
            break
        for _, directory in directories.of_pages(connection, [row.id for row in rows[start : start + _AT_ONCE]]):
            found |= {item[1]: item for item in _admitted(directory, within)}
    newest = sorted(found.values(), key=_time_and_id, reverse=True)
    return [item[2].message for item in islice(newest, limit)]


class Nearby(NamedTuple):
    """Sealed messages of a thread."""

    #: message id → its thread, and ids of the message and of the up to `reach` sealed ones on either side of it in its
    #: thread, ascending; for sealed messages
    of: dict[int, tuple[int, list[int]]]
    #: ids of pages that hold them all
    page_ids: set[int]


def neighbours(connection: Connection, bank_id: int, ids: Collection[int], reach: int) -> Nearby:
    """The neighbours of those of the messages that are sealed."""
    found = {i: of_one[0] for i, of_one in runs.of_messages(connection, bank_id, ids).items()}
    inside = _ids_of_runs(connection, found.values())
    result: dict[int, tuple[int, list[int]]] = {}
    at_edge: dict[int, runs.Run] = {}
    for i, run in found.items():
        near = _near(inside[run], i, reach)
        if len(near) == 2 * reach + 1 and near[reach] == i:
            result[i] = run.thread_id, near
        elif i in near:
            at_edge[i] = run
    around = runs.around(connection, bank_id, at_edge.values(), reach)
    beside = _ids_of_runs(connection, [run for near in around.values() for run in near])
    in_thread: dict[runs.Run, list[int]] = {}
    for i, run in at_edge.items():
        if run not in in_thread:
            more = [near for other in around.get(run.first, ()) for near in beside[other]]
            in_thread[run] = sorted({*inside[run], *more})
        result[i] = run.thread_id, _near(in_thread[run], i, reach)
    return Nearby(result, {run.page_id for run in (*found.values(), *beside)})


def beside(connection: Connection, bank_id: int, thread_id: int, message_id: int, reach: int) -> Nearby:
    """The same for a message that is not sealed: up to `reach` on either side."""
    near = runs.beside(connection, bank_id, thread_id, message_id, reach)
    ids = sorted({i for of_one in _ids_of_runs(connection, near).values() for i in of_one})
    place = bisect_left(ids, message_id)
    found = ids[max(0, place - reach) : place + reach]
    return Nearby({message_id: (thread_id, found)}, {run.page_id for run in near})


def _near(ids: Sequence[int], message_id: int, reach: int) -> list[int]:
    """The `reach` on either side of one of `ids`, with itself."""
    place = bisect_left(ids, message_id)
    return list(ids[max(0, place - reach) : place + reach + 1])


def _ids_of_runs(connection: Connection, wanted: Iterable[runs.Run]) -> dict[runs.Run, list[int]]:
    """Run → ids of its messages, ascending."""
    every = set(wanted)
    known = directories.get(connection, {run.page_id for run in every})
    result: dict[runs.Run, list[int]] = {}
    for run in every:  # a page without its directory, which `foxing db check` reports, has no messages
        ids = known[run.page_id].ordered_ids if run.page_id in known else []
        result[run] = ids[bisect_left(ids, run.first) : bisect_right(ids, run.last)]
    return result


def messages_on(connection: Connection, page_ids: Collection[int]) -> set[int]:
    """Ids of the messages that are on these pages, whole or in part."""
    return {int(i) for directory in directories.get(connection, page_ids).values() for i in directory.ids}
