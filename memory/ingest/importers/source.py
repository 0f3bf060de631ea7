"""Imported messages, and JSON within limits. Errors name the file and the place in it."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

MAX_LINE_BYTES = 256 << 20
#: Cap on values (objects, lists, strings, numbers…) in a JSON document; each takes up to 100 bytes once parsed.
MAX_VALUES = 10_000_000
#: Beyond this many bytes, the expansion ratio of a gzipped file is capped at `MAX_EXPANSION`. Text has a ratio of 3 to
#: 20, a gzip bomb 1,000.
EXPANDED_BYTES = 64 << 20
MAX_EXPANSION = 200
_STRING = re.compile(rb'"(?:[^"\\]++|\\[\s\S])*+"?')


@dataclass(frozen=True)
class NamedFile:
    """A file with a display name for errors, such as a copy of standard input."""

    path: Path
    name: str
    #: Folder within an archive that the paths of its files are relative to.
    folder: str = ""

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


def parse_json(path: Path | NamedFile | str, where: str, data: bytes) -> Any:
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
