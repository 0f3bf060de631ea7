"""Watching of histories that other programs write: changed files are imported again, which stores what is new."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from foxing.memory.errors import MemoryFault
from foxing.memory.values.imports import ImportReport

from .importer import ImportOptions, Storage, import_file

#: Seconds within which a file must be read, so that the others get their turn.
READ_S = 600.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatchedFile:
    """File that has changed."""

    path: Path
    #: report of its import; None if it failed
    report: ImportReport | None
    #: why it could not be imported
    error: str | None = None


class _FileState(NamedTuple):
    """A file at a moment; another file in its place has another number."""

    changed_ns: int
    size: int
    number: int


class HistoryWatcher:
    """Imports of files in folders, again whenever they have changed."""

    def __init__(self, memory: Storage, paths: Sequence[Path], bank: str, options: ImportOptions | None = None) -> None:
        """`paths`: JSON Lines files, or folders that have or will have some."""
        self._memory = memory
        self._paths = paths
        self._bank = bank
        self._options = replace(options or ImportOptions(), max_seconds=READ_S)
        #: file → what it was when it was last imported
        self._imported: dict[Path, _FileState] = {}

    def poll(self) -> Iterator[WatchedFile]:
        """Imports the files that have changed since the last call, oldest first, and yields each. A file that fails is
        tried again when it has changed; if the same may succeed another time, at the next call."""
        for path, state in self._changed():
            self._imported[path] = state
            try:
                yield WatchedFile(path, import_file(self._memory, path, bank=self._bank, options=self._options))
            except MemoryFault as error:
                if error.retry != "never":
                    del self._imported[path]
                yield WatchedFile(path, None, str(error))
            except Exception as error:  # a bug: the other files are imported, and this one again when it has changed
                log.exception("%s cannot be imported", path)
                yield WatchedFile(path, None, f"{path} cannot be imported ({type(error).__name__}: {error})")

    def _changed(self) -> list[tuple[Path, "_FileState"]]:
        changes = []
        for path in self._files():
            try:
                status = path.stat()
            except OSError:  # it was removed meanwhile
                continue
            state = _FileState(status.st_mtime_ns, status.st_size, status.st_ino)
            if status.st_size and self._imported.get(path) != state:
                changes.append((path, state))
        return sorted(changes, key=lambda change: (change[1].changed_ns, change[0]))

    def _files(self) -> Iterator[Path]:
        for path in self._paths:
            if path.is_dir():
                yield from (file for file in path.rglob("*.jsonl") if file.is_file() and not file.is_symlink())
            elif path.is_file():
                yield path
