"""The container of a bundle: a plain tar archive (USTAR) of regular files with fixed names, order, times and owners,
not compressed, so that the same bank gives the same bytes and nothing in it can expand. It is written and read as a
stream; the last file has the digest of all before it.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from foxing.memory.bounded_json import loads
from foxing.memory.errors import InvalidBundle

BLOCK = 512
#: Cap on the bytes of a file in a bundle.
MAX_MEMBER_BYTES = 256 << 20
#: Bytes of rows after which the next file begins.
PART_BYTES = 4 << 20
HEADER = "bundle.json"
END = "end.json"
_NAME = re.compile(r"(?:[a-z_]{1,30}/\d{8}\.[a-z]{1,10}|bundle\.json|end\.json)")
_DAMAGED = "it is cut short or damaged; copy or export it again"


class BundleFile(NamedTuple):
    """A file of a bundle."""

    name: str
    data: bytes

    @property
    def table(self) -> str:
        """Its folder."""
        return self.name.partition("/")[0]

    @property
    def number(self) -> int:
        """Its number in the folder."""
        return int(self.name.partition("/")[2][:8] or 0)

    @property
    def kind(self) -> str:
        """The ending of its name."""
        return self.name.rpartition(".")[2]


def write(members: Iterator[BundleFile]) -> Iterator[bytes]:
    """Yields the bytes of a bundle with these files."""
    digest = hashlib.sha256()
    count = 0
    for member in members:
        count += 1
        for part in _stored(member):
            digest.update(part)
            yield part
    end = {"files": count, "sha256": digest.hexdigest()}
    yield from _stored(BundleFile(END, json.dumps(end, sort_keys=True).encode()))
    yield bytes(2 * BLOCK)


def _stored(member: BundleFile) -> Iterator[bytes]:
    info = tarfile.TarInfo(member.name)
    info.size = len(member.data)
    info.mode = 0o600
    yield info.tobuf(tarfile.USTAR_FORMAT)
    yield member.data
    yield bytes(-len(member.data) % BLOCK)


def read(stream: IO[bytes]) -> Iterator[BundleFile]:
    """Yields the files of a bundle, without the last one. Raises `InvalidBundle` for an archive of anything else, and
    at the end if the digest differs."""
    digest = hashlib.sha256()
    count = 0
    while True:
        header = stream.read(BLOCK)
        info = _info(header)
        data = _exactly(stream, info.size)
        padding = _exactly(stream, -info.size % BLOCK)
        if info.name == END:
            _check_end(data, count, digest.hexdigest())
            if stream.read(2 * BLOCK + 1) != bytes(2 * BLOCK):
                raise InvalidBundle("the bundle has more after its end; export it again")
            return
        for part in (header, data, padding):
            digest.update(part)
        count += 1
        if count == 1 and info.name != HEADER:
            raise InvalidBundle("the file is not a bundle of Foxing; it does not begin with bundle.json")
        yield BundleFile(info.name, data)


def _info(header: bytes) -> tarfile.TarInfo:
    if len(header) != BLOCK or not header.strip(b"\0"):
        raise InvalidBundle(f"the bundle has no end: {_DAMAGED}")
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeError, ValueError) as error:
        raise InvalidBundle(f"the file is not a bundle of Foxing: {_DAMAGED}") from error
    if info.type != tarfile.REGTYPE or _NAME.fullmatch(info.name) is None:
        raise InvalidBundle(
            f"the bundle has '{info.name[:80]}', which no bundle has: paths, links and other files are refused"
        )
    if not 0 <= info.size <= MAX_MEMBER_BYTES:
        raise InvalidBundle(f"'{info.name}' in the bundle has more than {MAX_MEMBER_BYTES >> 20} MiB")
    return info


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size) if size else b""
    if len(data) != size:
        raise InvalidBundle(f"the bundle ends too early: {_DAMAGED}")
    return data


def _check_end(data: bytes, count: int, digest: str) -> None:
    end = document(END, data)
    if end != {"files": count, "sha256": digest}:
        raise InvalidBundle(f"the digest at the end of the bundle is not that of its files: {_DAMAGED}")


def document(name: str, data: bytes) -> Any:
    """Returns the JSON value in a file. Raises `InvalidBundle`."""
    try:
        return loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidBundle(f"'{name}' in the bundle is not valid JSON ({error})") from error


def compact(value: Any) -> bytes:
    """Returns a value as JSON that is the same wherever it is written."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
