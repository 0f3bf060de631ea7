"""Packed format of the embedding codes of many messages."""

import struct
from collections.abc import Mapping

import numpy as np
import zstandard

from foxing.memory.errors import StorageError


class CodesDamaged(StorageError, ValueError):
    """Packed embedding codes are damaged."""

    def __init__(self) -> None:
        super().__init__("embeddings are damaged; run foxing db check --repair")


_HEADER = struct.Struct("<BII")  # format, messages, bytes of the packed ids and sizes
_FORMAT = 1
_LEVEL = 9
_PLACES = np.dtype([("step", "<u8"), ("size", "<u4")])  # difference to the message id before, bytes of the code


def pack_codes(codes: Mapping[int, bytes]) -> bytes:
    """Returns the codes of messages, given as message id → code, in the packed format; `unpack_codes` reverses it."""
    ids = sorted(codes)
    places = np.zeros(len(ids), dtype=_PLACES)
    places["step"] = np.diff(np.array(ids, dtype=np.uint64), prepend=np.uint64(0))
    places["size"] = [len(codes[i]) for i in ids]
    planes = places.view(np.uint8).reshape(len(ids), _PLACES.itemsize).T.tobytes()
    packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(planes)
    return b"".join([_HEADER.pack(_FORMAT, len(ids), len(packed)), packed, *(codes[i] for i in ids)])


def unpack_codes(packed: bytes) -> dict[int, bytes]:
    """Returns message id → code, by id. Raises `CodesDamaged`."""
    try:
        version, number, size = _HEADER.unpack_from(packed)
        start = _HEADER.size + size
        planes = zstandard.ZstdDecompressor().decompress(
            packed[_HEADER.size : start], max_output_size=number * _PLACES.itemsize
        )
        table = np.frombuffer(planes, dtype=np.uint8).reshape(_PLACES.itemsize, number).T
        places = np.ascontiguousarray(table).view(_PLACES).reshape(number)
        ends = np.cumsum(places["size"], dtype=np.int64) + start
        if version != _FORMAT or (number and ends[-1] != len(packed)):
            raise ValueError
    except (struct.error, zstandard.ZstdError, ValueError) as error:
        raise CodesDamaged from error
    ids = np.cumsum(places["step"]).tolist()
    starts = (ends - places["size"]).tolist()
    return {i: packed[a:b] for i, a, b in zip(ids, starts, ends.tolist(), strict=True)}
