"""Arrays that take long to make, kept as files in the user's cache folder and mapped into memory by all processes.

A mapped array takes memory only where it is read. A file is named after what its arrays were made from, so that it is
never out of date; the folder may be deleted at any time. Where it cannot be written, each process makes its own arrays.
"""

import json
import mmap
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .private_files import make_folder, write_parts

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

#: Each array begins at a multiple of this, in bytes.
_ALIGNMENT = 64
#: At the beginning of a file: the format, whose number changes with it, and the length of the header.
_MAGIC = b"foxing arrays 1\n"
_LENGTH_BYTES = 8
#: Age of last use from which a file of another version is deleted.
_UNUSED_S = 30 * 24 * 3600
#: Rights to write of the group and of all others.
_WRITABLE = 0o022


def load_arrays(name: str, key: str, make: Callable[[], Arrays]) -> Arrays:
    """Returns the arrays of `name`, read-only where they are mapped. `key`: identifies what they are made from, in
    characters of file names; `make`: makes them where there is no file yet. Raises what `make` raises."""
    path = _folder() / f"{name}-{key}.arrays"
    try:
        return _mapped(path)
    except (OSError, ValueError):  # none, or a damaged one, which is replaced
        arrays = make()
    try:
        make_folder(path.parent)
        write_parts(path, _parts(arrays))
        _delete_unused(path, name)
        return _mapped(path)
    except (OSError, ValueError):
        return arrays


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("foxing")


def _parts(arrays: Arrays) -> Iterator[bytes | memoryview]:
    """Yields the content of a file."""
    places = {}
    place = 0
    for name, array in arrays.items():
        places[name] = (array.dtype.str, array.shape, place)
        place += array.nbytes + -array.nbytes % _ALIGNMENT
    header = json.dumps({"size": place, "arrays": places}).encode()
    head = len(_MAGIC) + _LENGTH_BYTES + len(header)
    yield _MAGIC + len(header).to_bytes(_LENGTH_BYTES, "little") + header + bytes(-head % _ALIGNMENT)
    for array in arrays.values():
        yield np.ascontiguousarray(array).data.cast("B") if array.size else b""
        yield bytes(-array.nbytes % _ALIGNMENT)


def _mapped(path: Path) -> Arrays:
    """Returns the arrays of a file. Raises `OSError` if there is none, and `ValueError` if it is incomplete or others
    could change it."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if os.name == "posix" and (status.st_uid != os.geteuid() or status.st_mode & _WRITABLE):
            raise ValueError(f"{path} can be written by others")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = len(_MAGIC) + _LENGTH_BYTES
    length = int.from_bytes(data[len(_MAGIC) : start], "little")
    if data[: len(_MAGIC)] != _MAGIC or start + length > len(data):
        raise ValueError(f"{path} has no header")
    header = json.loads(data[start : start + length])
    first = start + length + -(start + length) % _ALIGNMENT
    if first + header["size"] != len(data):
        raise ValueError(f"{path} is incomplete")
    return {
        name: np.ndarray(shape, dtype, data, first + place) for name, (dtype, shape, place) in header["arrays"].items()
    }


def _delete_unused(path: Path, name: str) -> None:
    """Deletes files of other versions of `name` that nothing has read for a month."""
    for other in path.parent.glob(f"{name}-*.arrays"):
        if other != path and time.time() - max(other.stat().st_atime, other.stat().st_mtime) > _UNUSED_S:
            other.unlink()
