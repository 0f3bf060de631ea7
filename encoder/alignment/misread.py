"""Maps of misread cells, made when a page is compared with its text and stored beside its tokens."""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import Reading
from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import VisionTokens
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

Flags = npt.NDArray[np.bool_]
#: Maximum bytes of one varint, and of all of a page.
MAX_STEP_BYTES = 3
MAX_BYTES = 1 << 16


def misread_cells(drawn: Cells, reading: Reading) -> Flags:
    """Compares `reading` with the cells as `drawn`, uint32[rows, columns]. Returns bool[rows, columns]: cells that hold
    another character, or a character that was never drawn. Cells that read as a gap are lost, not misread. Missing rows
    count as blank."""
    rows = max(len(drawn), len(reading.cells))
    columns = drawn.shape[1]
    written, read = (np.full((rows, columns), BLANK, dtype=np.uint32) for _ in range(2))
    written[: len(drawn)] = drawn
    read[: len(reading.cells)] = reading.cells
    nothing = (_empty(written) & _empty(read)) | np.isin(read, (WIDE_TAIL, ord(GAP_MARK)))
    wrong: Flags = (written != read) & ~nothing
    return wrong


def with_misread(tokens: VisionTokens, cells: Flags) -> VisionTokens:
    """Returns `tokens` with a map of misread cells, bool[rows, columns]."""
    places = np.flatnonzero(cells)
    if not len(places):
        return replace(tokens, misread=b"")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return replace(tokens, misread=deflate.compress(b"".join(_steps(places))) + deflate.flush())


def misread_of(tokens: VisionTokens, shape: tuple[int, int]) -> Flags:
    """Returns the map of misread cells of `tokens` as bool of `shape`, (rows, columns); cells beyond `shape` are
    dropped. Raises `TokensError` if the map is invalid."""
    flags = np.zeros(shape[0] * shape[1], dtype=bool)
    places = np.fromiter(_places(tokens.misread), dtype=np.int64)
    flags[places[places < len(flags)]] = True
    return flags.reshape(shape)


def known_misread(reading: Reading, tokens: VisionTokens) -> Reading:
    """Returns `reading` with confidence 0 in the cells that the map of `tokens` marks as misread. Raises `TokensError`
    if the map is invalid."""
    if not tokens.misread:
        return reading
    rows, columns = reading.cells.shape
    return without_confidence(reading, misread_of(tokens, (rows, columns)))


def without_confidence(reading: Reading, wrong: Flags) -> Reading:
    """Returns `reading` with confidence 0 in the cells that are `wrong`, bool[rows, columns]; rows that the reading
    lacks are ignored."""
    confidence = reading.confidence.copy()
    rows = min(len(confidence), len(wrong))
    confidence[:rows][wrong[:rows]] = 0
    return replace(reading, confidence=confidence)


def _empty(cells: Cells) -> Flags:
    empty: Flags = (cells == BLANK) | (cells == 0x20)
    return empty


def _steps(places: npt.NDArray[np.intp]) -> Iterator[bytes]:
    """Yields the number of cells between each place and the next as LEB128 varints."""
    for step in np.diff(places, prepend=-1).tolist():
        remainder = step - 1
        while remainder > 0x7F:
            yield bytes([remainder & 0x7F | 0x80])
            remainder >>= 7
        yield bytes([remainder])


def _places(packed: bytes) -> Iterator[int]:
    """Inverts `_steps` and the compression. Raises `TokensError`."""
    if not packed:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        steps = inflate.decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise TokensError(f"the map of misread cells cannot be read ({error}); restore a backup") from error
    if not inflate.eof or inflate.unused_data:
        raise TokensError("the map of misread cells is incomplete; restore a backup")
    place = -1
    step = 0
    shift = 0
    for byte in steps:
        step |= (byte & 0x7F) << shift
        shift += 7
        if byte <= 0x7F:
            place += step + 1
            yield place
            step = shift = 0
        elif shift > 7 * MAX_STEP_BYTES:
            raise TokensError("the map of misread cells is invalid; restore a backup")
