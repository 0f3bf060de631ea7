"""Decoding pages on demand: the cache, which is bounded by bytes, and the queues of several codecs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import MappingProxyType

import numpy as np
import pytest
from PIL.Image import Image
from support.hooked_codec import HookedCodec
from support.search_doubles import indexed_terms
from support.transactions import DecodingWatch

from foxing.encoder import Reading, TierSpec, VisionTokens, load_codec
from foxing.encoder.conformance import crops_decode_as_the_page, sample_page
from foxing.memory import Memory, MemoryOptions, Policy
from foxing.memory.pages.decode_queue import DecodeQueue
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages
from foxing.memory.text.terms import term_runs, terms
from foxing.renderer import render
from tests.support.waiting import wait_until

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TIMEOUT_S = 180.0


@pytest.fixture
def codec() -> HookedCodec:
    return HookedCodec()


@pytest.fixture
def filled(database_url: str) -> str:
    """Three pages without text, with one message each."""
    with Memory(database_url, clock=lambda: NOW) as memory:
        for number in range(3):
            item = {"id": str(number), "role": "user", "content": f"Titan {number} is late. " * 40, "created_at": NOW}
            memory.store("ana", [item])
            if number == 0:
                memory.set_policy("ana", Policy(keep_text="until:large"))
            memory.seal("ana")
    return database_url


def decoded(memory: Memory, codec: HookedCodec) -> int:
    """Number of token sequences that recalling everything decodes."""
    codec.batches.clear()
    assert len(memory.recall("ana").spans) == 3
    return sum(codec.batches)


@pytest.mark.parametrize(("cache_bytes", "again"), [(0, 3), (64 << 20, 0)])
def test_the_cache_holds_pages_up_to_its_bytes(filled: Path, codec: HookedCodec, cache_bytes: int, again: int) -> None:
    with Memory(filled, codec=codec, options=MemoryOptions(page_cache_bytes=cache_bytes)) as memory:
        first = memory.recall("ana")
        assert decoded(memory, codec) == again
        assert memory.recall("ana") == first


def test_what_was_warmed_is_not_decoded_again(filled: str, codec: HookedCodec) -> None:
    with Memory(filled, codec=codec) as memory:
        assert memory.operations.warm() == 3
        assert decoded(memory, codec) == 0
        assert memory.operations.warm(stopping=lambda: True) == 0
    with Memory(filled, codec=codec, options=MemoryOptions(page_cache_bytes=100_000)) as memory:
        assert memory.operations.warm() == 0
        assert decoded(memory, codec) == 3


@pytest.mark.parametrize("keep_text", ["until:large", "until:base"])
def test_pages_that_were_just_sealed_are_not_decoded_again(
    database_url: str, codec: HookedCodec, keep_text: str
) -> None:
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        memory.set_policy("ana", Policy(keep_text=keep_text))
        for number in range(3):
            memory.store("ana", [{"role": "user", "content": f"Titan {number} is late. " * 40, "created_at": NOW}])
            memory.seal("ana")
        assert decoded(memory, codec) == 0
        recalled = memory.recall("ana").spans
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        assert memory.recall("ana").spans == recalled


def test_the_least_recently_used_page_is_dropped_first(filled: Path, codec: HookedCodec) -> None:
    with closing(Database(filled)) as database, database.read() as connection:
        rows = pages.list_after(connection, banks.get(connection, "ana").id, 0, 10)
        contents = pages.contents(connection, [row.id for row in rows])
    size = PageDecoder(lambda: codec).read(rows[:1], contents)[rows[0].id]
    assert not isinstance(size, Exception)
    decoder = PageDecoder(lambda: codec, cache_bytes=2 * size.memory_bytes)
    for row in (rows[0], rows[1], rows[0], rows[2]):  # the second is the one not used for longest
        decoder.read([row], contents)
    codec.batches.clear()
    decoder.read([rows[0], rows[2]], contents)
    assert codec.batches == []
    decoder.read([rows[1]], contents)
    assert codec.batches == [1]


class StripCodec(HookedCodec):
    """Stores the cells that the native codec reads, one strip of the page in each token row: its pages can be decoded
    in parts. `rows`: token rows of each page that was decoded."""

    def __init__(self) -> None:
        super().__init__(alter=self._noted)
        self.context_rows = 5
        self.rows: list[int] = []
        self.tiers = MappingProxyType({tier: self._spec(spec) for tier, spec in self.codec.tiers.items()})

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        readings = self.codec.decode(self.codec.encode(images, tier))
        side, size = self.layout.token_rows(tier), self.tiers[tier].bytes_per_token
        shapes = [(len(r.cells) // self.layout.rows_per_token(tier), side, size) for r in readings]
        return [
            VisionTokens(self.name, self.weights, tier, shape, "uint8", reading.cells.tobytes())
            for shape, reading in zip(shapes, readings, strict=True)
        ]

    def _decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        grids = [np.frombuffer(item.data, np.uint32).reshape(-1, self.layout.columns) for item in tokens]
        certain = [np.ones(grid.shape, np.float32) for grid in grids]
        return [Reading(t.tier, grid, sure, 0.5) for t, grid, sure in zip(tokens, grids, certain, strict=True)]

    def _noted(self, tokens: VisionTokens, reading: Reading) -> Reading:
        self.rows.append(tokens.shape[0])
        return reading

    def _spec(self, spec: TierSpec) -> TierSpec:
        cells = self.layout.rows_per_token(spec.name) * self.layout.columns_per_token(spec.name)
        return replace(spec, dtype="uint8", bytes_per_token=4 * cells)


@pytest.mark.slow
def test_a_codec_that_reads_parts_of_a_page_decodes_those_that_are_needed(database_url: str) -> None:
    codec = StripCodec()
    crops_decode_as_the_page(codec)
    told = [f"Point {number} of the list is about the number {number * 17}. " * 4 for number in range(40)]
    items = [{"id": str(n), "role": "user", "content": text, "created_at": NOW} for n, text in enumerate(told)]
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        memory.store("ana", items)
        memory.set_policy("ana", Policy(keep_text="until:large"))
        (page_id,) = memory.seal("ana").pages
        whole = memory.page_tokens("ana", page_id).shape[0]
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        codec.rows.clear()
        assert memory.message("ana", "20").text == told[20]
        assert len(codec.rows) == 1
        assert codec.rows[0] < whole // 2
        assert memory.message("ana", "20").text == told[20]
        assert len(codec.rows) == 1
        assert [span.text for span in memory.recall("ana", limit=50).spans] == told


def test_a_page_is_decoded_up_to_what_is_needed_and_whole_if_more_is(database_url: str) -> None:
    told = [f"Point {number} of the list is about the number {number * 17}. " * 4 for number in range(40)]
    items = [{"id": str(n), "role": "user", "content": text, "created_at": NOW} for n, text in enumerate(told)]
    with Memory(database_url, clock=lambda: NOW) as memory:
        memory.store("ana", items)
        memory.set_policy("ana", Policy(keep_text="until:large"))
        assert len(memory.seal("ana").pages) == 1
    rows: list[int] = []

    def noted(_: VisionTokens, reading: Reading) -> Reading:
        rows.append(len(reading.cells))
        return reading

    with Memory(database_url, codec=HookedCodec(alter=noted), clock=lambda: NOW) as memory:
        for number in (8, 3, 30):
            assert memory.message("ana", str(number)).text == told[number]
        head, whole = rows
        assert head < whole // 2
        assert [span.text for span in memory.recall("ana", limit=50).spans] == told
        assert len(rows) == 2


def test_pages_that_take_long_to_read_are_not_read_in_advance(database_url: str) -> None:
    with Memory(database_url, codec=StripCodec(), clock=lambda: NOW) as memory:
        memory.store("ana", [{"role": "user", "content": "Titan is late. " * 40, "created_at": NOW}])
        memory.seal("ana")
    codec = StripCodec()
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        assert memory.operations.warm() == 0
    assert codec.rows == []


@pytest.mark.slow
def test_tokens_of_another_page_are_not_taken_for_its_own(database_url: str, codec: HookedCodec) -> None:
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        memory.set_policy("ana", Policy(keep_text="until:large"))
        for number, length in enumerate((1, 60)):
            text = f"Titan {number} is late again. " * 10 * length
            memory.store("ana", [{"id": str(number), "role": "user", "content": text, "created_at": NOW}])
            memory.seal("ana")
    with closing(Database(database_url)) as database, database.write() as connection:
        connection.exec_driver_sql("UPDATE page_contents SET tokens = (SELECT tokens FROM page_contents LIMIT 1)")
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        assert memory.message("ana", "0").confidence > 0
        assert memory.message("ana", "1").confidence == 0


def test_the_queue_depth_counts_pages_of_other_codecs(codec: HookedCodec) -> None:
    """Reencoding reads pages of a codec that only it loads; those wait in the same queue for the metric."""
    other = HookedCodec()
    other.name = "other"
    go = Event()
    other.before_decode = lambda: go.wait(TIMEOUT_S)
    page = sample_page(codec, 2)
    tokens = replace(codec.encode([render(page.cells, codec.layout, "tiny")], "tiny")[0], codec="other")
    decoder = PageDecoder(lambda: codec)
    reencoding = decoder.with_codecs(lambda name: other)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(reencoding.read_tokens, [tokens])
        wait_until(lambda: other.batches == [1])
        rest = [pool.submit(reencoding.read_tokens, [tokens]) for _ in range(2)]
        wait_until(lambda: decoder.queue_depth == 2)
        go.set()
        for answer in (first, *rest):
            answer.result(TIMEOUT_S)
    assert decoder.queue_depth == 0


@pytest.mark.slow
def test_a_page_that_left_the_cache_is_not_decoded_under_the_write_lock(database_url: str) -> None:
    """Sealing the rest of a message reads its first page again; a fixture of all tests watches where."""
    text = "The delivery is late again and nobody in the office knows why. " * 300
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: NOW, options=MemoryOptions(page_cache_bytes=0)) as memory:
        memory.set_policy("ana", {"index": "faded"})
        memory.store("ana", [{"id": "long", "role": "tool", "content": text, "created_at": NOW - 10 * DAY}])
        memory.tick()
        memory.age("ana")
        codec.batches.clear()
        memory.seal("ana")
        assert sum(codec.batches) > 0
        memory.age("ana", now=NOW + 400 * DAY)
        readable = memory.message("ana", "long")
    flagged = {position for start, stop, _ in readable.uncertain for position in range(start, stop)}
    clear = "".join(" " if position in flagged else c for position, c in enumerate(readable.text))
    assert indexed_terms(database_url, terms(text)).get("long", set()) <= set(terms(clear))


@pytest.mark.slow
def test_terms_are_computed_again_if_a_page_ages_meanwhile(database_url: str) -> None:
    """While the rest of a message is sealed, another process ages the page with its first part."""
    text = "The delivery is late again and nobody in the office knows why. " * 300
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: NOW, options=MemoryOptions(page_cache_bytes=0)) as memory:
        memory.set_policy("ana", {"index": "faded"})
        memory.store("ana", [{"id": "long", "role": "tool", "content": text, "created_at": NOW - 10 * DAY}])
        memory.tick()
        memory.age("ana")  # the first part has no text any more, so sealing decodes it
        with Memory(database_url) as other:
            interfered = []

            def meanwhile() -> None:
                if not interfered:
                    interfered.append(True)
                    interfered.append(len(other.age("ana", now=NOW + 400 * DAY).moved))

            codec.before_decode = meanwhile
            report = memory.seal("ana")
        assert interfered == [True, 1]
        assert (report.messages, report.open_messages) == (1, 0)
        codec.before_decode = lambda: None
        readable = memory.message("ana", "long")
        assert readable.tier == "micro"
    flagged = {position for start, stop, _ in readable.uncertain for position in range(start, stop)}
    clear = {term for term, start, stop in term_runs(readable.text) if not flagged & set(range(start, stop))}
    assert indexed_terms(database_url, terms(text)).get("long", set()) == clear


def test_the_watch_over_transactions_notices_a_decode(database_url: str) -> None:
    """Every test fails that decodes with a transaction open; this one shows that it would."""
    queue = DecodeQueue(lambda: load_codec("native", "cpu"))
    with pytest.MonkeyPatch.context() as patch:
        watch = DecodingWatch(patch)
        with (
            closing(Database(database_url)) as database,
            database.read(),
            pytest.raises(AssertionError, match="transaction open"),
        ):
            queue.decode([])
        assert len(watch.violations) == 1
        assert queue.decode([]) == []
        assert len(watch.violations) == 1


@pytest.mark.slow
def test_a_recall_of_much_decodes_each_page_once(database_url: str) -> None:
    told = [f"Point {number} of the list is about the number {number * 17}. " * 8 for number in range(60)]
    items = [{"id": str(n), "role": "user", "content": text, "created_at": NOW} for n, text in enumerate(told)]
    with Memory(database_url, clock=lambda: NOW) as memory:
        memory.set_policy("ana", Policy(keep_text="until:large"))
        memory.store("ana", items)
        sealed = len(memory.seal("ana").pages)
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: NOW) as memory:
        spans = memory.recall("ana", limit=60, max_tokens=100_000).spans
        assert {span.message_id for span in spans} == {item["id"] for item in items}
        assert sum(codec.batches) == sealed
