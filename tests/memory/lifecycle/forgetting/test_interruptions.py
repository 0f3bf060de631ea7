"""Processes that are killed while they undo or erase, and others that work on the same pages meanwhile."""

import random
import signal
import time
from collections.abc import Iterator

import pytest
from support.databases import execute
from support.hooked_codec import HookedCodec
from support.processes import start_python

from foxing.memory import Memory, MemoryOptions

from .conftest import DAY, START, age, messages, said, stored
from .traces import in_rows

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

KILLS = 1  # of each; more of them show nothing else, and take a second each
PAGES = 6
SCRIPT = """
import sys
from datetime import datetime
from foxing.memory import Memory, MemoryOptions
from foxing.memory.lifecycle import undo
from foxing.memory.lifecycle import erase
undo.BATCH = erase.BATCH = 1
memory = Memory(sys.argv[1], options=MemoryOptions(embedder="none"))
print("ready", flush=True)
"""
UNDO = (
    SCRIPT
    + "memory.undo('ana', now=datetime.fromisoformat(sys.argv[2]), progress=lambda *done: print(done, flush=True))"
)
ERASE = SCRIPT + "memory.erase_thread('ana', 'secret', progress=lambda *done: print(done, flush=True))"


def killed(code: str, url: str, moment: random.Random) -> None:
    """Runs `code` in another process and kills it somewhere in the middle of its work."""
    with start_python(code, url, (START + 40 * DAY).isoformat()) as process:
        for _ in range(moment.randint(1, 3)):
            assert process.stdout.readline()
        time.sleep(moment.random() * 0.03)
        process.send_signal(signal.SIGKILL)


def fill(memory: Memory) -> None:
    """Small pages, each with messages of two threads."""
    memory.set_policy("ana", {"undo_window": "P60D", "age_from": "message"})
    for number in range(PAGES):
        first = 4 * number
        memory.store("ana", [*messages(range(first, first + 2)), *messages(range(first + 2, first + 4), "secret")])
        memory.seal("ana", now=START + DAY)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as opened:
        yield opened


@pytest.mark.slow
def test_undo_that_is_killed_leaves_every_page_whole_and_goes_on(memory: Memory, database_url: str) -> None:
    fill(memory)
    before = stored(database_url)
    age(memory, 8, 31)
    moment = random.Random(5)
    for _ in range(KILLS):
        killed(UNDO, database_url, moment)
        for page in memory.pages("ana").pages:
            assert (page.tier, page.pinned) in (("base", True), ("tiny", False))
            assert memory.page_tokens("ana", page.id).tier == page.tier
        execute(database_url, "UPDATE pages SET lease_until = NULL")  # as they do a minute later
    report = memory.undo("ana", now=START + 40 * DAY)
    assert (report.busy, report.unreadable) == ([], [])
    assert stored(database_url) == before


@pytest.mark.slow
def test_erasure_that_is_killed_leaves_every_message_whole_or_gone(memory: Memory, database_url: str) -> None:
    fill(memory)
    age(memory, 8)
    before = {span.message_id: span.text for span in memory.export("ana")}
    moment = random.Random(7)
    for _ in range(KILLS):
        killed(ERASE, database_url, moment)
        left = {span.message_id: span.text for span in memory.export("ana")}
        assert all(before[key] == text for key, text in left.items())
        gone = [f"order 4f{int(key):06x}".split()[1] for key in before.keys() - left.keys()]
        assert not gone or [*in_rows(database_url, memory, gone)] == []
    memory.erase_thread("ana", "secret")
    assert {span.thread for span in memory.export("ana")} == {"main"}
    assert [*in_rows(database_url, memory, [f"4f{4 * n + 2:06x}" for n in range(PAGES)])] == []


def test_ageing_and_sealing_in_progress_do_not_bring_an_erased_message_back(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START + DAY) as other:
        todo = ["0"]
        codec = HookedCodec(before_encode=lambda: other.erase_message("ana", todo.pop()) if todo else None)
        with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
            memory.store("ana", messages(range(6)))
            assert memory.seal("ana").messages == 5
            [page] = memory.pages("ana").pages
            todo.append("1")
            assert memory.age("ana", now=START + 8 * DAY).busy == [page.id]
            assert len(memory.age("ana", now=START + 8 * DAY).moved) == 1
            assert [span.text for span in memory.export("ana")] == [said(n) for n in (2, 3, 4, 5)]
            assert [*in_rows(database_url, memory, ["4f000000", "4f000001"])] == []


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", ["seal", "age"])
def test_a_bank_that_is_erased_while_a_worker_is_at_it_stays_erased(database_url: str, kind: str) -> None:
    with Memory(database_url, clock=lambda: START + DAY) as other:
        codec = HookedCodec(before_encode=lambda: other.erase_bank("ana") if todo else None)
        todo: list[str] = []
        with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
            memory.store("ana", messages(range(6)))
            if kind != "seal":
                memory.seal("ana")
            todo.append(kind)
            report = memory.tick(now=START + 40 * DAY)
            assert (report.failed_banks, report.sealed_pages, report.moved_pages) == ({}, 0, 0)
        for table in ("banks", "messages", "pages", "trash", "jobs", "schedule"):
            assert execute(database_url, f"SELECT count(*) FROM {table}")[0][0] == 0


@pytest.mark.slow
def test_a_page_that_changes_while_it_is_erased_from_is_done_anew(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START + DAY) as other:
        steps = iter([lambda: None, lambda: other.age("ana", now=START + 8 * DAY), lambda: pin(other)])
        codec = HookedCodec(before_encode=lambda: next(steps, lambda: None)())
        with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
            memory.store("ana", messages(range(6)))
            memory.seal("ana")
            report = memory.erase_message("ana", "2")
            [page] = memory.pages("ana").pages
            assert (page.tier, page.pinned, page.text_kept, report.messages) == ("small", True, False, 1)
            assert [span.message_id for span in memory.export("ana")] == ["0", "1", "3", "4", "5"]
            assert [*in_rows(database_url, memory, ["4f000002"])] == []


def pin(memory: Memory) -> None:
    memory.pin("ana", memory.pages("ana").pages[0].id)
