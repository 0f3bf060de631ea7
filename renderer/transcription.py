"""Transcription: cells → the text that was typeset, with the confidence and the cell of every character."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .layout import DENSE_PAGE, PageLayout
from .marks import ESCAPE_CLOSE, ESCAPE_OPEN, FILLER_MARK, GAP_MARK, NEWLINE_MARK, TAB_MARK
from .page import BLANK, PADDING, WIDE_TAIL, Cells, Page, gap_starts

_HEX_DIGITS = frozenset("0123456789ABCDEF")
_MAX_ESCAPE_DIGITS = 6


@dataclass(frozen=True)
class Transcription:
    """Text transcribed from cells."""

    text: str
    #: float32[len(text)] in [0, 1].
    confidence: npt.NDArray[np.float32]
    #: int64[len(text)]: the cell in which each character begins, relative to the first cell given.
    cell: npt.NDArray[np.int64]
    #: int64[gaps], ascending: offsets of the gaps in `text`, one `GAP_MARK` each. A literal mark is not a gap.
    gaps: npt.NDArray[np.int64]


def transcribe(
    cells: Cells,
    confidence: npt.NDArray[np.float32] | None = None,
    *,
    layout: PageLayout = DENSE_PAGE,
    start: int = 0,
) -> Transcription:
    """Transcribes `cells`, a run in reading order that begins at cell `start` of its page. Inverts typesetting.

    `confidence`: float32 of the shape of `cells`, 1 by default; an escape takes the lowest of its cells, a gap that of
    its first cell. A malformed escape, which a misread page may contain, is kept as it is, with a confidence of 0.
    """
    flat = np.asarray(cells, dtype=np.uint32).reshape(-1)
    if confidence is None:
        flat_confidence = np.ones(len(flat), dtype=np.float32)
    else:
        flat_confidence = np.asarray(confidence, np.float32).reshape(-1)
    index = np.arange(len(flat), dtype=np.int64)
    if layout.newline == "break":
        flat = _mark_row_breaks(flat, layout, start)
    text = _decoded(flat)
    if not any(mark in text for mark in _WITHOUT_TEXT):  # as on most pages of alphabetic scripts that have not faded
        return _unescaped(Transcription(text.translate(_MEANT), flat_confidence, index, np.zeros(0, dtype=np.int64)))
    keep = (flat != WIDE_TAIL) & (flat != ord(FILLER_MARK)) & (flat != PADDING)
    keep &= (flat != ord(GAP_MARK)) | gap_starts(flat)
    flat = flat[keep]
    flat_confidence = flat_confidence[keep]
    index = index[keep]
    text = _decoded(flat).translate(_MEANT)
    return _unescaped(Transcription(text, flat_confidence, index, np.flatnonzero(flat == ord(GAP_MARK))))


def _decoded(cells: Cells) -> str:
    return cells.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


#: Cells that are not a character of the text, or not always.
_WITHOUT_TEXT = (chr(WIDE_TAIL), chr(PADDING), FILLER_MARK, GAP_MARK)
#: Cells that stand for another character.
_MEANT = {BLANK: " ", ord(NEWLINE_MARK): "\n", ord(TAB_MARK): "\t"}


def transcribe_placements(page: Page) -> list[Transcription]:
    """Transcribes each placement of the page, in order."""
    flat = page.cells.reshape(-1)
    return [transcribe(flat[s.start : s.stop], layout=page.layout, start=s.start) for s in page.placements]


def _mark_row_breaks(flat: Cells, layout: PageLayout, start: int) -> Cells:
    """Returns `flat` with the blank end of each row replaced by a newline mark and padding.

    A single blank at the end of a row is kept: it is a space, since a newline in the last column has a mark. With
    `wrap="words"` it is a newline.
    """
    columns = layout.columns
    minimum = 1 if layout.wrap == "words" else 2  # minimum number of blanks of a row break
    out = flat.copy()
    position = 0
    while position < len(out):
        stop = min(len(out), position + columns - (start + position) % columns)
        row = out[position:stop]
        ends_row = (start + stop) % columns == 0
        used = np.flatnonzero(row != BLANK)
        tail = position + (int(used[-1]) + 1 if len(used) else 0)
        if ends_row and tail <= stop - minimum:
            out[tail] = ord(NEWLINE_MARK)
            out[tail + 1 : stop] = PADDING
        position = stop
    return out


def _unescaped(escaped: Transcription) -> Transcription:
    """Returns the characters that the escapes stand for."""
    text = escaped.text
    if ESCAPE_OPEN not in text and ESCAPE_CLOSE not in text:
        return escaped
    characters: list[str] = []
    sources: list[int] = []
    confidence: list[float] = []
    broken: list[int] = []  # positions in `text` of malformed escapes
    position = 0
    while position < len(text):
        character = text[position]
        width = 1
        if character == ESCAPE_OPEN:
            close = text.find(ESCAPE_CLOSE, position + 1, position + _MAX_ESCAPE_DIGITS + 2)
            digits = text[position + 1 : close] if close > 0 else ""
            if digits and _HEX_DIGITS.issuperset(digits) and int(digits, 16) <= 0x10FFFF:
                character = chr(int(digits, 16))
                width = close + 1 - position
            else:
                broken += range(position, close + 1 if close > 0 else _digits_after(text, position + 1))
        elif character == ESCAPE_CLOSE:  # its opening mark was misread
            first = position
            while first > 0 and position - first < _MAX_ESCAPE_DIGITS and text[first - 1] in _HEX_DIGITS:
                first -= 1
            broken += range(max(0, first - 1), position + 1)
        characters.append(character)
        sources.append(position)
        confidence.append(float(escaped.confidence[position : position + width].min()))
        position += width
    gaps = np.flatnonzero(np.isin(sources, escaped.gaps))
    sure = np.array(confidence, dtype=np.float32)
    sure[np.isin(sources, broken) & ~np.isin(sources, escaped.gaps)] = 0
    return Transcription("".join(characters), sure, escaped.cell[sources], gaps)


def _digits_after(text: str, start: int) -> int:
    """Returns the end of the escape digits that begin at `start`."""
    stop = start
    while stop < min(len(text), start + _MAX_ESCAPE_DIGITS) and text[stop] in _HEX_DIGITS:
        stop += 1
    return stop
