"""The database: migrations, foreign and newer files, read-only files and full disks."""

import os
import sqlite3
from pathlib import Path

import pytest
from support.processes import start_python

from foxing.memory import DatabaseOptions, DatabaseTooNew, Memory, NoDatabase, StorageError


def test_migrating_again_keeps_the_rows(database_path: Path) -> None:
    with Memory(database_path) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    with Memory(database_path) as memory:
        assert memory.message("ana", "m").text == "hello"


def test_a_database_that_must_exist_is_not_created(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "foxing.db"
    with pytest.raises(NoDatabase, match="none was created"):
        Memory(DatabaseOptions(file, create=False))
    assert list(tmp_path.iterdir()) == []
    with Memory(file) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    with Memory(DatabaseOptions(file, create=False)) as memory:
        assert memory.message("ana", "m").text == "hello"


def test_database_of_a_newer_version_is_rejected(database_path: Path) -> None:
    Memory(database_path).close()
    connection = sqlite3.connect(database_path)
    connection.execute("UPDATE alembic_version SET version_num = '2999_01_01_0001', oldest = '2999_01_01_0001'")
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseTooNew, match="upgrade foxing"):
        Memory(database_path)


def test_file_that_is_not_a_database_is_rejected_and_kept(database_path: Path) -> None:
    database_path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="not a SQLite database"):
        Memory(database_path)
    assert database_path.read_bytes() == b"not a database" * 100


def test_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="choose another"):
        Memory(tmp_path / "file" / "foxing.db")


def test_read_only_database_can_be_read_and_reports_writes(database_path: Path) -> None:
    with Memory(database_path) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    connection = sqlite3.connect(database_path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    # file permissions do not stop root, so the database itself is opened read-only
    with Memory(f"sqlite:///file:{database_path}?mode=ro&uri=true") as memory:
        assert memory.message("ana", "m").text == "hello"
        with pytest.raises(StorageError, match="read-only"):
            memory.store("ana", [{"role": "user", "content": "more"}])
    with Memory(database_path) as memory:
        assert memory.bank("ana").messages == 1


FILL = """
import resource, sys
from foxing.memory import Memory, MemoryOptions, StorageError
memory = Memory(sys.argv[1], options=MemoryOptions(embedder="none"))
size = __import__("os").path.getsize(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 400_000, size + 400_000))
stored = 0
try:
    for number in range(200):
        memory.store("ana", [{"role": "user", "content": f"{number} " * 3000, "id": str(number)}])
        stored += 1
except StorageError as error:
    print(stored, error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs Unix file size limits")
def test_full_disk_is_reported_and_loses_nothing(database_path: Path) -> None:
    """A file size limit stands in for a full disk: writes fail in the middle."""
    Memory(database_path).close()
    code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + FILL
    out, error = start_python(code, str(database_path)).communicate(timeout=120)
    assert "disk" in out, out + error
    stored = int(out.split()[0])
    with Memory(database_path) as memory:
        assert memory.bank("ana").messages == stored
        assert memory.message("ana", str(stored - 1)).text.startswith(f"{stored - 1} ")
