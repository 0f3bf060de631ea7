"""A backup, and what making one may report."""

from dataclasses import dataclass
from pathlib import Path

from foxing.memory.errors import StorageError

#: Called with (done, total), in pages of a SQLite file or bytes of a copy; not called by PostgreSQL's programs.


class BackupError(StorageError):
    """A backup cannot be made, read or restored. The database is as it was."""


@dataclass(frozen=True)
class Backup:
    """A backup file that was verified."""

    path: Path
    #: "sqlite" or "postgresql".
    dialect: str
    #: Revision of the schema in it.
    revision: str
    bytes: int
