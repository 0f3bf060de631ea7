"""Reading and writing of page manifests."""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, select

from foxing.memory.storage import columns, schema, snapshot
from foxing.memory.storage.dialects import dialect_of, insert_into
from foxing.memory.storage.manifest import PageManifest, PageMessages

from .cache import SizedCache, Stamped, cache_of

_KNOWN = 1_000  # manifests cached per transaction, enough for a search
_c = schema.page_manifests.c

Read = TypeVar("Read", PageManifest, PageMessages)


def get(connection: Connection, page_ids: Collection[int]) -> dict[int, PageManifest]:
    """Returns page id → manifest, for pages that exist. Raises `ManifestDamaged`."""
    read = snapshot.of(connection)
    cache = cache_of(connection).manifests
    return _find(connection, page_ids, {} if read is None else read.manifests, cache, PageManifest.unpack)


def messages_on(connection: Connection, page_ids: Collection[int]) -> dict[int, PageMessages]:
    """Returns page id → ids of its messages, for pages that exist; faster than `get`. Raises `ManifestDamaged`."""
    read = snapshot.of(connection)
    cache = cache_of(connection).messages
    return _find(connection, page_ids, {} if read is None else read.messages, cache, PageMessages.unpack)


def _find(
    connection: Connection,
    page_ids: Collection[int],
    of_transaction: dict[int, Read],
    cache: SizedCache[Stamped, Read],
    unpack: Callable[[bytes], Read],
) -> dict[int, Read]:
    """Returns manifests from `of_transaction`, those read by the transaction, to which newly read ones are added."""
    unknown = sorted(set(page_ids) - of_transaction.keys())
    new = _read(connection, unknown, cache, unpack) if unknown else {}
    result = new | {page_id: of_transaction[page_id] for page_id in page_ids if page_id in of_transaction}
    if len(of_transaction) < _KNOWN:
        of_transaction |= new
    return result


def _read(
    connection: Connection, page_ids: Sequence[int], cache: SizedCache[Stamped, Read], unpack: Callable[[bytes], Read]
) -> dict[int, Read]:
    stamps = _stamps_of(connection, page_ids)
    result = {stamped[0]: value for stamped in stamps.items() if (value := cache.get(stamped)) is not None}
    missing = sorted(stamps.keys() - result.keys())
    for page_id, packed in connection.execute(_packed, {"ids": missing}) if missing else ():
        result[page_id] = unpack(packed)
        cache.put((page_id, stamps[page_id]), result[page_id])
    return {page_id: result[page_id] for page_id in stamps}


def _stamps_of(connection: Connection, page_ids: Sequence[int]) -> dict[int, int]:
    """Returns page id → stamp of its manifest, for pages that exist."""
    read = snapshot.of(connection)
    of_transaction = {} if read is None else read.stamps
    missing = [page_id for page_id in page_ids if page_id not in of_transaction]
    new: dict[int, int] = {}
    if missing:
        rows = dialect_of(connection).fetch_numbers(connection, _stamps, {"ids": missing})
        new = {page_id: stamp for page_id, stamp in rows}
    result = new | {page_id: of_transaction[page_id] for page_id in page_ids if page_id in of_transaction}
    if len(of_transaction) < _KNOWN:
        of_transaction |= new
    return result


_packed = select(_c.page_id, _c.manifest).where(columns.is_given(_c.page_id))
_stamps = select(_c.page_id, _c.stamp).where(columns.is_given(_c.page_id))


def put(connection: Connection, page_id: int, manifest: PageManifest) -> None:
    """Writes the manifest of a page, in place of an earlier one."""
    values = {"stamp": secrets.randbits(62), "manifest": manifest.pack()}
    insert = insert_into(connection, schema.page_manifests).values(page_id=page_id, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["page_id"], set_=values))


def of_pages(connection: Connection, page_ids: Iterable[int]) -> Iterable[tuple[int, PageManifest]]:
    """Yields pages with their manifests in the order given, reading `_AT_ONCE` together."""
    ids = list(page_ids)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        by_page = get(connection, part)
        yield from ((page_id, by_page[page_id]) for page_id in part if page_id in by_page)


_AT_ONCE = 64
