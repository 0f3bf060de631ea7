"""What a store has to do, and where it keeps what it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

SQLITE, POSTGRESQL, FOLDER = "sqlite", "postgresql", "folder"


@dataclass(frozen=True)
class Place:
    """Where a store keeps everything: nothing else is there."""

    folder: Path
    #: URL of a database of its own, for stores on PostgreSQL.
    url: str = ""


class Store(Protocol):
    """Keeps messages by conversation and finds them again."""

    def add(self, conversation: str, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Stores messages of a conversation in one call; returns the ids that `search` gives back for them."""

    def finish(self) -> None:
        """Does what is done later to what was stored, such as sealing."""

    def search(self, conversation: str, question: str, limit: int) -> Sequence[str]:
        """Ids of at most `limit` messages of a conversation, the best first."""

    def close(self) -> None:
        """Releases files and connections; what was stored stays at its place."""


@dataclass(frozen=True)
class System:
    """A store that can be measured. Modules of other packages are imported when it is opened."""

    name: str
    #: what it keeps its data in: `SQLITE`, `POSTGRESQL`, or files of its own in a folder
    database: str
    #: the distribution whose version is reported
    package: str
    #: the extra of Foxing that installs what it needs; empty for what every installation has
    extra: str
    open: Callable[[Place, Embedder], Store]

    @property
    def key(self) -> str:
        """Its name on the command line."""
        return f"{self.name}/{self.database}"
