"""Row counts and bytes of banks by table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, cast, func, or_, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference

from .batches import batched, counts_by_bank, grouped_by_bank, sums_by_bank
from .sealed import ranges

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


def tier_totals(connection: Connection, bank_ids: Sequence[int]) -> dict[int, list[TierTotals]]:
    """Returns bank id → totals of each tier that has pages."""
    c = schema.pages.c
    found: dict[int, list[TierTotals]] = {bank_id: [] for bank_id in bank_ids}
    for part in batched(bank_ids):
        # skips NULLs of damaged rows
        sums = (func.coalesce(func.sum(column), 0) for column in (c.vision_tokens, c.token_bytes, c.text_bytes))
        query = (
            select(c.bank_id, c.tier, func.count(), *sums)
            .where(columns.among(c.bank_id, part))
            .group_by(c.bank_id, c.tier)
        )
        for bank_id, tier, pages, vision_tokens, token_bytes, text_bytes in connection.execute(query):
            found[bank_id].append(TierTotals(tier, pages, int(vision_tokens), int(token_bytes), int(text_bytes)))
    return found


@dataclass(frozen=True)
class MessageTotals:
    """Totals of the messages of a bank."""

    messages: int = 0
    open_messages: int = 0
    #: Bytes of the exact text of open messages.
    open_text_bytes: int = 0
    #: Bytes of open messages without their text.
    metadata_bytes: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


def message_totals(connection: Connection, bank_ids: Sequence[int]) -> dict[int, MessageTotals]:
    """Returns bank id → totals of the messages of the bank."""
    c, p, size = schema.messages.c, schema.pages.c, columns.octet_length
    row_bytes = func.coalesce(size(c.key) + KEY_ROW_BYTES, 0) + func.coalesce(size(c.name), 0) + size(c.role)
    row_bytes += func.coalesce(size(cast(c.metadata, Text)), 0) + OPEN_MESSAGE_ROW_BYTES
    still_open = select(
        c.bank_id,
        func.count(),
        func.coalesce(func.sum(row_bytes), 0),
        func.coalesce(func.sum(size(c.content)), 0),
        func.min(c.created_at),
        func.max(c.created_at),
        func.count().filter(c.sealed_chars == 0),
    )
    on_pages = select(p.bank_id, func.min(p.first_at), func.max(p.last_at))
    found: dict[int, MessageTotals] = {}
    for part in batched(bank_ids):
        begun = ranges.counts(connection, part)
        ends = {
            bank_id: [first, last]
            for bank_id, first, last in connection.execute(
                on_pages.where(columns.among(p.bank_id, part)).group_by(p.bank_id)
            )
        }
        rows = {
            row[0]: row
            for row in connection.execute(still_open.where(columns.among(c.bank_id, part)).group_by(c.bank_id))
        }
        for bank_id in part:
            _, number, size_, text, first, last, new = rows.get(bank_id, (bank_id, 0, 0, 0, None, None, 0))
            times = [time for time in (first, last, *ends.get(bank_id, ())) if time is not None]
            found[bank_id] = MessageTotals(
                begun[bank_id] + new,
                number,
                int(text),
                int(size_),
                min(times, default=None),
                max(times, default=None),
            )
    return found


def page_metadata_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of page rows, manifests and the indexes that find messages, without tokens and text."""
    pages, stored, r = schema.pages.c, schema.page_manifests.c, schema.message_ranges.c
    row = func.length(stored.manifest) + PAGE_ROW_BYTES + MANIFEST_ROW_BYTES
    of_pages = select(pages.bank_id, func.coalesce(func.sum(row), 0)).join_from(
        schema.pages, schema.page_manifests, stored.page_id == pages.id
    )
    found = grouped_by_bank(connection, of_pages, pages.bank_id, bank_ids)
    return found + sums_by_bank(connection, r.bank_id, r.messages * KEY_ROW_BYTES + RUN_ROW_BYTES, bank_ids)


def keepsake_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of the keepsakes of the bank."""
    pages, c = schema.pages.c, schema.keepsakes.c
    query = select(
        pages.bank_id, func.coalesce(func.sum(columns.octet_length(c.text) + KEEPSAKE_ROW_BYTES), 0)
    ).join_from(schema.keepsakes, schema.pages, pages.id == c.page_id)
    return grouped_by_bank(connection, query, pages.bank_id, bank_ids)


def thread_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of the threads of the bank. Each name counts twice, for the table and its index."""
    c = schema.threads.c
    return sums_by_bank(connection, c.bank_id, 2 * columns.octet_length(c.name) + THREAD_ROW_BYTES, bank_ids)


def idempotency_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of the idempotency keys of the bank and their answers."""
    c = schema.idempotency_keys.c
    size = columns.octet_length(c.key) + columns.octet_length(cast(c.answer, Text))
    return sums_by_bank(connection, c.bank_id, size, bank_ids)


def erased_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of the numbers of erased messages of the bank."""
    counts = counts_by_bank(connection, schema.erased_messages.c.bank_id, bank_ids)
    return Counter({bank_id: ERASED_ROW_BYTES * number for bank_id, number in counts.items()})


def trash_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of tokens, texts and parts in the trash of the bank."""
    c = schema.trash.c
    items = (c.tokens, c.text, c.parts)
    lengths = [func.coalesce(func.length(column), 0) for column in items]
    is_reference = or_(*(length == REFERENCE_BYTES for length in lengths))
    total, references = func.sum(lengths[0] + lengths[1] + lengths[2]), func.count().filter(is_reference)
    found = Counter[int]()
    for part in batched(bank_ids):
        of_banks = columns.among(c.bank_id, part)
        rows = connection.execute(select(c.bank_id, total, references).where(of_banks).group_by(c.bank_id)).all()
        found |= Counter({bank_id: int(size) for bank_id, size, _ in rows})
        if not any(number for _, _, number in rows):
            continue
        for bank_id, *stored in connection.execute(select(c.bank_id, *items).where(of_banks, is_reference)):
            for item in stored:  # a reference counts as its blob
                reference = BlobReference.read(item) if item is not None and len(item) == REFERENCE_BYTES else None
                found[bank_id] += 0 if reference is None else reference.size - REFERENCE_BYTES
    return found
