"""A database of this version is upgraded by a migration that comes later, with rows in its tables."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from support.command_line import Foxing
from support.databases import execute
from support.migrations import LATER, add_later_migration

from foxing.memory import Memory, StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("message_ages")]


def test_rows_of_every_kind_survive_an_upgrade(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(database_url, clock=lambda: NOW) as memory:
        for age_days, name in ((10, "old"), (1, "fresh"), (0, "open")):
            said = {"id": name, "role": "user", "content": f"The {name} crate is late.", "metadata": {"n": age_days}}
            memory.store("ana", [{**said, "created_at": NOW - age_days * DAY}], thread=name, idempotency_key=name)
            if name != "open":
                memory.seal("ana")
        memory.records.write("ana", [{"op": "put", "namespace": ["notes"], "key": "k", "value": 1}])
        assert len(memory.age("ana").moved) == 1
        before, records = list(memory.export("ana")), memory.records.search("ana").records
    add_later_migration(monkeypatch, tmp_path / "later")
    with Memory(database_url, clock=lambda: NOW) as memory:
        assert list(memory.export("ana")) == before
        assert memory.records.search("ana").records == records
        assert memory.store("ana", [{**said, "created_at": NOW}], thread="open").duplicates == 1
        assert memory.undo("ana").restored
        assert memory.recall("ana", "crate").spans
    with Database(database_url) as database:
        assert database.revision() == LATER
        with database.read() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    # PostgreSQL has the owners of policies as well
    assert [change for change in differences if change[0] != "remove_column"] == []
    assert sorted(execute(database_url, "SELECT text FROM thread_notes")) == [("fresh",), ("old",), ("open",)]
    archived = [bool(value) for (value,) in execute(database_url, "SELECT archived FROM threads ORDER BY name")]
    assert archived == [True, True, False]
    assert Foxing(database_url).json("db", "check")["ok"]


@pytest.mark.parametrize("revision", ["2026_11_25_0001", "2026_12_01_0029"])
def test_a_database_from_before_the_first_release_is_refused(database_url: str, revision: str) -> None:
    with Memory(database_url) as memory:
        memory.store("ana", [{"role": "user", "content": "hello"}])
    execute(database_url, f"UPDATE alembic_version SET version_num = '{revision}'")
    with pytest.raises(StorageError, match=f"schema {revision}.*export its banks with that version"):
        Memory(database_url)
    assert "import them here" in Foxing(database_url).failure("db", "upgrade")["detail"]
    assert execute(database_url, "SELECT count(*) FROM messages") == [(1,)]
