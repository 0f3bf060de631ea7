"""Ranges: runs of messages that are consecutive in their bank, in one thread and on one page. They locate messages.

Ranges of a bank do not overlap, except for a message that is on several pages in parts: it is a range of its own on
each.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Column, Connection, Select, bindparam, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import Dialect, dialect_of
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.repositories.batches import sum_by_bank, totals_by_bank

from . import bank_ranges

_c = schema.message_ranges.c
_m = schema.messages.c
_b = schema.banks.c


class MessageRange(NamedTuple):
    """All messages of a bank with ids from `first` to `last`, which are in one thread and on one page."""

    first: int
    last: int
    page_id: int


_columns = (_c.first_message, _c.last_message, _c.page_id)


def note_change(connection: Connection, bank_id: int, counter: Column[int] = _b.ranges_changed) -> None:
    """Notes that ranges or open messages, other than new ones, have changed."""
    connection.execute(schema.banks.update().where(_b.id == bank_id).values({counter: counter + 1}))


def put(connection: Connection, bank_id: int, manifests: Mapping[int, PageManifest], *, are_new: bool = False) -> None:
    """Inserts the ranges of pages that have none, given as page id → manifest. `are_new`: True for new pages, whose ids
    must be the highest of their bank. The bank must be locked."""
    note_change(connection, bank_id, _b.ranges_added if are_new else _b.ranges_changed)
    on_them = {int(i) for manifest in manifests.values() for i in manifest.ids}
    if not on_them:
        return
    others = sorted(on_them | _between(connection, bank_id, min(on_them), max(on_them)))
    rows = [
        {"bank_id": bank_id, "page_id": page_id, **run}
        for page_id, manifest in manifests.items()
        for run in of_manifest(manifest, others)
    ]
    connection.execute(schema.message_ranges.insert(), rows)


def remove(connection: Connection, bank_id: int, page_id: int, manifest: PageManifest) -> None:
    """Deletes the ranges of a page with that manifest."""
    if len(manifest):
        first = int(manifest.ids.min())
        last = int(manifest.ids.max())
        of_page = (_c.bank_id == bank_id, _c.first_message >= first, _c.first_message <= last, _c.page_id == page_id)
        connection.execute(schema.message_ranges.delete().where(*of_page))
        note_change(connection, bank_id)


def _between(connection: Connection, bank_id: int, low: int, high: int) -> set[int]:
    """Returns the ids between `low` and `high` of open messages, and of first messages of ranges."""
    still_open = select(_m.id).where(_m.bank_id == bank_id, _m.id > low, _m.id < high)
    begin = select(_c.first_message).where(_c.bank_id == bank_id, _c.first_message > low, _c.first_message < high)
    return {*connection.execute(still_open).scalars(), *connection.execute(begin).scalars()}


def of_manifest(manifest: PageManifest, bank_ids: Sequence[float]) -> Iterator[dict[str, int]]:
    """Yields the ranges of the messages of a page, as columns of their rows. `bank_ids`: ids of these and of other
    messages of the bank, ascending."""
    order = np.argsort(manifest.ids)
    ids = manifest.ids[order].tolist()
    threads = manifest.threads[order].tolist()
    times = manifest.times[order].tolist()
    whole, begun = (values[order].tolist() for values in _extent(manifest))
    first = 0
    for place in range(1, len(ids) + 1):
        if (
            place == len(ids)
            or threads[place] != threads[first]
            or not (whole[place] and whole[place - 1])
            or bank_ids[bisect_right(bank_ids, ids[place - 1])] != ids[place]
        ):
            yield {
                "first_message": ids[first],
                "last_message": ids[place - 1],
                "thread_id": threads[first],
                "messages": sum(begun[first:place]),
                "first_at": min(times[first:place]),
                "last_at": max(times[first:place]),
            }
            first = place


def _extent(manifest: PageManifest) -> tuple[Any, Any]:
    """Returns bool[n] each: True if the page holds all characters of a message, and True if it holds the first."""
    which = manifest.cells[:, 0]
    start = manifest.cells[:, 4]
    stop = manifest.cells[:, 5]
    lengths = np.bincount(which, weights=stop - start, minlength=len(manifest)).astype(np.int64)
    begun = np.bincount(which, weights=start == 0, minlength=len(manifest)) > 0
    return lengths == manifest.chars, begun


def pages_of(connection: Connection, bank_id: int, ids: Iterable[int]) -> dict[int, list[int]]:
    """Returns message id → the pages that hold it, for messages on pages. An erased one may be among them."""
    values = sorted(set(ids))
    if not values:
        return {}
    of_transaction = bank_ranges.known(connection, bank_id)
    if of_transaction is not None:
        return of_transaction.pages_of(np.array(values, dtype=np.int64))
    dialect = dialect_of(connection)
    # two statements, because with one SQLite would compare each id with each range
    firsts = dialect.fetch_numbers(connection, _lookup(dialect), {"ids": values, "bank": bank_id})
    by_first: dict[int, list[MessageRange]] = {}
    parameters = {"firsts": sorted({first for _, first in firsts if first is not None}), "bank": bank_id}
    for row in dialect.fetch_numbers(connection, _that_begin(), parameters):
        by_first.setdefault(row[0], []).append(MessageRange._make(row))
    return {
        i: pages for i, first in firsts if (pages := [run.page_id for run in by_first.get(first, ()) if run.last >= i])
    }


@cache
def _lookup(dialect: Dialect) -> Select[Any]:
    """Returns a query for each of the messages `ids` of the `bank` and the first message of the last range that begins
    at or before it. Cached, because building the statement takes longer than executing it."""
    id_table = dialect.id_table(bindparam("ids", type_=columns.IdList))
    newest = select(_c.first_message).where(
        _c.bank_id == bindparam("bank", type_=BigInteger), _c.first_message <= id_table
    )
    newest = newest.order_by(_c.first_message.desc()).limit(1)
    return select(id_table, newest.correlate(id_table.table).scalar_subquery())


def after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[MessageRange]:
    """Returns up to `limit` ranges with messages above `message_id`, in order."""
    begun = select(func.max(_c.first_message)).where(_c.bank_id == bank_id, _c.first_message <= message_id)
    begin = func.coalesce(begun.scalar_subquery(), message_id)
    query = select(*_columns).where(_c.bank_id == bank_id, _c.first_message >= begin, _c.last_message > message_id)
    query = query.order_by(_c.first_message, _c.page_id).limit(limit)
    return [MessageRange(*row) for row in connection.execute(query)]


@cache
def _that_begin() -> Select[Any]:
    """Returns a query for the ranges of the `bank` that begin with the messages `firsts`."""
    is_first_message = columns.is_among(_c.first_message, bindparam("firsts", type_=columns.IdList))
    return select(*_columns).where(_c.bank_id == bindparam("bank", type_=BigInteger), is_first_message)


def counts(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → number of messages that begin on pages of the bank."""
    return totals_by_bank(connection, COUNTS, bank_ids)


#: Number of messages that begin on pages of each bank.
COUNTS = sum_by_bank(_c.bank_id, _c.messages)
