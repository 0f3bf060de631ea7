"""Rows of a bank for a bundle: read in a fixed order, and written to a new bank."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select

from foxing.memory.access import tenant_of
from foxing.memory.storage import schema
from foxing.memory.storage.dialects import insert_into
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.secrets import digest_key

from . import messages, schedule
from .blobs import contents as blobs
from .embeddings import embedder_id
from .sealed import keys, ranges

_AT_ONCE = 500  # rows read together
_PAGES_AT_ONCE = 32

#: Tables of which all rows of a bank are moved as they are, but for numbers that another database gives, with the order
#: of their rows.
TABLES: Mapping[str, Sequence[str]] = {
    "threads": ("id",),
    "images": ("id",),
    "messages": ("id",),
    "thread_persons": ("thread_id", "name"),
    "image_places": ("message_id", "number"),
    "message_expiries": ("message_id",),
    "recall_weights": ("message_id",),
    "facts": ("message_id", "start"),
    "erased_messages": ("message_id",),
    "quarantine": ("id",),
    "recent_postings": ("message_id",),
    "embeddings": ("message_id",),
    "records": ("ordinal",),
    "folds": ("key", "number"),
    "model_calls": ("id",),
}
#: Tables of which rows are moved in another form.
PAGE_TABLES = frozenset({"pages", "page_contents", "page_manifests", "keepsakes"})
SEGMENT_TABLES = frozenset({"posting_segments", "embedding_segments"})
#: Table → why its rows are not moved.
LEFT: Mapping[str, str] = {
    "message_keys": "made again",
    "message_ranges": "made again",
    "schedule": "made again",
    "trash": "undo ends where a bank moves",
    "image_trash": "undo ends where a bank moves",
    "idempotency_keys": "of calls of a service",
    "bank_jobs": "of a service",
    "jobs": "of a service",
    "holds": "of the operator of a database",
}
#: Columns that are not moved: keyed with a secret of the database, random, or those of the bank.
OMITTED = frozenset({"bank_id", "stamp", "images.digest", "messages.digest", "quarantine.digest", "images.content"})
#: Columns with numbers that another database gives, and the table whose rows they name.
NUMBERED = {
    "message_id": "messages",
    "closed_by": "messages",
    "title_message_id": "messages",
    "thread_id": "threads",
    "image_id": "images",
    "embedder_id": "embedders",
}
#: Columns of pages that are moved.
PAGE_COLUMNS = (
    *("key", "tier", "codec", "layout", "rows_used", "pinned", "sealed_at", "first_at", "last_at", "arrived_at"),
    *("messages", "vision_tokens", "token_bytes", "text_bytes", "text_kept", "confidence", "facts_faded"),
)


def moved_columns(table: str) -> list[Column[Any]]:
    """Returns the columns of a table of `TABLES` that are moved; of `id` only that of messages."""
    c = schema.metadata.tables[table].c
    names = (column.name for column in c if not OMITTED & {column.name, f"{table}.{column.name}"})
    return [c[name] for name in names if name != "id" or table == "messages"]


def bank_fields(connection: Connection, bank_id: int) -> Mapping[str, Any]:
    """Returns the columns of a bank that are moved, and what was added to the numbers of its messages."""
    c = schema.banks.c
    query = select(c.created_at, c.policy, c.expires_at, c.records_version, c.numbers_added).where(c.id == bank_id)
    return dict(connection.execute(query).mappings().one())


def number_range(connection: Connection, bank_id: int) -> tuple[int, int] | None:
    """Returns the lowest and the highest number of a message of a bank, erased ones included; None if it had none."""
    m = schema.messages.c
    r = schema.message_ranges.c
    e = schema.erased_messages.c
    ends = [(m.bank_id, m.id, m.id), (r.bank_id, r.first_message, r.last_message)]
    ends.append((e.bank_id, e.message_id, e.message_id))
    rows_ = [
        connection.execute(select(func.min(first), func.max(last)).where(of_bank == bank_id)).one()
        for of_bank, first, last in ends
    ]
    numbers = [number for row in rows_ for number in row if number is not None]
    return (min(numbers), max(numbers)) if numbers else None


def totals(connection: Connection, bank_id: int) -> tuple[int, int, int]:
    """Returns the number of pages, of messages and of records of a bank."""
    counted = []
    for table in (schema.pages, schema.records):
        query = select(func.count()).select_from(table).where(table.c.bank_id == bank_id)
        counted.append(int(connection.execute(query).scalar_one()))
    return counted[0], messages.count(connection, bank_id), counted[1]


def rows(connection: Connection, bank_id: int, table: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of a table of `TABLES`, with `id` and what is moved."""
    t = schema.metadata.tables[table]
    moved = moved_columns(table)
    order = [t.c[name] for name in TABLES[table]]
    extra = [t.c.id] if "id" in t.c and t.c.id not in moved else []
    query = select(*moved, *extra).where(t.c.bank_id == bank_id).order_by(*order)
    result = connection.execution_options(yield_per=_AT_ONCE).execute(query)
    for row in result.mappings():
        yield dict(row)


