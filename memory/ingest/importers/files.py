"""The files of a history: one file, the files of a folder, or those of a zip archive, read within limits.

Nothing is unpacked to disk. Links are not followed, and an archive with links, with paths that leave it, with a
password or with an expansion like a zip bomb's is refused before anything is read.
"""

import gzip
import io
import re
import stat
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from foxing.memory.bounded_json import MAX_DEPTH, JsonGuard, is_deeper, loads
from foxing.memory.errors import InvalidInput
from foxing.memory.regular_files import open_regular

from . import source
from .outline import outline_of
from .source import NamedFile, SourceLine, parse_json, path_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 1 << 16
FIRST_LINES = 30
MOST_FILES = 1_000_000
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DRIVE = re.compile(r"[A-Za-z]:")
_LOCAL_HEADER_BYTES = 30  # before the name
_ENCRYPTED = 1  # flag of a member of a zip archive
_IMAGES = (*(".png", ".jpg", ".jpeg", ".webp", ".gif"), *(".heic", ".heif", ".avif", ".bmp", ".tif", ".tiff", ".svg"))
#: Files that operating systems add to folders and archives.
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


#: Reason for leaving out a value of an array.
TOO_DEEP = f"entries that are nested more than {MAX_DEPTH} levels deep"
TWICE = "files that the archive has several times, of which the last counts"


