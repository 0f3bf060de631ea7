"""Which cells of a page were read otherwise than they were drawn, seen where the page was compared with its text."""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import Reading
from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import BLANK, GAP_MARK, WIDE_TAIL, Cells

Flags = npt.NDArray[np.bool_]
#: Bytes of a step, and of all steps of a page, at most.
MAX_STEP_BYTES, MAX_BYTES = 3, 1 << 16


def misread_cells(drawn: Cells, reading: Reading) -> Flags:
    """bool[rows, columns]: the cells whose character `reading` has otherwise than `drawn`, uint32[rows, columns], and
    those where it has one that was never drawn. What reads as a gap is lost, not misread. Rows that one of them lacks
    are blank."""
    rows, columns = max(len(drawn), len(reading.cells)), drawn.shape[1]
    written, read = (np.full((rows, columns), BLANK, dtype=np.uint32) for _ in range(2))
    written[: len(drawn)], read[: len(reading.cells)] = drawn, reading.cells
    nothing = (_empty(written) & _empty(read)) | np.isin(read, (WIDE_TAIL, ord(GAP_MARK)))
    wrong: Flags = (written != read) & ~nothing
    return wrong


def with_misread(tokens: VisionTokens, cells: Flags) -> VisionTokens:
    """`tokens` with these cells of their page, bool[rows, columns], beside them."""
    places = np.flatnonzero(cells)
    if not len(places):
        return replace(tokens, misread=b"")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return replace(tokens, misread=deflate.compress(b"".join(_steps(places))) + deflate.flush())


def misread_of(tokens: VisionTokens, shape: tuple[int, int]) -> Flags:
    """bool[rows, columns], the inverse of `with_misread`; cells beyond `shape` are left out. Raises `TokensError`."""
    flags = np.zeros(shape[0] * shape[1], dtype=bool)
    places = np.fromiter(_places(tokens.misread), dtype=np.int64)
    flags[places[places < len(flags)]] = True
    return flags.reshape(shape)


def known_misread(reading: Reading, tokens: VisionTokens) -> Reading:
    """`reading` of `tokens` with a confidence of 0 wherever they were read wrong when they could be compared. Raises
    `TokensError`."""
    if not tokens.misread:
        return reading
    rows, columns = reading.cells.shape
    return without_confidence(reading, misread_of(tokens, (rows, columns)))


def without_confidence(reading: Reading, wrong: Flags) -> Reading:
    """`reading` with a confidence of 0 in the cells that are `wrong`, bool[rows, columns]; those of rows that it lacks
    are left out."""
    confidence = reading.confidence.copy()
    rows = min(len(confidence), len(wrong))
    confidence[:rows][wrong[:rows]] = 0
    return replace(reading, confidence=confidence)


def _empty(cells: Cells) -> Flags:
    empty: Flags = (cells == BLANK) | (cells == 0x20)
    return empty


def _steps(places: npt.NDArray[np.intp]) -> Iterator[bytes]:
    """How many cells lie between one place and the next, as LEB128: the lowest seven bits first."""
    for step in np.diff(places, prepend=-1).tolist():
        rest = step - 1
        while rest > 0x7F:
            yield bytes([rest & 0x7F | 0x80])
            rest >>= 7
        yield bytes([rest])


def _places(packed: bytes) -> Iterator[int]:
    """The places again. Raises `TokensError`."""
    if not packed:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        steps = inflate.decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise TokensError(f"the map of misread cells cannot be read ({error}); restore a backup") from error
    if not inflate.eof or inflate.unused_data:
        raise TokensError("the map of misread cells is incomplete; restore a backup")
    place, step, shift = -1, 0, 0
    for byte in steps:
        step |= (byte & 0x7F) << shift
        shift += 7
        if byte <= 0x7F:
            place += step + 1
            yield place
            step = shift = 0
        elif shift > 7 * MAX_STEP_BYTES:
            raise TokensError("the map of misread cells makes no sense; restore a backup")
