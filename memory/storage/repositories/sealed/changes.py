"""Changes to messages in manifests. A message on several pages is changed on each."""

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


def set_passages(connection: Connection, bank_id: int, passages: Mapping[int, int]) -> None:
    """Sets the number of passages of messages, given as id → number."""
    values = [{"key_id": message_id, "number": number} for message_id, number in passages.items()]
    if not values:
        return
    update = schema.messages.update().where(_m.id == bindparam("key_id"))
    connection.execute(update.values(passages=bindparam("number")), values)
    ranges.open_changed(connection, bank_id)
    for page_id, manifest in _manifests_of(connection, bank_id, passages).items():
        column = manifest.passages.copy()
        for message_id in passages.keys() & manifest.place_of.keys():
            column[manifest.place_of[message_id]] = passages[message_id]
        manifests.update(connection, page_id, replace(manifest, passages=column))


def forget_digests(connection: Connection, bank_id: int, page_ids: Sequence[int]) -> None:
    """Deletes the digests of messages on these pages whose text is kept neither with a page nor in the trash, because a
    short text could be found by brute force."""
    on_them = manifests.get(connection, page_ids)
    ids = {int(i) for manifest in on_them.values() for i in manifest.ids[manifest.has_digest]}
    places = ranges.of_messages(connection, bank_id, ids)
    exact = _exact(connection, {run.page_id for of_one in places.values() for run in of_one})
    still_open = set(connection.execute(select(_m.id).where(columns.among(_m.id, sorted(ids)))).scalars())
    gone = {i for i, of_one in places.items() if exact.isdisjoint(run.page_id for run in of_one)} - still_open
    for page_id, manifest in _manifests_of(connection, bank_id, gone).items():
        keeps = manifest.has_digest & ~np.isin(manifest.ids, sorted(gone))
        manifests.update(connection, page_id, replace(manifest, has_digest=keeps))


def _exact(connection: Connection, page_ids: Collection[int]) -> set[int]:
    """Returns the ids of pages whose exact text is kept or can be restored."""
    ids = sorted(page_ids)
    with_text = select(_p.id).where(columns.among(_p.id, ids), _p.text_kept)
    restorable = select(_w.page_id).where(columns.among(_w.page_id, ids), _w.text.is_not(None))
    return {*connection.execute(with_text).scalars(), *connection.execute(restorable).scalars()}


def _manifests_of(connection: Connection, bank_id: int, ids: Collection[int]) -> dict[int, PageManifest]:
    """Returns page id → manifest, for the pages that hold any of the messages."""
    places = ranges.of_messages(connection, bank_id, ids)
    return manifests.get(connection, {run.page_id for of_one in places.values() for run in of_one})
