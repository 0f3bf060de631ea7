"""Threads and processes working in one memory at once: nothing is lost or done twice, and recalls are consistent."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from threading import Event, Lock

import pytest
from support.databases import execute
from support.hooked_codec import HookedCodec
from support.processes import start_python

from foxing.encoder import Reading, load_codec
from foxing.memory import Memory, Policy, RecalledMessage
from foxing.memory.lifecycle import age
from foxing.memory.pages.decode_queue import DecodeQueue
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TIMEOUT_S = 180  # reached only by a test that fails
#: Pages are decoded from the start, at a tier that is read without errors.
NO_TEXT = Policy(keep_text="until:large", age_from="message")


def message(key: str, minute: int, text: str = "The delivery is late again") -> dict[str, object]:
    at = START + timedelta(minutes=minute)
    return {"id": key, "role": "user", "content": f"{text}, says note {key}.", "created_at": at}


def once(action: Callable[[], object]) -> Callable[[], None]:
    """Runs `action` the first time it is called, then nothing."""
    lock, left = Lock(), [action]

    def run() -> None:
        with lock:
            todo = left.pop() if left else None
        if todo is not None:
            todo()

    return run


@pytest.mark.both_databases
def test_concurrent_work_loses_and_doubles_nothing(database_url: str) -> None:
    with Memory(database_url, codec=load_codec("native", "cpu"), clock=lambda: START + DAY) as memory:
        memory.store("ana", [message("first", 0)])
        stored = Event()

        def store(writer: int) -> None:
            for number in range(0, 20, 4):
                memory.store("ana", [message(f"{writer}-{n}", 20 * writer + n) for n in range(number, number + 4)])

        def seal() -> None:
            while not stored.is_set():
                memory.seal("ana")

        def age() -> int:
            moved = 0
            while not stored.is_set():
                moved += len(memory.age("ana", now=START + 10 * DAY).moved)
            return moved

        def recall() -> None:
            while not stored.is_set():
                spans = memory.recall("ana", limit=500).spans
                assert spans
                assert max(Counter(span.message_id for span in spans).values()) == 1

        with ThreadPoolExecutor(7) as pool:
            sealing, ageing, recalling = pool.submit(seal), pool.submit(age), pool.submit(recall)
            try:
                for writer in [pool.submit(store, number) for number in range(4)]:
                    writer.result(TIMEOUT_S)
            finally:
                stored.set()
            sealing.result(TIMEOUT_S)
            recalling.result(TIMEOUT_S)
            moved = ageing.result(TIMEOUT_S)
        memory.seal("ana")
        moved += len(memory.age("ana", now=START + 10 * DAY).moved)

        expected = {"first"} | {f"{writer}-{number}" for writer in range(4) for number in range(20)}
        spans = list(memory.export("ana"))
        assert len(spans) == len(expected)
        assert {span.message_id for span in spans} == expected
        assert {span.tier for span in spans} == {"small"}
        bank = memory.bank("ana")
        assert (bank.open_messages, bank.pages, bank.tiers["small"].pages) == (0, moved, moved)


WORK = """
import json, sys
from datetime import datetime
from foxing.memory import Memory
from foxing.memory.ingest import seal
from foxing.memory.lifecycle import age
seal.PAGES_AT_ONCE = age.BATCH = 1
with Memory(sys.argv[1]) as memory:
    memory.codec
    print("ready", flush=True)
    sys.stdin.readline()
    sealed = memory.seal("ana")
    report = memory.age("ana", now=datetime.fromisoformat(sys.argv[2]))
    print(json.dumps([sealed.pages, sealed.messages, [move.page_id for move in report.moved]]))
