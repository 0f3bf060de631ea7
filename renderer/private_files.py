"""Files and folders that only their owner can read. They are made so: a file that is closed afterwards was open before.

On Windows, where a mode does not say who may read a file, they have the rights of the folder that they are in. Imports
almost nothing, because the client of hooks imports it in each process.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    FilePath: TypeAlias = "str | os.PathLike[str]"

FILE_MODE = 0o600
FOLDER_MODE = 0o700
#: Rights of the group and of all others.
OTHERS = 0o077
#: After the path of a SQLite file: files that SQLite keeps beside it. It gives them the mode of the file.
SQLITE_SUFFIXES = ("-wal", "-shm", "-journal")


def opener(path: str, flags: int) -> int:
    """Opens a file, and closes it to others if it creates it: `open(path, "xb", opener=opener)`. Raises `OSError`."""
    return os.open(path, flags, FILE_MODE)


def create(path: "FilePath") -> bool:
    """Creates an empty file, unless there is one, and returns whether it did. Raises `OSError`."""
    try:
        # An existing file is not even opened: to close it would release the locks that SQLite has on it here.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    except FileExistsError:
        return False
    return True


def write(path: "FilePath", data: bytes) -> None:
    """Writes a whole file, which replaces one of the same name when it is complete. Raises `OSError`."""
    write_parts(path, (data,))


def write_parts(path: "FilePath", parts: "Iterable[bytes | memoryview]") -> None:
    """Writes a whole file as `write` does, one part after the other. Raises `OSError`."""
    partial = f"{os.fspath(path)}.{os.getpid()}.part"
    if os.path.lexists(partial):  # of a killed process, or not ours
        os.unlink(partial)
    try:
        with open(partial, "xb", opener=opener) as file:
            for part in parts:
                file.write(part)
        os.replace(partial, path)
    except OSError:
        if os.path.lexists(partial):
            os.unlink(partial)
        raise


def make_folder(path: "FilePath") -> None:
    """Creates a folder and the missing ones above it. Existing ones are left as they are. Raises `OSError`."""
    folder = os.path.abspath(path)
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    for parent in reversed(missing):
        try:
            os.mkdir(parent, FOLDER_MODE)
        except FileExistsError:
            if not os.path.isdir(parent):
                raise


def repair(paths: "Iterable[FilePath]") -> list[str]:
    """Takes the rights of others from files and folders that belong to this account. Returns those that had some, and
    logs a line about them. Missing paths, links and what cannot be changed are left."""
    if os.name != "posix":
        return []
    changed = []
    for file in paths:
        path = os.fspath(file)
        try:
            status = os.lstat(path)
            kind = status.st_mode & 0o170000
            if kind not in (0o100000, 0o040000) or not status.st_mode & OTHERS or status.st_uid != os.geteuid():
                continue
            os.chmod(path, status.st_mode & 0o7700)
        except OSError:
            continue
        changed.append(path)
    if changed:
        import logging

        logging.getLogger(__name__).warning("closed to other accounts, which had access: %s", ", ".join(changed))
    return changed


def within(folder: "FilePath") -> list[str]:
    """Returns the paths of a folder and of all that is in it, links not followed; none if it does not exist."""
    paths = [os.fspath(folder)] if os.path.isdir(folder) else []
    for place, folders, files in os.walk(folder):
        paths += [os.path.join(place, name) for name in (*folders, *files)]
    return paths


def of_sqlite(path: "FilePath") -> list[str]:
    """Returns the paths of a SQLite file and of the files that SQLite keeps beside it."""
    name = os.fspath(path)
    return [name, *(name + suffix for suffix in SQLITE_SUFFIXES)]


def prepare_sqlite(path: "FilePath") -> None:
    """Creates the file of a SQLite database and its folder if they are missing, and repairs an existing file with those
    beside it. Raises `OSError`."""
    make_folder(os.path.dirname(os.path.abspath(path)))
    if not create(path):
        repair(of_sqlite(os.path.realpath(path)))
