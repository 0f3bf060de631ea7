"""The migration that adds metadata and parts keeps the rows of a bank."""

import pytest
from alembic import command
from sqlalchemy import text

from foxing.memory import Memory
from foxing.memory.storage.database import Database, alembic_config

pytestmark = pytest.mark.both_databases


def run(database: Database, revision: str, *, upgrade: bool) -> None:
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        (command.upgrade if upgrade else command.downgrade)(config, revision)


def test_messages_from_before_are_plain_and_without_metadata(database_url: str) -> None:
    hello = {"id": "m", "role": "user", "content": "△ hello"}
    with Memory(database_url) as memory:
        memory.store("ana", [hello, {"role": "user", "content": "sealed", "id": "s"}])
        memory.seal("ana")
        memory.store("ana", [{**hello, "id": "open"}])
        memory.seal("ana")
    database = Database(database_url)
    run(database, "2026_11_25_0001", upgrade=False)
    with database.read() as connection:
        names = set(connection.execute(text("SELECT * FROM messages")).keys())
        assert not names & {"metadata", "parts"}
    database.close()
    with Memory(database_url) as memory:
        for key in ("m", "open"):
            message = memory.message("ana", key)
            assert (message.text, message.parts, message.metadata) == ("△ hello", None, {})
        assert memory.store("ana", [hello]).duplicates == 1
        (new,) = memory.store("ana", [{"role": "user", "content": "later"}]).ids
        texts = {span.message_id: span.text for span in memory.export("ana")}
        assert texts == {"m": "△ hello", "s": "sealed", "open": "△ hello", new: "later"}  # no number was used twice
        assert memory.reindex("ana", words=True).indexed == 4  # the schema of before had words, not their hashes
        assert [span.message_id for span in memory.recall("ana", "sealed", limit=1).spans] == ["s"]
