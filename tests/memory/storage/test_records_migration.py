"""The migration that adds records keeps the rows of a bank, and the bank can have records afterwards."""

from pathlib import Path

from alembic import command
from sqlalchemy import inspect

from foxing.memory import Memory
from foxing.memory.storage.database import Database, alembic_config


def test_a_bank_from_before_keeps_its_messages_and_takes_records(database_path: Path) -> None:
    put = {"op": "put", "namespace": ["notes"], "key": "k", "value": 1}
    with Memory(database_path) as memory:
        memory.store("ana", [{"role": "user", "content": "sealed", "id": "s"}])
        memory.seal("ana")
        memory.store("ana", [{"role": "user", "content": "hello", "id": "m"}])
        memory.records.write("ana", [put])
    database = Database(database_path)
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "2026_11_26_0007")
        assert "records" not in inspect(connection).get_table_names()
    database.close()
    with Memory(database_path) as memory:
        assert [memory.message("ana", key).text for key in ("s", "m")] == ["sealed", "hello"]
        assert memory.records.search("ana").records == []
        assert memory.records.write("ana", [put]).changes[0].version == 1
        assert memory.bank("ana").messages == 2
