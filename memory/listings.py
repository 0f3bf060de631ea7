"""Lists of banks and pages, in parts."""

from foxing.renderer import tier_rank

from .errors import InvalidCursor, InvalidInput
from .ingest.validate import check_bank_name
from .models import Banks, Pages
from .recall.cursors import decode_cursor, encode_cursor, time_position
from .recall.query import check_limit
from .recall.search_index import SearchIndex
from .statistics import bank_info, page_infos
from .storage.database import Database
from .storage.repositories import banks, pages


def list_pages(database: Database, bank: str, *, limit: int, cursor: str | None, tier: str | None) -> Pages:
    """See `Memory.pages`."""
    check_limit(limit)
    if tier is not None:
        tier_rank(tier)
    list_name = f"pages:{tier}"
    position = time_position(decode_cursor(cursor, list_name)) if cursor else None
    after = None if position is None else (position.at, position.id)
    with database.read() as connection:
        bank_id = banks.get(connection, bank).id
        rows = pages.list_by_time(connection, bank_id, tier=tier, after=after, limit=limit + 1)
        shown = rows[:limit]
        infos = page_infos(connection, bank, shown)
    more = len(rows) > limit
    following = encode_cursor(list_name, [shown[-1].last_at.isoformat(), shown[-1].id]) if more else None
    return Pages(pages=infos, next_cursor=following)


def list_banks(database: Database, index: SearchIndex, *, limit: int, cursor: str | None) -> Banks:
    """See `Memory.banks`."""
    check_limit(limit)
    after = _bank_after(cursor) if cursor else None
    with database.read() as connection:
        rows = banks.list_after(connection, after, limit + 1)
        infos = [bank_info(connection, row, index) for row in rows[:limit]]
    more = len(rows) > limit
    return Banks(banks=infos, next_cursor=encode_cursor("banks", [rows[limit - 1].name]) if more else None)


def _bank_after(cursor: str) -> str:
    """The name of the bank that a cursor comes after. Raises `InvalidCursor`."""
    name = decode_cursor(cursor, "banks")[0]
    try:
        return check_bank_name(name)
    except InvalidInput as error:
        raise InvalidCursor("this cursor is invalid; pass next_cursor as you received it, or leave it out") from error
