"""Decoding pages on demand: the cache, which is bounded by bytes, and the queues of several codecs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from support.hooked_codec import HookedCodec
from support.transactions import DecodingWatch

from foxing.encoder import load_codec
from foxing.encoder.conformance import sample_page
from foxing.memory import Memory, MemoryOptions, Policy
from foxing.memory.pages.decode_queue import DecodeQueue
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages
from foxing.memory.text.terms import term_runs, terms
from foxing.renderer import render

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TIMEOUT_S = 180.0


@pytest.fixture
def codec() -> HookedCodec:
    return HookedCodec()


@pytest.fixture
def filled(database_path: Path) -> Path:
    """Three pages without text, with one message each."""
    with Memory(database_path, clock=lambda: NOW) as memory:
        for number in range(3):
            item = {"id": str(number), "role": "user", "content": f"Titan {number} is late. " * 40, "created_at": NOW}
            memory.store("ana", [item])
            if number == 0:
                memory.set_policy("ana", Policy(keep_text="until:large"))
            memory.seal("ana")
    return database_path


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


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_queue_depth_counts_pages_of_other_codecs(codec: HookedCodec) -> None:
    """Reencoding reads pages of a codec that only it loads; those wait in the same queue for the metric."""
    other = HookedCodec()
    other.name = "other"
    go = Event()
    other.before_decode = lambda: go.wait(TIMEOUT_S)
    page = sample_page(codec, 2)
    tokens = replace(codec.encode([render(page.cells, codec.layout, "tiny")], "tiny")[0], codec="other")
    decoder = PageDecoder(lambda: codec)
    reencoding = decoder.reaching(lambda name: other)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(reencoding.read_tokens, [tokens])
        wait_until(lambda: other.batches == [1])
        rest = [pool.submit(reencoding.read_tokens, [tokens]) for _ in range(2)]
        wait_until(lambda: decoder.queue_depth == 2)
        go.set()
        for answer in (first, *rest):
            answer.result(TIMEOUT_S)
    assert decoder.queue_depth == 0


def indexed(path: Path) -> set[str]:
    """The terms that find the message "long"."""
    with closing(Database(path)) as database, database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT term FROM postings JOIN messages ON messages.id = message_id WHERE key = 'long'"
        )
        return {row[0] for row in rows}


def test_a_page_that_left_the_cache_is_not_decoded_under_the_write_lock(database_path: Path) -> None:
    """Sealing the rest of a message reads its first page again; a fixture of all tests watches where."""
    text = "The delivery is late again and nobody in the office knows why. " * 300
    codec = HookedCodec()
    with Memory(database_path, codec=codec, clock=lambda: NOW, options=MemoryOptions(page_cache_bytes=0)) as memory:
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
    assert indexed(database_path) <= set(terms(clear))


def test_terms_are_computed_again_if_a_page_ages_meanwhile(database_path: Path) -> None:
    """While the rest of a message is sealed, another process ages the page with its first part."""
    text = "The delivery is late again and nobody in the office knows why. " * 300
    codec = HookedCodec()
    with Memory(database_path, codec=codec, clock=lambda: NOW, options=MemoryOptions(page_cache_bytes=0)) as memory:
        memory.store("ana", [{"id": "long", "role": "tool", "content": text, "created_at": NOW - 10 * DAY}])
        memory.tick()
        memory.age("ana")  # the first part has no text any more, so sealing decodes it
        with Memory(database_path) as other:
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
    assert indexed(database_path) == clear


def test_the_watch_over_transactions_notices_a_decode(database_path: Path) -> None:
    """Every test fails that decodes with a transaction open; this one shows that it would."""
    queue = DecodeQueue(lambda: load_codec("native", "cpu"))
    with pytest.MonkeyPatch.context() as patch:
        watch = DecodingWatch(patch)
        with Database(database_path).read(), pytest.raises(AssertionError, match="transaction open"):
            queue.decode([])
        assert len(watch.violations) == 1
        assert queue.decode([]) == []
        assert len(watch.violations) == 1