def embedders(connection: Connection) -> dict[int, tuple[str, int]]:
    """Returns id → name and dimensions."""
    c = schema.embedders.c
    return {row.id: (row.name, row.dimensions) for row in connection.execute(select(c.id, c.name, c.dimensions))}


def image_contents(connection: Connection, bank_id: int) -> Iterator[tuple[int, bytes | None]]:
    """Yields (id, file) of the images of a bank, by id; None for a file that was dropped."""
    c = schema.images.c
    for image_id in connection.execute(select(c.id).where(c.bank_id == bank_id).order_by(c.id)).scalars().all():
        stored = connection.execute(select(c.content).where(c.id == image_id)).scalar_one()
        [content] = blobs.get(connection, [(bank_id, stored)])
        yield image_id, content


def page_rows(connection: Connection, bank_id: int) -> Iterator[tuple[Mapping[str, Any], bytes, bytes | None, bytes]]:
    """Yields the pages of a bank, by id, each with tokens, kept text and manifest."""
    p = schema.pages.c
    contents = schema.page_contents.c
    ids = connection.execute(select(p.id).where(p.bank_id == bank_id).order_by(p.id)).scalars().all()
    query = select(p.id, *(p[name] for name in PAGE_COLUMNS), contents.tokens, contents.text)
    query = query.add_columns(schema.page_manifests.c.manifest)
    query = query.join_from(schema.pages, schema.page_contents).join(
        schema.page_manifests, schema.page_manifests.c.page_id == p.id
    )
    for start in range(0, len(ids), _PAGES_AT_ONCE):
        part = connection.execute(query.where(p.id.in_(ids[start : start + _PAGES_AT_ONCE])).order_by(p.id)).mappings()
        for row in part.all():
            tokens, text = blobs.get(connection, [(bank_id, row["tokens"]), (bank_id, row["text"])])
            assert tokens is not None
            manifest: bytes = row["manifest"]
            yield dict(row), tokens, text, manifest


def keepsakes(connection: Connection, page_id: int) -> list[tuple[int, int, int, str]]:
    """Returns start, stop, message and text of the keepsakes of a page, by start."""
    c = schema.keepsakes.c
    query = select(c.start, c.stop, c.message_id, c.text).where(c.page_id == page_id).order_by(c.start)
    return [(row.start, row.stop, row.message_id, row.text) for row in connection.execute(query)]


def embedding_segments(connection: Connection, bank_id: int) -> Iterator[tuple[int, bytes]]:
    """Yields the embedder and the codes of each segment, by id."""
    c = schema.embedding_segments.c
    query = select(c.embedder_id, c.codes).where(c.bank_id == bank_id).order_by(c.id)
    for row in connection.execution_options(yield_per=8).execute(query):
        yield row.embedder_id, row.codes


def posting_segments(connection: Connection, bank_id: int) -> Iterator[bytes]:
    """Yields the packed postings of each segment, by id."""
    c = schema.posting_segments.c
    yield from connection.execute(select(c.postings).where(c.bank_id == bank_id).order_by(c.id)).scalars()


def insert_bank(
    connection: Connection, name: str, fields: Mapping[str, Any], index_key: bytes, numbers_added: int
) -> int | None:
    """Inserts a bank with its full name, and returns its id; None if the name is taken."""
    values = {**fields, "name": name, "tenant": tenant_of(name)}
    values |= {"index_key": index_key, "numbers_added": numbers_added}
    statement = insert_into(connection, schema.banks).values(values).on_conflict_do_nothing()
    inserted = connection.execute(statement.returning(schema.banks.c.id)).scalar_one_or_none()
    return None if inserted is None else int(inserted)


