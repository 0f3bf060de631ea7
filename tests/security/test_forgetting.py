"""What is left in the files of the database of a text that has been purged."""

import hashlib
import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from support.databases import store_whole_texts

from foxing.api.logs import configure_logs
from foxing.api.settings import load_settings
from foxing.memory import Conflict, Memory, StorageError
from foxing.memory.storage.database import Database
from foxing.memory.storage.manifest import PageManifest

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
COUNT = 120
PIN = "my PIN is 4821"
AGEING = {"age_from": "message"}  # the messages are older than the test


def said(number: int) -> str:
    return f"The {number}th crate went to Harbour Road {number}, whatever the customs officer wrote about it."


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path) as memory:
        messages = [
            {"id": str(n), "role": "user", "content": said(n), "created_at": START + timedelta(minutes=n)}
            for n in range(COUNT)
        ]
        memory.set_policy("ana", AGEING)
        memory.store("ana", [*messages, {"id": "pin", "role": "user", "content": PIN, "created_at": START}])
        yield memory


def raw(database: Path) -> bytes:
    """The bytes of the database and of its write-ahead log."""
    log = Path(f"{database}-wal")
    return database.read_bytes() + (log.read_bytes() if log.exists() else b"")


def holds(database: Path, blobs: list[bytes]) -> bool:
    """Whether a part of a blob is left that no page has now; it may have been cut at the pages of the database."""
    left, now = raw(database), b"".join(contents(database)[0])
    parts = [blob[at : at + 48] for blob in blobs for at in range(0, len(blob) - 48, 48)]
    return any(part in left and part not in now for part in parts)


def contents(database: Path) -> tuple[list[bytes], list[bytes]]:
    """The tokens and the compressed texts of all pages."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT tokens, text FROM page_contents").fetchall()
    return [bytes(row[0]) for row in rows], [bytes(row[1]) for row in rows if row[1] is not None]


def digests(database: Path) -> list[bytes]:
    """Those of all messages; of sealed ones the first bytes, or nothing."""
    with closing(sqlite3.connect(database)) as connection:
        found = [bytes(row[0]) for row in connection.execute("SELECT digest FROM messages")]
        packed = [bytes(row[0]) for row in connection.execute("SELECT manifest FROM page_manifests")]
    return found + [message.digest for blob in packed for message in PageManifest.unpack(blob).messages]


def test_nothing_is_left_of_what_is_purged(memory: Memory, database_path: Path) -> None:
    memory.seal("ana", now=START + DAY)
    store_whole_texts(f"sqlite:///{database_path}", memory)
    tokens, texts = contents(database_path)
    assert texts
    memory.age("ana", now=START + 8 * DAY)
    assert holds(database_path, tokens)  # they can be restored
    assert holds(database_path, texts)
    memory.age("ana", now=START + 16 * DAY)
    left = raw(database_path)
    assert not holds(database_path, [*tokens, *texts])
    assert not [n for n in range(COUNT) if said(n).encode() in left]
    assert PIN.encode() not in left
    assert not any(digests(database_path))


def test_a_digest_cannot_be_found_by_trying(memory: Memory, database_path: Path) -> None:
    identity = json.dumps(["user", None, PIN]).encode()
    guesses = {hashlib.sha256(identity).digest()[:16], hashlib.sha256(PIN.encode()).digest()[:16]}
    assert all(digests(database_path))
    assert not guesses & set(digests(database_path))


@pytest.mark.slow
def test_a_message_whose_text_is_forgotten_is_still_stored_once(memory: Memory) -> None:
    memory.seal("ana", now=START + DAY)
    for days in (8, 16):
        memory.age("ana", now=START + days * DAY)
    again = {"id": "pin", "role": "user", "content": PIN, "created_at": START}
    assert memory.store("ana", [again]).duplicates == 1
    with pytest.raises(Conflict):
        memory.store("ana", [{**again, "content": PIN + "0"}])
    with pytest.raises(Conflict):
        memory.store("ana", [{**again, "role": "assistant"}])


@pytest.mark.slow
def test_a_kept_text_keeps_its_digest(memory: Memory, database_path: Path) -> None:
    memory.set_policy("ana", {**AGEING, "keep_text": "always"})
    memory.seal("ana", now=START + DAY)
    for days in (8, 16, 40, 50):
        memory.age("ana", now=START + days * DAY)
    assert all(digests(database_path))
    with pytest.raises(Conflict):
        memory.store("ana", [{"id": "pin", "role": "user", "content": "my PIN is 4822", "created_at": START}])


@pytest.mark.slow
def test_the_log_of_the_database_is_erased_once_no_reader_needs_it(memory: Memory, database_path: Path) -> None:
    memory.seal("ana", now=START + DAY)
    store_whole_texts(f"sqlite:///{database_path}", memory)
    tokens, texts = contents(database_path)
    memory.age("ana", now=START + 8 * DAY)
    with closing(sqlite3.connect(database_path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchone()
        memory.age("ana", now=START + 16 * DAY)
        assert holds(database_path, [*tokens, *texts])
    memory.tick(now=START + 16 * DAY)
    assert not holds(database_path, [*tokens, *texts])


def test_no_log_shows_the_parameters_of_a_statement(database_path: Path, root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({"log_format": "text"}), stream)
    database = Database(database_path)
    try:
        with database.read() as connection:
            connection.execute(text("SELECT * FROM nothing WHERE said = :said"), {"said": PIN})
    except StorageError:
        logging.getLogger("foxing").exception("failed for a reason")
    assert "failed for a reason" in stream.getvalue()
    assert PIN not in stream.getvalue()
    database.close()
