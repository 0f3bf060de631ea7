"""What only backups of SQLite meet: files in use, logs of other files, full disks."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.operations.backups import made, restored

from foxing.memory import Memory
from foxing.memory.storage.backup.values import BackupError
from foxing.memory.storage.database import Database


@pytest.fixture
def backup(database_path: Path, tmp_path: Path) -> Path:
    """A backup of a bank with one message."""
    with Memory(database_path) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    made(database_path, tmp_path / "foxing.backup")
    return tmp_path / "foxing.backup"


def test_a_backup_is_one_file(backup: Path) -> None:
    with closing(sqlite3.connect(f"file:{backup}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT content FROM messages").fetchall() == [("hello",)]
    assert [path.name for path in backup.parent.iterdir() if path.name.startswith(backup.name)] == [backup.name]


def test_the_database_itself_is_not_overwritten(database_path: Path, backup: Path) -> None:
    with pytest.raises(BackupError, match="choose another name"):
        made(database_path, database_path, overwrite=True)
    with Memory(database_path) as memory:
        assert memory.message("ana", "m").text == "hello"


def test_a_database_in_use_is_no_backup(tmp_path: Path) -> None:
    with Memory(tmp_path / "live.db") as memory:
        memory.store("ana", [{"role": "user", "content": "only in the log so far"}])
        with pytest.raises(BackupError, match="in use"):
            restored(tmp_path / "new.db", tmp_path / "live.db")
    assert not (tmp_path / "new.db").exists()


def test_a_log_of_another_file_is_not_applied(backup: Path, tmp_path: Path) -> None:
    stale = tmp_path / "new.db-wal"
    stale.write_bytes(b"frames of a database that was deleted")
    with pytest.raises(BackupError, match="delete it first"):
        restored(tmp_path / "new.db", backup)
    assert not (tmp_path / "new.db").exists()
    stale.unlink()
    restored(tmp_path / "new.db", backup)


def test_an_empty_file_is_filled_unless_it_is_in_use(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.db"
    target.touch()
    with closing(sqlite3.connect(target, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackupError, match="stop other processes"):
            restored(target, backup)
        other.execute("ROLLBACK")
    restored(target, backup)
    with Memory(target) as memory:
        assert memory.message("ana", "m").text == "hello"


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    (tmp_path / "dump").write_bytes(b"PGDMP" + bytes(100))
    for name, reason in (("other.db", "not one of Foxing"), ("dump", "same kind"), ("absent", "cannot read")):
        with pytest.raises(BackupError, match=reason):
            restored(tmp_path / "new.db", tmp_path / name)
    assert not (tmp_path / "new.db").exists()


FULL = """
import resource, signal, sys
from pathlib import Path
from foxing.memory.storage.backup.backup import back_up, restore
from foxing.memory.storage.database import Database
from foxing.memory import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
source, backup, target = map(Path, sys.argv[1:])
for work in (lambda: back_up(Database(source), target), lambda: restore(Database(target), backup)):
    try:
        work()
    except StorageError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs Unix file size limits")
@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(database_path: Path, backup: Path, tmp_path: Path) -> None:
    """A file size limit stands in for a full disk."""
    target = tmp_path / "target"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(database_path), str(backup), str(target)], capture_output=True, text=True
    )
    assert len(done.stdout.splitlines()) == 2, done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foxing.backup", "foxing.db"]
    with Memory(database_path) as memory:
        assert memory.message("ana", "m").text == "hello"


CRAFTED = {
    "trigger": "CREATE TRIGGER t AFTER UPDATE ON secrets BEGIN UPDATE messages SET content = 'forged'; END",
    "view": "CREATE VIEW v AS SELECT content FROM messages",
    "virtual table": "CREATE VIRTUAL TABLE v USING fts5(x)",
    "table": "CREATE TABLE spare (x)",
    "index": "CREATE INDEX spare ON messages (content) WHERE length(content) > 0",
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_a_backup_with_what_foxing_does_not_make_is_refused(backup: Path, tmp_path: Path, kind: str) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute(CRAFTED[kind])
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")
    with pytest.raises(BackupError, match=f"no Foxing database has: the {kind}"):
        restored(tmp_path / "new.db", backup)
    assert not (tmp_path / "new.db").exists()


def test_a_view_in_place_of_a_table_is_not_read(backup: Path, tmp_path: Path) -> None:
    """It might never end."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS version_num FROM n WHERE 0"
    with closing(sqlite3.connect(backup)) as connection:
        for name in ("alembic_version", "blobs"):
            connection.execute(f"DROP TABLE {name}")
            connection.execute(f"CREATE VIEW {name} AS {endless}")
        connection.commit()
    with pytest.raises(BackupError, match="the view alembic_version"):
        restored(tmp_path / "new.db", backup)


def test_the_schema_of_a_database_is_not_trusted(database_path: Path) -> None:
    Memory(database_path).close()
    with Database(database_path) as database, database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA trusted_schema").scalar() == 0


def test_a_backup_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        with pytest.raises(BackupError, match="is not a file"):
            restored(tmp_path / "new.db", place)
