"""The queue of jobs through `Memory`: idle banks cost nothing, whatever becomes due is found, and work is done once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import Engine, event
from support.databases import execute
from support.hooked_codec import HookedCodec

from foxing.encoder import load_codec
from foxing.memory import Memory
from foxing.memory.lifecycle import age
from foxing.memory.lifecycle.job_runner import JobResult
from foxing.memory.lifecycle.jobs import MAX_RETRY_DELAY, retry_delay
from foxing.memory.storage.repositories.jobs import QueueLength

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")]

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
EMPTY = QueueLength(waiting=0, running=0, failed=0)


def conversation(count: int, first: int = 0) -> list[dict[str, object]]:
    return [
        {
            "id": str(number),
            "role": "user",
            "content": f"The delivery of the {number}th box is late again, and nobody knows where it is.",
            "created_at": START + timedelta(minutes=number),
        }
        for number in range(first, first + count)
    ]


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: START + DAY) as opened:
        yield opened


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collects the SQL statements of all databases."""
    statements: list[str] = []

    def collect(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", collect)


def statements_of_a_tick(memory: Memory) -> int:
    with counted_statements() as statements:
        report = memory.tick()
    assert (report.sealed_pages, report.moved_pages, report.failed_banks) == (0, 0, {})
    return len(statements)


def test_a_tick_does_not_look_at_idle_banks(memory: Memory) -> None:
    memory.store("bank", conversation(3))
    memory.tick()
    with_one = statements_of_a_tick(memory)
    for number in range(12):
        memory.store(f"bank-{number}", conversation(3))
    memory.tick()  # looks once at new banks
    assert statements_of_a_tick(memory) == with_one <= 5  # two transactions


@pytest.mark.slow
def test_an_idle_bank_is_found_when_something_becomes_due(memory: Memory) -> None:
    memory.store("ana", conversation(20))
    assert memory.tick().sealed_pages == 0
    assert memory.tick(now=START + 29 * DAY).sealed_pages == 0

    memory.set_policy("ana", {"seal_after": "PT1H", "undo_window": "P1D"})
    report = memory.tick()
    assert (report.sealed_pages, report.moved_pages) == (1, 0)

    page = memory.pages("ana").pages[0].id
    memory.pin("ana", page)
    assert memory.tick(now=START + 9 * DAY).moved_pages == 0
    memory.pin("ana", page, pinned=False)
    assert memory.tick(now=START + 9 * DAY).moved_pages == 1  # to `small`
    assert memory.tick(now=START + 9 * DAY).purged == 0
    assert memory.tick(now=START + 11 * DAY).purged == 1
    assert memory.operations.jobs.length() == EMPTY

    memory.store("ana", conversation(200, first=20))  # more than a page; older than an hour
    assert memory.tick().sealed_pages == 2


@pytest.mark.slow
def test_small_messages_that_fill_a_page_in_the_end_are_sealed(memory: Memory) -> None:
    sealed = 0
    for number in range(0, 220, 20):
        memory.store("ana", conversation(20, first=number))
        sealed += memory.tick().sealed_pages
    assert sealed == 1
    assert memory.bank("ana").open_messages > 0


def test_a_failed_job_waits_and_the_next_tick_tries_it_again(database_url: str) -> None:
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: START + 31 * DAY) as memory:
        memory.store("ana", conversation(3))
        memory.store("bo", conversation(3))
        broken = [True]

        def fail() -> None:
            if broken:
                broken.clear()
                raise RuntimeError("out of paper")

        codec.before_encode = fail
        assert memory.operations.jobs.fill(memory.now()) == 2
        first = memory.operations.jobs.work(memory.now())
        assert first is not None
        assert (first.bank, first.kind, first.error) == ("ana", "seal", "RuntimeError: out of paper")
        assert memory.bank("ana").open_messages == 3
        assert memory.operations.jobs.length() == QueueLength(waiting=2, running=0, failed=1)

        while (result := memory.operations.jobs.work(memory.now())) is not None:
            assert (result.bank, result.error) == ("bo", None)  # that of ana waits
        assert memory.operations.jobs.fill(memory.now()) == 0
        assert memory.operations.jobs.length() == QueueLength(waiting=1, running=0, failed=1)

        report = memory.tick()
        assert (report.sealed_pages, report.failed_banks) == (1, {})
        assert memory.operations.jobs.length() == EMPTY


def test_a_tick_ages_the_pages_that_it_seals_after_an_ageing_job_of_the_queue(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START + 40 * DAY) as memory:
        memory.store("ana", conversation(3))
        memory.seal("ana")
        memory.tick(now=START + DAY)
        memory.operations.jobs.fill(START + 40 * DAY)
        assert memory.operations.jobs.length().waiting == 1  # as a tick that was killed leaves it
        memory.store("ana", conversation(3, first=3))
        report = memory.tick()
        assert (report.sealed_pages, report.moved_pages) == (1, 2)
        assert memory.operations.jobs.length() == EMPTY


def test_pauses_double_up_to_an_hour() -> None:
    assert [retry_delay(attempts).total_seconds() for attempts in (1, 2, 3)] == [30, 60, 120]
    assert retry_delay(1000) == MAX_RETRY_DELAY


def test_an_interrupted_job_returns_to_the_queue(database_url: str) -> None:
    codec = HookedCodec()
    with Memory(database_url, codec=codec, clock=lambda: START + 31 * DAY) as memory:
        memory.store("ana", conversation(3))

        def interrupt() -> None:
            raise KeyboardInterrupt

        codec.before_encode = interrupt
        with pytest.raises(KeyboardInterrupt):
            memory.tick()
        assert memory.operations.jobs.length() == QueueLength(waiting=1, running=0, failed=0)
        codec.before_encode = lambda: None
        assert memory.tick().sealed_pages == 1


