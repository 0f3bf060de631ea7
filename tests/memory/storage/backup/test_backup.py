"""Backups of either database, made while others write, and what is restored from them."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.databases import execute
from support.operations.backups import made, restored
from support.operations.checks import check, examples
from support.processes import start_python

from foxing.memory import DatabaseTooNew, Memory
from foxing.memory.storage.backup.postgresql import Programs
from foxing.memory.storage.backup.values import BackupError

pytestmark = pytest.mark.usefixtures("message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
QUESTIONS = ("When does Titan ship?", "staging cluster", "who prefers tea")
FACTS = (
    "We ship Titan on 14 March, whatever happens.",
    "The staging database moved to the new cluster on Friday.",
    "Please remember that Mina prefers tea over coffee.",
)

#: Stores and ages until it is killed; says which messages are stored.
LOAD = """
import sys
from datetime import datetime, timedelta
from itertools import count
from foxing.memory import Memory
start = datetime.fromisoformat(sys.argv[2])
with Memory(sys.argv[1]) as memory:
    for number in count():
        at = start + timedelta(minutes=number)
        memory.store("busy", [{"id": str(number), "role": "user", "content": f"Note {number}. " * 8, "created_at": at}])
        if number % 3 == 2:
            memory.seal("busy", now=at)
            memory.age("busy", now=at + timedelta(days=400 if number % 2 else 8))
            print(number, flush=True)
"""


def fill(url: str) -> None:
    """A bank that is at rest: messages that are open, kept and decoded."""
    with Memory(url, clock=lambda: START + 40 * DAY) as memory:
        for day in (0, 30, 39):
            for number, fact in enumerate(FACTS):
                at = START + day * DAY + timedelta(minutes=number)
                memory.store("quiet", [{"role": "user", "content": f"{fact} Day {day}.", "created_at": at}])
            if day < 39:
                memory.seal("quiet")
                memory.age("quiet")


def answers(url: str) -> list[object]:
    """What recall says of the bank at rest, and all of it."""
    with Memory(url, clock=lambda: START + 40 * DAY) as memory:
        found = [memory.recall("quiet", question).model_dump() for question in QUESTIONS]
        return [*found, [span.model_dump() for span in memory.export("quiet")]]


@pytest.mark.slow
@pytest.mark.both_databases
def test_what_is_backed_up_under_load_gives_the_same_answers_elsewhere(
    database_url: str, elsewhere: Callable[[], str], programs: Programs, tmp_path: Path
) -> None:
    Memory(database_url).close()
    load = start_python(LOAD, database_url, START.isoformat())
    path = tmp_path / "of-today.backup"
    try:
        fill(database_url)
        stored = [int(load.stdout.readline()) for _ in range(2)][-1]
        backup = made(database_url, path, programs)
        assert load.stdout.readline(), "nothing was stored beside the backup"
        assert examples(check(database_url, embedder="use")) == []  # what changes meanwhile is not called wrong
    finally:
        load.kill()
        load.communicate()
    url = elsewhere()
    assert restored(url, path, programs).revision == backup.revision
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert answers(url) == answers(database_url)
    assert examples(check(url, embedder="use")) == []
    with Memory(url) as memory, Memory(database_url) as original:
        ids = [span.message_id for span in memory.export("busy")]
        assert ids == [str(number) for number in range(len(ids))]
        assert stored < len(ids) <= original.bank("busy").messages
        for page in memory.pages("busy", limit=500).pages:
            assert memory.page_tokens("busy", page.id).tier == page.tier
        assert memory.store("busy", [{"role": "user", "content": "The restored one is written to."}]).stored == 1
    assert not [left for left in tmp_path.iterdir() if ".part" in left.name]


@pytest.mark.both_databases
def test_a_database_that_is_not_empty_is_left_alone(
    database_url: str, elsewhere: Callable[[], str], programs: Programs, tmp_path: Path
) -> None:
    with Memory(database_url) as memory:
        memory.store("ana", [{"role": "user", "content": "hello"}])
    made(database_url, tmp_path / "backup", programs)
    other = elsewhere()
    with Memory(other) as memory:
        memory.store("bo", [{"role": "user", "content": "mine"}])
    for url in (other, database_url):
        with pytest.raises(BackupError, match="is not empty"):
            restored(url, tmp_path / "backup", programs)
    with Memory(other) as memory:
        assert [bank.id for bank in memory.banks().banks] == ["bo"]


@pytest.mark.both_databases
def test_a_backup_of_a_newer_version_is_refused(
    database_url: str, elsewhere: Callable[[], str], programs: Programs, tmp_path: Path
) -> None:
    Memory(database_url).close()
    execute(database_url, "UPDATE alembic_version SET version_num = '2999_01_01_0001', oldest = '2999_01_01_0001'")
    made(database_url, tmp_path / "backup", programs)
    url = elsewhere()
    with pytest.raises(DatabaseTooNew, match="upgrade foxing"):
        restored(url, tmp_path / "backup", programs)
    Memory(url).close()  # still empty


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_damaged_backup_is_refused(
    database_url: str, elsewhere: Callable[[], str], programs: Programs, tmp_path: Path
) -> None:
    fill(database_url)
    path = tmp_path / "backup"
    made(database_url, path, programs)
    whole = path.read_bytes()
    middle = len(whole) // 2
    url = elsewhere()
    for damaged in (whole[:-5000], whole[:middle] + bytes(4096) + whole[middle + 4096 :], b"", b"x" + whole[1:]):
        path.write_bytes(damaged)
        with pytest.raises(BackupError, match=r"damaged|cannot be read as a backup"):
            restored(url, path, programs)
    path.write_bytes(whole)
    restored(url, path, programs)
    assert answers(url) == answers(database_url)


def without_tables(url: str) -> str:
    """A database that has none, or a file that is not there."""
    if url.startswith("sqlite"):
        return url.replace("foxing.db", "another.db")
    for (name,) in execute(url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"):
        execute(url, f'DROP TABLE "{name}" CASCADE')
    return url


@pytest.mark.both_databases
def test_nothing_is_replaced_by_a_slip(database_url: str, programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    with pytest.raises(BackupError, match=r"there is no database|has no tables"):
        made(without_tables(database_url), path, programs)
    Memory(database_url).close()
    made(database_url, path, programs)
    with pytest.raises(BackupError, match="--overwrite"):
        made(database_url, path, programs)
    made(database_url, path, programs, overwrite=True)
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    with pytest.raises(BackupError, match="is not a backup"):
        made(database_url, diary, programs, overwrite=True)
    with pytest.raises(BackupError, match="there is no folder"):
        made(database_url, tmp_path / "missing" / "backup", programs)
    assert diary.read_text() == "dear diary"


@pytest.mark.both_databases
def test_the_commands(database_url: str, elsewhere: Callable[[], str], programs: Programs, tmp_path: Path) -> None:
    path = str(tmp_path / "backup")
    with Memory(database_url) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
    options = [] if programs.folder is None else ["--programs", str(programs.folder)]
    written = Foxing(database_url).json("db", "backup", path, *options)
    assert (written["file"], written["bytes"]) == (path, Path(path).stat().st_size)
    other = Foxing(elsewhere())
    assert "--yes" in other.failure("db", "restore", path, *options)["detail"]
    assert "restored" in other.text("db", "restore", path, "--yes", *options)
    assert other.json("db", "upgrade", "--dry-run")["before"] == written["revision"]
    with Memory(other.database) as memory:
        assert memory.message("ana", "m").text == "hello"
    assert "not empty" in other.failure("db", "restore", path, "--yes", *options)["detail"]
