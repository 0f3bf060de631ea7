"""A bank that has aged, and what is stored of it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.databases import execute

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.postings import Postings, records
from foxing.memory.storage.packed_codes import unpack_codes
from foxing.memory.text.passages import message_of

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
COUNT = 40
TABLES = ("pages", "page_contents", "page_manifests", "message_ranges", "keepsakes", "messages")
#: Columns that tell how often or by whom a row was written, not what it holds.
BOOKKEEPING = ("id", "version", "stamp", "lease_owner", "lease_until", "pinned")


def said(number: int) -> str:
    return (
        f"The {number}th crate went to Harbour Road {7 * number}, order 4f{number:06x}, whatever customs wrote of it."
    )


def messages(numbers: Sequence[int], thread: str = "main") -> list[dict[str, Any]]:
    return [
        {
            "id": str(n),
            "role": "user",
            "name": "Ana",
            "content": said(n),
            "created_at": START + timedelta(minutes=n),
            "thread": thread,
        }
        for n in numbers
    ]


def stored(url: str) -> dict[str, list[Any]]:
    """What the database holds of messages and pages, without who wrote it when."""
    result: dict[str, list[Any]] = {}
    for table in TABLES:
        rows = [dict(row._mapping) for row in execute(url, f"SELECT * FROM {table} ORDER BY 1, 2")]
        kept = [{name: value for name, value in row.items() if name not in BOOKKEEPING} for row in rows]
        result[table] = [{n: bytes(v) if isinstance(v, memoryview) else v for n, v in row.items()} for row in kept]
    return {**result, "postings": postings(url), "embeddings": codes(url)}


def codes(url: str) -> list[tuple[int, int, bytes]]:
    """Message, embedder and code, whether packed or not."""
    found = execute(url, "SELECT message_id, embedder_id, code FROM embeddings")
    for embedder, packed in execute(url, "SELECT embedder_id, codes FROM embedding_segments"):
        found += [(message_id, embedder, code) for message_id, code in unpack_codes(bytes(packed)).items()]
    return sorted((message_id, embedder, bytes(code)) for message_id, embedder, code in found)


def postings(url: str) -> list[tuple[int, int, int]]:
    """Message, hash of a term and count, whether packed or not."""
    recent = execute(url, "SELECT message_id, entries FROM recent_postings")
    found = records((row[0], bytes(row[1])) for row in recent)
    packed = [Postings.unpack(bytes(row[0])).records for row in execute(url, "SELECT postings FROM posting_segments")]
    return sorted((message_of(int(d)), int(t), int(n)) for part in (found, *packed) for d, t, n in part.tolist())


def age(memory: Memory, *days: int) -> None:
    for day in days:
        memory.age("ana", now=START + day * DAY)


@pytest.fixture
def memory(database_url: str, request: pytest.FixtureRequest) -> Iterator[Memory]:
    """Without embeddings, unless the test asks for an embedder."""
    options = MemoryOptions(embedder=getattr(request, "param", "none"))
    with Memory(database_url, clock=lambda: START + DAY, options=options) as opened:
        opened.set_policy("ana", {"undo_window": "P60D", "age_from": "message"})
        yield opened
