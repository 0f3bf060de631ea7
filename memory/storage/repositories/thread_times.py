"""Threads in the order of their last messages. The times of sealed messages are in the manifests of pages; only those
that the answer depends on are read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, func, or_, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.message_filter import instant, microseconds

from .sealed import manifests

#: Number of pages whose manifests are read together.
PAGES_AT_ONCE = 64

_m = schema.messages.c
_p = schema.pages.c
_r = schema.message_ranges.c


class ThreadEnd(NamedTuple):
    """A thread and the time of its last message."""

    last_at: datetime
    id: int


@dataclass(frozen=True)
class ThreadTotals:
    """Number and first time of the messages of a thread."""

    messages: int
    first_at: datetime


def newest_first(connection: Connection, bank_id: int) -> Iterator[ThreadEnd]:
    """Yields the threads of a bank that have messages by the times of their last ones, newest first, then by id."""
    last_times: dict[int, int] = {}
    query = select(_m.thread_id, func.max(_m.created_at)).where(_m.bank_id == bank_id).group_by(_m.thread_id)
    for thread_id, at in connection.execute(query):
        last_times[thread_id] = microseconds(at)
    yielded = set[int]()
    pages = _pages_newest_first(connection, bank_id)
    while part := list(islice(pages, PAGES_AT_ONCE)):
        # what is said on pages not read yet is no newer than these
        yield from _later(last_times, yielded, microseconds(part[0].last_at))
        for manifest in manifests.get(connection, [page.id for page in part]).values():
            for thread_id, at in zip(manifest.threads.tolist(), manifest.times.tolist(), strict=True):
                if thread_id not in yielded and at > last_times.get(thread_id, at - 1):
                    last_times[thread_id] = at
    yield from _later(last_times, yielded, None)


def _pages_newest_first(connection: Connection, bank_id: int) -> Iterator[Row[int, datetime]]:
    """Yields the id and the last time of each page, latest first. Most callers need few of them, so that the first are
    read apart."""
    query = select(_p.id, _p.last_at).where(_p.bank_id == bank_id).order_by(_p.last_at.desc(), _p.id.desc())
    last: Row[int, datetime] | None = None
    for batch in (PAGES_AT_ONCE, 16 * PAGES_AT_ONCE, None):
        following = query
        if last is not None:
            earlier = and_(_p.last_at == last.last_at, _p.id < last.id)
            following = query.where(or_(_p.last_at < last.last_at, earlier))
        rows = connection.execute(following.limit(batch)).all()
        yield from rows
        if batch is None or len(rows) < batch:
            return
        last = rows[-1]


def totals(connection: Connection, bank_id: int, thread_ids: Sequence[int]) -> dict[int, ThreadTotals]:
    """Returns thread id → totals, for threads that have messages."""
    numbers = Counter[int]()
    first = dict[int, int]()
    still_open = select(_m.thread_id, func.min(_m.created_at), func.count().filter(_m.sealed_chars == 0))
    still_open = still_open.where(_m.bank_id == bank_id, columns.among(_m.thread_id, thread_ids))
    for thread_id, at, begun in connection.execute(still_open.group_by(_m.thread_id)):
        numbers[thread_id] += begun
        first[thread_id] = microseconds(at)
    on_pages = select(_r.thread_id, _r.page_id, _p.first_at, func.sum(_r.messages))
    on_pages = on_pages.join_from(schema.message_ranges, schema.pages, _p.id == _r.page_id)
    on_pages = on_pages.where(columns.among(_r.thread_id, thread_ids)).group_by(_r.thread_id, _r.page_id, _p.first_at)
    pages_of_thread: dict[int, list[tuple[int, int]]] = {}
    for thread_id, page_id, at, begun in connection.execute(on_pages):
        numbers[thread_id] += int(begun)
        pages_of_thread.setdefault(thread_id, []).append((microseconds(at), page_id))
    while pages_of_thread:
        # of each thread the page with the oldest message, until no other page can hold an older one of the thread
        oldest = {thread_id: min(places) for thread_id, places in pages_of_thread.items()}
        read = manifests.get(connection, {page_id for _, page_id in oldest.values()})
        for thread_id, place in oldest.items():
            manifest = read[place[1]]
            at = int(manifest.times[manifest.threads == thread_id].min())
            first[thread_id] = min(at, first.get(thread_id, at))
            candidates = [
                other for other in pages_of_thread[thread_id] if other != place and other[0] < first[thread_id]
            ]
            if candidates:
                pages_of_thread[thread_id] = candidates
            else:
                del pages_of_thread[thread_id]
    return {thread_id: ThreadTotals(numbers[thread_id], instant(at)) for thread_id, at in first.items()}


def _later(last_times: dict[int, int], yielded: set[int], than: int | None) -> Iterator[ThreadEnd]:
    """Yields the threads whose last message is later than a time, newest first, and moves them to `yielded`."""
    ends = sorted(((at, thread_id) for thread_id, at in last_times.items() if than is None or at > than), reverse=True)
    for at, thread_id in ends:
        del last_times[thread_id]
        yielded.add(thread_id)
        yield ThreadEnd(instant(at), thread_id)
