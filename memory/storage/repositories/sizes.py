"""Row counts and bytes of a bank by table."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, cast, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference

from . import messages

#: Bytes of a row without its texts and blobs, with its index entries.
PAGE_ROW_BYTES = 340
MANIFEST_ROW_BYTES = 20
RUN_ROW_BYTES = 40
KEY_ROW_BYTES = 15
KEEPSAKE_ROW_BYTES = 16
OPEN_MESSAGE_ROW_BYTES = 108
THREAD_ROW_BYTES = 16
ERASED_ROW_BYTES = 8


@dataclass(frozen=True)
class TierTotals:
    """Totals of the pages of a bank at one tier."""

    tier: str
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int


def tier_totals(connection: Connection, bank_id: int) -> list[TierTotals]:
    """Returns the totals of each tier that has pages."""
    c = schema.pages.c
    # skips NULLs of damaged rows
    sums = (func.coalesce(func.sum(column), 0) for column in (c.vision_tokens, c.token_bytes, c.text_bytes))
    query = select(c.tier, func.count(), *sums).where(c.bank_id == bank_id).group_by(c.tier)
    return [
        TierTotals(tier, pages, int(vision_tokens), int(token_bytes), int(text_bytes))
        for tier, pages, vision_tokens, token_bytes, text_bytes in connection.execute(query)
    ]


@dataclass(frozen=True)
class MessageTotals:
    """Totals of the messages of a bank."""

    messages: int
    open_messages: int
    #: Bytes of the exact text of open messages.
    open_text_bytes: int
    #: Bytes of open messages without their text.
    metadata_bytes: int
    first_at: datetime | None
    last_at: datetime | None


def message_totals(connection: Connection, bank_id: int) -> MessageTotals:
    """Returns the totals of the messages of a bank."""
    c, p, size = schema.messages.c, schema.pages.c, columns.octet_length
    row_bytes = func.coalesce(size(c.key) + KEY_ROW_BYTES, 0) + func.coalesce(size(c.name), 0) + size(c.role)
    row_bytes += func.coalesce(size(cast(c.metadata, Text)), 0) + OPEN_MESSAGE_ROW_BYTES
    still_open = select(
        func.count(),
        func.coalesce(func.sum(row_bytes), 0),
        func.coalesce(func.sum(size(c.content)), 0),
        func.min(c.created_at),
        func.max(c.created_at),
    ).where(c.bank_id == bank_id)
    open_count, open_bytes, text_bytes, *ends = connection.execute(still_open).one()
    ends += connection.execute(select(func.min(p.first_at), func.max(p.last_at)).where(p.bank_id == bank_id)).one()
    times = [time for time in ends if time is not None]
    return MessageTotals(
        messages.count(connection, bank_id),
        open_count,
        int(text_bytes),
        int(open_bytes),
        min(times, default=None),
        max(times, default=None),
    )


def page_metadata_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the bytes of page rows, manifests and the indexes that find messages, without tokens and text."""
    pages, stored, ranges = schema.pages.c, schema.page_manifests.c, schema.message_ranges.c
    of_pages = (
        select(func.count(), func.coalesce(func.sum(func.length(stored.manifest)), 0))
        .join_from(schema.pages, schema.page_manifests, stored.page_id == pages.id)
        .where(pages.bank_id == bank_id)
    )
    page_count, size = connection.execute(of_pages).one()
    range_count, sealed = connection.execute(
        select(func.count(), func.coalesce(func.sum(ranges.messages), 0)).where(ranges.bank_id == bank_id)
    ).one()
    rows = int(page_count) * (PAGE_ROW_BYTES + MANIFEST_ROW_BYTES) + int(range_count) * RUN_ROW_BYTES
    return int(size) + rows + int(sealed) * KEY_ROW_BYTES


def keepsake_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the bytes of the keepsakes of a bank."""
    pages, c = schema.pages.c, schema.keepsakes.c
    query = (
        select(func.coalesce(func.sum(columns.octet_length(c.text) + KEEPSAKE_ROW_BYTES), 0))
        .join_from(schema.keepsakes, schema.pages, pages.id == c.page_id)
        .where(pages.bank_id == bank_id)
    )
    return int(connection.execute(query).scalar_one())


def thread_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the bytes of the threads of a bank. Each name counts twice, for the table and its index."""
    c = schema.threads.c
    query = select(func.coalesce(func.sum(2 * columns.octet_length(c.name) + THREAD_ROW_BYTES), 0))
    return int(connection.execute(query.where(c.bank_id == bank_id)).scalar_one())


def idempotency_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the bytes of the idempotency keys of a bank and their answers."""
    c = schema.idempotency_keys.c
    size = columns.octet_length(c.key) + columns.octet_length(cast(c.answer, Text))
    query = select(func.coalesce(func.sum(size), 0)).where(c.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())


def erased_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the bytes of the numbers of erased messages of a bank."""
    query = select(func.count()).where(schema.erased_messages.c.bank_id == bank_id)
    return ERASED_ROW_BYTES * int(connection.execute(query).scalar_one())


def trash_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the bytes of tokens, texts and parts in the trash of a bank."""
    c = schema.trash.c
    lengths = [func.coalesce(func.length(column), 0) for column in (c.tokens, c.text, c.parts)]
    size = lengths[0] + lengths[1] + lengths[2]
    query = select(func.coalesce(func.sum(size), 0)).where(c.bank_id == bank_id)
    total = int(connection.execute(query).scalar_one())
    for column in (c.tokens, c.text, c.parts):  # a reference counts as its blob
        outside = select(column).where(c.bank_id == bank_id, func.length(column) == REFERENCE_BYTES)
        references = (BlobReference.read(item) for item in connection.execute(outside).scalars())
        total += sum(reference.size - REFERENCE_BYTES for reference in references if reference is not None)
    return total
