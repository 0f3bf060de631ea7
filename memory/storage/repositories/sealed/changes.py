"""Writing and removal of the messages of pages. A message on several pages is changed on each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection, bindparam, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.manifest import PageManifest

from . import manifests, ranges

_m = schema.messages.c
_p = schema.pages.c
_w = schema.trash.c


def write(
    connection: Connection, bank_id: int, page_id: int, manifest: PageManifest, before: PageManifest | None = None
) -> None:
    """Writes the messages of a page, in place of those in `before`. None: it is new, and its id must be the highest of
    its bank. The bank must be locked."""
    manifests.put(connection, page_id, manifest)
    if before is not None and set(before.ids.tolist()) == set(manifest.ids.tolist()):
        return
    if before is not None:
        ranges.remove(connection, bank_id, page_id, before)
    ranges.put(connection, bank_id, {page_id: manifest}, are_new=before is None)


def remove(connection: Connection, bank_id: int, page_id: int) -> None:
    """Deletes the messages of a page."""
    for manifest in manifests.get(connection, [page_id]).values():
        ranges.remove(connection, bank_id, page_id, manifest)
    connection.execute(schema.page_manifests.delete().where(schema.page_manifests.c.page_id == page_id))


def locate_again(connection: Connection, bank_id: int, page_ids: Sequence[int]) -> None:
    """Rebuilds the index from messages to pages, for pages between which messages were moved."""
    by_page = manifests.get(connection, page_ids)
    for page_id, manifest in by_page.items():
        ranges.remove(connection, bank_id, page_id, manifest)
    ranges.put(connection, bank_id, by_page)


def set_passages(connection: Connection, bank_id: int, passages: Mapping[int, int]) -> None:
    """Sets the number of passages of messages, given as id → number."""
    values = [{"key_id": message_id, "number": number} for message_id, number in passages.items()]
    if not values:
        return
    update = schema.messages.update().where(_m.id == bindparam("key_id"))
    connection.execute(update.values(passages=bindparam("number")), values)
    ranges.note_change(connection, bank_id)
    for page_id, manifest in _manifests_of(connection, bank_id, passages).items():
        column = manifest.passages.copy()
        for message_id in passages.keys() & manifest.place_of.keys():
            column[manifest.place_of[message_id]] = passages[message_id]
        manifests.put(connection, page_id, replace(manifest, passages=column))


def forget_digests(connection: Connection, bank_id: int, page_ids: Sequence[int]) -> None:
    """Deletes the digests of messages on these pages whose text is kept neither with a page nor in the trash, because a
    short text could be found by brute force."""
    on_them = manifests.get(connection, page_ids).values()
    pages = ranges.pages_of(connection, bank_id, {i for one in on_them for i in one.ids[one.has_digest].tolist()})
    exact = _exact(connection, {page_id for of_one in pages.values() for page_id in of_one})
    still_open = set(connection.execute(select(_m.id).where(columns.among(_m.id, sorted(pages)))).scalars())
    gone = {i for i, of_one in pages.items() if exact.isdisjoint(of_one)} - still_open
    for page_id, manifest in _manifests_of(connection, bank_id, gone).items():
        keeps = manifest.has_digest & ~np.isin(manifest.ids, sorted(gone))
        manifests.put(connection, page_id, replace(manifest, has_digest=keeps))


def _exact(connection: Connection, page_ids: Collection[int]) -> set[int]:
    """Returns the ids of pages whose exact text is kept or can be restored."""
    ids = sorted(page_ids)
    with_text = select(_p.id).where(columns.among(_p.id, ids), _p.text_kept)
    restorable = select(_w.page_id).where(columns.among(_w.page_id, ids), _w.text.is_not(None))
    return {*connection.execute(with_text).scalars(), *connection.execute(restorable).scalars()}


def _manifests_of(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, PageManifest]:
    """Returns page id → manifest, for the pages that hold any of the messages."""
    pages = ranges.pages_of(connection, bank_id, ids)
    return manifests.get(connection, {page_id for page_ids in pages.values() for page_id in page_ids})
