"""Journal of a wrapped client: what was added to its requests, beside its turns."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from foxing.integrations.turns.journal import KEPT_DAYS, TurnJournal

ADDITIONS_KEPT_DAYS = 180
_TABLES = """
CREATE TABLE IF NOT EXISTS additions (
    scope TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, shown TEXT NOT NULL, made_at TEXT NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Addition:
    """Addition to a message of the user."""

    #: Fenced text; empty if nothing is added.
    text: str = ""
    #: Ids of the messages in it.
    shown: tuple[str, ...] = ()


class WrapJournal(TurnJournal):
    """The journal of one memory and bank, with the additions to requests."""

    def __init__(self, path: Path | None, scope: str) -> None:
        """See `TurnJournal`."""
        super().__init__(path, scope, _TABLES, {**KEPT_DAYS, "additions": ADDITIONS_KEPT_DAYS})

    def addition(self, turn_id: str, since: datetime | None = None) -> Addition | None:
        """Returns what was added to a message that begins with a turn; None if that was not decided, or before
        `since`."""
        with self.asked as connection:
            row = connection.execute(
                "SELECT text, shown, made_at FROM additions WHERE scope = ? AND id = ?", (self.scope, turn_id)
            ).fetchone()
        if row is None or (since is not None and row[2] < since.isoformat()):
            return None
        return Addition(row[0], tuple(json.loads(row[1])))

    def add(self, turn_id: str, addition: Addition, now: datetime) -> None:
        """Writes what is added to a message that begins with a turn."""
        row = (self.scope, turn_id, addition.text, json.dumps(addition.shown), now.isoformat())
        with self.asked as connection:
            connection.execute("INSERT OR REPLACE INTO additions VALUES (?, ?, ?, ?, ?)", row)
