"""Damaged or foreign rows in the database: other messages are unaffected, and what is lost is reported."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from support.databases import execute, store_whole_texts

from foxing.encoder import CodecError, VisionTokens
from foxing.encoder.native.codec import NativeCodec
from foxing.memory import Memory, Policy, TokensDamaged

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = "The delivery is late again, says note"


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    """Two short pages with two messages each, none of which this memory has read."""
    with Memory(database_url, clock=lambda: START + DAY) as opened:
        for page in ("a", "b"):
            for number in range(2):
                at = START + timedelta(minutes=10 * (page == "b") + number)
                item = {"id": f"{page}{number}", "role": "user", "content": f"{TEXT} {page}{number}.", "created_at": at}
                opened.store("ana", [item])
            opened.seal("ana")
    with Memory(database_url, clock=lambda: START + DAY) as opened:
        yield opened


def damage(url: str, column: str, change: Callable[[bytes], bytes]) -> None:
    """Changes `column` of the first page behind the memory's back: the version of the page stays."""
    ((page_id, blob),) = execute(url, f"SELECT page_id, {column} FROM page_contents ORDER BY page_id LIMIT 1")
    execute(url, f"UPDATE page_contents SET {column} = :blob WHERE page_id = :id", blob=change(bytes(blob)), id=page_id)


def flipped(blob: bytes) -> bytes:
    middle = len(blob) // 2
    return blob[:middle] + bytes([blob[middle] ^ 4]) + blob[middle + 1 :]


def of_other_weights(blob: bytes) -> bytes:
    return replace(VisionTokens.from_bytes(blob), weights="0" * 12).to_bytes()


def cut(blob: bytes) -> bytes:
    return blob[:50]


def of_a_longer_page(blob: bytes) -> bytes:
    tokens = VisionTokens.from_bytes(blob)
    count = -(-2 * len(tokens.data) // tokens.bytes_per_token)
    return replace(tokens, shape=(1, count, tokens.bytes_per_token), data=2 * tokens.data).to_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("change", [flipped, of_other_weights, cut, of_a_longer_page])
def test_damaged_tokens_lose_only_their_messages(
    memory: Memory, database_url: str, change: Callable[[bytes], bytes]
) -> None:
    memory.age("ana", now=START + 10 * DAY)
    first, second = (page.id for page in memory.pages("ana").pages)
    damage(database_url, "tokens", change)

    spans = {span.message_id: span for span in memory.export("ana")}

    assert list(spans) == ["a0", "a1", "b0", "b1"]
    for lost in ("a0", "a1"):
        assert (spans[lost].text, spans[lost].confidence, spans[lost].source) == ("", 0.0, "decoded")
        assert spans[lost].page_ids == [first]
        assert dict(memory.message("ana", lost)).items() >= dict(spans[lost]).items()
    assert all(spans[kept].text and spans[kept].confidence > 0 for kept in ("b0", "b1"))
    if change in (flipped, cut):
        with pytest.raises(TokensDamaged):
            memory.page_tokens("ana", first)
    if change is not of_a_longer_page:
        with pytest.raises(TokensDamaged):
            memory.read_page("ana", first)
    with pytest.raises(TokensDamaged):
        memory.page_image("ana", first)
    assert [image.page_id for image in memory.recall_images("ana").images] == [second]

    report = memory.age("ana", now=START + 40 * DAY)

    assert ([move.page_id for move in report.moved], [left.page_id for left in report.unreadable]) == (
        [second],
        [first],
    )
    assert memory.page("ana", first).tier == "small"
    tick = memory.tick(now=START + 400 * DAY)
    assert (tick.failed_banks, tick.moved_pages) == ({}, 1)


def test_damaged_text_is_never_reported_as_exact(memory: Memory, database_url: str) -> None:
    first, second = (page.id for page in memory.pages("ana").pages)
    store_whole_texts(database_url, memory)
    damage(database_url, "text", flipped)

    spans = {span.message_id: span for span in memory.export("ana")}

    assert [spans[key].source for key in ("a0", "a1", "b0", "b1")] == ["decoded", "decoded", "text", "text"]
    assert spans["a0"].text
    assert [span.message_id for span in memory.recall("ana", fidelity="verbatim").spans] == ["b0", "b1"]
    report = memory.age("ana", now=START + 10 * DAY)
    assert ([move.page_id for move in report.moved], [left.page_id for left in report.unreadable]) == (
        [second],
        [first],
    )


def test_kept_text_replaces_damaged_tokens_for_good_when_it_is_dropped(memory: Memory, database_url: str) -> None:
    first = memory.pages("ana").pages[0].id
    store_whole_texts(database_url, memory)
    damage(database_url, "tokens", flipped)
    assert memory.message("ana", "a0").text == f"{TEXT} a0."

    memory.set_policy("ana", Policy(keep_text="until:base"))
    report = memory.age("ana")
    assert (report.unreadable, first in report.text_dropped) == ([], True)
    message = memory.message("ana", "a0")
    assert (message.text, message.source) == (f"{TEXT} a0.", "decoded")

    memory.set_policy("ana", Policy())
    assert len(memory.age("ana", now=START + 10 * DAY).moved) == 2
    assert memory.page_tokens("ana", first).tier == "small"


def test_a_codec_without_the_fresh_tier_seals_at_the_next_sharper_one(database_url: str) -> None:
    codec = NativeCodec.load(device="cpu")
    codec.tiers = MappingProxyType({tier: codec.tiers[tier] for tier in ("large", "tiny")})
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        memory.store("ana", [{"id": "m", "role": "user", "content": TEXT, "created_at": START}])
        memory.seal("ana")
        page = memory.pages("ana").pages[0]
        assert (page.tier, page.text_kept) == ("large", True)
        assert memory.age("ana", now=START + 10 * DAY).moved == []
        assert memory.page("ana", page.id).text_kept
        assert memory.tick(now=START + 400 * DAY).failed_banks == {}
        page = memory.page("ana", page.id)
        assert (page.tier, page.text_kept) == ("tiny", False)


def test_exact_text_is_read_without_a_codec(memory: Memory, database_url: str) -> None:
    """Weights that are missing or slow to load do not affect what needs no decoding."""
    memory.store("ana", [{"id": "open", "role": "user", "content": TEXT, "created_at": START}])
    store_whole_texts(database_url, memory)
    with Memory(database_url, codec="not installed") as other:
        assert other.message("ana", "open").text == TEXT
        sources = [span.source for span in other.recall("ana", "late", limit=9).spans]
        assert sorted(sources) == ["open", *["text"] * 4]
        page = other.pages("ana").pages[0].id
        assert other.page_image("ana", page).startswith(b"\x89PNG")
        with pytest.raises(CodecError, match="not installed"):
            other.read_page("ana", page)
        with pytest.raises(CodecError, match="not installed"):
            other.check()
        memory.age("ana", now=START + 10 * DAY)
        with pytest.raises(CodecError, match="not installed"):  # unlike damaged tokens, which give an empty text
            other.message("ana", "a0")
