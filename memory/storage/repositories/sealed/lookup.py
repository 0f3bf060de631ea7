"""Reading and filtering of sealed messages."""

import operator
from collections.abc import Collection, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, literal, select, tuple_

from foxing.memory.storage import schema
from foxing.memory.storage.manifest import PageManifest, SealedMessage
from foxing.memory.storage.message_filter import MessageFilter, microseconds

from . import manifests, ranges

_p = schema.pages.c
_AT_ONCE = 32  # manifests read together
_FIRST_PAGES = 2 * _AT_ONCE  # rows of pages read together at first, because most callers need few of them


class Located(NamedTuple):
    """Location of a message: a manifest and the index in it."""

    manifest: PageManifest
    number: int

    @property
    def message(self) -> SealedMessage:
        """The message itself."""
        return self.manifest.message(self.number)


def read(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, Located]:
    """Returns message id → its location, for messages on pages; one of them if it is on several pages."""
    pages = ranges.pages_of(connection, bank_id, ids)
    by_page = manifests.get(connection, {page_id for page_ids in pages.values() for page_id in page_ids})
    result: dict[int, Located] = {}
    for message_id, page_ids in pages.items():
        for manifest in (by_page[page_id] for page_id in page_ids if page_id in by_page):
            if message_id in manifest.place_of:
                result[message_id] = Located(manifest, manifest.place_of[message_id])
    return result


def filtered(connection: Connection, bank_id: int, ids: Collection[int], condition: MessageFilter) -> set[int]:
    """Returns the ids of those of the messages that are on pages and match the filter."""
    located = read(connection, bank_id, ids)
    on_pages = {id(place.manifest): place.manifest for place in located.values()}
    masks = {number: condition.mask(manifest) for number, manifest in on_pages.items()}
    return {message_id for message_id, place in located.items() if masks[id(place.manifest)][place.number]}


def ids_within(connection: Connection, bank_id: int, condition: MessageFilter) -> set[int]:
    """Returns the ids of the sealed messages of a bank that match the filter."""
    query = select(_p.id).where(_p.bank_id == bank_id, *condition.page_conditions())
    result: set[int] = set()
    for _, manifest in manifests.of_pages(connection, connection.execute(query).scalars()):
        result.update(manifest.ids[condition.mask(manifest)].tolist())
    return result


def names(connection: Connection, bank_id: int) -> set[str]:
    """Returns the names of the speakers of the sealed messages of a bank."""
    return {
        manifest.labels[number]
        for manifest in _all(connection, bank_id)
        for number in np.unique(manifest.names).tolist()
        if number >= 0
    }


def said_by(connection: Connection, bank_id: int, persons: Collection[str]) -> set[int]:
    """Returns the ids of the sealed messages of a bank that these persons said. `persons`: folded names."""
    result: set[int] = set()
    for manifest in _all(connection, bank_id):
        of_them = [number for number, label in enumerate(manifest.labels) if label.casefold() in persons]
        result.update(manifest.ids[np.isin(manifest.names, of_them)].tolist())
    return result


def _all(connection: Connection, bank_id: int) -> Iterator[PageManifest]:
    """Yields the manifests of the pages of a bank."""
    page_ids = connection.execute(select(_p.id).where(_p.bank_id == bank_id)).scalars()
    for _, manifest in manifests.of_pages(connection, page_ids):
        yield manifest


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
    connection: Connection,
    bank_id: int,
    condition: MessageFilter,
    after: tuple[datetime, int] | None = None,
    *,
    newest_first: bool = False,
) -> Iterator[SealedMessage]:
    """Yields the matching sealed messages by time and id, starting after the time and id `after`, lazily. A message on
    several pages is yielded once."""
    sign = -1 if newest_first else 1
    beyond = None if after is None else (sign * microseconds(after[0]), sign * after[1])
    begins = _by_time(connection, bank_id, condition, after, newest_first=newest_first)
    waiting: list[tuple[int, int, Located]] = []
    last: int | None = None
    part = list(islice(begins, _AT_ONCE))
    while part:
        next_part = list(islice(begins, _AT_ONCE))
        matches = [
            (sign * int(manifest.times[number]), sign * int(manifest.ids[number]), Located(manifest, number))
            for _, manifest in manifests.of_pages(connection, [page_id for page_id, _ in part])
            for number in np.flatnonzero(condition.mask(manifest)).tolist()
        ]
        matches = [item for item in matches if beyond is None or item[:2] > beyond]
        waiting = list(merge(waiting, sorted(matches, key=_time_and_id), key=_time_and_id))
        following = sign * next_part[0][1] if next_part else None
        ready = len(waiting) if following is None else sum(1 for item in waiting if item[0] < following)
        for _, message_id, located in waiting[:ready]:
            if message_id != last:
                yield located.message
            last = message_id
        waiting = waiting[ready:]
        part = next_part


def _by_time(
    connection: Connection,
    bank_id: int,
    condition: MessageFilter,
    after: tuple[datetime, int] | None,
    *,
    newest_first: bool,
) -> Iterator[tuple[int, int]]:
    """Yields the pages that may hold matching messages with the times in microseconds of the first of their messages to
    be listed, in the order of these."""
    at = _p.last_at if newest_first else _p.first_at
    query = select(_p.id, at).where(_p.bank_id == bank_id, *condition.page_conditions())
    if after is not None and not newest_first:
        query = query.where(_p.last_at >= after[0])
    following = query = query.order_by(at.desc(), _p.id.desc()) if newest_first else query.order_by(at, _p.id)
    is_beyond = operator.lt if newest_first else operator.gt
    limit = _FIRST_PAGES
    while rows := connection.execute(following.limit(limit)).all():
        for page_id, time in rows:
            yield page_id, microseconds(time)
        if len(rows) < limit:
            return
        page_id, time = rows[-1]
        following = query.where(is_beyond(tuple_(at, _p.id), tuple_(literal(time, at.type), literal(page_id))))
        limit *= 16


def _time_and_id(item: tuple[int, int, Located]) -> tuple[int, int]:
    return item[:2]


def messages_on(connection: Connection, page_ids: Collection[int]) -> set[int]:
    """Returns the ids of the messages on these pages, including partial ones."""
    return {int(i) for manifest in manifests.get(connection, page_ids).values() for i in manifest.ids}
