"""What outlives a version: tokens, manifests and cursors of an earlier commit are read as they were written.

The files beside this one were written by the first run of this file as a script, `python tests/golden/test_golden.py`.
They are never written again: a change that no longer reads them is a change of a format.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foxing.encoder import VisionTokens, load_codec
from foxing.memory import Memory, Policy
from foxing.memory.storage.manifest import PageManifest, PageMessages, Place, SealedMessage
from foxing.renderer import Entry, Typesetter, render

FILES = Path(__file__).parent
TIERS = ("base", "tiny")
TEXT = "The ferry to Naxos leaves at 07:40 from gate E2; ask for Mr. Otto, order 4711-B. 배는 떠난다."
FILLER = "▒"  # before a wide character that must start at an even column
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PAGES, PER_PAGE = 3, 4

MESSAGES = [
    SealedMessage(7, None, 3, "user", "Ana", 1_780_000_000_000_000, 40, 0, 1, bytes(range(1, 9)), '{"a":"한"}'),
    SealedMessage(9, "order-4711", 3, "assistant", None, 1_780_000_060_000_000, 900, 2, 3, b"", None),
    SealedMessage(12, None, 5, "user", "Ana", 1_780_000_061_500_000, 12, 0, 1, b"\xfe\xff" * 4, None),
]
PLACES = [Place(7, 0, 21, 61, 0, 40), Place(9, 61, 80, 500, 0, 400), Place(12, 640, 661, 685, 0, 12)]


@pytest.mark.parametrize("tier", TIERS)
def test_vision_tokens_of_an_earlier_commit_are_read(tier: str) -> None:
    tokens = VisionTokens.from_bytes((FILES / f"tokens-{tier}.bin").read_bytes())
    assert (tokens.codec, tokens.tier) == ("native", tier)
    (reading,) = load_codec(device="cpu").decode([tokens])
    assert TEXT in reading.text.replace(FILLER, "")


def test_the_manifest_of_an_earlier_commit_is_read() -> None:
    packed = (FILES / "manifest.bin").read_bytes()
    manifest = PageManifest.unpack(packed)
    assert manifest.messages == MESSAGES
    assert manifest.places == PLACES
    assert PageMessages.unpack(packed).several_passages == {9: 3}


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path, clock=lambda: NOW) as opened:
        fill(opened)
        yield opened


def fill(memory: Memory) -> None:
    """Two banks, the first with sealed pages; the same with every run."""
    memory.set_policy("ana", Policy())
    for page in range(PAGES):
        for number in range(PER_PAGE):
            age = timedelta(days=9, hours=-(page * PER_PAGE + number))
            content = f"Parcel {page}{number} of the courier is late {'again ' * number}"
            memory.store(
                "ana",
                [{"id": f"m{page}{number}", "role": "user", "content": content, "created_at": NOW - age}],
                thread="main",
            )
        memory.seal("ana")
    memory.store("bo", [{"id": "b", "role": "user", "content": "hello", "created_at": NOW}])


def answers(memory: Memory, cursors: dict[str, str | None]) -> dict[str, Any]:
    """The part of each list that begins at its cursor, as ids, and the cursor after it."""
    window = memory.recall("ana", since=NOW - timedelta(days=30), until=NOW, limit=3, cursor=cursors["window"])
    ranked = memory.recall("ana", "the courier and his parcel", limit=3, cursor=cursors["ranked"])
    pages = memory.pages("ana", limit=1, cursor=cursors["pages"])
    banks = memory.banks(limit=1, cursor=cursors["banks"])
    return {
        "window": [[span.message_id for span in window.spans], window.next_cursor],
        "ranked": [[span.message_id for span in ranked.spans], ranked.next_cursor],
        "pages": [[page.first_at.isoformat() for page in pages.pages], pages.next_cursor],
        "banks": [[bank.id for bank in banks.banks], banks.next_cursor],
    }


def test_cursors_of_an_earlier_commit_continue_their_lists(memory: Memory) -> None:
    first = json.loads((FILES / "cursors.json").read_text(encoding="utf-8"))
    second = answers(memory, {name: cursor for name, (_, cursor) in first.items()})
    following = {name: ids for name, (ids, _) in second.items()}
    seen, more = set(first["ranked"][0]), set(following.pop("ranked"))
    assert (len(seen | more), len(more)) == (6, 3)  # in which order answers are ranked may change
    assert following == {
        "window": ["m03", "m10", "m11"],
        "pages": ["2026-05-23T16:00:00+00:00"],
        "banks": ["bo"],
    }


def main() -> None:
    """Writes the files."""
    codec = load_codec(device="cpu")
    for tier in TIERS:
        page = Typesetter(codec.layout, codec.repertoire).page([Entry("m", "user", TEXT, NOW, "t")])
        (tokens,) = codec.encode([render(page.cells, page.layout, tier)], tier)
        (FILES / f"tokens-{tier}.bin").write_bytes(tokens.to_bytes())
    (FILES / "manifest.bin").write_bytes(PageManifest.of(MESSAGES, PLACES).pack())
    with Memory(sys.argv[1], clock=lambda: NOW) as memory:
        fill(memory)
        first = answers(memory, dict.fromkeys(("window", "ranked", "pages", "banks")))
    (FILES / "cursors.json").write_text(json.dumps(first, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
