"""A process is killed in the middle of a migration: the database is as it was, and the next upgrade does all of it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.databases import execute
from support.migrations import LATER, REPOSITORY, add_later_migration

from foxing.memory import Memory
from foxing.memory.storage.database import Database

#: `foxing db upgrade`, which kills itself before the first statement that begins as the third argument says.
UPGRADE = """
import os, signal, sys
from pathlib import Path
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from foxing.api.cli.main import app
from support.migrations import add_later_migration
database, folder, moment = sys.argv[1:]
add_later_migration(pytest.MonkeyPatch(), Path(folder))
def before(statement):
    if " ".join(statement.split()).startswith(moment):
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", lambda connection, cursor, statement, *_: before(statement))
event.listen(Engine, "commit", lambda connection: before("COMMIT"))
app(["--database", database, "db", "upgrade"])
"""
MOMENTS = ("CREATE TABLE thread_notes", "INSERT INTO thread_notes", "UPDATE alembic_version", "COMMIT")


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_killed_migration_is_done_by_the_next(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(database_url) as memory:
        memory.store("ana", [{"role": "user", "content": f"parcel {number}", "id": str(number)} for number in range(9)])
        memory.seal("ana")
        memory.store("ana", [{"role": "user", "content": "open", "id": "open"}])
        before = list(memory.export("ana"))
    with Database(database_url) as database:
        earlier = database.revision()
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "tests"))
    for moment in MOMENTS:
        arguments = (database_url, str(tmp_path / "later"), moment)
        command = [sys.executable, "-W", "ignore", "-c", UPGRADE, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL, (moment, done.stdout, done.stderr)
        with Database(database_url) as database:
            assert database.revision() == earlier
    add_later_migration(monkeypatch, tmp_path / "later")
    Foxing(database_url).json("db", "upgrade")
    with Memory(database_url) as memory:
        assert list(memory.export("ana")) == before
    assert execute(database_url, "SELECT version_num FROM alembic_version") == [(LATER,)]
    assert Foxing(database_url).json("db", "check")["ok"]
