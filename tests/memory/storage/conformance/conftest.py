"""A bank with messages and a page, in a database of every dialect."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageContent, PageParts, PageRow, SpanRow

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
POLICY = {"fresh": "base", "note": "한국어 \0 ☂", "nested": {"a": [1, 2.5, None, True]}}
#: What a user may send and a database may choke on.
ODD_TEXT = "a\0b\x10\0\x10\x100c\0 ☂ 한국어 \U0001f98a\r\n"


@pytest.fixture
def bank_id(database: Database) -> int:
    with database.write() as connection:
        return banks.get_or_create(connection, "ana", NOW, POLICY).id


def new_message(bank_id: int, thread_id: int, key: str, minute: int = 0) -> messages.NewRow:
    return {
        "id": 0,  # `insert_rows` gives it one
        "bank_id": bank_id,
        "key": key,
        "thread_id": thread_id,
        "role": "user",
        "name": None,
        "created_at": NOW + timedelta(minutes=minute),
        "arrived_at": NOW,
        "content": f"text of {key}",
        "parts": 0,
        "metadata": None,
        "digest": key.encode()[:16].ljust(16, b"\0"),
        "chars": len(f"text of {key}"),
        "passages": 1,
    }


def insert_messages(connection: Connection, bank_id: int, *keys: str) -> list[int]:
    """Messages of thread "main", a minute apart; their ids."""
    thread_id = banks.thread_ids(connection, bank_id, ["main"])["main"]
    rows = [new_message(bank_id, thread_id, key, minute) for minute, key in enumerate(keys)]
    return insert_rows(connection, bank_id, rows)


def insert_rows(connection: Connection, bank_id: int, rows: Sequence[messages.NewRow]) -> list[int]:
    """Inserts messages; their ids."""
    ids = dialect_of(connection).reserve_message_ids(connection, len(rows))
    messages.insert(connection, [{**row, "id": i} for row, i in zip(rows, ids, strict=True)], bank_id)
    return ids


def new_page(bank_id: int, key: str, *, day: int = 0, tier: str = "base", text_bytes: int = 4) -> PageRow:
    return PageRow(
        id=pages.unsaved_id(),
        key=key,
        bank_id=bank_id,
        version=1,
        tier=tier,
        layout={"columns": 160, "rows": 80},
        rows_used=2,
        pinned=False,
        sealed_at=NOW,
        first_at=NOW + timedelta(days=day),
        last_at=NOW + timedelta(days=day),
        arrived_at=NOW,
        messages=1,
        codec="native",
        vision_tokens=3,
        token_bytes=6,
        text_bytes=text_bytes,
        text_kept=text_bytes > 0,
        confidence=0.5,
    )


def insert_page(connection: Connection, page: PageRow, message_ids: list[int], keepsake: str = "") -> PageRow:
    """A page with a span of ten cells for each message, and a keepsake on the first of them."""
    spans = [
        SpanRow(page.id, number, message_id, 10 * number, 10 * number + 2, 10 * number + 10, 0, 8)
        for number, message_id in enumerate(message_ids)
    ]
    kept = [KeepsakeRow(page.id, 2, 6, message_ids[0], keepsake)]
    on_it = list(messages.by_ids(connection, page.bank_id, message_ids).values())
    parts = PageParts(spans, kept if keepsake else [])
    return pages.insert(connection, page, PageContent(b"tok\0en", b"te\0t"), parts, on_it)
