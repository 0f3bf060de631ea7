"""The schedule and the queue of jobs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from foxing.memory.access import tenant_of
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, jobs, pages, schedule
from foxing.memory.storage.repositories.jobs import DueJob, Lease, QueueLength
from foxing.memory.storage.repositories.schedule import ALWAYS_DUE, DueTime

from .conftest import NOW, insert_messages, insert_page, new_page

pytestmark = pytest.mark.both_databases

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
WORKERS = 6


def lease(owner: str = "me", now: datetime = NOW) -> Lease:
    return Lease(owner, now, MINUTE)


def fill(database: Database, now: datetime = NOW) -> int:
    with database.write() as connection:
        return jobs.fill(connection, now, codec="native", created_at=NOW)


def take(database: Database, owner: str = "me", now: datetime = NOW, *, ignore_delay: bool = False) -> DueJob | None:
    with database.write() as connection:
        return jobs.take(connection, lease(owner, now), ignore_delay=ignore_delay)


def length(database: Database) -> QueueLength:
    with database.read() as connection:
        return jobs.length(connection)


def test_a_time_is_brought_forward_and_never_back(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        assert schedule.find(connection, bank_id, "age") is None
        for due_at, expected in (
            (NOW + DAY, NOW + DAY),
            (NOW + 2 * DAY, NOW + DAY),
            (NOW, NOW),
            (ALWAYS_DUE, ALWAYS_DUE),
        ):
            schedule.bring_forward(connection, bank_id, "age", due_at)
            found = schedule.find(connection, bank_id, "age")
            assert found is not None
            assert found.due_at == expected
        schedule.put(connection, bank_id, "age", DueTime(None, 7, "native"))
        assert schedule.find(connection, bank_id, "age") == DueTime(None, 7, "native")
        schedule.bring_forward(connection, bank_id, "age", NOW)
        assert schedule.find(connection, bank_id, "age") == DueTime(NOW, 7, "native")


def test_stored_characters_count_down_to_a_full_page(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        schedule.note_stored(connection, bank_id, 5, NOW + DAY)
        assert schedule.find(connection, bank_id, "seal") == DueTime(ALWAYS_DUE)  # in a new bank anything may be due
        schedule.put(connection, bank_id, "seal", DueTime(None, 10, "native"))
        schedule.note_stored(connection, bank_id, 6, NOW + DAY)
        assert schedule.find(connection, bank_id, "seal") == DueTime(NOW + DAY, 4, "native")
        schedule.note_stored(connection, bank_id, 3, NOW + 2 * DAY)
        assert schedule.find(connection, bank_id, "seal") == DueTime(NOW + DAY, 1, "native")
        schedule.note_stored(connection, bank_id, 1, NOW + 2 * DAY)
        assert schedule.find(connection, bank_id, "seal") == DueTime(ALWAYS_DUE, 0, "native")


def test_whatever_makes_work_due_earlier_reaches_the_schedule(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        page = insert_page(connection, new_page(bank_id, "p"), insert_messages(connection, bank_id, "m"))
        assert schedule.find(connection, bank_id, "age") == DueTime(ALWAYS_DUE)
        schedule.put(connection, bank_id, "age", DueTime(None))
        pages.set_pinned(connection, page, True)
        assert schedule.find(connection, bank_id, "age") == DueTime(None)
        pages.set_pinned(connection, page, False)
        assert schedule.find(connection, bank_id, "age") == DueTime(ALWAYS_DUE)
        for kind in ("seal", "age"):
            schedule.put(connection, bank_id, kind, DueTime(None))
        banks.set_policy(connection, bank_id, {})
        assert schedule.find(connection, bank_id, "seal") == schedule.find(connection, bank_id, "age")
        assert schedule.find(connection, bank_id, "age") == DueTime(ALWAYS_DUE)


def test_the_queue_is_filled_once_with_what_is_due(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        other = banks.get_or_create(connection, "bo", NOW, {}).id
        schedule.put(connection, bank_id, "age", DueTime(NOW, codec="native"))
        schedule.put(connection, bank_id, "seal", DueTime(ALWAYS_DUE))
        schedule.put(connection, bank_id, "purge", DueTime(None))
        schedule.put(connection, other, "age", DueTime(NOW + DAY, codec="native"))
    with database.read() as connection:
        assert jobs.is_due(connection, NOW, "native")
    assert fill(database) == 2
    assert fill(database) == 0
    assert [(job.kind, job.bank) for job in (take(database, ignore_delay=True),) if job] == [("seal", "ana")]
    assert fill(database) == 0
    assert fill(database, NOW + DAY) == 1


def test_times_for_another_codec_are_due(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        schedule.put(connection, bank_id, "age", DueTime(None, codec="remote"))
        schedule.put(connection, bank_id, "purge", DueTime(None))
        assert not jobs.is_due(connection, NOW, "remote")
        assert jobs.is_due(connection, NOW, "native")
    assert fill(database) == 1


def test_a_job_is_worked_on_by_one_and_a_bank_too(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        for kind in ("seal", "age"):
            schedule.put(connection, bank_id, kind, DueTime(NOW))
    fill(database)
    first = take(database)
    assert first is not None
    assert (first.kind, first.attempts) == ("seal", 1)
    assert take(database, "other") is None
    assert length(database) == QueueLength(waiting=1, running=1, failed=0)
    with database.write() as connection:
        assert jobs.finish(connection, first)
    second = take(database, "other")
    assert second is not None
    assert (second.kind, second.owner) == ("age", "other")


def test_the_job_of_a_killed_worker_is_taken_again(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        schedule.put(connection, bank_id, "age", DueTime(NOW))
    fill(database)
    killed = take(database)
    assert killed is not None
    with database.write() as connection:
        assert jobs.extend(connection, killed, NOW + 2 * MINUTE)
    assert take(database, "other", NOW + MINUTE) is None
    with database.read() as connection:
        assert not jobs.has_free(connection, NOW + MINUTE)
        assert jobs.has_free(connection, NOW + 2 * MINUTE)
    again = take(database, "other", NOW + 2 * MINUTE)
    assert again is not None
    assert (again.id, again.attempts) == (killed.id, 2)
    with database.write() as connection:
        assert not jobs.extend(connection, killed, NOW + DAY)
        assert not jobs.finish(connection, killed)
        assert not jobs.put_back(connection, killed, NOW, "late")
        assert jobs.finish(connection, again)
    assert length(database) == QueueLength(0, 0, 0)


def test_a_failed_job_waits_before_it_is_taken_again(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        schedule.put(connection, bank_id, "age", DueTime(NOW))
    fill(database)
    job = take(database)
    assert job is not None
    with database.write() as connection:
        assert jobs.put_back(connection, job, NOW + MINUTE, "it broke \0")
    assert length(database) == QueueLength(waiting=1, running=0, failed=1)
    assert fill(database) == 0
    assert take(database) is None
    again = take(database, now=NOW + MINUTE)
    assert again is not None
    assert again.attempts == 2


def test_following_jobs_are_those_done_later(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        schedule.put(connection, bank_id, "age", DueTime(NOW))
    fill(database)
    job = take(database)
    assert job is not None
    with database.write() as connection:
        for kind in ("seal", "age", "purge"):
            schedule.put(connection, bank_id, kind, DueTime(NOW))
        assert jobs.add_following(connection, job, NOW, NOW) == 1
        jobs.finish(connection, job)
    following = take(database)
    assert following is not None
    assert following.kind == "purge"


def test_concurrent_workers_take_each_job_once(database: Database) -> None:
    with database.write() as connection:
        for number in range(12):
            bank = banks.get_or_create(connection, f"bank-{number}", NOW, {})
            schedule.put(connection, bank.id, "age", DueTime(NOW))
    together = Barrier(WORKERS)

    def run(worker: int) -> list[str]:
        together.wait(60)
        fill(database)
        taken = []
        while (job := take(database, str(worker))) is not None:
            taken.append(job.bank)
            with database.write() as connection:
                assert jobs.finish(connection, job)
                schedule.put(connection, job.bank_id, "age", DueTime(None))
        return taken

    with ThreadPoolExecutor(WORKERS) as pool:
        taken = [bank for banks_of_worker in pool.map(run, range(WORKERS)) for bank in banks_of_worker]
    assert sorted(set(taken)) == sorted(f"bank-{number}" for number in range(12))
    assert length(database) == QueueLength(0, 0, 0)


def test_workers_that_come_at_once_do_not_share_a_bank(database: Database) -> None:
    rounds = 8
    together = Barrier(WORKERS)
    with database.write() as connection:
        for number in range(rounds):
            bank = banks.get_or_create(connection, f"bank-{number}", NOW, {})
            for kind in schedule.KINDS:
                schedule.put(connection, bank.id, kind, DueTime(NOW))
    fill(database)

    def run(worker: int) -> list[str]:
        together.wait(60)
        taken = (take(database, f"{worker}-{number}") for number in range(rounds))
        return [job.bank for job in taken if job is not None]

    with ThreadPoolExecutor(WORKERS) as pool:
        taken = [bank for banks_of_worker in pool.map(run, range(WORKERS)) for bank in banks_of_worker]
    assert sorted(taken) == sorted(f"bank-{number}" for number in range(rounds))
    assert length(database).running == rounds


def test_tenants_take_turns(database: Database) -> None:
    names = [*(f"acme~{n}" for n in range(3)), "own", "globex~a", "own2"]
    with database.write() as connection:
        for name in names:
            bank = banks.get_or_create(connection, name, NOW, {})
            schedule.put(connection, bank.id, "seal", DueTime(NOW))
    assert fill(database) == len(names)
    served = None
    order = []
    for _ in names:
        with database.write() as connection:
            job = jobs.take(connection, lease(), after_tenant=served)
        assert job is not None
        order.append(job.bank)
        served = tenant_of(job.bank) or ""
    assert order == ["acme~0", "globex~a", "own", "acme~1", "own2", "acme~2"]