def test_a_job_whose_lease_has_run_out_is_done_by_another_worker(memory: Memory, database_url: str) -> None:
    memory.store("ana", conversation(3))
    memory.operations.jobs.fill(START + 31 * DAY)
    soon = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    killed = f"state = 'running', lease_owner = 'killed', lease_until = '{soon}'"  # as a worker leaves it
    execute(database_url, f"UPDATE jobs SET {killed}")
    assert memory.tick(now=START + 31 * DAY).sealed_pages == 0
    execute(database_url, "UPDATE jobs SET lease_until = '2026-01-05 08:00:00.000000'")
    report = memory.tick(now=START + 31 * DAY)
    assert (report.sealed_pages, report.moved_pages) == (1, 1)
    assert memory.operations.jobs.length() == EMPTY


@pytest.mark.parametrize(
    "dated", ["state = 'running', lease_owner = 'x', lease_until = '2999-01-01'", "run_after = '2999-01-01'"]
)
def test_a_job_of_a_clock_that_was_wrong_is_done(memory: Memory, database_url: str, dated: str) -> None:
    memory.store("ana", conversation(3))
    memory.operations.jobs.fill(START + 31 * DAY)
    execute(database_url, f"UPDATE jobs SET {dated}")
    result = memory.operations.jobs.work(START + 31 * DAY)
    assert result is not None
    assert result.sealed_pages == 1


def test_a_page_leased_by_a_clock_that_was_wrong_ages(memory: Memory, database_url: str) -> None:
    memory.store("ana", conversation(3))
    memory.seal("ana", now=START + DAY)
    execute(database_url, "UPDATE pages SET lease_owner = 'x', lease_until = '2999-01-01'")
    report = memory.age("ana", now=START + 9 * DAY)
    assert (len(report.moved), report.busy) == (1, [])


@pytest.mark.slow
def test_workers_of_several_memories_do_the_work_once(database_url: str) -> None:
    codec = load_codec("native", "cpu")
    now = START + 31 * DAY
    together = Barrier(3)
    with Memory(database_url, codec=codec, clock=lambda: now) as memory:
        for number in range(6):
            memory.store(f"bank-{number}", conversation(5))

        def work(_: int) -> tuple[int, int]:
            with Memory(database_url, codec=codec, clock=lambda: now) as worker:
                together.wait(60)
                worker.operations.jobs.fill(now)
                results = []
                while (result := worker.operations.jobs.work(now)) is not None:
                    results.append(result)
            assert not any(result.error for result in results)
            return sum(r.sealed_pages for r in results), sum(r.moved_pages for r in results)

        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(work, range(3)))
        assert (sum(sealed for sealed, _ in done), sum(moved for _, moved in done)) == (6, 6)
        assert memory.operations.jobs.length() == EMPTY
        assert [bank.pages for bank in memory.banks().banks] == [1] * 6


@pytest.mark.slow
def test_an_idle_worker_helps_with_a_bank_of_many_pages(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age, "BATCH", 2)
    now, begun, helped = START + 9 * DAY, Event(), Event()

    def wait_for_help() -> None:
        begun.set()
        assert helped.wait(60)

    with (
        Memory(database_url, codec=HookedCodec(before_encode=wait_for_help), clock=lambda: now) as owner,
        Memory(database_url, codec=load_codec("native", "cpu"), clock=lambda: now) as helper,
    ):
        for number in range(10):
            helper.store("ana", [{"role": "user", "content": f"note {number}", "created_at": START}])
            helper.seal("ana", now=START)
        helper.operations.jobs.fill(now)
        assert helper.operations.jobs.work(now) == JobResult("ana", "seal")
        with ThreadPoolExecutor(1) as pool:
            owned = pool.submit(owner.operations.jobs.work, now)
            assert begun.wait(60)
            assert helper.operations.jobs.work(now) == JobResult("ana", "age", moved_pages=8, helped=True)
            assert helper.operations.jobs.work(now) is None  # what is left is the owner's
            helped.set()
            assert owned.result() == JobResult("ana", "age", moved_pages=2)
        assert {page.tier for page in helper.pages("ana").pages} == {"small"}
        moved = execute(database_url, "SELECT page_id, version FROM trash ORDER BY page_id")
        assert len({page for page, _ in moved}) == len(moved) == 10
        assert execute(database_url, "SELECT DISTINCT version FROM pages") == [(2,)]
        assert helper.operations.jobs.length() == EMPTY
        assert helper.tick(now=now).moved_pages == 0


def test_a_worker_that_cannot_help_leaves_the_job_to_its_owner(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(age, "BATCH", 1)
    now, begun, tried = START + 9 * DAY, Event(), Event()

    def wait_for_help() -> None:
        begun.set()
        assert tried.wait(60)

    with (
        Memory(database_url, codec=HookedCodec(before_encode=wait_for_help), clock=lambda: now) as owner,
        Memory(database_url, codec="not-installed", clock=lambda: now) as other,
    ):
        for number in range(3):
            owner.store("ana", [{"role": "user", "content": f"note {number}", "created_at": START}])
        tried.set()
        owner.seal("ana", now=START)
        owner.store("ana", [{"role": "user", "content": "another page", "created_at": START}])
        owner.seal("ana", now=START)
        tried.clear()
        begun.clear()
        owner.operations.jobs.fill(now)
        while owner.operations.jobs.length().waiting > 1:
            owner.operations.jobs.work(now)
        with ThreadPoolExecutor(1) as pool:
            owned = pool.submit(owner.operations.jobs.work, now)
            assert begun.wait(60)
            assert other.operations.jobs.work(now) is None
            tried.set()
            assert owned.result() == JobResult("ana", "age", moved_pages=2)
