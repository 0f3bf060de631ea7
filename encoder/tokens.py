"""Vision tokens and their self-describing binary format: header, data and checksum."""

import hashlib
import re
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Self

import numpy as np
from PIL import Image, UnidentifiedImageError
from safetensors.numpy import save as save_safetensors

from foxing.renderer import all_tiers

from .errors import TokensError

MAGIC = b"FXV"
#: Format version, the byte after `MAGIC`: plain tokens; with a map of inked cells; with a map of misread cells (and
#: possibly one of inked cells).
VERSION = 2
VERSION_WITH_INK = 3
VERSION_WITH_MISREAD = 4
#: Magic number of the format before version 2, and the last commit that reads it.
EARLIER_MAGIC = b"FXVT\x01"
EARLIER_COMMIT = "79853fe"
CHECKSUM_BYTES = 6

#: Bits per number of a token, by dtype.
DTYPE_BITS = {"uint8": 8, "int8": 8, "float8_e4m3": 8, "float16": 16, "bfloat16": 16, "float32": 32}
#: Dtype of tokens that are the page image itself: one PNG for all tokens, of variable length.
PNG = "png"
#: PNG signature, and the PNG chunks of a page image.
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
#: Dtype of tokens that are chunks of one byte stream of variable length; the last chunk may be shorter.
STREAM = "stream"
#: Code of each dtype in the header.
DTYPE_CODES = {name: code for code, name in enumerate((*DTYPE_BITS, PNG, STREAM))}

_DTYPES = {code: name for name, code in DTYPE_CODES.items()}
_HEX = re.compile("(?:[0-9a-f]{2})+")
_MAX_VARINT_BYTES = 5


def is_variable(dtype: str) -> bool:
    """Returns whether the size of a page's tokens in `dtype` depends on the content of the page."""
    return dtype in (PNG, STREAM)


def bytes_of(dtype: str, numbers: int) -> int:
    """Returns the bytes of a token of `numbers` numbers. Not for variable dtypes."""
    return numbers * DTYPE_BITS[dtype] // 8


def numbers_in(dtype: str, token_bytes: int) -> int:
    """Returns the numbers per token of `token_bytes` bytes, as in its shape: 1 for "png", the bytes for "stream"."""
    if dtype in (PNG, STREAM):
        return 1 if dtype == PNG else token_bytes
    return token_bytes * 8 // DTYPE_BITS[dtype]


