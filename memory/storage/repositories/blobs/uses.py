"""What uses blobs, as it stands, for whoever checks or copies them."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from foxing.memory.storage import schema
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference
from foxing.memory.storage.dialects import insert_into

_c = schema.blobs.c


class BlobUse(NamedTuple):
    """A blob, and how often it is used."""

    reference: BlobReference
    bank_id: int
    #: as its row says; None without one
    said: int | None
    #: as columns refer to it
    counted: int
    #: a page that uses it, if any does
    page: str | None


def all_uses(connection: Connection) -> list[BlobUse]:
    """Every blob that is known or referred to."""
    counted: Counter[str] = Counter()
    found: dict[str, tuple[BlobReference, int, str]] = {}
    p, kept, dropped = schema.pages.c, schema.page_contents, schema.trash
    for table, columns in (
        (kept, (kept.c.tokens, kept.c.text)),
        (dropped, (dropped.c.tokens, dropped.c.text, dropped.c.parts)),
    ):
        for column in columns:
            query = select(column, p.bank_id, p.key).join_from(table, schema.pages, p.id == table.c.page_id)
            for value, bank_id, key in connection.execute(query.where(func.length(column) == REFERENCE_BYTES)):
                if (reference := BlobReference.read(value)) is not None:
                    counted[reference.name] += 1
                    found[reference.name] = reference, bank_id, key
    result = []
    for row in connection.execute(select(_c.name, _c.size, _c.bank, _c.uses)):
        _, _, page = found.pop(row.name, (None, None, None))
        reference = BlobReference.named(row.name, row.size)
        result.append(BlobUse(reference, row.bank, row.uses, counted[row.name], page))
    lost = (BlobUse(reference, bank, None, counted[name], key) for name, (reference, bank, key) in found.items())
    return [*result, *lost]


def recount(connection: Connection, name: str) -> bool:
    """Sets the uses of a blob to the number of references; False if they are right by now."""
    use = next((item for item in all_uses(connection) if item.reference.name == name), None)
    if use is None or use.said == use.counted:
        return False
    values = {"name": name, "digest": use.reference.digest, "bank": use.bank_id, "size": use.reference.size}
    insert = insert_into(connection, schema.blobs).values(**values, uses=use.counted)
    connection.execute(insert.on_conflict_do_update(index_elements=[_c.name], set_={"uses": use.counted}))
    return True
