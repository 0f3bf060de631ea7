"""Files that are written atomically and readable only by their owner."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foxing.renderer import Progress
from foxing.renderer.private_files import create

from .values import BackupError

_COPIED_AT_ONCE = 1 << 20  # bytes


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields an empty file next to `path`, readable only by its owner. It replaces `path` when the block ends, and is
    deleted along with SQLite's files for it if the block raises. Raises `BackupError`."""
    with atomic_files(path) as (part,):
        yield part


@contextmanager
def atomic_files(*paths: Path) -> Iterator[list[Path]]:
    """Yields such files for several paths in one folder, which replace them together when the block ends. If the block
    deletes one, its path is deleted as well. Raises `BackupError`."""
    parts = [path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part") for path in paths]
    try:
        for part in parts:
            create(part)
        yield list(parts)
        whole = {part: path for part, path in zip(parts, paths, strict=True) if part.exists()}
        for part in whole:
            _flush(part)
        for part, path in whole.items():
            part.replace(path)
        for path in set(paths).difference(whole.values()):
            path.unlink(missing_ok=True)
        _flush(paths[0].parent)
    except OSError as error:
        raise BackupError(f"cannot write {paths[-1]} ({error.strerror or error}); no file was left behind") from error
    finally:
        for part in parts:
            for remnant in part.parent.glob(f"{part.name}*"):
                with suppress(OSError):
                    remnant.unlink()


def copy(source: Path, target: Path, progress: Progress | None) -> None:
    """Copies a file over an existing one. Raises `OSError`."""
    total = source.stat().st_size
    done = 0
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(_COPIED_AT_ONCE):
            written.write(block)
            done += len(block)
            if progress is not None:
                progress(done, total)


def _flush(path: Path) -> None:
    """Syncs a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
