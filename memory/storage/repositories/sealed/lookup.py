"""Lookup of sealed messages by id, time and filter."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from foxing.memory.storage import schema
from foxing.memory.storage.manifest import PageManifest, SealedMessage
from foxing.memory.storage.message_filter import MessageFilter, microseconds

from . import manifests, ranges

_p = schema.pages.c
_AT_ONCE = 32  # manifests read together
_FIRST_PAGES = (2 * _AT_ONCE, 32 * _AT_ONCE)  # rows of pages read together, before all that are left


class Located(NamedTuple):
    """Location of a message: a manifest and the index in it."""

    manifest: PageManifest
    number: int

    @property
    def message(self) -> SealedMessage:
        """The message itself."""
        return self.manifest.message(self.number)


def locate(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, Located]:
    """Returns message id → its location, for messages on pages; one of them if it is on several pages."""
    runs = ranges.of_messages(connection, bank_id, ids)
    by_page = manifests.get(connection, {run.page_id for of_one in runs.values() for run in of_one})
    result: dict[int, Located] = {}
    for message_id, of_one in runs.items():
        for run in of_one:
            manifest = by_page.get(run.page_id)
            if manifest is not None and message_id in manifest.place_of:
                result[message_id] = Located(manifest, manifest.place_of[message_id])
    return result


def ids_within(connection: Connection, bank_id: int, condition: MessageFilter) -> set[int]:
    """Returns the ids of the sealed messages of a bank that match the filter."""
    query = select(_p.id).where(_p.bank_id == bank_id, *condition.page_conditions())
    result: set[int] = set()
    for _, manifest in manifests.of_pages(connection, connection.execute(query).scalars()):
        result.update(manifest.ids[condition.mask(manifest)].tolist())
    return result


def ids_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[int]:
    """Returns the ids of up to `limit` sealed messages of a bank above `message_id`, ascending."""
    result: set[int] = set()
    after = message_id
    while len(result) < limit and (runs := ranges.after(connection, bank_id, after, limit)):
        by_page = manifests.get(connection, {run.page_id for run in runs})
        for run in runs:
            ids = by_page[run.page_id].ids if run.page_id in by_page else np.zeros(0, np.int64)
            result.update(ids[(ids >= max(run.first, message_id + 1)) & (ids <= run.last)].tolist())
        after = max(run.last for run in runs)
    return sorted(result)[:limit]


def in_time_order(
    connection: Connection, bank_id: int, condition: MessageFilter, after: tuple[datetime, int] | None
) -> Iterator[SealedMessage]:
    """Yields the matching sealed messages by time and id, starting after the time and id `after`. A message on several
    pages is yielded once."""
    conditions = [_p.bank_id == bank_id, *condition.page_conditions()]
    if after is not None:
        conditions.append(_p.last_at >= after[0])
    beyond = None if after is None else (microseconds(after[0]), after[1])
    begins = _by_time(connection, _p.first_at, conditions)
    return _in_order(connection, begins, condition, beyond)


def _by_time(
    connection: Connection,
    at: ColumnElement[datetime],
    conditions: Sequence[ColumnElement[bool]],
    *,
    newest_first: bool = False,
) -> Iterator[tuple[int, int]]:
    """Yields the pages that meet `conditions` and their times `at` in microseconds, in the order of these. Most callers
    need few of them, so that the first are read apart."""
    query = select(_p.id, at).where(*conditions)
    query = query.order_by(at.desc(), _p.id.desc()) if newest_first else query.order_by(at, _p.id)
    following = query
    for batch in (*_FIRST_PAGES, None):
        rows = connection.execute(following.limit(batch)).all()
        for page_id, time in rows:
            yield page_id, microseconds(time)
        if batch is None or len(rows) < batch:
            return
        page_id, time = rows[-1]
        beyond = or_(at < time, and_(at == time, _p.id < page_id))
        if not newest_first:
            beyond = or_(at > time, and_(at == time, _p.id > page_id))
        following = query.where(beyond)


def _in_order(
    connection: Connection,
    begins: Iterator[tuple[int, int]],
    condition: MessageFilter,
    beyond: tuple[int, int] | None,
) -> Iterator[SealedMessage]:
    """Yields matching messages lazily. `begins`: pages and the times of their first messages, ascending."""
    waiting: list[tuple[int, int, Located]] = []
    last: int | None = None
    part = list(islice(begins, _AT_ONCE))
    while part:
        next_part = list(islice(begins, _AT_ONCE))
        matches = [
            item
            for _, manifest in manifests.of_pages(connection, [page_id for page_id, _ in part])
            for item in _passing(manifest, condition)
            if beyond is None or item[:2] > beyond
        ]
        waiting = list(merge(waiting, sorted(matches, key=_time_and_id), key=_time_and_id))
        following = next_part[0][1] if next_part else None
        ready = len(waiting) if following is None else sum(1 for item in waiting if item[0] < following)
        for _, message_id, located in waiting[:ready]:
            if message_id != last:
                yield located.message
            last = message_id
        waiting = waiting[ready:]
        part = next_part


def _passing(manifest: PageManifest, condition: MessageFilter) -> Iterator[tuple[int, int, Located]]:
    for number in np.flatnonzero(condition.mask(manifest)).tolist():
        yield int(manifest.times[number]), int(manifest.ids[number]), Located(manifest, number)


def _time_and_id(item: tuple[int, int, Located]) -> tuple[int, int]:
    return item[:2]


def latest(connection: Connection, bank_id: int, condition: MessageFilter, limit: int) -> list[SealedMessage]:
    """Returns the last `limit` sealed messages that match the filter, newest first."""
    conditions = [_p.bank_id == bank_id, *condition.page_conditions()]
    ends = _by_time(connection, _p.last_at, conditions, newest_first=True)
    matches: dict[int, tuple[int, int, Located]] = {}
    while part := list(islice(ends, _AT_ONCE)):
        best = sorted((item[:2] for item in matches.values()), reverse=True)[limit - 1 : limit]
        if best and best[0][0] > part[0][1]:
            break
        for _, manifest in manifests.of_pages(connection, [page_id for page_id, _ in part]):
            matches |= {item[1]: item for item in _passing(manifest, condition)}
    newest = sorted(matches.values(), key=_time_and_id, reverse=True)
    return [item[2].message for item in islice(newest, limit)]


def messages_on(connection: Connection, page_ids: Collection[int]) -> set[int]:
    """Returns the ids of the messages on these pages, including partial ones."""
    return {int(i) for manifest in manifests.get(connection, page_ids).values() for i in manifest.ids}
