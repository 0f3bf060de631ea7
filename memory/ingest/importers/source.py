"""Reading of import files: plain or gzipped lines, UTF-8, JSON. Errors name the file and the place in it."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_LINE_BYTES = 256 << 20
#: Cap on values (objects, lists, strings, numbers…) in a JSON document; each takes up to 100 bytes once parsed.
MAX_VALUES = 10_000_000
#: Beyond this many bytes, the expansion ratio of a gzipped file is capped at `MAX_EXPANSION`. Text has a ratio of 3 to
#: 20, a gzip bomb 1,000.
EXPANDED_BYTES = 64 << 20
MAX_EXPANSION = 200
_STRING = re.compile(rb'"(?:[^"\\]++|\\[\s\S])*+"?')
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class NamedFile:
    """A file with a display name for errors, such as a copy of standard input."""

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

    def backdated(self) -> "ImportedMessage":
        """Returns the message with its creation time as the time of arrival in the bank."""
        message = self.message
        arrived_at = message.arrived_at or message.created_at
        return replace(self, message=message.model_copy(update={"arrived_at": arrived_at}))


class SourceLine(NamedTuple):
    """A line of a file, with its line break."""

    number: int
    data: bytes
    #: Bytes of the file read so far, before decompression.
    bytes_read: int


def path_of(file: Path | NamedFile) -> Path:
    """Returns the path of the file."""
    return file.path if isinstance(file, NamedFile) else file


def read_lines(path: Path | NamedFile) -> Iterator[SourceLine]:
    """Yields the lines of a file, without a byte order mark. Raises `InvalidInput` if it cannot be read."""
    try:
        with path_of(path).open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            file = io.BufferedReader(_Expanded(path, raw)) if compressed else raw
            number = 0
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(data) > MAX_LINE_BYTES:
                    raise InvalidInput(
                        f"{path}, line {number} is longer than {MAX_LINE_BYTES >> 20} MiB; is the file JSON Lines?"
                    )
                yield SourceLine(number, data.removeprefix(_BYTE_ORDER_MARK) if number == 1 else data, raw.tell())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path} is truncated or damaged ({error}); create or download it again") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error


def read_document(path: Path | NamedFile) -> SourceLine:
    """Returns the complete file as one line. Raises `InvalidInput` if it cannot be read or is too long for one JSON
    document."""
    data, last = bytearray(), SourceLine(0, b"", 0)
    for last in read_lines(path):
        data += last.data
        if len(data) > MAX_LINE_BYTES:
            raise InvalidInput(f"{path} is longer than {MAX_LINE_BYTES >> 20} MiB, too long for one JSON document")
    return SourceLine(last.number, bytes(data), last.bytes_read)


class _Expanded(io.RawIOBase):
    """Decompressed contents of a gzipped file, with a cap on the expansion ratio."""

    def __init__(self, path: Path | NamedFile, raw: IO[bytes]) -> None:
        self._path = path
        self._raw = raw
        self._file = gzip.GzipFile(fileobj=raw)
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._file.readinto(buffer)
        self._bytes += count
        if self._bytes > max(EXPANDED_BYTES, MAX_EXPANSION * self._raw.tell()):
            raise InvalidInput(
                f"{self._path} expands to more than {MAX_EXPANSION} times its size, like a gzip bomb; if that is what "
                "you expect, decompress it and import the result"
            )
        return count


def parse_json(path: Path | NamedFile, where: str, data: bytes) -> Any:
    """Returns the JSON value of `data`, which is at `where` in the file. Raises `InvalidInput`."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}, {where}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from error
    if _marks(data) > MAX_VALUES and _marks(_STRING.sub(b"", data)) > MAX_VALUES:
        raise InvalidInput(f"{path}, {where}: more than {MAX_VALUES:,} values; split it")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}, {where}: invalid JSON ({error}); correct it") from error


def _marks(data: bytes) -> int:
    """Returns an upper bound of the number of values in JSON without strings, less one."""
    return sum(map(data.count, (b",", b"[", b"{")))
