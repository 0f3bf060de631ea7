"""Files that users name, opened without waiting for what is not a file."""

import os
import stat
from pathlib import Path
from typing import IO

from .errors import InvalidInput


def open_regular(path: Path) -> IO[bytes]:
    """Opens a file for reading. A pipe, a device or a socket may never give anything, or no end. Raises `InvalidInput`
    for these, and `OSError` if the file cannot be opened."""
    # Without O_NONBLOCK, to open a pipe waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise not_regular(path)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def not_regular(path: Path) -> InvalidInput:
    """Returns the error for a path that is neither a file nor a folder."""
    return InvalidInput(
        f"{path} is neither a file nor a folder, and may never end; write it to a file, or give - and send it to "
        "standard input"
    )
