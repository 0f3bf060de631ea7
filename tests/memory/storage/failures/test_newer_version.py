"""A database that a newer version of Foxing wrote: every way to it says so, and nothing in it changes."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from support.command_line import Foxing, start
from support.databases import execute
from support.service import check_problem, serve
from support.waiting import wait_until

from foxing.memory import DatabaseTooNew, Memory, StorageError
from foxing.memory.storage import database

NEWER = "2999_01_01_0001"

Fill = Callable[[Memory, range], None]

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("message_ages")]


@pytest.fixture
def newer(database_url: str, store: Fill) -> str:
    with Memory(database_url) as memory:
        store(memory, range(5))
    execute(database_url, f"UPDATE alembic_version SET version_num = '{NEWER}', oldest = '{NEWER}'")
    return database_url


def contents(url: str, database_path: Path) -> object:
    """Something that differs if a database was changed."""
    if url.startswith("sqlite"):
        return database_path.read_bytes()
    return execute(url, "SELECT * FROM messages ORDER BY id"), execute(url, "SELECT * FROM alembic_version")


@pytest.mark.slow
def test_every_command_refuses_it(newer: str, database_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_text('{"role": "user", "content": "hello"}\n', encoding="utf-8")
    before = contents(newer, database_path)
    with pytest.raises(DatabaseTooNew, match="upgrade foxing"):
        Memory(newer)
    commands = (
        *(("banks",), ("recall", "parcels", "--bank", "ana"), ("export", "--bank", "ana"), ("age", "--bank", "ana")),
        *(("import", str(file), "--bank", "ana"), ("worker", "--once"), ("db", "upgrade"), ("db", "check")),
    )  # a backup is of any version
    for command in commands:
        document = Foxing(newer).failure(*command)
        assert document["type"] == "urn:foxing:problem:database-too-new", command
        assert NEWER in document["detail"]
        assert "upgrade foxing" in document["detail"]
    assert contents(newer, database_path) == before


def test_the_service_does_not_start_on_it(newer: str) -> None:
    process = start("--database", newer, "serve", "--port", "0", PYTHONWARNINGS="ignore")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "upgrade foxing" in " ".join(errors.split())
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_running_service_that_is_shut_out_refuses_and_writes_nothing(
    database_url: str, store: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECK_S", 0.1)
    rows = ("SELECT * FROM messages ORDER BY id", "SELECT * FROM banks", "SELECT count(*) FROM pages")
    with Memory(database_url) as memory:
        store(memory, range(5))
        with serve(memory) as client:
            assert client.get("/readyz").status_code == 200
            execute(database_url, f"UPDATE alembic_version SET version_num = '{NEWER}', oldest = '{NEWER}'")
            before = [execute(database_url, query) for query in rows]
            message = {"id": "new", "role": "user", "content": "hello"}
            answer = client.post("/v1/banks/ana/messages", json={"messages": [message]})
            document = check_problem(answer, 503, "database-too-new")
            assert f"needs one of schema {NEWER} or later" in document["detail"]
            assert "upgrade foxing" in document["detail"]
            with pytest.raises(DatabaseTooNew):
                memory.erase_bank("ana")
            wait_until(lambda: client.get("/readyz").status_code == 503)
            check_problem(client.post("/v1/banks/ana/recall", json={"query": "parcels"}), 503, "database-too-new")
    assert [execute(database_url, query) for query in rows] == before


def test_a_service_whose_database_is_migrated_meanwhile_says_so(
    database_url: str, store: Fill, later: datetime
) -> None:
    with Memory(database_url) as memory:
        store(memory, range(5))
        with serve(memory) as client:
            execute(database_url, "ALTER TABLE messages RENAME COLUMN parts TO pieces")
            execute(database_url, "ALTER TABLE records RENAME TO documents")
            execute(database_url, f"UPDATE alembic_version SET version_num = '{NEWER}'")  # declared to be usable
            message = {"id": "new", "role": "user", "content": "hello"}
            answer = client.post("/v1/banks/ana/messages", json={"messages": [message]})
            document = check_problem(answer, 503, "storage")
            assert "lacks a column of this version; if another version of Foxing has migrated" in document["detail"]
        with pytest.raises(StorageError, match="lacks a table of this version"):
            memory.records.search("ana")
        with pytest.raises(StorageError, match="lacks a column of this version"):
            memory.recall("ana", "parcels")
    assert execute(database_url, "SELECT count(*) FROM messages") == [(5,)]
    execute(database_url, "ALTER TABLE messages RENAME COLUMN pieces TO parts")
    execute(database_url, "ALTER TABLE documents RENAME TO records")
