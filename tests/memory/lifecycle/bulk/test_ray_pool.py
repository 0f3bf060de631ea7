"""Workers on Ray: actors that are killed, and a cluster of this process."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from support.databases import execute
from support.operations.bulk import open_and_die, open_noted

from foxing.memory import InvalidInput, Memory, MemoryOptions, NotFound, PoolError
from foxing.memory.bulk.ray_pool import ActorOptions, RayPool
from foxing.memory.bulk.work import ImportRequest
from foxing.memory.ingest.importers import importer
from foxing.memory.lifecycle import age

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LATER = START + timedelta(days=10)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of two CPUs on this machine, which the pools of the tests share."""
    ray = pytest.importorskip("ray", reason="needs the extra 'ray', which is too large for the tests of every change")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=128 << 20
        )
        yield
        ray.shutdown()


pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray


def pids(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir())


@pytest.fixture
def workers(tmp_path: Path) -> Path:
    """Where workers note their process ids."""
    folder = tmp_path / "workers"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("cluster")
@pytest.mark.both_databases
def test_a_killed_worker_loses_nothing_and_repeats_nothing(
    database_url: str, workers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(age, "BATCH", 1)
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            killed.append(pids(workers)[0])
            os.kill(killed[0], signal.SIGKILL)

    with Memory(database_url, clock=lambda: LATER) as memory:
        for number in range(16):
            at = START + timedelta(minutes=number)
            memory.store("ana", [{"id": str(number), "role": "user", "content": f"Note {number}.", "created_at": at}])
            memory.seal("ana")
        open_memory = partial(open_noted, database_url, str(workers))
        with RayPool(open_memory, ActorOptions(actors=2)) as pool:
            report = memory.operations.bulk.age("ana", pool, progress=kill_one)
            with pytest.raises(NotFound):
                memory.operations.bulk.age("nobody", pool)

        assert (len(report.moved), report.busy, report.unreadable) == (16, [], [])
        assert killed
        assert os.getpid() not in pids(workers)
        assert execute(database_url, "SELECT DISTINCT version, tier FROM pages") == [(2, "small")]
        assert execute(database_url, "SELECT count(*), count(DISTINCT page_id) FROM trash") == [(16, 16)]
        assert execute(database_url, "SELECT count(*) FROM pages WHERE lease_until IS NOT NULL") == [(0,)]
        assert [message.message_id for message in memory.export("ana")] == [str(number) for number in range(16)]


@pytest.mark.usefixtures("cluster")
def test_an_import_is_embedded_by_workers_and_stored_in_order(
    tmp_path: Path, workers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, url = tmp_path / "talk.jsonl", f"sqlite:///{tmp_path / 'foxing.db'}"
    ids = [str(number) for number in range(1_200)]
    at = START.isoformat()
    path.write_text(
        "\n".join(json.dumps({"id": i, "role": "user", "content": f"Note {i}", "created_at": at}) for i in ids)
    )
    pool = RayPool(partial(open_noted, url, str(workers), "use"), ActorOptions(actors=2))
    with pool, Memory(url, options=MemoryOptions(embedder="none")) as memory:  # this process embeds nothing
        report = memory.operations.bulk.import_file(ImportRequest(path, "ana"), pool)

        assert (report.messages, report.stored) == (1_200, 1_200)
        assert [message.message_id for message in memory.export("ana")] == ids
        assert execute(url, "SELECT count(*) FROM embeddings") == [(1_200,)]
        assert memory.operations.bulk.import_file(ImportRequest(path, "ana"), pool).duplicates == 1_200
        path.write_text("not JSON")
        with pytest.raises(InvalidInput, match="line 1"):
            memory.operations.bulk.import_file(ImportRequest(path, "ana"), pool)
    assert importer.MESSAGES_AT_ONCE < 1_200


@pytest.mark.usefixtures("cluster")
def test_a_batch_that_kills_every_worker_is_given_up(database_path: Path, workers: Path) -> None:
    with Memory(database_path, clock=lambda: LATER) as memory:
        memory.store("ana", [{"id": "0", "role": "user", "content": "Note.", "created_at": START}])
        memory.seal("ana")
        pool = RayPool(partial(open_and_die, str(database_path), str(workers)), ActorOptions(actors=1))
        with pytest.raises(PoolError, match="killed 5 times"):
            memory.operations.bulk.age("ana", pool)
        assert memory.pages("ana").pages[0].tier == "base"


@pytest.mark.usefixtures("cluster")
def test_an_error_of_a_worker_is_raised_as_it_is(database_path: Path, tmp_path: Path, workers: Path) -> None:
    with Memory(database_path, clock=lambda: LATER) as memory:
        memory.store("ana", [{"id": "0", "role": "user", "content": "Note.", "created_at": START}])
        memory.seal("ana")
        elsewhere = tmp_path / "folder"
        elsewhere.mkdir()
        pool = RayPool(partial(open_noted, str(elsewhere), str(workers)), ActorOptions(actors=1))
        with pytest.raises(Exception, match="folder") as raised:
            memory.operations.bulk.age("ana", pool)
        assert type(raised.value).__name__ == "StorageError"


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PoolError, match=r"foxing\[ray\]"):
        RayPool(lambda: Memory(":memory:"))
