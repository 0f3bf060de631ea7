"""File of an outbox: a SQLite file with the messages that are not yet in their bank. A process that is killed loses
nothing of it, and what has been delivered is overwritten."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path

from foxing.integrations.frameworks.batches import REQUEST_BYTES
from foxing.memory import Fields, Unavailable
from foxing.renderer import ProblemKind
from foxing.renderer.private_files import prepare_sqlite

#: What has an outbox of its own in the user's data folder.
DOORS = ("proxy", "wrap", "frameworks")
#: Limits on what waits for a bank. Further messages are refused; those that wait stay.
MAX_ENTRIES = 100_000
MAX_BYTES = 256 << 20
#: Messages that are delivered at once.
_AT_ONCE = 200
#: Seconds to wait for another process that writes.
_WRITE_S = 5.0
#: Milliseconds in which the log is emptied, or not yet: messages wait to be written.
_EMPTY_MS = 100
#: Version of the tables. The free pages of a file of this version hold nothing that was said.
_VERSION = 4
#: Tables of earlier versions, and those that had other columns in them.
_OLD_TABLES = ("outbox", "turns", "answers", "additions")
_TABLES = """
CREATE TABLE IF NOT EXISTS outbox_entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, id TEXT NOT NULL, message TEXT NOT NULL,
    added_at TEXT NOT NULL, UNIQUE (scope, id)
);
CREATE INDEX IF NOT EXISTS outbox_order ON outbox_entries (scope, number);
CREATE TABLE IF NOT EXISTS outbox_scopes (
    scope TEXT PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0,
    last_error TEXT, failed_at TEXT
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS outbox_added AFTER INSERT ON outbox_entries BEGIN
    INSERT INTO outbox_scopes (scope, entries, bytes) VALUES (NEW.scope, 1, LENGTH(NEW.message))
    ON CONFLICT DO UPDATE SET entries = entries + 1, bytes = bytes + LENGTH(NEW.message);
END;
CREATE TRIGGER IF NOT EXISTS outbox_removed AFTER DELETE ON outbox_entries BEGIN
    UPDATE outbox_scopes SET entries = entries - 1, bytes = bytes - LENGTH(OLD.message) WHERE scope = OLD.scope;
END;
"""


class OutboxFull(Unavailable):
    """The outbox holds as much as it may; what waits in it stays."""

    kind = ProblemKind("outbox-full", 503, "The outbox is full", retry="later")


@dataclass(frozen=True)
class OutboxEntry:
    """A message that is not yet in its bank."""

    number: int
    message: Fields


@dataclass(frozen=True)
class OutboxState:
    """State of what waits for a bank."""

    #: Memory and bank.
    scope: str
    entries: int = 0
    #: Size of the messages, in bytes of JSON.
    bytes: int = 0
    #: Time at which the oldest was added, RFC 3339; None if none waits.
    oldest: str | None = None
    #: Number of messages that the bank refused for ever, and which were given up.
    refused: int = 0
    #: Why the last delivery failed, and when; None if it succeeded.
    last_error: str | None = None
    failed_at: str | None = None


class SharedConnection:
    """A connection to SQLite that one thread uses at a time, as the value of a `with` block."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            address, timeout=timeout_s, isolation_level=None, check_same_thread=False, uri=True
        )

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class OutboxFile:
    """The outbox of one bank. Thread-safe; several processes and banks may share the file."""

    def __init__(self, path: Path | None, scope: str, tables: str = "") -> None:
        """`path`: the file; None for one in memory, which ends with the process. `scope`: name of memory and bank.
        `tables`: SQL of tables that are written together with the messages. Raises `OSError`, `sqlite3.Error`."""
        self.scope = scope
        if path is not None:
            prepare_sqlite(path)  # it holds what was said
        self._address = f"file:foxing-{id(self)}?mode=memory&cache=shared" if path is None else path.absolute().as_uri()
        #: Connection for single statements.
        self.shared = self.connect(_WRITE_S)
        with self.shared as connection:
            connection.executescript(_TABLES + tables)
            _empty_log(connection)

    def connect(self, timeout_s: float) -> SharedConnection:
        """Returns another connection to the file. `timeout_s`: time to wait for a process that writes."""
        shared = SharedConnection(self._address, timeout_s)
        with shared as connection:
            _forget_deleted(connection)
        return shared

    def close(self) -> None:
        """Closes the file."""
        with self.shared as connection:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Runs the block in a transaction, which is rolled back if it raises. Yields its connection."""
        with self.shared as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back itself, as on a full disk
                    connection.execute("ROLLBACK")
                raise

    def add(self, connection: sqlite3.Connection, messages: Iterable[Fields]) -> None:
        """Adds messages, which have ids, in a transaction of `writing`; those that wait already are left. Raises
        `OutboxFull`, after which the transaction must be rolled back."""
        stamp = datetime.now(UTC).isoformat()
        connection.executemany(
            "INSERT OR IGNORE INTO outbox_entries (scope, id, message, added_at) VALUES (?, ?, ?, ?)",
            [(self.scope, message["id"], json.dumps(message), stamp) for message in messages],
        )
        state = _state(connection, self.scope)
        if state.entries > MAX_ENTRIES or state.bytes > MAX_BYTES:
            raise OutboxFull(
                f"{state.entries:,} messages with {state.bytes:,} bytes would wait for {self.scope}, more than the "
                f"{MAX_ENTRIES:,} messages and {MAX_BYTES:,} bytes of an outbox; make the memory reachable "
                f"({state.last_error or 'it has not been tried'})"
            )

    def pending(self) -> list[OutboxEntry]:
        """Returns the oldest messages, at least one, as many as fit into a request."""
        entries: list[OutboxEntry] = []
        room = REQUEST_BYTES
        with self.shared as connection:
            for number, message in connection.execute(
                "SELECT number, message FROM outbox_entries WHERE scope = ? ORDER BY number LIMIT ?",
                (self.scope, _AT_ONCE),
            ):
                room -= len(message)
                if entries and room < 0:
                    break
                entries.append(OutboxEntry(number, json.loads(message)))
        return entries

    def remove(self, entries: Sequence[OutboxEntry], *, refused: bool = False) -> None:
        """Removes messages that are in the bank, or that it refused for ever."""
        numbers = [(entry.number,) for entry in entries]
        with self.writing() as connection:
            connection.executemany("DELETE FROM outbox_entries WHERE number = ?", numbers)
            connection.execute(
                "UPDATE outbox_scopes SET refused = refused + ?, last_error = NULL, failed_at = NULL WHERE scope = ?",
                (len(numbers) if refused else 0, self.scope),
            )

    def note_failure(self, error: Exception) -> None:
        """Notes why the last delivery failed."""
        with self.shared as connection:
            connection.execute(
                "UPDATE outbox_scopes SET last_error = ?, failed_at = ? WHERE scope = ?",
                (f"{type(error).__name__}: {error}", datetime.now(UTC).isoformat(), self.scope),
            )

    def state(self) -> OutboxState:
        """Returns what waits."""
        with self.shared as connection:
            return _state(connection, self.scope)

    def forget(self) -> bool:
        """Removes delivered messages from the log of the file as well, where they would stay until it is overwritten.
        Returns False if another process uses it at the moment."""
        with self.shared as connection:
            return _empty_log(connection)


def outbox_path(door: str) -> Path:
    """Returns the file of one of the `DOORS`, where none is named."""
    return user_data_path("foxing") / f"{door}.db"


def states(path: Path) -> list[OutboxState]:
    """Returns what waits in a file, by memory and bank; nothing for a file that does not exist or cannot be read."""
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_WRITE_S, uri=True)) as connection:
            scopes = connection.execute("SELECT scope FROM outbox_scopes ORDER BY scope").fetchall()
            return [_state(connection, scope) for (scope,) in scopes]
    except sqlite3.Error:
        return []


def _state(connection: sqlite3.Connection, scope: str) -> OutboxState:
    row = connection.execute(
        "SELECT scope, entries, bytes, (SELECT added_at FROM outbox_entries WHERE scope = outbox_scopes.scope "
        "ORDER BY number LIMIT 1), refused, last_error, failed_at FROM outbox_scopes WHERE scope = ?",
        (scope,),
    ).fetchone()
    return OutboxState(scope) if row is None else OutboxState(*row)


def _forget_deleted(connection: sqlite3.Connection) -> None:
    """Sets up a connection that overwrites what it deletes, and clears what an earlier version has left."""
    # a commit survives a killed process; the last ones may be lost when the machine loses power
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
        with suppress(sqlite3.OperationalError):  # another process uses the file; the next one to open it tries again
            for table in _OLD_TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute("VACUUM")
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Empties the write-ahead log, in which deleted rows stay until it is overwritten. Returns False if another
    connection needs it for longer than a moment; nothing is lost then."""
    usual_ms = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {_EMPTY_MS}")
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual_ms}")
    return not busy
