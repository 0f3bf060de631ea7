"""Journal of the proxy: a SQLite file that says which turns are known, and which are not yet in the bank. A process
that is killed loses nothing of it."""

import json
import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from foxing.integrations.frameworks.journals import empty_log, forget_deleted
from foxing.memory.conversation.turns import DIGEST_BYTES
from foxing.memory.values.base import Fields
from foxing.renderer.private_files import prepare_sqlite

#: Rows that are older are removed when the journal is opened.
KEPT_DAYS = 30
#: Seconds to wait for another process that writes.
_WAIT_S = 5.0
#: Milliseconds in which the log is emptied, or not yet: turns wait to be written.
_EMPTY_MS = 100
_CACHED = 200_000
_CONVERSATIONS = 1_000
_TABLES = """
CREATE TABLE IF NOT EXISTS turns (
    scope TEXT NOT NULL, id TEXT NOT NULL, made_at TEXT NOT NULL, PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    scope TEXT NOT NULL, name TEXT NOT NULL, parent TEXT, stretch BLOB NOT NULL, thread TEXT NOT NULL,
    digests BLOB NOT NULL, made_at TEXT NOT NULL, PRIMARY KEY (scope, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, message TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class HeldConversation:
    """Conversation that a provider holds under the id of an answer."""

    #: How often each turn was said in its last stretch, and that stretch; see `SessionTurns`.
    stretch: bytes
    thread: str
    said: Counter[bytes]


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


@dataclass(frozen=True)
class PendingTurn:
    """A message that is not yet in the bank."""

    number: int
    message: Fields


class ProxyJournal:
    """The journal of one bank. Thread-safe; several processes and banks may share the file."""

    def __init__(self, path: Path | None, scope: str) -> None:
        """`path`: the file; None for one in memory, which ends with the process. `scope`: name of the bank."""
        self._scope = scope
        if path is not None:
            prepare_sqlite(path)  # it holds what was said
        self._lock = threading.Lock()
        self._known: set[str] = set()
        #: Conversations by the ids of their answers, the least recently used first.
        self._held: OrderedDict[str, HeldConversation] = OrderedDict()
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path.absolute().as_uri(),
            timeout=_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )
        forget_deleted(self._connection)
        self._connection.executescript(_TABLES)
        before = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).isoformat()
        for table in ("turns", "answers"):
            self._connection.execute(f"DELETE FROM {table} WHERE made_at < ?", (before,))
        empty_log(self._connection, _EMPTY_MS)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def held(self, name: str) -> HeldConversation | None:
        """Returns the conversation that a provider holds under an id; None if it has not passed here."""
        with self._lock:
            known = self._held.get(name)
            return known or self._read_held(name)

    def _read_held(self, name: str) -> HeldConversation | None:
        said: Counter[bytes] = Counter()
        found: HeldConversation | None = None
        at: str | None = name
        visited: set[str] = set()
        while at is not None and at not in visited:
            visited.add(at)
            known = self._held.get(at)
            if known is not None:
                said.update(known.said)
                found = found or HeldConversation(known.stretch, known.thread, said)
                break
            row = self._connection.execute(
                "SELECT parent, stretch, thread, digests FROM answers WHERE scope = ? AND name = ?", (self._scope, at)
            ).fetchone()
            if row is None:
                break
            at, stretch, thread, digests = row
            said.update(digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES))
            found = found or HeldConversation(stretch, thread, said)
        return found

    def knows(self, name: str) -> bool:
        """Returns True if a turn with this id has been written by this process."""
        return name in self._known

    def write(self, turns: Iterable[Fields], names: Sequence[NamedAnswer]) -> int:
        """Writes turns that are not known yet, which are delivered in this order, and the ids under which the provider
        holds them. Returns the number of new turns."""
        new = list(turns)
        if not new and not names:
            return 0
        stamp = datetime.now(UTC).isoformat()
        count = 0
        with self._lock:
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                for turn in new:
                    row = (self._scope, turn["id"], stamp)
                    if connection.execute("INSERT OR IGNORE INTO turns VALUES (?, ?, ?)", row).rowcount:
                        connection.execute(
                            "INSERT INTO outbox (scope, message) VALUES (?, ?)", (self._scope, json.dumps(turn))
                        )
                        count += 1
                for each in names:
                    connection.execute(
                        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (self._scope, each.name, each.parent, each.stretch, each.thread, b"".join(each.digests), stamp),
                    )
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            if len(self._known) > _CACHED:
                self._known.clear()
            self._known.update(str(turn["id"]) for turn in new)
            for each in names:
                self._note(each)
        return count

    def _note(self, answer: NamedAnswer) -> None:
        before = self._held.get(answer.parent) if answer.parent is not None else None
        if answer.parent is not None and before is None:
            self._held.pop(answer.name, None)
            return  # read from the file when it is needed
        said = Counter(before.said) if before is not None else Counter[bytes]()
        said.update(answer.digests)
        self._held[answer.name] = HeldConversation(answer.stretch, answer.thread, said)
        self._held.move_to_end(answer.name)
        if len(self._held) > _CONVERSATIONS:
            self._held.popitem(last=False)

    def pending(self, most: int, most_chars: int) -> list[PendingTurn]:
        """Returns the oldest messages that are not yet in the bank, at least one. `most_chars`: of their JSON."""
        found: list[PendingTurn] = []
        with self._lock:
            for number, message in self._connection.execute(
                "SELECT number, message FROM outbox WHERE scope = ? ORDER BY number LIMIT ?", (self._scope, most)
            ):
                most_chars -= len(message)
                if found and most_chars < 0:
                    break
                found.append(PendingTurn(number, json.loads(message)))
        return found

    def delivered(self, turns: Sequence[PendingTurn]) -> None:
        """Removes messages that are in the bank."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM outbox WHERE number = ?", [(turn.number,) for turn in turns])
            self._connection.execute("COMMIT")

    def forget(self) -> bool:
        """Removes delivered messages from the log of the file as well, where they would stay until it is overwritten.
        Returns False if another process uses it at the moment."""
        with self._lock:
            return empty_log(self._connection, _EMPTY_MS)
