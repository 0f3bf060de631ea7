"""Vision tokens as bytes: exact round trips, and rejection of damaged or foreign data."""

import hashlib
import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load as load_safetensors

from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import DTYPE_BITS, MAGIC, VisionTokens, bytes_of, numbers_in


def make(rows: int = 3, columns: int = 10, numbers: int = 128, dtype: str = "uint8", seed: int = 7) -> VisionTokens:
    size = bytes_of(dtype, numbers) * rows * columns
    data = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
    return VisionTokens("native", "a1b2c3", "small", (rows, columns, numbers), dtype, data)


def sealed(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A blob with a valid checksum over arbitrary contents."""
    body = MAGIC + struct.pack("<H", len(header) if length is None else length) + header + data
    return body + hashlib.sha256(body).digest()[:8]


@pytest.mark.parametrize("dtype", DTYPE_BITS)
@pytest.mark.parametrize("numbers", [1, 7, 256])
def test_tokens_survive_a_round_trip(dtype: str, numbers: int) -> None:
    tokens = make(numbers=numbers, dtype=dtype)
    assert VisionTokens.from_bytes(tokens.to_bytes()) == tokens
    assert tokens.to_bytes() == make(numbers=numbers, dtype=dtype).to_bytes()


@pytest.mark.parametrize("dtype", DTYPE_BITS)
@pytest.mark.parametrize("numbers", [1, 127, 128, 129, 1280])
def test_numbers_in_inverts_bytes_of(dtype: str, numbers: int) -> None:
    assert numbers_in(dtype, bytes_of(dtype, numbers)) == numbers


def test_int8_tokens_include_their_scales() -> None:
    assert bytes_of("int8", 1280) == 1280 + 10 * 4
    tokens = make(dtype="int8", numbers=130)
    assert tokens.bytes_per_token == 130 + 2 * 4
    assert tokens.crop(1, 2).data == tokens.data[10 * 138 : 20 * 138]


def test_every_truncation_is_detected() -> None:
    blob = make(rows=1, columns=2, numbers=8).to_bytes()
    for stop in range(len(blob)):
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(blob[:stop])
    with pytest.raises(TokensError):
        VisionTokens.from_bytes(blob + b"\x00")


def test_every_flipped_bit_is_detected() -> None:
    blob = make(rows=1, columns=2, numbers=8).to_bytes()
    for position in range(len(blob) * 8):
        damaged = bytearray(blob)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(bytes(damaged))


def test_the_error_tells_damaged_from_foreign_data() -> None:
    blob = make().to_bytes()
    with pytest.raises(TokensError, match="checksum"):
        VisionTokens.from_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    with pytest.raises(TokensError, match="newer version"):
        VisionTokens.from_bytes(b"FXVT\x02" + blob[5:])
    with pytest.raises(TokensError, match="not vision tokens"):
        VisionTokens.from_bytes(b"\x89PNG\r\n")


FIELDS = {"codec": "native", "weights": "w", "tier": "tiny", "shape": [1, 1, 4], "dtype": "uint8"}


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"[" * 40_000,
        b"{}",
        json.dumps({**FIELDS, "shape": [1, 1]}).encode(),
        json.dumps({**FIELDS, "shape": [1, 1, "four"]}).encode(),
        json.dumps({**FIELDS, "shape": [0, 1, 4]}).encode(),
        json.dumps({**FIELDS, "shape": [1, 1, 8]}).encode(),
        json.dumps({**FIELDS, "shape": None}).encode(),
        json.dumps({**FIELDS, "dtype": "uint3"}).encode(),
        json.dumps({**FIELDS, "dtype": [4]}).encode(),
        json.dumps({**FIELDS, "weights": ["w"]}).encode(),
        json.dumps({**FIELDS, "codec": None}).encode(),
    ],
)
def test_an_invalid_header_is_rejected_despite_a_valid_checksum(header: bytes) -> None:
    with pytest.raises(TokensError):
        VisionTokens.from_bytes(sealed(header, b"\x12\x34\x56\x78"))


def test_a_header_length_beyond_the_end_is_rejected() -> None:
    with pytest.raises(TokensError):
        VisionTokens.from_bytes(sealed(json.dumps(FIELDS).encode(), b"\x12\x34\x56\x78", length=60_000))
    too_short = MAGIC + b"\x01"
    with pytest.raises(TokensError):
        VisionTokens.from_bytes(too_short + hashlib.sha256(too_short).digest()[:8])


def test_contradictory_fields_are_rejected() -> None:
    with pytest.raises(TokensError, match="take 4 bytes, not 3"):
        VisionTokens("native", "w", "tiny", (1, 1, 4), "uint8", b"abc")
    with pytest.raises(TokensError, match="unknown dtype"):
        VisionTokens("native", "w", "tiny", (1, 1, 4), "int2", b"a")
    with pytest.raises(TokensError, match="positive"):
        VisionTokens("native", "w", "tiny", (1, 0, 4), "uint8", b"")


def test_a_crop_contains_the_tokens_of_its_rows() -> None:
    tokens = make(rows=5)
    parts = [tokens.crop(row, row + 1) for row in range(5)]
    assert all(part.shape == (1, 10, 128) for part in parts)
    assert b"".join(part.data for part in parts) == tokens.data
    assert tokens.crop(0, 5) == tokens
    assert VisionTokens.from_bytes(tokens.crop(1, 4).to_bytes()).crop(1, 2) == parts[2]


@pytest.mark.parametrize(("first", "stop"), [(0, 0), (2, 1), (-1, 2), (0, 6), (5, 6)])
def test_a_crop_out_of_bounds_is_rejected(first: int, stop: int) -> None:
    with pytest.raises(TokensError):
        make(rows=5).crop(first, stop)


def test_the_safetensors_file_contains_the_numbers_as_stored() -> None:
    tokens = make()
    blob = tokens.to_safetensors()
    array = load_safetensors(blob)["tokens"]
    assert array.shape == (3, 10, 128)
    assert array.tobytes() == tokens.data
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    assert header["__metadata__"] == {
        "codec": "native",
        "weights": "a1b2c3",
        "tier": "small",
        "dtype": "uint8",
        "numbers_per_token": "128",
    }
