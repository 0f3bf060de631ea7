"""Values of backup and restore."""

from dataclasses import dataclass
from pathlib import Path

from foxing.memory.errors import StorageError


class BackupError(StorageError):
    """A backup cannot be made, read or restored. The database is unchanged."""


@dataclass(frozen=True)
class Backup:
    """A verified backup file."""

    path: Path
    #: "sqlite" or "postgresql".
    dialect: str
    #: Schema revision.
    revision: str
    #: Size with the file of its blobs when written; of the backup file alone when restored.
    bytes: int
