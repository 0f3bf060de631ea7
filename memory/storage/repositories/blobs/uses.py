"""Reference counts of blobs compared with actual references, for checks and copies."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Connection, func, select

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
    contents = schema.page_contents
    dropped = schema.trash
    for table, columns in (
        (contents, (contents.c.tokens, contents.c.text)),
        (dropped, (dropped.c.tokens, dropped.c.text, dropped.c.parts)),
    ):
        for column in columns:
            query = select(column, p.bank_id, p.key).join_from(table, schema.pages, p.id == table.c.page_id)
            for value, bank_id, key in connection.execute(query.where(func.length(column) == REFERENCE_BYTES)):
                if (reference := BlobReference.read(value)) is not None:
                    counted[reference.name] += 1
                    uses_by_name[reference.name] = reference, bank_id, f"page {key}"
    for table, key in ((schema.images, schema.images.c.id), (schema.image_trash, schema.image_trash.c.image_id)):
        outside = select(table.c.content, table.c.bank_id, key.label("image_id"))
        for value, bank_id, image_id in connection.execute(
            outside.where(func.length(table.c.content) == REFERENCE_BYTES)
        ):
            if (reference := BlobReference.read(value)) is not None:
                counted[reference.name] += 1
                uses_by_name[reference.name] = reference, bank_id, f"image {image_id}"
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