@dataclass(frozen=True)
class VisionTokens:
    """Vision tokens of a page. Raises `TokensError` if the fields contradict each other."""

    #: Name of the codec that wrote them.
    codec: str
    #: Digest of the weights that wrote them.
    weights: str
    tier: str
    #: Token rows, token columns, numbers per token (1 if `dtype` is "png"). For "stream": 1, the number of tokens,
    #: bytes per token.
    shape: tuple[int, int, int]
    #: Key of `DTYPE_CODES`.
    dtype: str
    #: Tokens in row-major order, packed.
    #: For "png": one image of all tokens. For "stream": the bytes of the stream; the last token is not padded.
    data: bytes
    #: Map of inked cells, packed by the codec; empty if the codec does not need it.
    ink: bytes = b""
    #: Map of cells known to be misread, packed; see `foxing.encoder.alignment`. Empty if there are none.
    misread: bytes = b""
    #: Number of cell rows to decode, from the top; None for all. Not stored, see `head`.
    max_rows: int | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in (self.codec, self.weights, self.tier, self.dtype)):
            raise TokensError("the codec, weights, tier and dtype of vision tokens must be strings")
        if self.dtype not in DTYPE_CODES:
            raise TokensError(f"unknown dtype '{self.dtype}' of vision tokens; upgrade foxing")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise TokensError(f"the shape of vision tokens must be three positive numbers, not {self.shape}")
        self._check_data()

    def _check_data(self) -> None:
        """Raises `TokensError` if the length of the data contradicts the shape."""
        if self.dtype == PNG:
            if self.shape[2] != 1 or not self.data:
                raise TokensError(
                    f"vision tokens of dtype 'png' need one number each and data; the shape is {self.shape}"
                )
        elif self.dtype == STREAM:
            if self.shape[0] != 1 or self.count != -(-len(self.data) // self.shape[2]):
                raise TokensError(
                    f"a stream of {len(self.data)} bytes must be one row of the tokens that it fills; the shape is "
                    f"{self.shape}"
                )
        elif len(self.data) != (expected := bytes_of(self.dtype, self.shape[2]) * self.count):
            raise TokensError(f"vision tokens of shape {self.shape} take {expected} bytes, not {len(self.data)}")

    @property
    def _version(self) -> int:
        return VERSION_WITH_MISREAD if self.misread else VERSION_WITH_INK if self.ink else VERSION

    @property
    def count(self) -> int:
        """Number of vision tokens."""
        return self.shape[0] * self.shape[1]

    @property
    def bytes_per_token(self) -> int:
        """Bytes per token: for "png" the average, rounded up; the last token of a stream may be shorter."""
        return self.shape[2] if self.dtype == STREAM else -(-len(self.data) // self.count)

    @property
    def has_rows(self) -> bool:
        """True if each token row is a strip of the page, so that `crop` works; false for a stream."""
        return self.dtype != STREAM

    def to_bytes(self) -> bytes:
        """Serialises the tokens: magic number, version, header, data, and the first 6 bytes of the SHA-256 of these.

        Header: codec, weights and tier, each prefixed with its length; dtype code; shape; depending on the version, the
        maps of inked and of misread cells, each prefixed with its length. Numbers are LEB128 varints. A digest of the
        weights in lower-case hexadecimal is stored as binary; the lowest bit of its length is the flag for that.
        """
        packed = _HEX.fullmatch(self.weights) is not None
        weights = bytes.fromhex(self.weights) if packed else self.weights.encode()
        codec = self.codec.encode()
        tier = self.tier.encode()
        parts = [
            MAGIC + bytes([self._version]),
            *(_varint(len(codec)), codec),
            *(_varint(2 * len(weights) + packed), weights),
            *(_varint(len(tier)), tier),
            *(_varint(number) for number in (DTYPE_CODES[self.dtype], *self.shape)),
            _varint(len(self.ink)) + self.ink if self._version >= VERSION_WITH_INK else b"",
            _varint(len(self.misread)) + self.misread if self.misread else b"",
            self.data,
        ]
        body = b"".join(parts)
        return body + hashlib.sha256(body).digest()[:CHECKSUM_BYTES]

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Inverts `to_bytes`. Raises `TokensError` if the bytes are truncated, altered or not vision tokens."""
        if blob.startswith(EARLIER_MAGIC):
            raise TokensError(
                f"foxing no longer reads the format of these vision tokens; run `foxing export` with commit "
                f"{EARLIER_COMMIT} of foxing, and import the file here"
            )
        if not blob.startswith(MAGIC):
            raise TokensError("these bytes are not vision tokens")
        version = int.from_bytes(blob[len(MAGIC) :][:1])
        if version not in (VERSION, VERSION_WITH_INK, VERSION_WITH_MISREAD):
            raise TokensError(
                "these vision tokens are damaged or were written by a newer version of foxing; upgrade foxing"
            )
        body = blob[:-CHECKSUM_BYTES]
        checksum = blob[-CHECKSUM_BYTES:]
        if hashlib.sha256(body).digest()[:CHECKSUM_BYTES] != checksum:
            raise TokensError("these vision tokens are damaged (checksum mismatch); restore them from a backup")
        try:
            return cls(*_parsed(_Header(body, len(MAGIC) + 1), version))
        except ValueError as error:
            raise TokensError(
                f"the header of these vision tokens is invalid ({error}); restore them from a backup"
            ) from error

    def crop(self, first: int, stop: int) -> Self:
        """Returns the token rows from `first` up to but not including `stop`, without the maps of cells. Raises
        `TokensError` for a range that is empty or out of bounds, and for a stream, which decodes only as a whole."""
        if not self.has_rows:
            raise TokensError("a page that is stored as a stream decodes only as a whole; it cannot be cropped")
        if not 0 <= first < stop <= self.shape[0]:
            raise TokensError(f"token rows {first} to {stop} are out of range; this page has {self.shape[0]}")
        if self.dtype == PNG:
            return self._crop_image(first, stop)
        row_bytes = self.bytes_per_token * self.shape[1]
        shape = (stop - first, self.shape[1], self.shape[2])
        return replace(self, shape=shape, data=self.data[first * row_bytes : stop * row_bytes], ink=b"", misread=b"")

    def head(self, rows: int) -> Self:
        """Returns tokens that decode to the first `rows` rows of cells, without the map of misread cells. A codec may
        decode more rows. Raises `TokensError` if `rows` is less than 1."""
        if rows < 1:
            raise TokensError(f"the head of a page has at least one row, not {rows}")
        return replace(self, max_rows=rows, misread=b"")

    def image(self) -> Image.Image:
        """Returns the page image in mode "L". Raises `TokensError` unless `dtype` is "png" and the image is intact and
        no larger than a page."""
        if self.dtype != PNG:
            raise TokensError(f"vision tokens of dtype '{self.dtype}' are not an image")
        try:
            return Image.open(BytesIO(_plain_png(self.data)), formats=["PNG"]).convert("L")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise TokensError(
                f"the image in these vision tokens cannot be read ({error}); restore the page from a backup"
            ) from error

    def _crop_image(self, first: int, stop: int) -> Self:
        image = self.image()
        token_px = image.height // self.shape[0]
        part = image.crop((0, first * token_px, image.width, stop * token_px))
        return replace(self, shape=(stop - first, self.shape[1], 1), data=png_bytes(part), misread=b"")

    def to_safetensors(self) -> bytes:
        """Returns a safetensors file with the tensor "tokens", uint8[token rows, token columns, bytes per token] as
        stored, and the other fields as metadata. For the dtype "png", the tensor is "image", uint8[bytes], a PNG file;
        for "stream" it is "stream", uint8[bytes], and "numbers_per_token" is the number of bytes per token."""
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
        if self.dtype == STREAM:
            return save_safetensors({"stream": array}, metadata)
        return save_safetensors({"tokens": array.reshape(*self.shape[:2], self.bytes_per_token)}, metadata)


def _plain_png(data: bytes) -> bytes:
    """Strips a PNG to header, palette and pixels, which is all that a page has; other chunks may hold compressed text,
    animations and colour profiles. Raises `ValueError` for other files and for an image larger than a page."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError("it is not a PNG")
    parts = [PNG_SIGNATURE]
    position = len(PNG_SIGNATURE)
    while position < len(data):
        length = int.from_bytes(data[position : position + 4])
        kind = data[position + 4 : position + 8]
        stop = position + length + 12
        if stop > len(data) or (kind == b"IHDR") != (len(parts) == 1):
            raise ValueError("it is truncated or damaged")
        if kind == b"IHDR":
            width, height = (int.from_bytes(data[position + start : position + start + 4]) for start in (8, 12))
            longest_side = max(tier.side_px for tier in all_tiers().values())
            if not 0 < width <= longest_side or not 0 < height <= longest_side:
                raise ValueError(f"it claims {width}×{height} px; a page has at most {longest_side} px on a side")
        if kind in PNG_CHUNKS:
            parts.append(data[position:stop])
        position = stop
    return b"".join(parts)


@dataclass
class _Header:
    """Sequential reader of header fields. Raises `ValueError` if the bytes are truncated or invalid."""

    body: bytes
    #: Offset of the next field.
    position: int

    def number(self) -> int:
        """Reads the next LEB128 varint."""
        result = 0
        for place in range(_MAX_VARINT_BYTES):
            part = self.take(1)[0]
            result |= (part & 0x7F) << 7 * place
            if part < 0x80:
                return result
        raise ValueError("it contains a number that is too long")

    def take(self, length: int) -> bytes:
        """Reads the next `length` bytes."""
        part = self.body[self.position : self.position + length]
        if len(part) != length:
            raise ValueError("it ends early")
        self.position += length
        return part


def _parsed(header: _Header, version: int) -> tuple[str, str, str, tuple[int, int, int], str, bytes, bytes, bytes]:
    """Parses the fields of `VisionTokens`. Raises `ValueError` or `TokensError`."""
    codec = header.take(header.number()).decode()
    length, packed = divmod(header.number(), 2)
    weights = header.take(length)
    tier = header.take(header.number()).decode()
    code = header.number()
    if code not in _DTYPES:
        raise TokensError(f"unknown dtype code {code} of vision tokens; upgrade foxing")
    shape = (header.number(), header.number(), header.number())
    ink = header.take(header.number()) if version >= VERSION_WITH_INK else b""
    misread = header.take(header.number()) if version >= VERSION_WITH_MISREAD else b""
    data = header.body[header.position :]
    return codec, weights.hex() if packed else weights.decode(), tier, shape, _DTYPES[code], data, ink, misread


def _varint(number: int) -> bytes:
    """Returns `number` as LEB128: seven bits per byte, lowest first."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def png_bytes(image: Image.Image) -> bytes:
    """Returns `image` as a PNG file with 16 grey levels, enough for print at half the bytes of 256 levels. The same
    image always gives the same bytes."""
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    indexed = Image.frombytes("P", image.size, ((grey + 8) // 17).astype(np.uint8).tobytes())
    indexed.putpalette([17 * level for level in range(16) for _ in range(3)])
    buffer = BytesIO()
    indexed.save(buffer, "PNG", bits=4)
    return buffer.getvalue()
