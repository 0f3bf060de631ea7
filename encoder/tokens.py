"""Vision tokens as self-describing bytes."""

import hashlib
import json
import struct
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Self

import numpy as np
from PIL import Image, UnidentifiedImageError
from safetensors.numpy import save as save_safetensors

from .errors import TokensError

MAGIC = b"FXVT\x01"
CHECKSUM_BYTES = 8
_LENGTH = struct.Struct("<H")

#: Bits of one number.
DTYPE_BITS = {"uint8": 8, "int8": 8, "float8_e4m3": 8, "float16": 16, "bfloat16": 16, "float32": 32}
#: An "int8" token has a scale for so many numbers: float32, little-endian, all of them before its numbers.
SCALED_NUMBERS = 128
SCALE_BYTES = 4
#: The data are the page's image itself, one PNG over all tokens, whose length depends on what it shows.
PNG = "png"


def is_variable(dtype: str) -> bool:
    """Whether tokens of `dtype` take as many bytes as their page needs."""
    return dtype == PNG


def bytes_of(dtype: str, numbers: int) -> int:
    """Bytes of a token of `numbers` numbers, its scales included; not for a dtype that is variable."""
    scales = -(-numbers // SCALED_NUMBERS) * SCALE_BYTES if dtype == "int8" else 0
    return scales + numbers * DTYPE_BITS[dtype] // 8


def numbers_in(dtype: str, token_bytes: int) -> int:
    """Numbers of a token of `token_bytes` bytes, as its shape has them; 1 where a token has no length of its own."""
    if is_variable(dtype):
        return 1
    scales = -(-token_bytes // (SCALED_NUMBERS + SCALE_BYTES)) * SCALE_BYTES if dtype == "int8" else 0
    return (token_bytes - scales) * 8 // DTYPE_BITS[dtype]


@dataclass(frozen=True)
class VisionTokens:
    """The vision tokens of a page, row by row.

    `shape`: (token rows, token columns, numbers a token); `data`: the numbers in `dtype`, packed without gaps, a
    token's numbers next to each other. A number of "int8" counts
    times the scale of its run of `SCALED_NUMBERS`. With the dtype "png" the data are an image of as many rows and
    columns of tokens, and a token has one "number".
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
        if self.dtype not in DTYPE_BITS and not is_variable(self.dtype):
            raise TokensError(f"vision tokens of dtype '{self.dtype}' are not known to this version")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise TokensError(f"vision tokens have a shape of three positive numbers, not {self.shape}")
        if is_variable(self.dtype):
            if self.shape[2] != 1 or not self.data:
                raise TokensError(f"vision tokens kept as an image have one number each, and data; not {self.shape}")
            return
        expected = bytes_of(self.dtype, self.shape[2]) * self.count
        if len(self.data) != expected:
            raise TokensError(f"vision tokens of shape {self.shape} take {expected} bytes, not {len(self.data)}")

    @property
    def count(self) -> int:
        """How many vision tokens these are."""
        return self.shape[0] * self.shape[1]

    @property
    def bytes_per_token(self) -> int:
        """Rounded up, where tokens have no length of their own."""
        return -(-len(self.data) // self.count)

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
        if self.dtype == PNG:
            return self._crop_image(first, stop)
        row_bytes = self.bytes_per_token * self.shape[1]
        shape = (stop - first, self.shape[1], self.shape[2])
        return replace(self, shape=shape, data=self.data[first * row_bytes : stop * row_bytes])

    def image(self) -> Image.Image:
        """The page's image, mode "L", where the data are one. Raises `TokensError`."""
        if self.dtype != PNG:
            raise TokensError(f"vision tokens of dtype '{self.dtype}' are no image")
        try:
            image = Image.open(BytesIO(self.data), formats=["PNG"]).convert("L")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise TokensError(f"the image in these vision tokens cannot be read ({error})") from error
        return image

    def _crop_image(self, first: int, stop: int) -> Self:
        image = self.image()
        token_px = image.height // self.shape[0]
        part = image.crop((0, first * token_px, image.width, stop * token_px))
        return replace(self, shape=(stop - first, self.shape[1], 1), data=png_bytes(part))

    def to_safetensors(self) -> bytes:
        """The numbers as a safetensors file: tensor "tokens", uint8[token rows, token columns, bytes a token] as
        stored, the rest in its metadata. With the dtype "png": tensor "image", uint8[bytes], a PNG file."""
        array = np.frombuffer(self.data, dtype=np.uint8)
        metadata = {
            "codec": self.codec,
            "weights": self.weights,
            "tier": self.tier,
            "dtype": self.dtype,
            "numbers_per_token": str(self.shape[2]),
        }
        if self.dtype == PNG:
            return save_safetensors({"image": array}, metadata)
        return save_safetensors({"tokens": array.reshape(*self.shape[:2], self.bytes_per_token)}, metadata)


def png_bytes(image: Image.Image) -> bytes:
    """A PNG file in 16 greys, of which print needs no more: half the bytes of 256. Same image, same bytes."""
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    indexed = Image.frombytes("P", image.size, ((grey + 8) // 17).astype(np.uint8).tobytes())
    indexed.putpalette([17 * level for level in range(16) for _ in range(3)])
    buffer = BytesIO()
    indexed.save(buffer, "PNG", bits=4)
    return buffer.getvalue()
