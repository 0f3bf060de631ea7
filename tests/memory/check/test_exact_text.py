"""Pages whose exact text is kept, most of it as their tokens alone, are damaged; each kind of damage is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import zstandard
from support.databases import execute
from support.operations.checks import check, examples, options

from foxing.encoder import VisionTokens
from foxing.memory import Memory
from foxing.memory.storage.manifest import PageManifest

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
#: What is said of a page, by its number.
SAID = {
    1: "can only be read from its tokens",
    2: "says that its text is dropped, and it is there",
    3: "says that its text is kept, and it is gone",
    4: "its kept text is damaged",
    5: "corrects cells that it does not have",
    6: "does not decode",
}


def correcting(place: int) -> bytes:
    """Kept text that corrects one cell of what the tokens read as."""
    return b"\x01" + zstandard.compress(np.array([place, ord("X")], "<u4").tobytes())


def row_id(url: str, page: int) -> int:
    """The id of the row of a page, by its number from 1."""
    return int(execute(url, "SELECT id FROM pages ORDER BY id")[page - 1][0])


def set_text(url: str, number: int, text: bytes) -> None:
    page = row_id(url, number)
    execute(url, "UPDATE page_contents SET text = :text WHERE page_id = :page", text=text, page=page)
    execute(url, "UPDATE pages SET text_bytes = :size WHERE id = :page", size=len(text), page=page)


def change_tokens(url: str, number: int, change: Callable[[bytes], bytes]) -> None:
    page = row_id(url, number)
    ((old,),) = execute(url, "SELECT tokens FROM page_contents WHERE page_id = :page", page=page)
    execute(url, "UPDATE page_contents SET tokens = :new WHERE page_id = :page", new=change(bytes(old)), page=page)


def garbled(data: bytes) -> bytes:
    intact = VisionTokens.from_bytes(data)
    return replace(intact, data=bytes(byte ^ 0xA5 for byte in intact.data)).to_bytes()


@pytest.fixture
def verified(database_url: str) -> str:
    """The URL of a database with seven pages of one message, whose tokens read as the exact text."""
    with Memory(database_url, clock=lambda: START, options=options()) as memory:
        for number in range(7):
            at = START - timedelta(hours=9 - number)
            content = f"Mina prefers tea over coffee, and note {number} says why."
            memory.store("ana", [{"id": str(number), "role": "user", "content": content, "created_at": at}])
            memory.seal("ana")
    assert execute(database_url, "SELECT DISTINCT text_bytes, text_kept FROM pages") in ([(0, 1)], [(0, True)])
    return database_url


@pytest.mark.slow
def test_damaged_exact_text_is_named(verified: str) -> None:
    assert examples(check(verified)) == []
    change_tokens(verified, 1, lambda data: data[:-9] + bytes(9))
    execute(verified, "UPDATE pages SET text_kept = :kept WHERE id = :page", kept=False, page=row_id(verified, 2))
    execute(verified, "UPDATE page_contents SET text = NULL WHERE page_id = :page", page=row_id(verified, 3))
    set_text(verified, 4, b"\x01zstd")
    set_text(verified, 5, correcting(99_999_999))
    change_tokens(verified, 6, garbled)
    ((packed,),) = execute(
        verified, "SELECT manifest FROM page_manifests WHERE page_id = :page", page=row_id(verified, 7)
    )
    set_text(verified, 7, correcting(PageManifest.unpack(bytes(packed)).places[0].start))
    keys = {row.id: row.key for row in execute(verified, "SELECT id, key FROM pages")}
    found = [example for example in examples(check(verified)) if "the index has" not in example]
    for page, said in SAID.items():
        assert any(
            f"page {keys[row_id(verified, page)]} " in example.replace(":", " ") and said in example
            for example in found
        ), found
    assert any("message '6' of bank ana" in example and "digest mismatch" in example for example in found), found


def test_a_page_whose_corrections_are_damaged_is_read_from_its_tokens(verified: str) -> None:
    set_text(verified, 4, b"\x01zstd")
    with Memory(verified, clock=lambda: START, options=options()) as memory:
        spans = {span.message_id: span for span in memory.export("ana")}
    assert (spans["3"].source, spans["4"].source) == ("decoded", "text")
    assert "note 3 says why" in spans["3"].text
