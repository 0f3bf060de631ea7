"""Journal of a wrapped client: which turns are known and what was added to which, beside those in its outbox that are
not yet in the memory. A process that is killed loses nothing of it."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from foxing.integrations.outbox.file import OutboxFile

from .turns import WireTurn

#: Rows that are older are removed when the journal is opened.
KEPT_DAYS = 180
_CACHED_ROWS = 20_000
#: Seconds to wait for another process that writes, before a request.
_ASK_S = 0.03
_TABLES = """
CREATE TABLE IF NOT EXISTS turns (
    scope TEXT NOT NULL, prefix BLOB NOT NULL, thread TEXT NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL,
    made_at TEXT NOT NULL, PRIMARY KEY (scope, prefix)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS turns_by_digest ON turns (scope, digest, thread, position);
CREATE TABLE IF NOT EXISTS additions (
    prefix BLOB PRIMARY KEY, text TEXT NOT NULL, shown TEXT NOT NULL, made_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    id TEXT PRIMARY KEY, prefix BLOB NOT NULL, thread TEXT NOT NULL, position INTEGER NOT NULL, made_at TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class TurnPlace:
    """Place of a turn in a conversation."""

    #: Digest of this turn and everything before it.
    prefix: bytes
    #: Thread in the bank; empty before the first turn.
    thread: str
    #: Number of turns before it; -1 before the first.
    position: int

    @property
    def message_id(self) -> str:
        """Id of the message in the bank."""
        return f"w-{self.prefix.hex()}"


@dataclass(frozen=True)
class Found:
    """Addition to a turn of the user."""

    #: Fenced text; empty if nothing is added.
    text: str = ""
    #: Ids of the messages in it.
    shown: tuple[str, ...] = ()


class TurnJournal:
    """The journal of one memory and bank. Thread-safe; several processes and memories may share the file."""

    def __init__(self, path: Path | None, scope: str) -> None:
        """`path`: the file; None for one in memory, which ends with the process. `scope`: name of memory and bank."""
        self._scope = scope
        self._known: dict[bytes, TurnPlace] = {}
        #: Turns that are not yet in the memory.
        self.outbox = OutboxFile(path, scope, _TABLES)
        # a second connection, so that a request does not wait for the writes of another answer
        self._asked = self.outbox.connect(_ASK_S)
        with self._asked as connection:
            # a checkpoint waits for the disk: answers make them, requests do not
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        before = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).isoformat()
        with self.outbox.writing() as connection:
            for table in ("turns", "additions", "answers"):
                connection.execute(f"DELETE FROM {table} WHERE made_at < ?", (before,))

    def close(self) -> None:
        """Closes the file."""
        with self._asked as connection:
            connection.close()
        self.outbox.close()

    def place(self, prefix: bytes) -> TurnPlace | None:
        """Returns the place of a known turn."""
        known = self._known.get(prefix)
        if known is not None:
            return known
        with self._asked as connection:
            row = connection.execute(
                "SELECT prefix, thread, position FROM turns WHERE scope = ? AND prefix = ?", (self._scope, prefix)
            ).fetchone()
            return self._note(TurnPlace(*row)) if row else None

    def later(self, digest: bytes, thread: str | None, after: int) -> list[TurnPlace]:
        """Returns the places of known turns with this content beyond a position, the nearest first: of a thread, or of
        all threads, the newest first."""
        with self._asked as connection:
            if thread is not None:
                order = "thread = ? AND position > ? ORDER BY position LIMIT 8"
                arguments: tuple[object, ...] = (self._scope, digest, thread, after)
            else:
                order, arguments = "TRUE ORDER BY made_at DESC LIMIT 8", (self._scope, digest)
            sql = f"SELECT prefix, thread, position FROM turns WHERE scope = ? AND digest = ? AND {order}"
            return [TurnPlace(*row) for row in connection.execute(sql, arguments)]

    def addition(self, prefix: bytes, since: datetime | None = None) -> Found | None:
        """Returns what was added to the user's turn at a place; None if that was not decided, or before `since`."""
        with self._asked as connection:
            row = connection.execute(
                "SELECT text, shown, made_at FROM additions WHERE prefix = ?", (prefix,)
            ).fetchone()
        if row is None or (since is not None and row[2] < since.isoformat()):
            return None
        return Found(row[0], tuple(json.loads(row[1])))

    def add(self, prefix: bytes, found: Found, now: datetime) -> None:
        """Writes what was added to the user's turn at a place."""
        row = (prefix, found.text, json.dumps(found.shown), now.isoformat())
        with self._asked as connection:
            connection.execute("INSERT OR REPLACE INTO additions VALUES (?, ?, ?, ?)", row)

    def answered(self, name: str) -> TurnPlace | None:
        """Returns the place of an answer by its id."""
        with self._asked as connection:
            row = connection.execute("SELECT prefix, thread, position FROM answers WHERE id = ?", (name,)).fetchone()
        return TurnPlace(*row) if row else None

    def write(
        self, turns: Sequence[tuple[WireTurn, TurnPlace, datetime]], names: Sequence[str], last: TurnPlace
    ) -> None:
        """Writes new turns with their times, which are delivered in this order, and the names under which the provider
        holds the conversation up to its last turn."""
        with self.outbox.writing() as connection:
            for number, (turn, place, said_at) in enumerate(turns):
                self._write_turn(connection, turn, place, said_at + timedelta(microseconds=number))
            for name in names:
                row = (name, last.prefix, last.thread, last.position, datetime.now(UTC).isoformat())
                connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", row)
        for _, place, _ in turns:
            self._note(place)

    def _write_turn(self, connection: sqlite3.Connection, turn: WireTurn, place: TurnPlace, said_at: datetime) -> None:
        stamp = said_at.isoformat()
        row = (self._scope, place.prefix, place.thread, place.position, turn.digest, stamp)
        if not connection.execute("INSERT OR IGNORE INTO turns VALUES (?, ?, ?, ?, ?, ?)", row).rowcount:
            return  # another call of the same conversation was faster
        message = {**turn.message, "id": place.message_id, "created_at": stamp, "thread": place.thread}
        self.outbox.add(connection, [message])

    def _note(self, place: TurnPlace) -> TurnPlace:
        if len(self._known) >= _CACHED_ROWS:
            self._known = {}
        self._known[place.prefix] = place
        return place
