"""Journal of what passes: the turns that are known, and an outbox of those that are not yet in the bank. A process
that is killed loses nothing of it."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from foxing.integrations.outbox.file import OutboxFile
from foxing.memory import Fields, SessionTurns

#: Rows of a table that are older in days are removed when the journal is opened.
KEPT_DAYS: Mapping[str, int] = {"turns": 30, "answers": 30, "web_calls": 30}
#: Seconds to wait for another process that writes, before a request.
_ASK_S = 0.03
_TABLES = """
CREATE TABLE IF NOT EXISTS turns (
    place INTEGER PRIMARY KEY, scope TEXT NOT NULL, id TEXT NOT NULL, thread TEXT NOT NULL, stretch BLOB NOT NULL,
    digest BLOB NOT NULL, made_at TEXT NOT NULL, UNIQUE (scope, id)
);
CREATE INDEX IF NOT EXISTS turns_by_digest ON turns (scope, digest);
CREATE INDEX IF NOT EXISTS turns_by_stretch ON turns (scope, thread, stretch, place);
CREATE TABLE IF NOT EXISTS answers (
    scope TEXT NOT NULL, name TEXT NOT NULL, stretch BLOB NOT NULL, thread TEXT NOT NULL, place INTEGER NOT NULL,
    made_at TEXT NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS web_calls (
    scope TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, made_at TEXT NOT NULL, PRIMARY KEY (scope, name, id)
) WITHOUT ROWID;
"""
_OF_STRETCH = "FROM turns WHERE scope = ? AND thread = ? AND stretch = ?"


@dataclass(frozen=True)
class JournalTurn:
    """A turn to store."""

    message: Fields
    #: Its stretch and digest, see `SessionTurns`.
    stretch: bytes
    digest: bytes


class TurnJournal:
    """The journal of one bank. Thread-safe; several processes and banks may share the file."""

    def __init__(
        self, path: Path | None, scope: str, tables: str = "", kept_days: Mapping[str, int] = KEPT_DAYS
    ) -> None:
        """`path`: the file; None for one in memory, which ends with the process. `scope`: name of memory and bank.
        `tables`: SQL of further tables. `kept_days`: see `KEPT_DAYS`."""
        self.scope = scope
        #: Turns that are not yet in the bank.
        self.outbox = OutboxFile(path, scope, _TABLES + tables)
        #: A second connection, so that a request does not wait for the writes of another answer.
        self.asked = self.outbox.connect(_ASK_S)
        with self.asked as connection:
            # a checkpoint waits for the disk: answers make them, requests do not
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA read_uncommitted = ON")  # of a journal in memory, which else locks tables
        with self.outbox.writing() as connection:
            for table, days in kept_days.items():
                before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
                connection.execute(f"DELETE FROM {table} WHERE made_at < ?", (before,))

    def close(self) -> None:
        """Closes the file."""
        with self.asked as connection:
            connection.close()
        self.outbox.close()

    def conversation(self, name: str) -> SessionTurns | None:
        """Returns where the conversation goes on that a provider holds under an id; None if it has not passed here."""
        with self.asked as connection:
            row = connection.execute(
                "SELECT stretch, thread, place FROM answers WHERE scope = ? AND name = ?", (self.scope, name)
            ).fetchone()
            if row is None:
                return None
            stretch, thread, place = row
            calls = "SELECT id FROM web_calls WHERE scope = ? AND name = ?"
            web_calls = [id_ for (id_,) in connection.execute(calls, (self.scope, name))]
            return SessionTurns(thread, stretch, self._counts(connection, thread, stretch, place), web_calls)

    def written_ids(self, names: Iterable[str]) -> set[str]:
        """Returns the ids of turns that have been written."""
        written = "SELECT id FROM turns WHERE scope = ? AND id IN (SELECT value FROM json_each(?))"
        with self.asked as connection:
            return {name for (name,) in connection.execute(written, (self.scope, json.dumps(list(names))))}

    def overlap(
        self, digests: Sequence[bytes], thread: str | None, stretch: bytes
    ) -> tuple[SessionTurns, Sequence[str]] | None:
        """Returns the ids of the turns, at least two, with which these begin and another stretch ends, but not all of
        it, and that stretch before them; None if there is none. `thread`: that of the stretch; None for any. `stretch`:
        that in which these would be."""
        with self.asked as connection:
            places = connection.execute(
                "SELECT place, thread, stretch FROM turns WHERE scope = ? AND digest = ? AND stretch <> ? "
                "AND thread = COALESCE(?, thread) ORDER BY place DESC LIMIT 8",
                (self.scope, digests[0], stretch, thread),
            ).fetchall()
            for place, at, of in places:
                ended = connection.execute(
                    f"SELECT id, digest {_OF_STRETCH} AND place >= ? ORDER BY place LIMIT ?",
                    (self.scope, at, of, place, len(digests) + 1),
                ).fetchall()
                if len(ended) < 2 or [digest for _, digest in ended] != list(digests[: len(ended)]):
                    continue
                before = self._counts(connection, at, of, place - 1)
                if before:
                    return SessionTurns(at, of, before), [name for name, _ in ended]
        return None

    def _counts(self, connection: sqlite3.Connection, thread: str, stretch: bytes, place: int) -> Counter[bytes]:
        """Returns how often each turn was said in a stretch up to a place."""
        counted = f"SELECT digest, COUNT(*) {_OF_STRETCH} AND place <= ? GROUP BY digest"
        return Counter(dict(connection.execute(counted, (self.scope, thread, stretch, place)).fetchall()))

    def write(self, turns: Sequence[JournalTurn], names: Sequence[str], session: SessionTurns) -> int:
        """Writes turns that are not known yet, which are delivered in this order. Returns the number of new turns.
        `names`: ids under which the provider holds the conversation from now on. `session`: where it goes on."""
        if not turns and not names:
            return 0
        stamp = datetime.now(UTC).isoformat()
        insert = "INSERT OR REPLACE INTO answers SELECT ?, ?, ?, ?, COALESCE(MAX(place), 0), ? FROM turns"
        with self.outbox.writing() as connection:
            added = [turn.message for turn in turns if self._insert(connection, turn, stamp)]
            self.outbox.add(connection, added)
            for name in names:
                connection.execute(insert, (self.scope, name, session.stretch or b"", session.session, stamp))
                connection.execute("DELETE FROM web_calls WHERE scope = ? AND name = ?", (self.scope, name))
                rows = [(self.scope, name, call, stamp) for call in session.web_calls.ids]
                connection.executemany("INSERT INTO web_calls VALUES (?, ?, ?, ?)", rows)
        return len(added)

    def _insert(self, connection: sqlite3.Connection, turn: JournalTurn, stamp: str) -> bool:
        message = turn.message
        row = (self.scope, message["id"], message["thread"], turn.stretch, turn.digest, stamp)
        columns = "scope, id, thread, stretch, digest, made_at"
        insert = f"INSERT OR IGNORE INTO turns ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        return connection.execute(insert, row).rowcount > 0