def insert(connection: Connection, table: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows of a table of `TABLES`."""
    if values:
        connection.execute(schema.metadata.tables[table].insert(), [dict(row) for row in values])


def insert_numbered(connection: Connection, table: str, values: Mapping[str, Any]) -> int:
    """Inserts a row of a table whose ids the database gives, and returns its id."""
    t: Table = schema.metadata.tables[table]
    return int(connection.execute(t.insert().values(dict(values)).returning(t.c.id)).scalar_one())


def put_image(connection: Connection, bank_id: int, image_id: int, content: bytes) -> None:
    """Writes the file of an image, by whose digest the bank knows it again."""
    digest = blobs.digest_of(digest_key(connection), bank_id, hashlib.sha256(content).digest())
    values = {"content": blobs.put(connection, bank_id, [content])[0], "digest": digest}
    connection.execute(schema.images.update().where(schema.images.c.id == image_id).values(values))


def insert_codes(
    connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes], packed: bytes
) -> None:
    """Inserts a segment of embeddings."""
    values = {"bank_id": bank_id, "embedder_id": embedder, "codes": packed, "messages": len(codes)}
    values |= {"first_message": min(codes), "last_message": max(codes)}
    connection.execute(schema.embedding_segments.insert().values(values))


def manifests_of(connection: Connection, page_ids: Sequence[int]) -> Iterator[tuple[int, PageManifest]]:
    """Yields the manifests of pages."""
    c = schema.page_manifests.c
    for start in range(0, len(page_ids), _PAGES_AT_ONCE):
        part = page_ids[start : start + _PAGES_AT_ONCE]
        for row in connection.execute(select(c.page_id, c.manifest).where(c.page_id.in_(part))).all():
            yield row.page_id, PageManifest.unpack(row.manifest)


def page_keys(connection: Connection, candidates: Sequence[str]) -> set[str]:
    """Returns those of the keys of pages that the database has."""
    c = schema.pages.c
    return set(connection.execute(select(c.key).where(c.key.in_(candidates))).scalars()) if candidates else set()


def insert_page(connection: Connection, bank_id: int, row: Mapping[str, Any], tokens: bytes, text: bytes | None) -> int:
    """Inserts a page with its contents, and returns its id. Its manifest and its keepsakes follow."""
    page_id = insert_numbered(connection, "pages", {**row, "bank_id": bank_id})
    stored_tokens, stored_text = blobs.put(connection, bank_id, [tokens, text])
    values = {"page_id": page_id, "tokens": stored_tokens, "text": stored_text}
    connection.execute(schema.page_contents.insert().values(values))
    return page_id


def insert_page_parts(
    connection: Connection, page_id: int, manifest: PageManifest, stamp: int, keepsake_rows: Sequence[Mapping[str, Any]]
) -> None:
    """Inserts the manifest and the keepsakes of a page."""
    values = {"page_id": page_id, "stamp": stamp, "manifest": manifest.pack()}
    connection.execute(schema.page_manifests.insert().values(values))
    if keepsake_rows:
        connection.execute(schema.keepsakes.insert(), [{**row, "page_id": page_id} for row in keepsake_rows])


def insert_ranges(
    connection: Connection, bank_id: int, page_id: int, manifest: PageManifest, ids: Sequence[int]
) -> None:
    """Inserts the ranges of a page. `ids`: those of all messages of the bank, ascending."""
    runs = [{"bank_id": bank_id, "page_id": page_id, **run} for run in ranges.of_manifest(manifest, ids)]
    if runs:
        connection.execute(schema.message_ranges.insert(), runs)


def insert_keys(connection: Connection, bank_id: int, ids: Mapping[str, int]) -> None:
    """Adds the ids of messages to the hash index, given as key → row id."""
    keys.add(connection, bank_id, ids)


def make_due(connection: Connection, bank_id: int) -> None:
    """Makes all kinds of jobs of a bank due for a check."""
    for kind in schedule.KINDS:
        schedule.bring_forward(connection, bank_id, kind)


def insert_embedder(connection: Connection, name: str, dimensions: int) -> int:
    """Returns the id of an embedder, inserting it if it is new."""
    return embedder_id(connection, name, dimensions)


def rename(connection: Connection, bank_id: int, name: str) -> bool:
    """Gives a bank another full name. Returns False if it is taken."""
    c = schema.banks.c
    if connection.execute(select(c.id).where(c.name == name)).first() is not None:
        return False
    connection.execute(schema.banks.update().where(c.id == bank_id).values(name=name, tenant=tenant_of(name)))
    return True