class Deadline:
    """Time by which something must be read."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends_at = clock() + seconds

    @property
    def is_over(self) -> bool:
        """True once the time has passed."""
        return self._clock() > self._ends_at


#: Returns a line of a file as it should be.
Repair = Callable[[bytes], bytes]


def _as_it_is(line: bytes) -> bytes:
    return line


class Item(NamedTuple):
    """A value of a JSON array in a file."""

    value: Any
    #: its place: “conversations.json, item 3”
    where: str


@dataclass
class Omission:
    """Number and place of what was left out for one reason."""

    count: int = 0
    #: place of the first
    first: str = ""


@dataclass
class HistoryFiles:
    """The files of a history. Paths in it are relative, with slashes."""

    source: Path | NamedFile
    names: Sequence[str]
    #: path → size as it is stored, in bytes
    sizes: Mapping[str, int]
    _open: Callable[[str], AbstractContextManager[IO[bytes]]] = field(repr=False)
    #: bytes read so far, as they are stored
    bytes_read: int = 0
    #: cap on the bytes of a file after decompression, and on those of an archive together; None for none
    max_bytes: int | None = None
    #: time by which they must be read; None for any time
    deadline: Deadline | None = None
    #: reason → what was left out
    omissions: dict[str, Omission] = field(default_factory=dict)
    #: name and start of the file looked at last, which every reader looks at, and its outline
    _looked_at: tuple[str, bytes, frozenset[str] | None] = field(default=("", b"", None), repr=False)

    @property
    def total_bytes(self) -> int:
        """Size of all files as they are stored, in bytes."""
        return sum(self.sizes[name] for name in self.names)

    @classmethod
    def of(cls, path: Path | NamedFile, max_bytes: int | None = None) -> "HistoryFiles":
        """Returns the files at a path. `max_bytes`: cap on the bytes of a file after decompression, and on those of an
        archive together. Raises `InvalidInput`."""
        place = path_of(path)
        try:
            if place.is_dir():
                return cls._of_folder(path)
            with open_regular(place) as file:
                start = file.read(len(_ZIP_MAGIC))
            files = cls._of_archive(path, max_bytes) if start == _ZIP_MAGIC else cls._of_file(path)
            files.max_bytes = max_bytes
            return files
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error

    @classmethod
    def _of_file(cls, path: Path | NamedFile) -> "HistoryFiles":
        place = path_of(path)
        return cls(path, [path.name], {path.name: place.stat().st_size}, lambda _: open_regular(place))

    @classmethod
    def _of_folder(cls, path: Path | NamedFile) -> "HistoryFiles":
        folder = path_of(path)
        paths = {
            p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_symlink() or not p.is_dir()
        }
        sizes = {
            name: path_inside.stat().st_size
            for name, path_inside in paths.items()
            if not path_inside.is_symlink() and path_inside.is_file()
        }
        names = [name for name in sizes if not _is_junk(name)]
        files = cls(path, names, sizes, lambda name: open_regular(folder / name))
        for name, path_inside in paths.items():
            if path_inside.is_symlink():
                files.leave_out("links are not followed", name)
            elif name not in sizes:
                files.leave_out("pipes, devices and sockets are not read", name)
        return files

    @classmethod
    def _of_archive(cls, path: Path | NamedFile, max_bytes: int | None) -> "HistoryFiles":
        try:
            # open until the files are no longer needed: opening it reads the list of all its members
            archive = zipfile.ZipFile(path_of(path))
        except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError) as error:
            raise InvalidInput(f"{path} is truncated or damaged ({error}); download it again") from error
        members = [member for member in archive.infolist() if not member.is_dir()]
        _check_members(path, members, max_bytes)
        folder = f"{path.folder}/" if isinstance(path, NamedFile) and path.folder else ""
        by_name = {member.filename.removeprefix(folder): member for member in members if not _is_junk(member.filename)}
        sizes = {name: member.compress_size for name, member in by_name.items()}
        files = cls(path, sorted(sizes), sizes, lambda name: archive.open(by_name[name]))
        for name, count in Counter(member.filename.removeprefix(folder) for member in members).items():
            if count > 1 and name in by_name:
                files.leave_out(TWICE, name)
        return files

    def only(self, names: Collection[str]) -> "HistoryFiles":
        """Returns some of the files, in the order of `names`. What is left out of them is noted in the same place."""
        part = HistoryFiles(
            self.source,
            [name for name in names if name in self.sizes],
            self.sizes,
            self._open,
            max_bytes=self.max_bytes,
            deadline=self.deadline,
        )
        part.omissions = self.omissions
        return part

    def named(self, *names: str) -> list[str]:
        """Returns the paths of the files with one of these names, in any folder."""
        return [name for name in self.names if PurePosixPath(name).name in names]

    def place(self, name: str) -> str:
        """Returns the name of a file for errors and reports."""
        return str(self.source) if len(self.sizes) == 1 and "/" not in name else name

    def check_deadline(self) -> None:
        """Raises `InvalidInput` if the files take too long to read."""
        if self.deadline is not None and self.deadline.is_over:
            raise InvalidInput(
                f"{self.source} took longer than {self.deadline.seconds:g} seconds to read; nothing of it was stored: "
                "split it, or import it with 'foxing import'"
            )

    def leave_out(self, reason: str, where: str) -> None:
        """Notes that something was left out."""
        reason_left = self.omissions.setdefault(reason, Omission(0, where))
        reason_left.count += 1

    @contextmanager
    def open(self, name: str) -> Iterator[io.BufferedReader]:
        """Opens a file, decompressed if it is gzipped. Raises `InvalidInput` if it cannot be read."""
        try:
            with self._open(name) as stored:
                start = stored.read(2)
            with self._open(name) as stored:
                raw = cast("IO[bytes]", gzip.GzipFile(fileobj=stored)) if start == _GZIP_MAGIC else stored
                yield io.BufferedReader(_Counted(self, name, stored, raw))
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise InvalidInput(
                f"{self.place(name)} is truncated or damaged ({error}); create or download it again"
            ) from error
        except OSError as error:
            raise InvalidInput(f"{self.place(name)} cannot be read: {error.strerror or error}") from error

    def head(self, name: str, size: int = HEAD_BYTES) -> bytes:
        """Returns the first bytes of a file, without a byte order mark."""
        if self._looked_at[0] != name or size > HEAD_BYTES:
            before = self.bytes_read
            try:
                with self.open(name) as file:
                    head = file.read(max(size, HEAD_BYTES))
            except InvalidInput:
                if len(self.names) == 1 or not is_image_name(name):
                    raise
                head = b""  # a damaged image does not end the import of the messages beside it
            self.bytes_read = before
            self._looked_at = name, head.removeprefix(_BYTE_ORDER_MARK), None
        return self._looked_at[1][:size]

    def is_archive(self, name: str) -> bool:
        """Returns True if a file is a zip archive, which is not opened among other files."""
        return self.head(name).startswith(_ZIP_MAGIC)

    def outline(self, name: str) -> frozenset[str]:
        """Returns the paths of the keys at the start of a JSON file; see `outline_of`."""
        head = self.head(name)
        outline = self._looked_at[2]
        if outline is None:
            outline = outline_of(head)
            self._looked_at = name, head, outline
        return outline

    def first_lines(self, name: str) -> list[Any]:
        """Returns the JSON objects among the first lines of a file."""
        complete, _, _ = self.head(name).rpartition(b"\n")
        values = []
        for line in (complete or self.head(name)).splitlines()[:FIRST_LINES]:
            try:
                value = loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                values.append(value)
        return values

    def lines(self, name: str) -> Iterator[SourceLine]:
        """Yields the lines of a file, without a byte order mark. Raises `InvalidInput` if it cannot be read."""
        with self.open(name) as file:
            number = 0
            while data := file.readline(source.MAX_LINE_BYTES + 1):
                number += 1
                if len(data) > source.MAX_LINE_BYTES:
                    raise InvalidInput(
                        f"{self.place(name)}, line {number} is longer than {source.MAX_LINE_BYTES >> 20} MiB; is the "
                        "file JSON Lines?"
                    )
                without_mark = data.removeprefix(_BYTE_ORDER_MARK) if number == 1 else data
                yield SourceLine(number, without_mark, self.bytes_read)

    def objects(self, name: str) -> Iterator[Item]:
        """Yields the JSON objects of a file that has one a line. Lines that are none are left out."""
        for line in self.lines(name):
            where = f"{self.place(name)}, line {line.number}"
            if not line.data.strip():
                continue
            try:
                value = parse_json(self.place(name), f"line {line.number}", line.data)
            except InvalidInput:
                value = None
            if isinstance(value, dict):
                yield Item(value, where)
            else:
                self.leave_out("damaged lines", where)

    def document(self, name: str, *, repair: Repair = _as_it_is) -> Any:
        """Returns the JSON document in a file. `repair`: as in `items`. Raises `InvalidInput` if it is none, or too
        long."""
        data = bytearray()
        last = 0
        for line in self.lines(name):
            data += repair(line.data)
            last = line.number
            if len(data) > source.MAX_LINE_BYTES:
                raise InvalidInput(
                    f"{self.place(name)} is longer than {source.MAX_LINE_BYTES >> 20} MiB, too long for one JSON "
                    "document"
                )
        return parse_json(self.place(name), "the whole file" if last != 1 else "line 1", bytes(data))

    def items(self, name: str, at: str = "", *, repair: Repair = _as_it_is) -> Iterator[Item]:
        """Yields the values of a JSON array in a file, one at a time. `at`: path of the array in the document, with
        points. `repair`: returns a line of the file as it should be, for programs that write invalid JSON. What comes
        after a damaged place is left out. Large files are read piece by piece if ijson is there."""
        number = 0
        try:
            for number, value in enumerate(self._values(name, at, repair), 1):
                where = f"{self.place(name)}, item {number}"
                if value is _TOO_DEEP:
                    self.leave_out(TOO_DEEP, where)
                else:
                    yield Item(value, where)
        except _Damaged as error:
            self.leave_out(
                "what follows a damaged place in the file", f"{self.place(name)}, after item {number}: {error}"
            )

    def _values(self, name: str, at: str, repair: Repair) -> Iterator[Any]:
        try:
            import ijson  # type: ignore[import-untyped,unused-ignore]
        except ImportError:
            yield from self._values_of_document(name, at, repair)
            return
        guard = JsonGuard(_MOST_LEVELS, source.MAX_VALUES, source.MAX_LINE_BYTES)
        with self.open(name) as file:
            read = file.read if repair is _as_it_is else _Repaired(file, repair).read
            try:
                for value in ijson.items(_Guarded(read, guard), f"{at}.item" if at else "item", use_float=True):
                    yield _TOO_DEEP if guard.deepest > MAX_DEPTH and is_deeper(value, MAX_DEPTH) else value
                    guard.end_item()
            except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError) as error:
                raise _Damaged(" ".join(str(error).split())) from error

    def _values_of_document(self, name: str, at: str, repair: Repair) -> Iterator[Any]:
        try:
            value = self.document(name, repair=repair)
        except InvalidInput as error:
            if "too long" in str(error):
                raise InvalidInput(f"{error}; install foxing[import], which reads it piece by piece") from error
            raise _Damaged(str(error)) from error
        for key in filter(None, at.split(".")):
            value = value.get(key) if isinstance(value, dict) else None
        for item in value if isinstance(value, list) else ():
            yield _TOO_DEEP if is_deeper(item, MAX_DEPTH) else item


#: Cap on the depth of what is read piece by piece: the parser keeps the path of each level, of its whole length.
_MOST_LEVELS = 2_000
#: Stands for a value that is nested too deeply.
_TOO_DEEP: Any = object()


class _Damaged(Exception):
    """A file is damaged from some place on."""


class _Guarded:
    """The contents of a JSON file, counted."""

    def __init__(self, read: Callable[[int], bytes], guard: JsonGuard) -> None:
        self._read = read
        self._guard = guard

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes. Raises `JsonTooLarge`."""
        data = self._read(size)
        self._guard.feed(data)
        return data


