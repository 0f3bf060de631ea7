"""Backups of databases whose large blobs are in object storage."""

import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.databases import execute
from support.operations.backups import made, restored
from support.operations.blobs import DAY, START, Storage, fill, messages, said

from foxing.memory import Memory, MemoryOptions, StorageError
from foxing.memory.storage.backup.postgresql import Programs
from foxing.memory.storage.backup.values import BackupError
from foxing.memory.storage.database import Database

pytestmark = [pytest.mark.both_databases, pytest.mark.slow]
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
    from foxing.memory.storage.backup.blobs import held_blobs, write_blobs

    part = tmp_path / "foxing.backup.blobs"
    before = storage.files()
    used = dict(execute(database_url, "SELECT name, bank FROM blobs"))
    with Database(storage.options(database_url)) as database, held_blobs(database):
        assert not memory.erase_bank("ana").log_erased
        assert storage.files() == before
        write_blobs(database, used, part)
    assert part.stat().st_size > sum(path.stat().st_size for path in before)
    memory.tick()
    assert storage.files() == []


def test_a_backup_that_cannot_be_completed_fails_and_leaves_the_previous_one(
    memory: Memory, database_url: str, storage: Storage, tmp_path: Path, programs: Programs
) -> None:
    backup = tmp_path / "foxing.backup"
    made(storage.options(database_url), backup, programs)
    files = {path: path.read_bytes() for path in tmp_path.glob("foxing.backup*")}
    assert len(files) == 2
    first = storage.files()[0]
    content = first.read_bytes()

    first.write_bytes(content[:-1] + b"?")
    with pytest.raises(BackupError, match=rf"{first.name} is missing from object storage or was changed"):
        made(storage.options(database_url), backup, programs, overwrite=True)
    first.unlink()
    with pytest.raises(BackupError, match=rf"{first.name} is missing from object storage or was changed"):
        made(storage.options(database_url), backup, programs, overwrite=True)
    aside = storage.folder.rename(storage.folder.with_name("aside"))
    storage.folder.write_text("not a folder")
    with pytest.raises(StorageError, match="cannot be used"):
        made(storage.options(database_url), backup, programs, overwrite=True)

    assert {path: path.read_bytes() for path in tmp_path.glob("*foxing.backup*")} == files
    storage.folder.unlink()
    aside.rename(storage.folder)
    memory.erase_bank("ana")
    made(storage.options(database_url), backup, programs, overwrite=True)
    assert list(tmp_path.glob("*foxing.backup*")) == [backup]


def test_a_backup_has_only_what_is_used(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
) -> None:
    backup, url = tmp_path / "foxing.backup", elsewhere()
    memory.store("bo", messages([30]))
    memory.seal("bo")
    with Database(storage.options(database_url)) as other, other.read() as connection:
        connection.exec_driver_sql("SELECT * FROM pages").all()
        assert not memory.erase_bank("bo").log_erased
    execute(
        database_url,
        "UPDATE blobs SET digest = :digest WHERE uses = 0 AND name = (SELECT min(name) FROM blobs WHERE uses = 0)",
        digest=bytes(32),
    )  # as of a process that was killed before it gave it up
    made(storage.options(database_url), backup, programs)
    used = {row[0] for row in execute(database_url, "SELECT name FROM blobs WHERE uses > 0")}
    with zipfile.ZipFile(backup.with_name("foxing.backup.blobs")) as archive:
        assert set(archive.namelist()) == used < {path.name for path in storage.files()}
    restored(storage.options(url), backup, programs)
    assert execute(url, "SELECT count(*) FROM blobs WHERE uses = 0 AND digest IS NOT NULL") == [(0,)]


def test_the_blobs_of_another_backup_are_refused(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
) -> None:
    made(storage.options(database_url), tmp_path / "earlier.backup", programs)
    memory.store("bo", messages([30]))
    memory.seal("bo")
    made(storage.options(database_url), tmp_path / "later.backup", programs)
    (tmp_path / "earlier.backup.blobs").replace(tmp_path / "later.backup.blobs")
    before, url = storage.files(), elsewhere()
    with pytest.raises(BackupError, match=r"lacks 1 of the blobs of later\.backup"):
        restored(storage.options(url), tmp_path / "later.backup", programs)
    assert storage.files() == before
    Memory(url).close()  # still empty


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


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "C:\\\\outside", "/dev/null", "ab/../../outside"])
def test_blobs_that_leave_their_folder_are_refused(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
    name: str,
) -> None:
    """In the database of a backup; in the archive beside it they are names that nothing asks for."""
    backup, url = tmp_path / "foxing.backup", elsewhere()
    made(storage.options(database_url), backup, programs)
    beside = backup.with_name("foxing.backup.blobs")
    with zipfile.ZipFile(beside, "a", zipfile.ZIP_STORED) as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(name, b"from outside")
    before = set(tmp_path.rglob("*"))
    restored(storage.options(url), backup, programs)
    added = set(tmp_path.rglob("*")) - before - {tmp_path / Path(url).name}
    assert {path.parents[len(path.relative_to(tmp_path).parts) - 2] for path in added} == {tmp_path / "objects"}
    assert not any(path.is_symlink() or path.name in ("outside", "link") for path in added)

    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(backup)) as connection, connection:
            connection.execute("UPDATE blobs SET name = ? WHERE name = (SELECT min(name) FROM blobs)", (name,))
        with pytest.raises(BackupError, match="cannot be read as the blobs"):
            restored(storage.options(elsewhere()), backup, programs)


def test_blobs_that_unpack_to_more_than_they_are_are_refused(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
) -> None:
    backup = tmp_path / "foxing.backup"
    made(storage.options(database_url), backup, programs)
    beside = backup.with_name("foxing.backup.blobs")
    with zipfile.ZipFile(beside) as archive:
        names = archive.namelist()
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, bytes(1 << 20))
    before = storage.files()
    with pytest.raises(BackupError, match="is compressed"):
        restored(storage.options(elsewhere()), backup, programs)
    assert storage.files() == before


@pytest.mark.parametrize(("offset", "value"), [(20, 3_000_000_000), (24, 3_000_000_000), (8, 1), (42, 3_000_000_000)])
def test_forged_entries_of_blobs_are_refused(
    memory: Memory,
    database_url: str,
    storage: Storage,
    tmp_path: Path,
    elsewhere: Callable[[], str],
    programs: Programs,
    offset: int,
    value: int,
) -> None:
    """Sizes of gigabytes, a flag of encryption, and a place beyond the end, in the directory of the archive."""
    backup = tmp_path / "foxing.backup"
    made(storage.options(database_url), backup, programs)
    beside = backup.with_name("foxing.backup.blobs")
    content = bytearray(beside.read_bytes())
    entry = content.index(b"PK\1\2")
    if offset == 8:
        content[entry + 8] |= value
    else:
        for place in {offset, 20, 24} if offset < 42 else {offset}:
            content[entry + place : entry + place + 4] = value.to_bytes(4, "little")
    beside.write_bytes(content)
    before = storage.files()
    with pytest.raises(BackupError, match="cannot be read as the blobs"):
        restored(storage.options(elsewhere()), backup, programs)
    assert storage.files() == before
