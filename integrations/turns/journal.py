"""Journal of what passes: the turns that are known, and an outbox of those that are not yet in the bank. A process
that is killed loses nothing of it."""

import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from foxing.integrations.outbox.file import OutboxFile
from foxing.memory.conversation.turns import DIGEST_BYTES
from foxing.memory.values.base import Fields

#: Rows that are older are removed when the journal is opened.
KEPT_DAYS = 30
#: Seconds to wait for another process that writes, before a request.
_ASK_S = 0.03
_CACHED = 200_000
_CONVERSATIONS = 1_000
_TABLES = """
CREATE TABLE IF NOT EXISTS turns (
    place INTEGER PRIMARY KEY, scope TEXT NOT NULL, id TEXT NOT NULL, thread TEXT NOT NULL, stretch BLOB NOT NULL,
    digest BLOB NOT NULL, made_at TEXT NOT NULL, UNIQUE (scope, id)
);
CREATE INDEX IF NOT EXISTS turns_by_digest ON turns (scope, digest);
CREATE INDEX IF NOT EXISTS turns_by_stretch ON turns (scope, thread, stretch, place);
CREATE TABLE IF NOT EXISTS answers (
    scope TEXT NOT NULL, name TEXT NOT NULL, parent TEXT, stretch BLOB NOT NULL, thread TEXT NOT NULL,
    digests BLOB NOT NULL, made_at TEXT NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
"""
_OF_STRETCH = "FROM turns WHERE scope = ? AND thread = ? AND stretch = ?"


@dataclass(frozen=True)
class HeldConversation:
    """Conversation that a provider holds under the id of an answer."""

    #: How often each turn was said in its last stretch, and that stretch; see `SessionTurns`.
    stretch: bytes
    thread: str
    counts: Counter[bytes]


@dataclass(frozen=True)
class KeptTurns:
    """Turns with which a stretch ended, said again by a client that left out what was before them."""

    thread: str
    stretch: bytes
    #: How often each turn was said before them in their stretch.
    counts: Counter[bytes]
    #: Their ids.
    ids: Sequence[str]


@dataclass(frozen=True)
class JournalTurn:
    """A turn to store."""

    message: Fields
    #: Its stretch and digest, see `SessionTurns`.
    stretch: bytes
    digest: bytes


@dataclass(frozen=True)
class NamedAnswer:
    """An id under which a provider holds a conversation from now on."""

    name: str
    #: The id that it continues; None if `digests` are those of the whole conversation.
    parent: str | None
    stretch: bytes
    thread: str
    #: Digests of what was said since.
    digests: Sequence[bytes]


class TurnJournal:
    """The journal of one bank. Thread-safe; several processes and banks may share the file."""

    def __init__(self, path: Path | None, scope: str, tables: str = "") -> None:
        """`path`: the file; None for one in memory, which ends with the process. `scope`: name of memory and bank.
        `tables`: SQL of further tables."""
        self.scope = scope
        #: Turns that are not yet in the bank.
        self.outbox = OutboxFile(path, scope, _TABLES + tables)
        #: A second connection, so that a request does not wait for the writes of another answer.
        self.asked = self.outbox.connect(_ASK_S)
        with self.asked as connection:
            # a checkpoint waits for the disk: answers make them, requests do not
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA read_uncommitted = ON")  # of a journal in memory, which else locks tables
        self._lock = threading.Lock()
        self._known: set[str] = set()
        #: Conversations by the ids of their answers, the least recently used first.
        self._held: OrderedDict[str, HeldConversation] = OrderedDict()
        before = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).isoformat()
        with self.outbox.writing() as connection:
            for table in ("turns", "answers"):
                connection.execute(f"DELETE FROM {table} WHERE made_at < ?", (before,))

    def close(self) -> None:
        """Closes the file."""
        with self.asked as connection:
            connection.close()
        self.outbox.close()

    def held(self, name: str) -> HeldConversation | None:
        """Returns the conversation that a provider holds under an id; None if it has not passed here."""
        with self._lock, self.asked as connection:
            known = self._held.get(name)
            return known or self._read_held(connection, name)

    def _read_held(self, connection: sqlite3.Connection, name: str) -> HeldConversation | None:
        said: Counter[bytes] = Counter()
        found: HeldConversation | None = None
        at: str | None = name
        visited: set[str] = set()
        while at is not None and at not in visited:
            visited.add(at)
            known = self._held.get(at)
            if known is not None:
                said.update(known.counts)
                found = found or HeldConversation(known.stretch, known.thread, said)
                break
            row = connection.execute(
                "SELECT parent, stretch, thread, digests FROM answers WHERE scope = ? AND name = ?", (self.scope, at)
            ).fetchone()
            if row is None:
                break
            at, stretch, thread, digests = row
            said.update(digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES))
            found = found or HeldConversation(stretch, thread, said)
        return found

    def knows(self, name: str) -> bool:
        """Returns True if a turn with this id has been written."""
        if name not in self._known:
            with self.asked as connection:
                written = "SELECT 1 FROM turns WHERE scope = ? AND id = ?"
                if connection.execute(written, (self.scope, name)).fetchone() is None:
                    return False
            self._note_known([name])
        return True

    def kept(self, digests: Sequence[bytes], thread: str | None, stretch: bytes) -> KeptTurns | None:
        """Returns the turns, at least two, with which these begin and another stretch ends, but not all of it; None if
        there is none. `thread`: that of the stretch; None for any. `stretch`: that in which these would be."""
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
                before = connection.execute(
                    f"SELECT digest, COUNT(*) {_OF_STRETCH} AND place < ? GROUP BY digest", (self.scope, at, of, place)
                ).fetchall()
                if before:
                    return KeptTurns(at, of, Counter(dict(before)), [name for name, _ in ended])
        return None

    def write(self, turns: Sequence[JournalTurn], names: Sequence[NamedAnswer]) -> int:
        """Writes turns that are not known yet, which are delivered in this order, and the ids under which the provider
        holds them. Returns the number of new turns."""
        if not turns and not names:
            return 0
        stamp = datetime.now(UTC).isoformat()
        with self.outbox.writing() as connection:
            added = [turn.message for turn in turns if self._insert(connection, turn, stamp)]
            if added:
                self.outbox.add(connection, added)
            for each in names:
                connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self.scope, each.name, each.parent, each.stretch, each.thread, b"".join(each.digests), stamp),
                )
        self._note_known([str(turn.message["id"]) for turn in turns])
        with self._lock:
            for each in names:
                self._note(each)
        return len(added)

    def _insert(self, connection: sqlite3.Connection, turn: JournalTurn, stamp: str) -> bool:
        message = turn.message
        row = (self.scope, message["id"], message["thread"], turn.stretch, turn.digest, stamp)
        columns = "scope, id, thread, stretch, digest, made_at"
        insert = f"INSERT OR IGNORE INTO turns ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        return connection.execute(insert, row).rowcount > 0

    def _note_known(self, names: Iterable[str]) -> None:
        with self._lock:
            if len(self._known) > _CACHED:
                self._known.clear()
            self._known.update(names)

    def _note(self, answer: NamedAnswer) -> None:
        before = self._held.get(answer.parent) if answer.parent is not None else None
        if answer.parent is not None and before is None:
            self._held.pop(answer.name, None)
            return  # read from the file when it is needed
        said = Counter(before.counts) if before is not None else Counter[bytes]()
        said.update(answer.digests)
        self._held[answer.name] = HeldConversation(answer.stretch, answer.thread, said)
        self._held.move_to_end(answer.name)
        if len(self._held) > _CONVERSATIONS:
            self._held.popitem(last=False)