"""


@pytest.mark.slow
@pytest.mark.both_databases
def test_two_processes_do_the_work_once(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START + DAY) as memory:
        for first in range(0, 20, 5):  # four short pages to age; about one and a half to seal follow
            memory.store("ana", [message(str(n), n) for n in range(first, first + 5)])
            memory.seal("ana")
        memory.store("ana", [message(str(n), n, 8 * "The delivery is late again, ") for n in range(20, 100)])
        workers = [start_python(WORK, database_url, (START + 10 * DAY).isoformat()) for _ in range(2)]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        answers = [json.loads(worker.communicate(timeout=TIMEOUT_S)[0]) for worker in workers]
        memory.age("ana", now=START + 10 * DAY)  # pages sealed by one worker after the other had aged

        pages = memory.pages("ana").pages
        assert len(set(answers[0][0] + answers[1][0])) == len(answers[0][0] + answers[1][0]) == len(pages) - 4
        assert answers[0][1] + answers[1][1] == 80
        assert not set(answers[0][2]) & set(answers[1][2])
        assert {page.tier for page in pages} == {"small"}
        exported = [span.message_id for span in memory.export("ana")]
        assert exported == [str(number) for number in range(100)]


def at_hour(memory: Memory, number: int) -> list[RecalledMessage]:
    start = START + number * HOUR
    return memory.recall("ana", since=start, until=start + HOUR).spans


def test_concurrent_recalls_share_batches_and_answer_as_they_do_alone(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message("0", 0)])
        memory.set_policy("ana", NO_TEXT)
        for number in range(5):
            memory.store("ana", [message(str(number), 60 * number)])
            memory.seal("ana")  # a page for each
        alone = [at_hour(memory, number) for number in range(5)]
        assert [[span.message_id for span in spans] for spans in alone] == [["0"], ["1"], ["2"], ["3"], ["4"]]

    codec = HookedCodec()
    go = Event()
    codec.before_decode = once(lambda: go.wait(TIMEOUT_S))
    with Memory(database_url, codec=codec) as memory, ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(at_hour, memory, 0)]
        wait_until(lambda: codec.batches == [1])
        asked += [pool.submit(at_hour, memory, number) for number in range(1, 5)]
        wait_until(lambda: memory.operations.queue_depth == 4)
        go.set()
        together = [answer.result(TIMEOUT_S) for answer in asked]

    assert codec.batches == [1, 4]

    def texts(answers: list[list[RecalledMessage]]) -> list[list[tuple[str, str]]]:
        return [[(span.message_id, span.text) for span in spans] for spans in answers]

    assert texts(together) == texts(alone)


@pytest.mark.both_databases
def test_a_recall_sees_one_state_of_the_memory(database_url: str) -> None:
    """Another `Memory` stores, seals and ages while the recall decodes its first messages."""
    codec = HookedCodec()
    with Memory(database_url, codec=codec) as memory, Memory(database_url) as other:
        other.store("ana", [message(f"{n:02d}", n) for n in range(40)])
        other.set_policy("ana", NO_TEXT)
        other.seal("ana")

        def meanwhile() -> None:
            other.store("ana", [message("new", 40)])
            other.seal("ana")
            other.age("ana", now=START + 40 * DAY)

        codec.before_decode = once(meanwhile)
        before = memory.recall("ana", limit=500).spans
        after = memory.recall("ana", limit=500).spans

    assert [span.message_id for span in before] == [f"{n:02d}" for n in range(40)]
    assert {span.tier for span in before} == {"base"}
    assert [span.message_id for span in after] == [f"{n:02d}" for n in range(40)] + ["new"]
    assert {span.tier for span in after} == {"tiny"}


@pytest.mark.both_databases
def test_sealing_ends_while_messages_keep_arriving(database_url: str) -> None:
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message("0", 0)])

        def one_more() -> None:
            memory.store("ana", [message(str(time.monotonic_ns()), 1)])

        codec.before_encode = one_more
        report = memory.seal("ana")
        assert (report.messages, report.open_messages, len(report.pages)) == (1, 1, 1)


@pytest.mark.both_databases
def test_a_page_pinned_while_it_is_being_aged_stays(database_url: str) -> None:
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message(str(n), n) for n in range(3)])
        memory.seal("ana")
        page = memory.pages("ana").pages[0].id
        codec.before_encode = once(lambda: memory.pin("ana", page))

        report = memory.age("ana", now=START + 10 * DAY)

        assert (report.moved, report.busy) == ([], [page])
        assert (memory.page("ana", page).tier, memory.page("ana", page).text_kept) == ("base", True)
        assert memory.bank("ana").bytes.trash == 0
        assert memory.age("ana", now=START + 10 * DAY).busy == []
        memory.pin("ana", page, pinned=False)
        assert len(memory.age("ana", now=START + 10 * DAY).moved) == 1


@pytest.mark.both_databases
def test_page_leases_are_released_when_ageing_fails(database_url: str) -> None:
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message(str(n), n) for n in range(3)])
        memory.seal("ana")

        def fail() -> None:
            raise MemoryError("out of memory")

        codec.before_encode = once(fail)
        with pytest.raises(MemoryError):
            memory.age("ana", now=START + 10 * DAY)
        assert memory.pages("ana").pages[0].tier == "base"

        report = memory.age("ana", now=START + 10 * DAY)

        assert (len(report.moved), report.busy) == (1, [])


def test_an_interrupted_thread_does_not_fail_the_others(database_url: str) -> None:
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message("0", 0)])
        tokens = memory.page_tokens("ana", memory.seal("ana").pages[0])
    codec.batches.clear()  # sealing has read the page
    queue = DecodeQueue(lambda: codec)
    go = Event()

    def calls() -> None:
        if len(codec.batches) == 1:
            go.wait(TIMEOUT_S)  # the others queue behind the first
        if len(codec.batches) == 2:
            raise KeyboardInterrupt

    codec.before_decode = calls

    def read() -> str:
        try:
            return "read" if isinstance(queue.decode([tokens])[0], Reading) else "unreadable"
        except KeyboardInterrupt:
            return "interrupted"

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(read)]
        wait_until(lambda: codec.batches == [1])
        results += [pool.submit(read) for _ in range(3)]
        wait_until(lambda: queue.depth == 3)
        go.set()
        outcomes = [result.result(TIMEOUT_S) for result in results]

    assert Counter(outcomes) == {"read": 3, "interrupted": 1}
    assert codec.batches == [1, 3, 2]
    assert queue.depth == 0


@pytest.mark.parametrize("threads", [2, 6])
def test_threads_reading_one_page_see_it_intact(database_url: str, threads: int) -> None:
    """Threads that fill the same cached page at once do not change bands that another is reading."""
    with Memory(database_url, clock=lambda: START + DAY) as memory:
        memory.store("ana", [message("0", 0)])
        memory.set_policy("ana", NO_TEXT)
        memory.store("ana", [message(str(n), n) for n in range(1, 24)])
        memory.seal("ana")
        with ThreadPoolExecutor(threads) as pool:
            keys = [str(n) for n in range(0, 24, 3)]
            read = list(pool.map(lambda key: memory.message("ana", key), keys * threads))
        assert all(span == memory.message("ana", span.message_id) for span in read)


@pytest.mark.slow
@pytest.mark.both_databases
def test_many_workers_and_schedulers_age_each_page_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas with four workers each, and three schedulers that tick all the time."""
    monkeypatch.setattr(age, "BATCH", 2)
    codec, now, done = load_codec("native", "cpu"), START + 10 * DAY, Event()
    with Memory(database_url, codec=codec, clock=lambda: now) as memory, ExitStack() as stack:
        for bank, pages in {"large": 12, "ana": 2, "bo": 2, "cy": 2}.items():
            for number in range(pages):
                memory.store(bank, [message(str(number), number)])
                memory.seal(bank, now=START + HOUR)
        replicas = [stack.enter_context(Memory(database_url, codec=codec, clock=lambda: now)) for _ in range(2)]

        def tick(number: int) -> None:
            while not done.wait(0.01):
                replicas[number % 2].operations.jobs.fill(now)

        def work(number: int) -> int:
            moved = 0
            while not done.is_set():
                result = replicas[number % 2].operations.jobs.work(now)
                moved += result.moved_pages if result is not None else 0
                if result is None and memory.operations.jobs.length().running == 0 and not _due(memory):
                    done.set()
            return moved

        with ThreadPoolExecutor(11) as pool:
            schedulers = [pool.submit(tick, number) for number in range(3)]
            moved = list(pool.map(work, range(8)))
            for scheduler in schedulers:
                scheduler.result()
        assert sum(moved) == 18
        dropped = execute(database_url, "SELECT page_id FROM trash")
        assert len(set(dropped)) == len(dropped) == 18
        assert execute(database_url, "SELECT DISTINCT version, tier FROM pages") == [(2, "small")]


def _due(memory: Memory) -> bool:
    return any("base" in {page.tier for page in memory.pages(bank.id).pages} for bank in memory.banks().banks)
