"""Vision tokens as self-describing bytes."""

import hashlib
import json
import struct
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as save_safetensors

from .errors import TokensError

MAGIC = b"FXVT\x01"
CHECKSUM_BYTES = 8
_LENGTH = struct.Struct("<H")

#: Bits of one number.
DTYPE_BITS = {"uint4": 4, "uint8": 8, "float8_e4m3": 8, "float16": 16, "bfloat16": 16, "float32": 32}


@dataclass(frozen=True)
class VisionTokens:
    """The vision tokens of a page, row by row.

    `shape`: (token rows, token columns, numbers a token); `data`: the numbers in `dtype`, packed without gaps, two to
    a byte for "uint4" with the first in the low bits, a token's numbers next to each other.
    """

    codec: str
    weights: str
    tier: str
    shape: tuple[int, int, int]
    dtype: str
    data: bytes

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in (self.codec, self.weights, self.tier, self.dtype)):
            raise TokensError("the codec, weights, tier and dtype of vision tokens are names")
        bits = DTYPE_BITS.get(self.dtype)
        if bits is None:
            raise TokensError(f"vision tokens of dtype '{self.dtype}' are not known to this version")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise TokensError(f"vision tokens have a shape of three positive numbers, not {self.shape}")
        expected = -(-self.shape[2] * bits // 8) * self.count
        if len(self.data) != expected:
            raise TokensError(f"vision tokens of shape {self.shape} take {expected} bytes, not {len(self.data)}")

    @property
    def count(self) -> int:
        """How many vision tokens these are."""
        return self.shape[0] * self.shape[1]

    @property
    def bytes_per_token(self) -> int:
        return len(self.data) // self.count

    def to_bytes(self) -> bytes:
        """Magic, header length, header (JSON), data, and the first 8 bytes of the sha256 of all that."""
        header = json.dumps(
            {"codec": self.codec, "weights": self.weights, "tier": self.tier, "shape": self.shape, "dtype": self.dtype},
            separators=(",", ":"),
        ).encode()
        body = MAGIC + _LENGTH.pack(len(header)) + header + self.data
        return body + hashlib.sha256(body).digest()[:CHECKSUM_BYTES]

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """The inverse of `to_bytes`. Raises `TokensError` for anything truncated, altered or foreign."""
        if not blob.startswith(MAGIC):
            raise TokensError("these are no vision tokens, or they were written by a newer version of foxing")
        body, checksum = blob[:-CHECKSUM_BYTES], blob[-CHECKSUM_BYTES:]
        if hashlib.sha256(body).digest()[:CHECKSUM_BYTES] != checksum:
            raise TokensError("these vision tokens are damaged (checksum differs); restore them from a backup")
        start = len(MAGIC) + _LENGTH.size
        try:
            stop = start + _LENGTH.unpack_from(body, len(MAGIC))[0]
            header = json.loads(body[start:stop])
            rows, columns, numbers = header["shape"]
            return cls(
                header["codec"],
                header["weights"],
                header["tier"],
                (int(rows), int(columns), int(numbers)),
                header["dtype"],
                body[stop:],
            )
        except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
            raise TokensError(f"the header of these vision tokens makes no sense ({error})") from error

    def crop(self, first: int, stop: int) -> Self:
        """The token rows `first`…`stop` alone. Raises `TokensError` for an empty or impossible range."""
        if not 0 <= first < stop <= self.shape[0]:
            raise TokensError(f"token rows {first}…{stop} are not within the {self.shape[0]} of this page")
        row_bytes = self.bytes_per_token * self.shape[1]
        shape = (stop - first, self.shape[1], self.shape[2])
        return replace(self, shape=shape, data=self.data[first * row_bytes : stop * row_bytes])

    def to_safetensors(self) -> bytes:
        """The numbers as a safetensors file: tensor "tokens", uint8[token rows, token columns, bytes a token] as
        stored, the rest in its metadata."""
        array = np.frombuffer(self.data, dtype=np.uint8).reshape(*self.shape[:2], self.bytes_per_token)
        metadata = {
            "codec": self.codec,
            "weights": self.weights,
            "tier": self.tier,
            "dtype": self.dtype,
            "numbers_per_token": str(self.shape[2]),
        }
        return save_safetensors({"tokens": array}, metadata)


def unpack_uint4(data: bytes, n_tokens: int, n_numbers: int) -> npt.NDArray[np.uint8]:
    """Two numbers a byte, the first in the low bits, each token from a byte of its own → uint8[n_tokens, n_numbers]."""
    packed = np.frombuffer(data, dtype=np.uint8).reshape(n_tokens, -1)
    numbers = np.empty((n_tokens, packed.shape[1] * 2), dtype=np.uint8)
    numbers[:, ::2] = packed & 15
    numbers[:, 1::2] = packed >> 4
    return numbers[:, :n_numbers]
