"""The messages before and after a message in its thread, whether they are open or sealed."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select

from foxing.memory.storage import columns, schema

from . import lookup, runs

_c = schema.messages.c


class Neighbours(NamedTuple):
    """Ids of the messages around one in its thread, on either side the nearest first."""

    before: Sequence[int]
    after: Sequence[int]


class Surroundings(NamedTuple):
    """What stands around some messages in their threads."""

    of: dict[int, Neighbours]
    #: Ids of pages that hold all that is sealed of it.
    page_ids: set[int]

    def rows(self, reach: int) -> list[tuple[int, ...]]:
        """For each of the messages, by id: its id, those of the `reach` messages before it in its thread, and those of
        the messages after it, the nearest first; 0 where there is none."""
        return [(i, *_filled(before, reach), *_filled(after, reach)) for i, (before, after) in sorted(self.of.items())]


def around(connection: Connection, bank_id: int, ids: Collection[int], reach: int) -> Surroundings:
    """The up to `reach` messages before each of the messages and after it in its thread, in the order they were stored
    in."""
    if not ids or not reach:
        return Surroundings({i: Neighbours((), ()) for i in ids}, set())
    still_open = {row.id: row for row in connection.execute(_open_neighbours(reach), {"ids": sorted(ids)}).all()}
    sealed = lookup.neighbours(connection, bank_id, set(ids) - still_open.keys(), reach)
    threads = {*(thread for thread, _ in sealed.of.values()), *(row.thread_id for row in still_open.values())}
    spans = _open_spans(connection, threads)
    result = Surroundings({}, set(sealed.page_ids))
    newest_sealed = runs.last_messages(connection, bank_id, {row.thread_id for row in still_open.values()})
    for i, row in still_open.items():
        near = [other for other in row[2:] if other is not None]
        before = [other for other in near if other < i]
        if len(before) < reach or before[-1] < newest_sealed.get(row.thread_id, 0):
            beside = lookup.beside(connection, bank_id, row.thread_id, i, reach)
            near += beside.of[i][1]
            result.page_ids.update(beside.page_ids)
        result.of[i] = _neighbours(near, i, reach)
    for i, (thread, near) in sealed.of.items():
        span = spans.get(thread)
        apart = span is None or near[-1] < span[0] or near[0] > span[1]  # from all open messages
        if apart and len(near) == 2 * reach + 1 and near[reach] == i:
            result.of[i] = Neighbours(near[reach - 1 :: -1], near[reach + 1 :])
            continue
        more = [] if span is None else _open_beside(connection, thread, i, reach)
        result.of[i] = _neighbours([*near, *more], i, reach)
    return result


def _filled(ids: Sequence[int], reach: int) -> Sequence[int]:
    return ids if len(ids) == reach else [*ids, *[0] * (reach - len(ids))]


def _neighbours(near: Sequence[int], message_id: int, reach: int) -> Neighbours:
    ordered = sorted({*near, message_id})
    place = ordered.index(message_id)
    return Neighbours(ordered[max(0, place - reach) : place][::-1], ordered[place + 1 : place + 1 + reach])


def _open_spans(connection: Connection, threads: Collection[int]) -> dict[int, tuple[int, int]]:
    """Thread id → the lowest and the highest id of its open messages, for those that have any."""
    if not threads:
        return {}
    t = schema.threads.c
    ends = [
        select(extreme(_c.id)).where(_c.thread_id == t.id).correlate(schema.threads).scalar_subquery()
        for extreme in (func.min, func.max)
    ]
    rows = connection.execute(select(t.id, *ends).where(columns.among(t.id, sorted(threads))))
    return {thread_id: (low, high) for thread_id, low, high in rows if low is not None}


def _open_beside(connection: Connection, thread_id: int, message_id: int, reach: int) -> list[int]:
    """Ids of the up to `reach` open messages of a thread on either side of a sealed one."""
    of_thread = select(_c.id).where(_c.thread_id == thread_id)
    before = of_thread.where(_c.id < message_id).order_by(_c.id.desc()).limit(reach)
    after = of_thread.where(_c.id > message_id).order_by(_c.id).limit(reach)
    return [i for query in (before, after) for i in connection.execute(query).scalars()]


@cache
def _open_neighbours(reach: int) -> Select[Any]:
    """Of the open messages `ids`: id, thread, and open messages before and after them. Building it takes longer than
    asking it."""
    near = schema.messages.alias("near").c

    def distant(distance: int, *, later: bool) -> ColumnElement[int | None]:
        beyond, nearest = (near.id > _c.id, near.id) if later else (near.id < _c.id, near.id.desc())
        query = select(near.id).where(near.thread_id == _c.thread_id, beyond).order_by(nearest)
        return query.offset(distance - 1).limit(1).correlate(schema.messages).scalar_subquery()

    distances = range(1, reach + 1)
    around = [distant(n, later=later) for later in (False, True) for n in distances]
    return select(_c.id, _c.thread_id, *around).where(columns.is_among(_c.id, bindparam("ids", type_=columns.IdList)))
