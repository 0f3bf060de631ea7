"""The disk of a database is full: a clear error, nothing is lost, and everything goes on once there is room."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support.command_line import Foxing
from support.databases import PostgresServer, execute
from support.migrations import add_later_migration
from support.operations.failures import SmallDisk, full_sqlite, small_disk
from support.service import check_problem, ok, serve

from foxing.memory import Memory, StorageError
from foxing.memory.storage import schema

pytestmark = pytest.mark.usefixtures("message_ages")

DISK_MB = 24
MESSAGES = 400
BATCH = 20

Fill = Callable[[Memory, range], None]
Check = Callable[[Memory, int], None]

FULL = "is on a full disk, and the last change was not stored; free some space and try again"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, DISK_MB) as disk:
        yield disk


@pytest.fixture
def postgresql_on(postgres_server: PostgresServer) -> Iterator[Callable[[SmallDisk], str]]:
    """Creates a database of which everything but the log is on a disk; returns its URL."""
    server = postgres_server.new_database()

    def create(disk: SmallDisk) -> str:
        place = disk.folder / "tablespace"
        place.mkdir()
        ((data,),) = execute(server, "SHOW data_directory")
        owner = Path(data).stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        for folder in (disk.folder, *disk.folder.parents):  # the server runs as another user where this is root
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
        postgres_server.execute(f"CREATE TABLESPACE tight LOCATION '{place}'")
        postgres_server.execute("CREATE DATABASE tight TABLESPACE tight")
        return make_url(server).set(database="tight").render_as_string(hide_password=False)

    yield create
    postgres_server.execute("DROP DATABASE IF EXISTS tight")
    postgres_server.execute("DROP TABLESPACE IF EXISTS tight")
    postgres_server.give_back(server)


def store_until_full(memory: Memory, store: Fill, held: int, before: Callable[[], object] = lambda: None) -> int:
    """How many messages were acknowledged in all. `before`: what comes before each batch, and may find no room."""
    try:
        while held < 100 * MESSAGES:
            before()
            store(memory, range(held, held + BATCH))
            held += BATCH
    except StorageError as error:
        reason = str(error)
    assert reason.endswith(FULL)
    return held


def check_work_on_a_full_disk(url: str, disk: SmallDisk, store: Fill, check_whole: Check, later: datetime) -> None:
    with Memory(url) as memory:

        def seal_without_room() -> None:
            """Where a page fits in all the same, as the server has freed some room, more messages can be stored."""
            disk.fill(leave_bytes=0)
            memory.seal("ana")
            disk.free()

        store(memory, range(MESSAGES))
        disk.fill(leave_bytes=300_000)
        held = store_until_full(memory, store, MESSAGES)
        check_whole(memory, held)
        assert memory.recall("ana", "the parcels of the courier").spans
        held = store_until_full(memory, store, held, seal_without_room)
        check_whole(memory, held)
        disk.free()
        memory.seal("ana")
        assert memory.bank("ana").open_messages == 0
        check_whole(memory, held)
        disk.fill(leave_bytes=0)
        reason = ""
        try:
            memory.age("ana", now=later)
        except StorageError as error:
            reason = str(error)
        # PostgreSQL may have freed room in its tables
        assert reason.endswith(FULL) or (not reason and url.startswith("postgresql"))
        check_whole(memory, held)
        disk.free()
        memory.age("ana", now=later)
        assert {page.tier for page in memory.pages("ana").pages} == {"micro"}
        check_whole(memory, held)
        store(memory, range(held + BATCH))
        check_whole(memory, held + BATCH)


@pytest.mark.slow
def test_sqlite_on_a_full_disk(disk: SmallDisk, store: Fill, check_whole: Check, later: datetime) -> None:
    check_work_on_a_full_disk(f"sqlite:///{disk.folder / 'foxing.db'}", disk, store, check_whole, later)


@pytest.mark.slow
def test_postgresql_on_a_full_disk(
    disk: SmallDisk,
    postgresql_on: Callable[[SmallDisk], str],
    store: Fill,
    check_whole: Check,
    later: datetime,
) -> None:
    url = postgresql_on(disk)
    Memory(url).close()  # makes the tables
    for table in schema.metadata.tables:  # what is deleted must not make room in them
        execute(url, f"ALTER TABLE {table} SET (autovacuum_enabled = false, toast.autovacuum_enabled = false)")
    check_work_on_a_full_disk(url, disk, store, check_whole, later)


@pytest.mark.slow
@pytest.mark.usefixtures("words_alone")
def test_the_service_and_the_command_line_say_so(
    database_path: Path, tmp_path: Path, store: Fill, check_whole: Check
) -> None:
    url = f"sqlite:///{database_path}"
    with Memory(url) as memory:
        store(memory, range(BATCH))
    lines = [json.dumps({"role": "user", "content": f"{number} " * 2000}) for number in range(20)]
    file = tmp_path / "chat.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    with full_sqlite(database_path, 20_000):
        document = Foxing(url).failure("import", str(file), "--bank", "ben")
        assert document["type"] == "urn:foxing:problem:storage"
        assert FULL in document["detail"]
        with Memory(url) as memory, serve(memory) as client:
            body = {"messages": [{"id": "new", "role": "user", "content": "long " * 20_000}]}
            document = check_problem(client.post("/v1/banks/ana/messages", json=body), 503, "storage")
            assert FULL in document["detail"]
            assert ok(client.post("/v1/banks/ana/recall", json={"query": "parcels"}))["spans"]
            check_whole(memory, BATCH)
    Foxing(url).json("import", str(file), "--bank", "ben")
    with Memory(url) as memory:
        check_whole(memory, BATCH)
        assert memory.bank("ben").messages == len(lines)


@pytest.mark.slow
def test_a_migration_on_a_full_disk_changes_nothing(
    database_path: Path, store: Fill, check_whole: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{database_path}"
    with Memory(url) as memory:
        store(memory, range(MESSAGES))
        memory.seal("ana")
    add_later_migration(monkeypatch, tmp_path / "later")
    with closing(sqlite3.connect(database_path)) as connection:
        connection.execute("VACUUM")
    with full_sqlite(database_path, 0):
        document = Foxing(url).failure("db", "upgrade")
        assert FULL in document["detail"]
    assert execute(url, "SELECT sum(messages) FROM pages") == [(MESSAGES,)]
    Foxing(url).json("db", "upgrade")
    with Memory(url) as memory:
        check_whole(memory, MESSAGES)
