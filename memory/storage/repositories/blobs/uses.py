"""Reference counts of blobs compared with actual references, for checks and copies."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Connection, func, select, true

from foxing.memory.storage import schema
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference
from foxing.memory.storage.dialects import insert_into

_c = schema.blobs.c


class BlobUse(NamedTuple):
    """Reference count and actual references of a blob."""

    reference: BlobReference
    bank_id: int
    #: reference count in its row; None if it has no row
    recorded: int | None
    #: number of columns that refer to it
    counted: int
    #: key of a page that uses it, or number of an image, in words; None if nothing does
    user: str | None


def all_uses(connection: Connection) -> list[BlobUse]:
    """Returns every blob that has a row or a reference."""
    counted: Counter[str] = Counter()
    uses_by_name: dict[str, tuple[BlobReference, int, str]] = {}
    p = schema.pages.c
    contents = schema.page_contents.c
    dropped = schema.trash.c
    images = schema.images.c
    dropped_images = schema.image_trash.c
    users = [
        *((column, p.bank_id, p.key, p.id == contents.page_id) for column in (contents.tokens, contents.text)),
        *(
            (column, p.bank_id, p.key, p.id == dropped.page_id)
            for column in (dropped.tokens, dropped.text, dropped.parts)
        ),
        (images.content, images.bank_id, images.id, true()),
        (dropped_images.content, dropped_images.bank_id, dropped_images.image_id, true()),
    ]
    for column, bank, key, joined in users:
        kind = "page" if key is p.key else "image"
        query = select(column, bank, key).where(joined, func.length(column) == REFERENCE_BYTES)
        for value, bank_id, number in connection.execute(query):
            if (reference := BlobReference.read(value)) is not None:
                counted[reference.name] += 1
                uses_by_name[reference.name] = reference, bank_id, f"{kind} {number}"
    result = []
    for row in connection.execute(select(_c.name, _c.size, _c.bank, _c.uses)):
        _, _, user = uses_by_name.pop(row.name, (None, None, None))
        reference = BlobReference.named(row.name, row.size)
        result.append(BlobUse(reference, row.bank, row.uses, counted[row.name], user))
    lost = (BlobUse(reference, bank, None, counted[name], key) for name, (reference, bank, key) in uses_by_name.items())
    return [*result, *lost]


def recount(connection: Connection, name: str) -> bool:
    """Sets the reference count of a blob to the number of references. Returns False if it is correct already."""
    use = next((item for item in all_uses(connection) if item.reference.name == name), None)
    if use is None or use.recorded == use.counted:
        return False
    values = {"name": name, "digest": use.reference.digest, "bank": use.bank_id, "size": use.reference.size}
    insert = insert_into(connection, schema.blobs).values(**values, uses=use.counted)
    connection.execute(insert.on_conflict_do_update(index_elements=[_c.name], set_={"uses": use.counted}))
    return True
