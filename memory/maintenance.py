"""Maintenance of a whole database: its schema, its integrity and its backups."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

from foxing.renderer import Progress

from .options import MemoryOptions
from .storage.database import Database, DatabaseOptions

if TYPE_CHECKING:
    from foxing.encoder import Codec

    from .check.report import CheckReport
    from .codec_source import OptionsOfCodecs
    from .storage.backup.values import Backup


class Maintenance:
    """A database, which need not be of this version, while services and workers use it. Use it in a `with` block."""

    def __init__(self, database: str | Path | DatabaseOptions | None = None) -> None:
        self._database = Database(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def display_url(self) -> str:
        """URL without the password."""
        return self._database.display_url

    def revision(self) -> str | None:
        """Returns the revision of the schema; None if the database is empty."""
        return self._database.revision()

    def rolls(self) -> bool:
        """Returns True if processes of the version that made the schema may keep running during the upgrade to this
        version and after it, until they are replaced."""
        return self._database.rolls()

    def migrate(self) -> None:
        """Upgrades the schema to that of this version, unless that of a newer version may be used as it is. Raises
        `DatabaseTooNew`, `NoDatabase`."""
        self._database.migrate()

    def grant(self, role: str) -> None:
        """Lets a role of the database use the tables, subject to row-level security. Raises `InvalidInput` for one that
        does not exist or to which it does not apply, and on SQLite."""
        self._database.check_revision()
        with self._database.write() as connection:
            self._database.dialect.grant_tables(connection, role)

    def check(
        self,
        codec: "str | Codec",
        device: str,
        codec_options: "OptionsOfCodecs | None",
        options: MemoryOptions,
        *,
        repair: bool = False,
        everything: bool = False,
        progress: Progress | None = None,
    ) -> "CheckReport":
        """Checks every row, and with `everything` decodes every page. `repair`: rebuild derived data. Raises
        `StorageError` for another schema, `CodecError`."""
        from .check.check import CheckOptions, DatabaseCheck
        from .codec_source import CodecSource

        check = DatabaseCheck(self._database, CodecSource(codec, device, codec_options), options.search())
        return check.run(CheckOptions(repair, everything, progress))

    def back_up(
        self, path: Path, *, overwrite: bool = False, programs: Path | None = None, progress: Progress | None = None
    ) -> "Backup":
        """Writes a verified snapshot to a file. `programs`: folder of PostgreSQL's client programs. Raises
        `StorageError`."""
        from .storage.backup.backup import back_up
        from .storage.backup.postgresql import Programs

        return back_up(self._database, path, overwrite=overwrite, programs=Programs(programs), progress=progress)

    def restore(self, path: Path, *, programs: Path | None = None, progress: Progress | None = None) -> "Backup":
        """Restores a backup into the database, which must be empty, all or nothing. Raises `StorageError`."""
        from .storage.backup.backup import restore
        from .storage.backup.postgresql import Programs

        return restore(self._database, path, programs=Programs(programs), progress=progress)
