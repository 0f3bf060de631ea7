"""Reading import files: lines of plain or gzipped files, UTF-8 and JSON. Errors name the file and the place in it."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from foxing.memory.errors import InvalidInput
from foxing.memory.models import NewMessage

MAX_LINE_BYTES = 256 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class NamedFile:
    """A file that errors call by another name than that of its path, such as what was read from standard input."""

    path: Path
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ImportedMessage:
    """A message read from a file."""

    message: NewMessage
    #: Its place in the file: “line 12”.
    where: str
    #: Bytes of the file read so far, before decompression.
    bytes_read: int

    def as_if_there(self) -> "ImportedMessage":
        """The same, as if it had come into the bank when it was said."""
        message = self.message
        arrived_at = message.arrived_at or message.created_at
        return replace(self, message=message.model_copy(update={"arrived_at": arrived_at}))


class Line(NamedTuple):
    """A line of a file, with its line break."""

    number: int
    data: bytes
    #: Bytes of the file read so far, before decompression.
    bytes_read: int


def path_of(file: Path | NamedFile) -> Path:
    """Where the file is."""
    return file.path if isinstance(file, NamedFile) else file


def read_lines(path: Path | NamedFile) -> Iterator[Line]:
    """The lines of a file, without a byte order mark. Raises `InvalidInput` if it cannot be read."""
    try:
        with path_of(path).open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if compressed else raw
            number = 0
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(data) > MAX_LINE_BYTES:
                    raise InvalidInput(
                        f"{path}, line {number} is longer than {MAX_LINE_BYTES >> 20} MiB; is the file JSON Lines?"
                    )
                yield Line(number, data.removeprefix(_BYTE_ORDER_MARK) if number == 1 else data, raw.tell())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path} is truncated or damaged ({error}); create or download it again") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error


def parse_json(path: Path | NamedFile, where: str, data: bytes) -> Any:
    """The JSON value of `data`, which is at `where` in the file. Raises `InvalidInput`."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}, {where}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}, {where}: this is not JSON ({error}); correct it") from error
