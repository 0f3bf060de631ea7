"""Backups of databases whose large blobs are in object storage."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.databases import execute
from support.operations.backups import made, restored
from support.operations.blobs import DAY, START, Storage, fill, said

from foxing.memory import Memory, MemoryOptions
from foxing.memory.storage.backup.postgresql import Programs
from foxing.memory.storage.backup.values import BackupError
from foxing.memory.storage.database import Database

pytestmark = pytest.mark.both_databases
PLAIN = MemoryOptions(embedder="none")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    pytest.importorskip("obstore", reason="needs the extra 'blobs'")
    return Storage(tmp_path / "objects")


@pytest.fixture
def memory(database_url: str, storage: Storage) -> Iterator[Memory]:
    with Memory(storage.options(database_url), clock=lambda: START + DAY, options=PLAIN) as opened:
        fill(opened)
        opened.age("ana", now=START + 10 * DAY)
        yield opened


def test_a_restored_database_has_blobs_of_its_own(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
) -> None:
    backup, url = tmp_path / "foxing.backup", elsewhere()
    size = made(storage.options(database_url), backup, programs).bytes
    beside = backup.with_name("foxing.backup.blobs")
    assert size == backup.stat().st_size + beside.stat().st_size
    assert beside.stat().st_mode & 0o777 == 0o600
    exported = [message.text for message in memory.export("ana")]
    before = storage.files()

    restored(storage.options(url), backup, programs)
    copies = sorted(set(storage.files()) - set(before))
    assert [path.name for path in copies] == [path.name for path in before]
    memory.erase_bank("ana")

    assert storage.files() == copies
    with Memory(storage.options(url), clock=lambda: START + DAY, options=PLAIN) as copy:
        assert [message.text for message in copy.export("ana")] == exported
        copy.undo("ana", now=START + 11 * DAY)
        assert copy.message("ana", "3").text == said(3)
        copy.erase_bank("ana")
    assert storage.files() == []


def test_a_restored_database_never_has_the_folder_of_the_source(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
) -> None:
    memory.erase_bank("ana")
    made(storage.options(database_url), tmp_path / "foxing.backup", programs)
    assert [path.name for path in tmp_path.glob("foxing.backup*")] == ["foxing.backup"]
    url = elsewhere()
    restored(url, tmp_path / "foxing.backup", programs)  # without a storage, which it may be given later
    assert folder(url) != folder(database_url)


def test_a_restore_that_is_killed_leaves_nothing_of_the_source_in_place(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backup, url = tmp_path / "foxing.backup", elsewhere()
    made(storage.options(database_url), backup, programs)

    def killed(self: Database) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Database, "write", killed)  # nothing is written after the restored database is in place
        restored(storage.options(url), backup, programs)
    with Database(url) as in_place:
        assert in_place.revision() is None or folder(url) != folder(database_url)


def folder(url: str) -> bytes:
    """The folder of a database in the storage."""
    ((value,),) = execute(url, "SELECT value FROM secrets WHERE name = 'blobs'")
    return bytes(value)


def test_blobs_stay_while_a_backup_is_made(memory: Memory, database_url: str, storage: Storage, tmp_path: Path) -> None:
    from foxing.memory.storage.backup.blobs import copied_blobs

    backup = tmp_path / "foxing.backup"
    before = storage.files()
    with Database(storage.options(database_url)) as database, copied_blobs(database, backup):
        backup.write_bytes(b"made by the block")
        assert not memory.erase_bank("ana").log_erased
        assert storage.files() == before
    assert backup.with_name("foxing.backup.blobs").stat().st_size > sum(path.stat().st_size for path in before)
    memory.tick()
    assert storage.files() == []


def test_what_is_wrong_with_a_backup_is_said_before_anything_is_restored(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
) -> None:
    backup, url = tmp_path / "foxing.backup", elsewhere()
    made(storage.options(database_url), backup, programs)
    beside = backup.with_name("foxing.backup.blobs")
    before, content = storage.files(), beside.read_bytes()
    with pytest.raises(BackupError, match="exists; choose another name"):
        made(storage.options(database_url), backup, programs)
    with pytest.raises(BackupError, match="object storage"):
        restored(url, backup, programs)
    beside.write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupError, match="cannot be read as the blobs"):
        restored(storage.options(url), backup, programs)
    beside.unlink()
    with pytest.raises(BackupError, match="is missing"):
        restored(storage.options(url), backup, programs)
    assert storage.files() == before
    beside.write_bytes(content)
    restored(storage.options(url), backup, programs)
    with Memory(storage.options(url), options=PLAIN) as copy:
        assert copy.bank("ana").messages == 24


def test_a_backup_without_blobs_is_one_file(
    database_url: str, storage: Storage, tmp_path: Path, elsewhere: Callable[[], str], programs: Programs
) -> None:
    with Memory(database_url, clock=lambda: START + DAY, options=PLAIN) as memory:
        fill(memory, pages=1)
    made(storage.options(database_url), tmp_path / "foxing.backup", programs)
    assert [path.name for path in tmp_path.glob("foxing.backup*")] == ["foxing.backup"]
    restored(elsewhere(), tmp_path / "foxing.backup", programs)
    assert storage.files() == []
