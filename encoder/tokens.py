"""Vision tokens as self-describing bytes: a header that says what they are, the data, and a checksum."""

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

#: Bits of one number of a token.
DTYPE_BITS = {"uint8": 8, "int8": 8, "float8_e4m3": 8, "float16": 16, "bfloat16": 16, "float32": 32}
#: An "int8" token has one scale per run of this many numbers: float32, little-endian, all scales before the numbers.
SCALED_NUMBERS = 128
SCALE_BYTES = 4
#: The dtype of tokens that are the page image itself: one PNG for all tokens, of variable length.
PNG = "png"


def is_variable(dtype: str) -> bool:
    """Whether the size of tokens of `dtype` depends on the page."""
    return dtype == PNG


def bytes_of(dtype: str, numbers: int) -> int:
    """Bytes of a token of `numbers` numbers, scales included. Not for variable dtypes."""
    scales = -(-numbers // SCALED_NUMBERS) * SCALE_BYTES if dtype == "int8" else 0
    return scales + numbers * DTYPE_BITS[dtype] // 8


def numbers_in(dtype: str, token_bytes: int) -> int:
    """Numbers in a token of `token_bytes` bytes, as in its shape; 1 for variable dtypes."""
    if is_variable(dtype):
        return 1
    scales = -(-token_bytes // (SCALED_NUMBERS + SCALE_BYTES)) * SCALE_BYTES if dtype == "int8" else 0
    return (token_bytes - scales) * 8 // DTYPE_BITS[dtype]


@dataclass(frozen=True)
class VisionTokens:
    """The vision tokens of a page. Raises `TokensError` if the fields contradict each other."""

    #: Name of the codec that wrote them.
    codec: str
    #: Digest of the weights that wrote them.
    weights: str
    tier: str
    #: Token rows, token columns, numbers per token (1 if `dtype` is "png").
    shape: tuple[int, int, int]
    #: A key of `DTYPE_BITS`, or "png".
    dtype: str
    #: The tokens row by row, packed without gaps. A number of "int8" is multiplied by the scale of its run of
    #: `SCALED_NUMBERS`. With "png": one image of all tokens.
    data: bytes

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in (self.codec, self.weights, self.tier, self.dtype)):
            raise TokensError("the codec, weights, tier and dtype of vision tokens must be strings")
        if self.dtype not in DTYPE_BITS and not is_variable(self.dtype):
            raise TokensError(f"unknown dtype '{self.dtype}' of vision tokens; upgrade foxing")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise TokensError(f"the shape of vision tokens must be three positive numbers, not {self.shape}")
        if is_variable(self.dtype):
            if self.shape[2] != 1 or not self.data:
                raise TokensError(
                    f"vision tokens of dtype 'png' need one number each and data; the shape is {self.shape}"
                )
            return
        expected = bytes_of(self.dtype, self.shape[2]) * self.count
        if len(self.data) != expected:
            raise TokensError(f"vision tokens of shape {self.shape} take {expected} bytes, not {len(self.data)}")

    @property
    def count(self) -> int:
        """Number of vision tokens."""
        return self.shape[0] * self.shape[1]

    @property
    def bytes_per_token(self) -> int:
        """Bytes of one token; for a variable dtype the average, rounded up."""
        return -(-len(self.data) // self.count)

    def to_bytes(self) -> bytes:
        """Magic number, header length, header (JSON), data, and the first 8 bytes of the SHA-256 of all that."""
        header = json.dumps(
            {"codec": self.codec, "weights": self.weights, "tier": self.tier, "shape": self.shape, "dtype": self.dtype},
            separators=(",", ":"),
        ).encode()
        body = MAGIC + _LENGTH.pack(len(header)) + header + self.data
        return body + hashlib.sha256(body).digest()[:CHECKSUM_BYTES]

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """The inverse of `to_bytes`. Raises `TokensError` if the bytes are truncated, altered or something else."""
        if not blob.startswith(MAGIC):
            raise TokensError("these bytes are not vision tokens, or a newer version of foxing wrote them")
        body, checksum = blob[:-CHECKSUM_BYTES], blob[-CHECKSUM_BYTES:]
        if hashlib.sha256(body).digest()[:CHECKSUM_BYTES] != checksum:
            raise TokensError("these vision tokens are damaged (checksum mismatch); restore them from a backup")
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
            raise TokensError(
                f"the header of these vision tokens is invalid ({error}); restore them from a backup"
            ) from error

    def crop(self, first: int, stop: int) -> Self:
        """The token rows from `first` up to but not including `stop`. Raises `TokensError` for a range that is empty or
        out of bounds."""
        if not 0 <= first < stop <= self.shape[0]:
            raise TokensError(f"token rows {first} to {stop} are out of range; this page has {self.shape[0]}")
        if self.dtype == PNG:
            return self._crop_image(first, stop)
        row_bytes = self.bytes_per_token * self.shape[1]
        shape = (stop - first, self.shape[1], self.shape[2])
        return replace(self, shape=shape, data=self.data[first * row_bytes : stop * row_bytes])

    def image(self) -> Image.Image:
        """The page image in mode "L". Raises `TokensError` unless `dtype` is "png" and the image is intact."""
        if self.dtype != PNG:
            raise TokensError(f"vision tokens of dtype '{self.dtype}' are not an image")
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
        """A safetensors file with the tensor "tokens", uint8[token rows, token columns, bytes per token] as stored, and
        the other fields as metadata. With the dtype "png": the tensor "image", uint8[bytes], a PNG file."""
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
    """`image` as a PNG file in 16 greys, enough for print at half the bytes of 256. The same image always gives the
    same bytes."""
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    indexed = Image.frombytes("P", image.size, ((grey + 8) // 17).astype(np.uint8).tobytes())
    indexed.putpalette([17 * level for level in range(16) for _ in range(3)])
    buffer = BytesIO()
    indexed.save(buffer, "PNG", bits=4)
    return buffer.getvalue()
