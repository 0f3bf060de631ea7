"""What is stored of sealed messages as it stands: manifests, ranges, keys, and the ids that are given next."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.manifest import ManifestDamaged, PageManifest
from foxing.memory.storage.repositories.batches import batched
from foxing.memory.storage.repositories.sealed import lookup, ranges

_p = schema.pages.c
_d = schema.page_manifests.c
_r = schema.message_ranges.c
_k = schema.message_keys.c
_m = schema.messages.c


class ManifestRow(NamedTuple):
    """The manifest of a page as it is stored."""

    page_id: int
    #: The page's id as callers know it.
    page: str
    #: None if there is no such row.
    packed: bytes | None

    def unpack(self) -> PageManifest | None:
        """The manifest; None if it is missing or damaged."""
        try:
            return None if self.packed is None else PageManifest.unpack(self.packed)
        except ManifestDamaged:
            return None


def manifests_after(connection: Connection, bank_id: int, page_id: int, limit: int) -> list[ManifestRow]:
    """The manifests of up to `limit` pages of a bank with a higher id."""
    query = select(_p.id, _p.key, _d.manifest).outerjoin_from(schema.pages, schema.page_manifests, _d.page_id == _p.id)
    query = query.where(_p.bank_id == bank_id, _p.id > page_id).order_by(_p.id).limit(limit)
    return [ManifestRow(*row) for row in connection.execute(query)]


def manifests(connection: Connection, bank_id: int) -> Iterator[ManifestRow]:
    """The manifests of all pages of a bank."""
    after = 0
    while found := manifests_after(connection, bank_id, after, 64):
        yield from found
        after = found[-1].page_id


def thread_ids(connection: Connection, bank_id: int) -> list[int]:
    """The threads of a bank, ascending."""
    c = schema.threads.c
    return list(connection.execute(select(c.id).where(c.bank_id == bank_id).order_by(c.id)).scalars())


def open_keys(connection: Connection, bank_id: int) -> dict[int, str | None]:
    """Open message → the id that its caller chose, None if it was generated."""
    query = select(_m.id, _m.key).where(_m.bank_id == bank_id)
    return {message_id: key for message_id, key in connection.execute(query)}


def range_counts(connection: Connection, bank_id: int) -> dict[int, int]:
    """Page id → how many ranges it has in a bank."""
    query = select(_r.page_id, func.count()).where(_r.bank_id == bank_id).group_by(_r.page_id)
    return {page_id: number for page_id, number in connection.execute(query)}


def ranges_between(
    connection: Connection, bank_id: int, page_ids: Sequence[int], low: int, high: int
) -> dict[int, list[ranges.MessageRange]]:
    """Page id → its ranges that begin with messages from `low` to `high`."""
    query = select(_r.first_message, _r.last_message, _r.page_id, _r.thread_id, _r.messages)
    query = query.where(_r.bank_id == bank_id, _r.first_message >= low, _r.first_message <= high)
    result: dict[int, list[ranges.MessageRange]] = {}
    for row in connection.execute(query.where(columns.among(_r.page_id, page_ids))):
        result.setdefault(row.page_id, []).append(ranges.MessageRange(*row))
    return result


def ranges_of_pages(connection: Connection, bank_id: int, page_ids: Collection[int]) -> list[ranges.MessageRange]:
    """All ranges of pages of a bank. Every run of the bank is looked at."""
    query = select(_r.first_message, _r.last_message, _r.page_id, _r.thread_id, _r.messages)
    found = connection.execute(query.where(_r.bank_id == bank_id, columns.among(_r.page_id, sorted(page_ids))))
    return [ranges.MessageRange(*row) for row in found]


def rebuild_ranges(connection: Connection, bank_id: int) -> None:
    """Works out anew the ranges of all pages of a bank whose manifests can be read."""
    found = {row.page_id: row.unpack() for row in manifests(connection, bank_id)}
    readable = {page_id: manifest for page_id, manifest in found.items() if manifest is not None}
    for part in batched(sorted(readable)):
        connection.execute(schema.message_ranges.delete().where(_r.page_id.in_(part)))
    ranges.put(connection, bank_id, readable)


def count_foreign_ranges(connection: Connection) -> int:
    """How many ranges are of a page of another bank."""
    return int(connection.execute(select(func.count()).where(_foreign())).scalar_one())


def delete_foreign_ranges(connection: Connection) -> bool:
    """Deletes the ranges that are of a page of another bank; whether there were any."""
    deleted = connection.execute(schema.message_ranges.delete().where(_foreign())).rowcount > 0
    if deleted:
        changed = schema.banks.c.ranges_changed
        connection.execute(schema.banks.update().values({changed: changed + 1}))
    return deleted


def _foreign() -> ColumnElement[bool]:
    page = select(_p.id).where(_p.id == _r.page_id, _p.bank_id != _r.bank_id)
    return page.correlate(schema.message_ranges).exists()


class KeyRow(NamedTuple):
    """What finds a message by an id that a caller chose."""

    hash: int
    message_id: int


def keys_after(connection: Connection, row: KeyRow | None, limit: int) -> list[KeyRow]:
    """Up to `limit` rows in their order, starting after `row`."""
    query = select(_k.hash, _k.message_id).order_by(_k.hash, _k.message_id).limit(limit)
    if row is not None:
        query = query.where(or_(_k.hash > row.hash, and_(_k.hash == row.hash, _k.message_id > row.message_id)))
    return [KeyRow(*found) for found in connection.execute(query)]


def delete_keys(connection: Connection, rows: Sequence[KeyRow]) -> bool:
    """Deletes such rows; whether there were any."""
    results = [
        connection.execute(schema.message_keys.delete().where(_k.hash == row.hash, _k.message_id == row.message_id))
        for row in rows
    ]
    return any(result.rowcount for result in results)


def existing(connection: Connection, ids: Collection[int]) -> set[int]:
    """Those of the messages that are in any bank. Slow."""
    result = set(connection.execute(select(_m.id).where(columns.among(_m.id, sorted(ids)))).scalars())
    near = select(_r.bank_id).where(_r.last_message >= min(ids), _r.first_message <= max(ids)).distinct()
    for bank_id in connection.execute(near).scalars().all():
        result |= lookup.locate(connection, bank_id, set(ids) - result).keys()
    return result


def weights_after(connection: Connection, bank_id: int, message_id: int, limit: int) -> list[int]:
    """Up to `limit` messages of a bank with a higher id that were recalled."""
    c = schema.recall_weights.c
    query = select(c.message_id).where(c.bank_id == bank_id, c.message_id > message_id)
    return list(connection.execute(query.order_by(c.message_id).limit(limit)).scalars())


def delete_recall_weights(connection: Connection, bank_id: int, ids: Collection[int]) -> None:
    c = schema.recall_weights.c
    connection.execute(
        schema.recall_weights.delete().where(c.bank_id == bank_id, columns.among(c.message_id, sorted(ids)))
    )
