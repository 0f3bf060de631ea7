"""Backups of databases given by URL or path, which are closed again."""

from pathlib import Path

from foxing.memory.storage.backup.backup import back_up, restore
from foxing.memory.storage.backup.postgresql import Programs
from foxing.memory.storage.backup.values import Backup
from foxing.memory.storage.database import Database


def made(database: str | Path, path: Path, programs: Programs | None = None, *, overwrite: bool = False) -> Backup:
    with Database(database) as opened:
        return back_up(opened, path, programs=programs, overwrite=overwrite)


def restored(database: str | Path, path: Path, programs: Programs | None = None) -> Backup:
    with Database(database) as opened:
        return restore(opened, path, programs=programs)
