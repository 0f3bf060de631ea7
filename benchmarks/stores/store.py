"""Interface of a store, and the location of its data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from foxing.memory.index.embedder import Embedder
from foxing.memory.values.messages import NewMessage

SQLITE, POSTGRESQL, FOLDER = "sqlite", "postgresql", "folder"


@dataclass(frozen=True)
class Place:
    """Location of the data of a store, which contains nothing else."""

    folder: Path
    #: URL of its own database, for stores on PostgreSQL.
    url: str = ""


class Store(Protocol):
    """Stores messages by conversation and searches them."""

    def add(self, conversation: str, messages: Sequence[NewMessage]) -> Sequence[str]:
        """Stores messages of a conversation in one call. Returns the ids that `search` uses for them."""

    def finish(self) -> None:
        """Does deferred work on the stored messages, such as sealing."""

    def search(self, conversation: str, question: str, limit: int) -> Sequence[str]:
        """Returns the ids of at most `limit` messages of a conversation, best first."""

    def close(self) -> None:
        """Releases files and connections; stored messages stay at their location."""


@dataclass(frozen=True)
class System:
    """A store that can be measured. Modules of other packages are imported only when it is opened."""

    name: str
    #: storage of the data: `SQLITE`, `POSTGRESQL`, or `FOLDER` for files of its own
    database: str
    #: distribution whose version is reported
    package: str
    #: extra of Foxing that installs its requirements; empty if every installation has them
    extra: str
    open: Callable[[Place, Embedder], Store]

    @property
    def key(self) -> str:
        """Name on the command line."""
        return f"{self.name}/{self.database}"
