"""Content-addressed storage of long values: equal parts of a value and of its later versions are stored once.

A value is cut where its content says so, so that an appended or inserted element changes only the chunks around it.
Their names are cut in the same way, level by level, until one name is left: a new version of a value of n chunks stores
about log n new ones.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NAME_BYTES = 16
#: The first bytes of a value say how long it is, hence change with every version; they are kept outside chunks.
HEAD_BYTES = 8
#: A value of at most this many bytes is not cut.
SHORT_BYTES = 48

MIN_BYTES = 256  # of a chunk
MAX_BYTES = 8192
_CHUNK_BITS = 10  # a chunk has about 2 ** 10 bytes beyond `MIN_BYTES`
_MIN_NAMES = 2  # of a node
_MAX_NAMES = 128
_NODE_MASK = 0x1F  # a node has about 32 names

_WINDOW = 32  # bytes that decide whether a chunk ends after them
_GEAR = np.frombuffer(hashlib.shake_128(b"foxing chunks").digest(4 * 256), dtype="<u4")


@dataclass(frozen=True)
class Cut:
    """A value, cut into chunks."""

    #: the first bytes of the value
    head: bytes
    #: number of levels of nodes above the chunks of the value
    depth: int
    #: name of the chunk or node that leads to all others; None if `head` is the whole value
    root: bytes | None
    #: name → content of each chunk and node
    chunks: dict[bytes, bytes]


def cut(data: bytes, key: bytes) -> Cut:
    """Returns a value as chunks. `key`: secret of at most 64 bytes for the names, empty for none."""
    if len(data) <= SHORT_BYTES:
        return Cut(data, 0, None, {})
    chunks: dict[bytes, bytes] = {}
    names = _named(_split(data[HEAD_BYTES:]), key, chunks)
    depth = 0
    while len(names) > 1:
        names = _named(_nodes(names), key, chunks)
        depth += 1
    return Cut(data[:HEAD_BYTES], depth, names[0], chunks)


def names_in(node: bytes) -> list[bytes]:
    """Returns the names that a node holds."""
    return [node[start : start + NAME_BYTES] for start in range(0, len(node), NAME_BYTES)]


def _named(parts: Iterable[bytes], key: bytes, chunks: dict[bytes, bytes]) -> list[bytes]:
    names = []
    for part in parts:
        name = hashlib.blake2b(part, digest_size=NAME_BYTES, key=key).digest()
        chunks[name] = part
        names.append(name)
    return names


def _split(data: bytes) -> Iterator[bytes]:
    start = 0
    for end in _ends(data):
        while end - start > MAX_BYTES:
            yield data[start : start + MAX_BYTES]
            start += MAX_BYTES
        if end - start >= MIN_BYTES:
            yield data[start:end]
            start = end
    while start < len(data):
        yield data[start : start + MAX_BYTES]
        start += MAX_BYTES


def _ends(data: bytes) -> Sequence[int]:
    """Returns the places at which a chunk may end, ascending: where the hash of the bytes before has `_CHUNK_BITS`
    zeros."""
    hashes: npt.NDArray[np.uint32] = _GEAR[np.frombuffer(data, dtype=np.uint8)].astype(np.uint32)
    width = 1
    while width < _WINDOW:  # afterwards, each hash covers `width` bytes
        hashes[width:] += hashes[:-width] << np.uint32(width)
        width *= 2
    ends: list[int] = (np.flatnonzero(hashes >> np.uint32(32 - _CHUNK_BITS) == 0) + 1).tolist()
    return ends


def _nodes(names: Sequence[bytes]) -> Iterator[bytes]:
    node: list[bytes] = []
    for name in names:
        node.append(name)
        ends = name[0] & _NODE_MASK == 0 and len(node) >= _MIN_NAMES
        if ends or len(node) == _MAX_NAMES:
            yield b"".join(node)
            node = []
    if node:
        yield b"".join(node)