class _Repaired:
    """The contents of a file, each line repaired."""

    def __init__(self, file: io.BufferedReader, repair: Repair) -> None:
        self._file = file
        self._repair = repair

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes: about `size`, for a parser that takes what comes."""
        if size == 0:
            return b""
        return b"".join(map(self._repair, self._file.readlines(size)))


class _Counted(io.RawIOBase):
    """The contents of a file, with a cap on the expansion ratio. Counts the bytes read."""

    def __init__(self, files: HistoryFiles, name: str, stored: IO[bytes], raw: IO[bytes]) -> None:
        self._files = files
        self._name = name
        self._stored = stored
        self._raw = raw
        self._before = files.bytes_read
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._files.check_deadline()
        data = self._raw.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(data)] = data
        self._bytes += len(data)
        stored = _stored_bytes(self._stored, self._bytes, self._files.sizes.get(self._name, 0))
        self._files.bytes_read = self._before + stored
        if self._bytes > max(source.EXPANDED_BYTES, source.MAX_EXPANSION * stored):
            raise InvalidInput(
                f"{self._files.place(self._name)} expands to more than {source.MAX_EXPANSION} times its size, like a "
                "gzip bomb; if that is what you expect, decompress it and import the result"
            )
        if self._files.max_bytes is not None and self._bytes > self._files.max_bytes:
            raise _too_much(self._files.place(self._name), self._files.max_bytes)
        return len(data)


def _stored_bytes(stored: IO[bytes], read: int, size: int) -> int:
    """Returns how many bytes of a file have been read, before decompression. `read`: after it; `size`: of the file."""
    return min(read, size) if isinstance(stored, zipfile.ZipExtFile) else stored.tell()


def is_image_name(name: str) -> bool:
    """True for the name of an image, of whatever format."""
    return PurePosixPath(name).suffix.lower() in _IMAGES


def _is_junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part in _JUNK or part.startswith("._") for part in parts)


def leaves_folder(name: str) -> bool:
    """Returns True if a path is not one of a file within a folder, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or not path.parts or _DRIVE.match(name) is not None


