"""A process is killed in the middle of a migration: the database is as it was, and the next upgrade does all of it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from support.command_line import Foxing
from support.databases import execute, store_whole_texts
from support.search_doubles import HashingEmbedder

from foxing.memory import Memory, MemoryOptions, RecalledMessage
from foxing.memory.storage.database import Database

Fill = Callable[[Memory, range], None]
Check = Callable[[Memory, int], None]

SEALED, MESSAGES = 40, 60
QUESTION = "the parcels of the courier"

#: `foxing db upgrade`, which kills itself before the first statement that begins as the second argument says.
UPGRADE = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from foxing.api.cli.main import app
database, moment = sys.argv[1:]
def before(statement):
    if " ".join(statement.split()).startswith(moment):
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", lambda connection, cursor, statement, *_: before(statement))
event.listen(Engine, "commit", lambda connection: before("COMMIT"))
app(["--database", database, "db", "upgrade"])
"""

#: Moments of the migration that packs sealed messages, and its end.
MOMENTS = (
    "INSERT INTO page_directories",
    "INSERT INTO message_keys",
    "DROP TABLE spans",
    "DELETE FROM messages",
    "COMMIT",
)


#: Tables whose rows a migration may pack in another way, but neither lose nor add.
TABLES = (
    "banks",
    "threads",
    "pages",
    "page_contents",
    "keepsakes",
    "wastebasket",
    "embeddings",
    "records",
    "rehearsals",
)


def state(url: str, memory: Memory) -> dict[str, object]:
    """What must be the same after the migration. The earlier schema does not know when messages arrived."""
    rows = {table: execute(url, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    assert all(rows.values()), rows
    return {
        **rows,
        "messages": [[_said(span) for span in memory.export(bank)] for bank in ("ana", "ben", "old")],
        "found": [_said(span) for span in memory.recall("ana", QUESTION).spans],
        "records": memory.records.search("ben").records,
    }


def _said(span: RecalledMessage) -> dict[str, object]:
    return span.model_dump(exclude={"arrived_at"})


@pytest.mark.both_databases
def test_a_killed_migration_is_done_by_the_next(
    database_url: str, store: Fill, check_whole: Check, later: datetime, downgrade: Callable[[str], str]
) -> None:
    options = MemoryOptions(embedder=HashingEmbedder())
    with Memory(database_url, options=options) as memory:
        store(memory, range(SEALED))
        memory.seal("ana")
        store(memory, range(SEALED, MESSAGES))
        memory.store("ben", [{"role": "user", "content": "a message without an id", "metadata": {"n": 1}}])
        memory.records.write("ben", [{"op": "put", "namespace": ["notes"], "key": "k", "value": [1, 2]}])
        aged = {
            "id": "a",
            "role": "user",
            "content": f"{'The courier was late again. ' * 40}See https://example.com/a/b",
        }
        memory.store("old", [{**aged, "created_at": later - timedelta(days=400)}])
        memory.seal("old", now=later)
        store_whole_texts(database_url, memory)  # as the earlier schema has them
        memory.age("old", now=later)
        memory.recall("ana", QUESTION)
    with Memory(database_url, options=options) as memory:
        before = state(database_url, memory)
    earlier = downgrade(database_url)
    for moment in MOMENTS:
        command = [sys.executable, "-W", "ignore", "-c", UPGRADE, database_url, moment]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL, (moment, done.stdout, done.stderr)
        with Database(database_url) as database:
            assert database.revision() == earlier
    Foxing(database_url).json("db", "upgrade")
    with Memory(database_url, options=options) as memory:
        check_whole(memory, MESSAGES)
        assert state(database_url, memory) == before
        assert memory.undo("old", now=later).restored
    assert Foxing(database_url).json("db", "check")["sound"]
