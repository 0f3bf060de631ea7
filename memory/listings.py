"""Statistics of banks and pages, one by one and in paginated lists."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection

from foxing.renderer import tier_rank

from .cursors import IdRanges, decode_cursor, encode_cursor, id_ranges
from .errors import InvalidCursor, InvalidInput
from .index.search_index import SearchIndex, index_bytes
from .ingest.validate import check_bank_name
from .lifecycle.due import due_in
from .storage.database import Database
from .storage.repositories import banks, pages, sizes
from .storage.repositories.banks import Bank
from .storage.repositories.pages import KeepsakeTotals, PageRow
from .storage.repositories.sealed import manifests
from .values.banks import BankBytes, BankEnd, BankInfo, Banks, DueWork, TierStatistics
from .values.base import INVALID_CURSOR, check_limit
from .values.pages import PageInfo, Pages


def list_pages(database: Database, bank: str, *, limit: int, cursor: str | None, tier: str | None) -> Pages:
    """See `Memory.pages`."""
    check_limit(limit)
    if tier is not None:
        tier_rank(tier)
    with database.read() as connection:
        bank_id = banks.get(connection, bank).id
        list_name = f"pages:{bank_id}:{tier}"
        seen = id_ranges(decode_cursor(cursor, list_name)) if cursor else IdRanges()
        # erasing the last message of a page changes its time, so the cursor stores the ids already listed
        ids = pages.ids_by_time(connection, bank_id, tier=tier, limit=len(seen) + limit + 1)
        after_cursor = [page_id for page_id in ids if page_id not in seen]
        by_id = pages.by_ids(connection, after_cursor[:limit])
        infos = page_infos(connection, bank, [by_id[page_id] for page_id in after_cursor[:limit]])
    has_more = len(after_cursor) > limit
    following = encode_cursor(list_name, seen.with_ids(after_cursor[:limit]).encoded()) if has_more else None
    return Pages(pages=infos, next_cursor=following)


def list_banks(database: Database, index: SearchIndex, now: datetime, *, limit: int, cursor: str | None) -> Banks:
    """See `Memory.banks`."""
    check_limit(limit)
    after = _bank_after(cursor) if cursor else None
    with database.read() as connection:
        rows = banks.list_after(connection, after, limit + 1)
        infos = bank_infos(connection, rows[:limit], index, now)
    has_more = len(rows) > limit
    return Banks(banks=infos, next_cursor=encode_cursor("banks", [rows[limit - 1].name]) if has_more else None)


def newest_banks(database: Database) -> list[BankEnd]:
    """See `Operations.newest_banks`."""
    with database.read() as connection:
        rows = banks.newest_first(connection)
    return [BankEnd(bank=bank, last_at=last_at) for bank, last_at in rows]


def _bank_after(cursor: str) -> str:
    """Returns the name of the last bank before a cursor. Raises `InvalidCursor`."""
    name = decode_cursor(cursor, "banks")[0]
    try:
        return check_bank_name(name)
    except InvalidInput as error:
        raise InvalidCursor(INVALID_CURSOR) from error


def page_info(database: Database, bank: str, page_id: str) -> PageInfo:
    """See `Memory.page`."""
    with database.read() as connection:
        row = pages.get(connection, banks.get(connection, bank).id, page_id)
        return page_infos(connection, bank, [row])[0]


def set_pinned(database: Database, bank: str, page_id: str, *, pinned: bool) -> PageInfo:
    """Pins or unpins a page, and returns its statistics. Raises `NotFound`."""
    with database.write() as connection:
        bank_id = banks.get(connection, bank).id
        banks.lock(connection, bank_id)
        row = pages.get(connection, bank_id, page_id)
        if row.pinned != pinned:
            pages.set_pinned(connection, row, pinned)
    return page_info(database, bank, page_id)


#: Columns of pages that their statistics have under the same name.
_COLUMNS = sorted({field.name for field in fields(PageRow)} & PageInfo.model_fields.keys() - {"id"})


def page_infos(connection: Connection, bank: str, rows: Sequence[PageRow]) -> list[PageInfo]:
    """Returns the statistics of pages of the bank called `bank`, in the order of `rows`."""
    ids = [row.id for row in rows]
    threads = _threads_of(connection, ids)
    keepsakes = pages.keepsake_totals(connection, ids)
    infos = []
    for row in rows:
        totals = keepsakes.get(row.id, KeepsakeTotals(0, 0))
        infos.append(
            PageInfo.model_validate(
                {
                    "id": row.key,
                    "bank": bank,
                    "threads": threads.get(row.id, []),
                    **{name: getattr(row, name) for name in _COLUMNS},
                    "bytes": row.token_bytes + row.text_bytes + totals.bytes,
                    "confidence": round(row.confidence, 4),
                    "keepsakes": totals.number,
                }
            )
        )
    return infos


def bank_info(connection: Connection, bank: Bank, index: SearchIndex, now: datetime) -> BankInfo:
    """Returns the statistics of a bank, see `bank_infos`."""
    return bank_infos(connection, [bank], index, now)[0]


def bank_infos(connection: Connection, rows: Sequence[Bank], index: SearchIndex, now: datetime) -> list[BankInfo]:
    """Returns the statistics of banks whose messages are in `index`, and what is due at `now`. Bytes are those of rows
    and database indexes, without free space in the file. The number of queries does not depend on that of the banks,
    but for one for each policy under which pages are due."""
    ids = [bank.id for bank in rows]
    tiers = sizes.tier_totals(connection, ids)
    still_open = sizes.open_totals(connection, ids)
    totals = sizes.totals(connection, ids)
    index_size = index_bytes(index, connection, ids)
    # few databases have trash, and fewer keep blobs apart
    blobs = sizes.blob_bytes(connection, ids) if any(totals["trash"].values()) else Counter[int]()
    due = due_in(connection, rows, now)
    infos = []
    for bank in rows:
        of_bank = tiers[bank.id]
        messages = still_open[bank.id]
        stored = {
            "tokens": sum(tier.token_bytes for tier in of_bank),
            "text": sum(tier.text_bytes for tier in of_bank) + messages.text_bytes,
            "index": index_size[bank.id],
            "embeddings": totals["embeddings"][bank.id],
            "keepsakes": totals["keepsakes"][bank.id],
            "metadata": totals["metadata"][bank.id] + messages.metadata_bytes,
            "records": totals["records"][bank.id],
            "images": totals["images"][bank.id],
            "trash": totals["trash"][bank.id] + blobs[bank.id],
        }
        ends = [(messages.first_at, messages.last_at), *((tier.first_at, tier.last_at) for tier in of_bank)]
        times = [at for pair in ends for at in pair if at is not None]
        infos.append(
            BankInfo(
                id=bank.name,
                created_at=bank.created_at,
                messages=totals[sizes.BEGUN][bank.id] + messages.unsealed,
                open_messages=messages.messages,
                threads=totals[sizes.THREADS][bank.id],
                pages=sum(tier.pages for tier in of_bank),
                tiers={
                    tier.tier: TierStatistics(
                        pages=tier.pages, vision_tokens=tier.vision_tokens, token_bytes=tier.token_bytes
                    )
                    for tier in sorted(of_bank, key=lambda t: tier_rank(t.tier))
                },
                bytes=BankBytes(**stored, total=sum(stored.values())),
                due=DueWork(
                    messages_to_seal=messages.messages if bank.id in due.to_seal else 0,
                    pages_to_age=due.to_age[bank.id],
                ),
                first_at=min(times, default=None),
                last_at=max(times, default=None),
            )
        )
    return infos


def _threads_of(connection: Connection, page_ids: Collection[int]) -> dict[int, list[str]]:
    """Returns page id → names of the threads on it, in page order."""
    by_page = manifests.get(connection, page_ids)
    ordered = {page_id: list(dict.fromkeys(manifest.threads.tolist())) for page_id, manifest in by_page.items()}
    names = banks.thread_names(connection, {i for ids in ordered.values() for i in ids})
    return {page_id: [names[i] for i in ids] for page_id, ids in ordered.items() if ids}
