"""Row counts and bytes of banks by table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, cast, func, literal, or_, select, union_all

from foxing.memory.storage import columns, schema
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.values.sizes import DatabaseSizes, TenantSizes

from . import banks, embeddings, facts, image_trash, images, quarantine, recall_weights, records
from .batches import sum_by_bank
from .sealed import ranges

#: Bytes of a row without its texts and blobs, with its index entries.
PAGE_ROW_BYTES = 340
MANIFEST_ROW_BYTES = 20
RUN_ROW_BYTES = 56
KEY_ROW_BYTES = 15
KEEPSAKE_ROW_BYTES = 16
OPEN_MESSAGE_ROW_BYTES = 108
THREAD_ROW_BYTES = 16
TITLE_BYTES = 24
PERSON_ROW_BYTES = 24
ERASED_ROW_BYTES = 8


@dataclass(frozen=True)
class TierTotals:
    """Totals of the pages of a bank at one tier."""

    tier: str
    pages: int
    vision_tokens: int
    token_bytes: int
    text_bytes: int
    first_at: datetime
    last_at: datetime


def tier_totals(connection: Connection, bank_ids: Sequence[int]) -> dict[int, list[TierTotals]]:
    """Returns bank id → totals of each tier that has pages."""
    totals: dict[int, list[TierTotals]] = {bank_id: [] for bank_id in bank_ids}
    for bank_id, tier, pages, tokens, token_bytes, text_bytes, *times in connection.execute(_tiers, {"ids": bank_ids}):
        totals[bank_id].append(TierTotals(tier, pages, int(tokens), int(token_bytes), int(text_bytes), *times))
    return totals


_p = schema.pages.c
_tiers = select(
    _p.bank_id,
    _p.tier,
    func.count(),
    # skips NULLs of damaged rows
    *(func.coalesce(func.sum(column), 0) for column in (_p.vision_tokens, _p.token_bytes, _p.text_bytes)),
    func.min(_p.first_at),
    func.max(_p.last_at),
)
_tiers = _tiers.where(columns.is_given(_p.bank_id)).group_by(_p.bank_id, _p.tier)


@dataclass(frozen=True)
class OpenTotals:
    """Totals of the open messages of a bank."""

    messages: int = 0
    #: Those of which no part is sealed.
    unsealed: int = 0
    #: Bytes of their exact text.
    text_bytes: int = 0
    #: Bytes of their rows without the text.
    metadata_bytes: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


def open_totals(connection: Connection, bank_ids: Sequence[int]) -> dict[int, OpenTotals]:
    """Returns bank id → totals of the open messages of the bank."""
    totals = {bank_id: OpenTotals() for bank_id in bank_ids}
    for bank_id, number, unsealed, text_bytes, row_bytes, *times in connection.execute(_open, {"ids": bank_ids}):
        totals[bank_id] = OpenTotals(number, unsealed, int(text_bytes), int(row_bytes), *times)
    return totals


_m = schema.messages.c
_size = columns.octet_length
_open_row = func.coalesce(_size(_m.key) + KEY_ROW_BYTES, 0) + func.coalesce(_size(_m.name), 0) + _size(_m.role)
_open_row += func.coalesce(_size(cast(_m.metadata, Text)), 0) + OPEN_MESSAGE_ROW_BYTES
_open = select(
    _m.bank_id,
    func.count(),
    func.count().filter(_m.sealed_chars == 0),
    func.coalesce(func.sum(_size(_m.content)), 0),
    func.coalesce(func.sum(_open_row), 0),
    func.min(_m.created_at),
    func.max(_m.created_at),
)
_open = _open.where(columns.is_given(_m.bank_id)).group_by(_m.bank_id)


def totals(connection: Connection, bank_ids: Sequence[int]) -> dict[str, Counter[int]]:
    """Returns name → bank id → total: `BEGUN`, the number of messages that begin on pages, `THREADS`, their number, and
    the bytes of each part of `BankBytes` that is a sum over rows, without tokens, open messages, index and references
    to blobs."""
    totals: dict[str, Counter[int]] = {name: Counter() for name in (BEGUN, THREADS, *_sizes)}
    for name, bank_id, total in dialect_of(connection).fetch_numbers(connection, _totals, {"ids": bank_ids}):
        totals[name][bank_id] += int(total)
    return totals


BEGUN = "begun"
THREADS = "threads"
_t, _k, _r, _trash = (
    table.c for table in (schema.threads, schema.idempotency_keys, schema.message_ranges, schema.trash)
)
_manifests = schema.page_manifests.c
_persons = schema.thread_persons.c
_keepsakes = schema.keepsakes.c
_trash_lengths = [func.coalesce(func.length(column), 0) for column in (_trash.tokens, _trash.text, _trash.parts)]
_sizes = {
    "embeddings": embeddings.SIZES,
    "keepsakes": [
        sum_by_bank(
            _p.bank_id,
            _size(_keepsakes.text) + KEEPSAKE_ROW_BYTES,
            source=schema.keepsakes.join(schema.pages, _p.id == _keepsakes.page_id),
        )
    ],
    # page rows, manifests and the indexes that find messages; each name of a thread counts again for its index
    "metadata": [
        sum_by_bank(
            _p.bank_id,
            func.length(_manifests.manifest) + PAGE_ROW_BYTES + MANIFEST_ROW_BYTES,
            source=schema.pages.join(schema.page_manifests, _manifests.page_id == _p.id),
        ),
        sum_by_bank(_r.bank_id, _r.messages * KEY_ROW_BYTES + RUN_ROW_BYTES),
        sum_by_bank(
            _t.bank_id, 2 * _size(_t.name) + func.coalesce(_size(_t.title) + TITLE_BYTES, 0) + THREAD_ROW_BYTES
        ),
        sum_by_bank(_persons.bank_id, 2 * _size(_persons.name) + PERSON_ROW_BYTES),
        sum_by_bank(_k.bank_id, _size(_k.key) + _size(cast(_k.answer, Text))),
        sum_by_bank(schema.erased_messages.c.bank_id, literal(ERASED_ROW_BYTES)),
        *recall_weights.SIZES,
        *facts.SIZES,
        *quarantine.SIZES,
    ],
    "records": records.SIZES,
    "images": images.SIZES,
    "trash": [sum_by_bank(_trash.bank_id, sum(_trash_lengths[1:], start=_trash_lengths[0])), *image_trash.SIZES],
}
_named = {BEGUN: [ranges.COUNTS], THREADS: [banks.THREADS], **_sizes}
_parts = [query.subquery() for queries in _named.values() for query in queries]
_names = [name for name, queries in _named.items() for _ in queries]
_totals = select(
    union_all(
        *(select(literal(name).label("name"), *part.c) for name, part in zip(_names, _parts, strict=True))
    ).subquery()
)


def blob_bytes(connection: Connection, bank_ids: Sequence[int]) -> Counter[int]:
    """Returns bank id → bytes of the blobs in object storage that the trash of the bank refers to, beyond those of the
    references."""
    totals = Counter[int]()
    for bank_id, *stored in connection.execute(_references, {"ids": bank_ids}):
        for item in stored:
            reference = BlobReference.read(item) if item is not None and len(item) == REFERENCE_BYTES else None
            totals[bank_id] += 0 if reference is None else reference.size - REFERENCE_BYTES
    return totals


_references = select(_trash.bank_id, _trash.tokens, _trash.text, _trash.parts).where(
    columns.is_given(_trash.bank_id), or_(*(length == REFERENCE_BYTES for length in _trash_lengths))
)


def database_sizes(connection: Connection) -> DatabaseSizes:
    """Returns the size of the database and of its tenants."""
    return DatabaseSizes(dialect_of(connection).size(connection), _tenant_sizes(connection))


def _tenant_sizes(connection: Connection) -> dict[str, TenantSizes]:
    """Returns tenant → its sizes, "" for no tenant. Reads the counters of days and the names of banks alone."""
    day = schema.usage_days.c
    stored = select(day.tenant, func.sum(day.messages), func.sum(day.bytes)).group_by(day.tenant)
    bank = schema.banks.c
    counted = select(func.coalesce(bank.tenant, ""), func.count()).group_by(bank.tenant)
    sizes = {tenant: TenantSizes(0, int(rows), int(size)) for tenant, rows, size in connection.execute(stored)}
    for tenant, number in connection.execute(counted):
        sizes[tenant] = sizes.get(tenant, TenantSizes(0, 0, 0))._replace(banks=int(number))
    return sizes
