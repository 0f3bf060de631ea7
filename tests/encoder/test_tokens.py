"""Vision tokens as bytes: exact round trips, and rejection of damaged or foreign data."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load as load_safetensors

from foxing.encoder import Reading, TokensError, VisionTokens
from foxing.encoder.alignment.misread import known_misread, misread_cells, misread_of, with_misread
from foxing.encoder.tokens import (
    CHECKSUM_BYTES,
    DTYPE_BITS,
    DTYPE_CODES,
    MAGIC,
    PNG,
    STREAM,
    VERSION,
    VERSION_WITH_MISREAD,
    bytes_of,
    is_variable,
    numbers_in,
)
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK

PREFIX = MAGIC + bytes([VERSION])


def make(rows: int = 3, columns: int = 10, numbers: int = 128, dtype: str = "uint8", seed: int = 7) -> VisionTokens:
    size = bytes_of(dtype, numbers) * rows * columns
    data = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
    return VisionTokens("native", "a1b2c3", "small", (rows, columns, numbers), dtype, data)


def stream(size: int, token_bytes: int = 48, weights: str = "0123456789ab", seed: int = 5) -> VisionTokens:
    """A page of `size` bytes."""
    data = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
    return VisionTokens("native", weights, "small", (1, -(-size // token_bytes), token_bytes), STREAM, data)


def sealed(body: bytes) -> bytes:
    """A blob with a valid checksum over arbitrary contents after the magic number and version."""
    body = PREFIX + body
    return body + hashlib.sha256(body).digest()[:CHECKSUM_BYTES]


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


@pytest.mark.parametrize("size", [1, 47, 48, 49, 96, 3_500, 19_200])
def test_a_stream_keeps_its_true_length(size: int) -> None:
    tokens = stream(size)
    assert (tokens.count, tokens.bytes_per_token) == (-(-size // 48), 48)
    assert VisionTokens.from_bytes(tokens.to_bytes()) == tokens
    assert not tokens.has_rows
    assert make().has_rows


@pytest.mark.parametrize(
    ("shape", "size"), [((1, 2, 48), 48), ((1, 2, 48), 97), ((1, 1, 48), 0), ((2, 1, 48), 96), ((1, 0, 48), 0)]
)
def test_a_stream_whose_shape_is_not_that_of_its_bytes_is_rejected(shape: tuple[int, int, int], size: int) -> None:
    with pytest.raises(TokensError):
        VisionTokens("native", "w", "tiny", shape, STREAM, b"x" * size)


def test_a_stream_is_never_cropped() -> None:
    for first, stop in ((0, 1), (0, 0), (1, 2)):
        with pytest.raises(TokensError, match="only as a whole"):
            stream(100).crop(first, stop)


def test_the_size_of_images_and_streams_depends_on_the_page() -> None:
    assert {dtype for dtype in DTYPE_CODES if is_variable(dtype)} == {PNG, STREAM}
    assert (numbers_in(PNG, 999), numbers_in(STREAM, 48)) == (1, 48)


@pytest.mark.parametrize(("size", "most"), [(3_500, 40), (48, 40), (19_200, 40)])
def test_a_page_takes_few_bytes_beside_its_data(size: int, most: int) -> None:
    assert len(stream(size).to_bytes()) - size <= most


@pytest.mark.parametrize(
    "weights", ["", "a", "abc", "abcd", "ABCD", "0123456789ab", "0x12", "0" * 64, "png-160x80", "größe", "é" * 200]
)
def test_any_digest_of_weights_survives(weights: str) -> None:
    tokens = stream(10, weights=weights)
    assert VisionTokens.from_bytes(tokens.to_bytes()) == tokens
    assert len(stream(10, weights="ab" * 32).to_bytes()) == len(stream(10, weights="").to_bytes()) + 32


BLOBS = [
    make(rows=1, columns=2, numbers=8).to_bytes(),
    stream(60).to_bytes(),
    stream(1, weights="not hexadecimal").to_bytes(),
    VisionTokens("remote", "png-160x80", "large", (20, 20, 1), PNG, b"\x89PNG").to_bytes(),
]
each_blob = pytest.mark.parametrize("blob", BLOBS, ids=["numbers", "stream", "one byte", "image"])


@each_blob
def test_every_truncation_is_detected(blob: bytes) -> None:
    for stop in range(len(blob)):
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(blob[:stop])
    for more in (b"\x00", b"\xff", blob):
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(blob + more)


@each_blob
def test_every_flipped_bit_is_detected(blob: bytes) -> None:
    for position in range(len(blob) * 8):
        damaged = bytearray(blob)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(bytes(damaged))


@each_blob
def test_a_changed_header_is_never_something_else_than_an_error_or_other_tokens(blob: bytes) -> None:
    """With a valid checksum: as written by a program that is wrong."""
    tokens, body = VisionTokens.from_bytes(blob), blob[len(PREFIX) : -CHECKSUM_BYTES]
    for position in range(len(body) - len(tokens.data)):
        for bit in range(8):
            damaged = bytearray(body)
            damaged[position] ^= 1 << bit
            try:
                assert VisionTokens.from_bytes(sealed(bytes(damaged))) != tokens
            except TokensError:
                continue
    for stop in range(len(body) - len(tokens.data)):
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(sealed(body[:stop]))


def test_the_error_tells_damaged_from_foreign_data() -> None:
    blob = make().to_bytes()
    with pytest.raises(TokensError, match="checksum"):
        VisionTokens.from_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    with pytest.raises(TokensError, match="commit 79853fe of foxing"):
        VisionTokens.from_bytes(b"FXVT\x01\x20\x00{}")
    with pytest.raises(TokensError, match="newer version"):
        VisionTokens.from_bytes(MAGIC + bytes([VERSION_WITH_MISREAD + 1]) + blob[len(PREFIX) :])
    with pytest.raises(TokensError, match="not vision tokens"):
        VisionTokens.from_bytes(b"\x89PNG\r\n")


def test_a_map_of_ink_is_stored_beside_the_tokens() -> None:
    tokens = make()
    with_ink = replace(tokens, ink=b"\x01\x02\x03")
    assert tokens.to_bytes()[: len(PREFIX)] == PREFIX, "others are stored as before"
    assert VisionTokens.from_bytes(with_ink.to_bytes()) == with_ink
    assert len(with_ink.to_bytes()) == len(tokens.to_bytes()) + 4
    assert with_ink.bytes_per_token == tokens.bytes_per_token
    assert with_ink.crop(0, 1).ink == b""


@pytest.mark.parametrize("ink", [b"", b"\x01\x02\x03"])
def test_a_map_of_misread_cells_is_stored_beside_the_tokens(ink: bytes) -> None:
    tokens = replace(make(), ink=ink)
    flags = np.random.default_rng(3).random((40, 80)) < 0.05
    flags[30] = True
    flagged = with_misread(tokens, flags)
    assert VisionTokens.from_bytes(flagged.to_bytes()) == flagged
    assert (misread_of(flagged, flags.shape) == flags).all()
    assert (misread_of(flagged, (30, 80)) == flags[:30]).all()
    assert len(flagged.misread) < 180
    assert flagged.crop(0, 1).misread == b""
    assert with_misread(flagged, np.zeros((40, 80), dtype=bool)) == tokens
    for broken in (flagged.misread[:-9], b"\xff" + flagged.misread):
        with pytest.raises(TokensError, match="misread cells"):
            misread_of(replace(tokens, misread=broken), flags.shape)


def test_only_what_reads_otherwise_is_misread() -> None:
    drawn = np.array([[*map(ord, "one two"), BLANK], [BLANK] * 8], dtype=np.uint32)
    read = drawn.copy()
    read[0, 0], read[0, 3], read[0, 4], read[1, 2] = ord("a"), BLANK, ord(GAP_MARK), ord("x")
    reading = Reading("tiny", read, np.full(read.shape, 0.9, dtype=np.float32), 0.8)
    wrong = misread_cells(drawn, reading)
    assert list(zip(*np.nonzero(wrong), strict=True)) == [(0, 0), (1, 2)], "neither blanks nor what reads as a gap"
    assert (misread_cells(drawn[:1], reading) == wrong).all()
    flagged = known_misread(reading, with_misread(make(), wrong))
    assert (flagged.confidence == np.where(wrong, 0, np.float32(0.9))).all()
    assert known_misread(reading, make()) is reading


NAMES = b"\x06native\x02w\x04tiny"


def test_a_header_is_as_documented() -> None:
    assert VisionTokens.from_bytes(sealed(NAMES + b"\0\1\1\4" + b"data")) == VisionTokens(
        "native", "w", "tiny", (1, 1, 4), "uint8", b"data"
    )
    wide = NAMES + b"\7\1\xac\2\x30" + b"x" * 14_400
    assert VisionTokens.from_bytes(sealed(wide)).shape == (1, 300, 48)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends early"),
        (b"\x06nat", "ends early"),
        (b"\xff\xff\xff\xff\xff\x01native", "too long"),
        (b"\xff\xff\xff\xff\x0fnative", "ends early"),
        (b"\x02\xff\xfe\x02w\x04tiny\0\1\1\4data", "invalid"),
        (NAMES, "ends early"),
        (NAMES + b"\0\1\1", "ends early"),
        (NAMES + b"\0\0\1\4data", "positive"),
        (NAMES + b"\0\1\1\x08data", "take 8 bytes, not 4"),
        (NAMES + b"\7\1\2\4data", "the tokens that it fills"),
        (NAMES + b"\6\1\1\1", "need one number each and data"),
        (NAMES + b"\x08\1\1\4data", "unknown dtype code 8"),
        (NAMES + b"\x63\1\1\4data", "upgrade foxing"),
    ],
)
def test_an_invalid_header_is_rejected_despite_a_valid_checksum(body: bytes, reason: str) -> None:
    with pytest.raises(TokensError, match=reason):
        VisionTokens.from_bytes(sealed(body))


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


def test_the_safetensors_file_of_a_stream_contains_its_bytes() -> None:
    tokens = stream(100)
    blob = tokens.to_safetensors()
    array = load_safetensors(blob)["stream"]
    assert (array.shape, array.tobytes()) == ((100,), tokens.data)
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    assert header["__metadata__"]["dtype"] == "stream"
    assert header["__metadata__"]["numbers_per_token"] == "48"


def test_the_head_of_a_page_has_the_same_tokens() -> None:
    tokens = VisionTokens("native", "w", "base", (1, 2, 10), "stream", b"x" * 15)
    head = tokens.head(4)
    assert (head.max_rows, head.data, head.count) == (4, tokens.data, 2)
    assert head.to_bytes() == tokens.to_bytes()
    with pytest.raises(TokensError, match="at least one row"):
        tokens.head(0)
