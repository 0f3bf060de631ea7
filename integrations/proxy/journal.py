"""Journal of the proxy: which turns are known, beside those in its outbox that are not yet in the bank. A process that
is killed loses nothing of it."""

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
"""


@dataclass(frozen=True)
class HeldConversation:
    """Conversation that a provider holds under the id of an answer."""

    #: How often each turn was said in its last stretch, and that stretch; see `SessionTurns`.
    stretch: bytes
    thread: str
    counts: Counter[bytes]


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


class ProxyJournal:
    """The journal of one bank. Thread-safe; several processes and banks may share the file."""

    def __init__(self, path: Path | None, scope: str) -> None:
        """`path`: the file; None for one in memory, which ends with the process. `scope`: name of the bank."""
        self._scope = scope
        #: Turns that are not yet in the bank.
        self.outbox = OutboxFile(path, scope, _TABLES)
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
        self.outbox.close()

    def held(self, name: str) -> HeldConversation | None:
        """Returns the conversation that a provider holds under an id; None if it has not passed here."""
        with self._lock, self.outbox.shared as connection:
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
        with self.outbox.writing() as connection:
            insert = "INSERT OR IGNORE INTO turns VALUES (?, ?, ?)"
            added = [turn for turn in new if connection.execute(insert, (self._scope, turn["id"], stamp)).rowcount]
            if added:
                self.outbox.add(connection, added)
            for each in names:
                connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self._scope, each.name, each.parent, each.stretch, each.thread, b"".join(each.digests), stamp),
                )
        with self._lock:
            if len(self._known) > _CACHED:
                self._known.clear()
            self._known.update(str(turn["id"]) for turn in new)
            for each in names:
                self._note(each)
        return len(added)

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
