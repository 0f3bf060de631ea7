"""Row counts and bytes of a bank, table by table."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, cast, func, select

from foxing.memory.storage import columns, schema

#: Bytes of a row besides its texts and blobs, with its entries in the indexes.
PAGE_ROW_BYTES = 340
SPAN_ROW_BYTES = 48
KEEPSAKE_ROW_BYTES = 16
MESSAGE_ROW_BYTES = 108
THREAD_ROW_BYTES = 16


@dataclass(frozen=True)
class TierTotals:
    """The pages of a bank at one tier."""

    tier: str
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int


def tier_totals(connection: Connection, bank_id: int) -> list[TierTotals]:
    c = schema.pages.c
    query = (
        select(c.tier, func.count(), func.sum(c.vision_tokens), func.sum(c.token_bytes), func.sum(c.text_bytes))
        .where(c.bank_id == bank_id)
        .group_by(c.tier)
    )
    return [
        TierTotals(tier, pages, int(vision_tokens), int(token_bytes), int(text_bytes))
        for tier, pages, vision_tokens, token_bytes, text_bytes in connection.execute(query)
    ]


@dataclass(frozen=True)
class MessageTotals:
    """The messages of a bank."""

    messages: int
    open_messages: int
    #: Exact text of open messages.
    open_text_bytes: int
    #: Everything of messages but their text.
    metadata_bytes: int
    first_at: datetime | None
    last_at: datetime | None


def message_totals(connection: Connection, bank_id: int) -> MessageTotals:
    c, size = schema.messages.c, columns.octet_length
    row_bytes = 2 * size(c.key) + func.coalesce(size(c.name), 0) + size(c.role) + MESSAGE_ROW_BYTES
    row_bytes += func.coalesce(size(cast(c.metadata, Text)), 0)
    every = select(
        func.count(c.id), func.coalesce(func.sum(row_bytes), 0), func.min(c.created_at), func.max(c.created_at)
    ).where(c.bank_id == bank_id)
    count, metadata_bytes, first_at, last_at = connection.execute(every).one()
    still_open = select(func.count(c.id), func.coalesce(func.sum(size(c.content)), 0)).where(
        c.bank_id == bank_id, c.open
    )
    open_count, open_bytes = connection.execute(still_open).one()
    return MessageTotals(count, open_count, open_bytes, metadata_bytes, first_at, last_at)


def page_metadata_bytes(connection: Connection, bank_id: int) -> int:
    """Pages and their spans, without tokens and text."""
    pages, spans = schema.pages.c, schema.spans.c
    query = (
        select(func.count(spans.ordinal), func.count(func.distinct(pages.id)))
        .join_from(schema.pages, schema.spans, spans.page_id == pages.id)
        .where(pages.bank_id == bank_id)
    )
    span_count, page_count = connection.execute(query).one()
    return int(span_count) * SPAN_ROW_BYTES + int(page_count) * PAGE_ROW_BYTES


def keepsake_bytes(connection: Connection, bank_id: int) -> int:
    pages, c = schema.pages.c, schema.keepsakes.c
    query = (
        select(func.coalesce(func.sum(columns.octet_length(c.text) + KEEPSAKE_ROW_BYTES), 0))
        .join_from(schema.keepsakes, schema.pages, pages.id == c.page_id)
        .where(pages.bank_id == bank_id)
    )
    return int(connection.execute(query).scalar_one())


def thread_bytes(connection: Connection, bank_id: int) -> int:
    """Threads; the table holds each name, and its index once more."""
    c = schema.threads.c
    query = select(func.coalesce(func.sum(2 * columns.octet_length(c.name) + THREAD_ROW_BYTES), 0))
    return int(connection.execute(query.where(c.bank_id == bank_id)).scalar_one())


def idempotency_bytes(connection: Connection, bank_id: int) -> int:
    """Idempotency keys and their answers."""
    c = schema.idempotency_keys.c
    size = columns.octet_length(c.key) + columns.octet_length(cast(c.answer, Text))
    query = select(func.coalesce(func.sum(size), 0)).where(c.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())


def wastebasket_bytes(connection: Connection, bank_id: int) -> int:
    """Tokens, texts and places in the wastebasket."""
    c = schema.wastebasket.c
    lengths = [func.coalesce(func.length(column), 0) for column in (c.tokens, c.text, c.parts)]
    size = lengths[0] + lengths[1] + lengths[2]
    query = select(func.coalesce(func.sum(size), 0)).where(c.bank_id == bank_id)
    return int(connection.execute(query).scalar_one())