def _check_members(path: Path | NamedFile, members: Sequence[zipfile.ZipInfo], max_bytes: int | None) -> None:
    """Raises `InvalidInput` if an archive is not safe to read."""
    if len(members) > MOST_FILES:
        raise InvalidInput(f"{path} has more than {MOST_FILES:,} files; split it")
    for member in members:
        if leaves_folder(member.filename):
            raise InvalidInput(f"{path}: the path '{member.filename}' leaves the archive; such an archive is not read")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise InvalidInput(f"{path}: '{member.filename}' is a link; such an archive is not read")
        if member.flag_bits & _ENCRYPTED:
            raise InvalidInput(f"{path} has a password; unpack it and import the folder")
    in_order = sorted(members, key=lambda member: member.header_offset)
    for member, following in pairwise(in_order):
        if member.header_offset + _LOCAL_HEADER_BYTES + member.compress_size > following.header_offset:
            raise InvalidInput(
                f"{path}: '{member.filename}' and '{following.filename}' share their data, like a zip bomb's; such an "
                "archive is not read"
            )
    size = sum(member.file_size for member in members)
    stored = sum(member.compress_size for member in members)
    if size > max(source.EXPANDED_BYTES, source.MAX_EXPANSION * stored):
        raise InvalidInput(
            f"{path} expands to more than {source.MAX_EXPANSION} times its size, like a zip bomb; if that is what you "
            "expect, unpack it and import the folder"
        )
    if max_bytes is not None and size > max_bytes:
        raise _too_much(str(path), max_bytes)


def _too_much(place: str, max_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"{place} has more than {max_bytes:,} bytes once decompressed; split it, or import it with 'foxing import'"
    )
