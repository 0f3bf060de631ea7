"""Alignment of a model's text with the grid of the page: by where the image has ink, or line by line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from rapidfuzz.distance import Levenshtein

from foxing.renderer import BLANK, WIDE_TAIL, Cells, PageLayout, code_points, load_atlas
from foxing.renderer.page import FILLER_MARK

from .contract import UNREADABLE

#: Mean darkness of a cell, 0 to 255, from which it counts as inked; a full stop has 6. Measured on pages of English
#: stored in 16 greys. Strokes of the outline font keep clear of the cell edges: right for all cells at every tier.
#: Strokes of Unifont touch them, and spill over where cell edges are not pixel edges: right for at least 99.8 % of the
#: cells of dense pages, 98.7 % at tiny.
OUTLINE_INK = 5
BITMAP_INK = 6
SPILT_INK = 7
#: Rows whose edit distance to a line exceeds the smallest by more than this are not compared in detail.
DETAIL_MARGIN = 8
#: A text with more lines per row than this was broken elsewhere. Matching lines with rows takes time for every pair.
MAX_LINES_PER_ROW = 4
#: Factor on the confidence of characters whose cell is in doubt: in a word with more or fewer letters than cells, or on
#: a page with more lines than rows.
MISFIT = 0.5
#: Confidence that a cell without ink is blank.
BLANK_CONFIDENCE = 0.99

#: A text whose characters have a lower mean confidence than this was guessed.
UNREAD_BELOW = 0.25
#: Positions in an answer to a grounding prompt: `<|ref|>text<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>`.
MARKUP = re.compile(r"<\|/?(?:ref|grounding)\|>|<\|det\|>[^<]*<\|/det\|>")

_INK, _PAPER, _BREAK = "x", " ", "\n"

Confidence = npt.NDArray[np.float32]
Ink = npt.NDArray[np.bool_]


def believed(text: str, sure: Confidence, looped: npt.NDArray[np.bool_] | None = None) -> tuple[str, Confidence]:
    """`text` with everything that cannot be trusted replaced by `UNREADABLE`, and the confidence of each character.

    Untrusted are endless repetitions (`looped`: bool[len(text)]), the whole text if the model was guessing, and what
    the model itself wrote as unreadable; their confidence is 0. `sure`: float32[len(text)].
    """
    points = code_points(text)
    untrusted = np.zeros(len(points), dtype=bool) if looped is None else looped.copy()
    visible = ~untrusted & (points > 0x20)
    if visible.any() and float(sure[visible].mean()) < UNREAD_BELOW:
        untrusted |= points > 0x20
    untrusted |= points == UNREADABLE
    untrusted &= points != 0x0A
    return _string(np.where(untrusted, np.uint32(UNREADABLE), points)), np.where(untrusted, np.float32(0), sure)


def without_markup(text: str, sure: Confidence) -> tuple[str, Confidence]:
    """`text` and its confidence without the positions that grounding prompts add."""
    keep = np.ones(len(text), dtype=bool)
    for match in MARKUP.finditer(text):
        keep[match.start() : match.end()] = False
    return _string(code_points(text)[keep]), sure[keep]


def _string(points: Cells) -> str:
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def ink_of(image: Image.Image, rows: int, layout: PageLayout) -> Ink:
    """bool[rows, columns]: which cells of a page image (mode "L") have ink."""
    paper = np.asarray(image.resize((layout.columns, rows), Image.Resampling.BOX), dtype=np.uint8)
    if layout.font != "unifont":
        return paper <= 255 - OUTLINE_INK
    return paper <= 255 - (SPILT_INK if image.width % layout.columns else BITMAP_INK)


def place_on_ink(text: str, sure: Confidence, ink: Ink) -> tuple[Cells, Confidence]:
    """`text` as cells uint32[rows, columns], with confidence float32 of the same shape.

    `sure`: float32[len(text)]; `ink`: bool[rows, columns]. Lines are matched with rows and words with their places by
    length: letters go where there is ink, blanks where there is none. Ink without text is `UNREADABLE`. A word with
    more or fewer letters than cells loses confidence as a whole.
    """
    grid = _Grid(ink)
    lines = [_text_pattern(text, start, stop) for start, stop in _nonblank_lines(text[: 2 * ink.size])]
    rows = [_row_pattern(ink, row) for row in range(len(ink))]
    pairs = _match_lines(lines, rows)
    if pairs is None:  # the model broke the lines elsewhere
        pairs = [(_concatenated(lines), _concatenated(rows))]
    for line, row in pairs:
        grid.put(text, sure, line, row)
    return grid.result()


@dataclass(frozen=True)
class _Pattern:
    """Text or cells reduced to ink and paper. A full-width character counts as two halves."""

    #: `_INK`, `_PAPER` or `_BREAK` for each half.
    pattern: str
    #: Index of the character in the text, or of the cell on the page; -1 for a line break.
    place: list[int]
    #: 0 or 1: which half of a character.
    half: list[int]

    @property
    def letters(self) -> int:
        return self.pattern.count(_INK)


def _nonblank_lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and stop of each line that is not blank, without trailing blanks."""
    start = 0
    for line in text.split("\n"):
        if line.strip():
            yield start, start + len(line.rstrip())
        start += len(line) + 1


def _text_pattern(text: str, start: int, stop: int) -> _Pattern:
    atlas = load_atlas()
    pattern: list[str] = []
    place: list[int] = []
    half: list[int] = []
    for index in range(start, stop):
        code = ord(" ") if text[index].isspace() else ord(text[index])
        first = int(atlas.first_half[code])
        for part in range(int(atlas.width[code])):  # a character without a glyph cannot be on a page
            pattern.append(_INK if atlas.halves[first + part].any() else _PAPER)
            place.append(index)
            half.append(part)
    return _Pattern("".join(pattern), place, half)


def _row_pattern(ink: Ink, row: int) -> _Pattern:
    columns = ink.shape[1]
    used = np.flatnonzero(ink[row])
    stop = int(used[-1]) + 1 if len(used) else 0
    pattern = "".join(_INK if inked else _PAPER for inked in ink[row, :stop])
    return _Pattern(pattern, [*range(row * columns, row * columns + stop)], [0] * stop)


def _concatenated(parts: Sequence[_Pattern]) -> _Pattern:
    """All parts that are not blank, with line breaks between them."""
    pattern: list[str] = []
    place: list[int] = []
    half: list[int] = []
    for part in (part for part in parts if part.pattern):
        if pattern:
            pattern.append(_BREAK)
            place.append(-1)
            half.append(0)
        pattern.append(part.pattern)
        place += part.place
        half += part.half
    return _Pattern("".join(pattern), place, half)


def _match_lines(lines: Sequence[_Pattern], rows: Sequence[_Pattern]) -> list[tuple[_Pattern, _Pattern]] | None:
    """Pairs of a line and the row it is in, in order, with the fewest letters and cells left over. None if matching all
    lines at once leaves fewer, or if there are too many lines."""
    inked = [row for row in rows if row.pattern]
    if len(lines) > MAX_LINES_PER_ROW * len(rows):
        return None
    misfit = [_misfits(line, inked) for line in lines]
    cost = np.zeros((len(lines) + 1, len(inked) + 1))
    cost[1:, 0] = np.cumsum([line.letters for line in lines])
    cost[0, 1:] = np.cumsum([row.letters for row in inked])
    for i, line in enumerate(lines):
        for j, row in enumerate(inked):
            cost[i + 1, j + 1] = min(
                cost[i, j] + misfit[i][j], cost[i, j + 1] + line.letters, cost[i + 1, j] + row.letters
            )
    if Levenshtein.distance(_concatenated(lines).pattern, _concatenated(inked).pattern) < cost[-1, -1]:
        return None
    pairs: list[tuple[_Pattern, _Pattern]] = []
    i, j = len(lines), len(inked)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + misfit[i - 1][j - 1]:
            pairs.append((lines[i - 1], inked[j - 1]))
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i, j - 1] + inked[j - 1].letters:
            j -= 1
        else:
            i -= 1
    return pairs[::-1]


def _misfits(line: _Pattern, rows: Sequence[_Pattern]) -> list[float]:
    """How badly a line fits each row: the edit distance plus the number of runs it is spread over. Without the second
    term half a line would fit any row, since an edit distance may skip whatever it likes."""
    distances = [Levenshtein.distance(line.pattern, row.pattern) for row in rows]
    detailed = min(distances, default=0) + DETAIL_MARGIN
    return [
        distance
        + (len(Levenshtein.opcodes(line.pattern, row.pattern)) if distance <= detailed else len(row.pattern) / 4)
        for distance, row in zip(distances, rows, strict=True)
    ]


class _Grid:
    """The cells of a page while `place_on_ink` fills them."""

    def __init__(self, ink: Ink) -> None:
        self.shape = ink.shape
        self.ink = ink.reshape(-1)
        self.cells: Cells = np.full(ink.size, BLANK, dtype=np.uint32)
        self.confidence = np.where(self.ink, np.float32(0), np.float32(BLANK_CONFIDENCE))
        self.misfit = np.zeros(ink.size, dtype=bool)

    def put(self, text: str, sure: Confidence, line: _Pattern, row: _Pattern) -> None:
        """Puts the characters of `line` into the cells of `row`."""
        for operation in Levenshtein.opcodes(line.pattern, row.pattern):
            source = slice(operation.src_start, operation.src_end)
            target = slice(operation.dest_start, operation.dest_end)
            if operation.tag == "delete" and _INK in line.pattern[source]:
                adjacent = row.place[max(0, target.start - 1) : target.start + 1]
                self.misfit[[cell for cell in adjacent if cell >= 0]] = True
            if operation.tag not in ("equal", "replace"):
                continue
            for index, half, cell in zip(line.place[source], line.half[source], row.place[target], strict=True):
                if index < 0 or cell < 0:
                    continue
                if text[index].isspace():
                    if self.ink[cell]:  # spilt ink, or a letter that was missed
                        self._set(ord(" "), cell, MISFIT * float(sure[index]))
                    continue
                self.misfit[cell] |= operation.tag == "replace"
                self._set(ord(text[index]), cell - half, float(sure[index]))

    def result(self) -> tuple[Cells, Confidence]:
        """Cells and confidence; ink without a character becomes `UNREADABLE`."""
        _restore_fillers(self.cells, self.confidence, self.ink, self.shape[1])
        unread = self.ink & (self.cells == BLANK)
        self.cells[unread] = UNREADABLE
        self.confidence[unread] = 0
        words = np.cumsum(np.concatenate([[0], np.diff(self.ink.astype(np.int8)) != 0]))
        misfit = np.isin(words, words[self.misfit | unread]) & (self.cells != BLANK)
        self.confidence[misfit] *= MISFIT
        return self.cells.reshape(self.shape), self.confidence.reshape(self.shape)

    def _set(self, code: int, start: int, sure: float) -> None:
        """Puts one character at `start` if the cells are free; a full-width one at an even column."""
        if load_atlas().width[code] == 1:
            if self.cells[start] == BLANK:
                self.cells[start] = code
                self.confidence[start] = sure
            return
        columns = self.shape[1]
        if start % columns % 2:  # most likely the filler before it was left out
            start += 1 if start % columns + 1 < columns else -1
        if start >= 0 and (self.cells[start : start + 2] == BLANK).all():
            self.cells[start : start + 2] = code, WIDE_TAIL
            self.confidence[start : start + 2] = sure


def _restore_fillers(cells: Cells, confidence: Confidence, ink: Ink, columns: int) -> None:
    """Writes, in place, the fillers before full-width characters, which many models leave out."""
    wide = np.flatnonzero(cells[1:] == WIDE_TAIL)  # the first halves
    before = wide[wide % columns > 0] - 1
    missed = before[ink[before] & (cells[before] == BLANK)]
    cells[missed] = ord(FILLER_MARK)
    confidence[missed] = confidence[missed + 1]


def place_lines(text: str, sure: Confidence, ended: float, layout: PageLayout) -> tuple[Cells, Confidence]:
    """`text` as cells uint32[rows, columns], with confidence float32 of the same shape.

    `sure`: float32[len(text)]; `ended`: probability that the text ends where it does. A line is a row; a longer one
    continues in the next row, as in typesetting. Rows below the last line have confidence 0, since there may be text
    that was not read. If there are more lines than rows, blank lines are dropped first, then the last ones, and the
    whole page loses confidence.
    """
    rows = [row for line in _split_lines(code_points(text), sure, ended) for row in _wrap(line, layout.columns)]
    if len(rows) > layout.rows:
        rows = [row for row in rows if (row[0] != BLANK).any()]
    cells = np.full((layout.rows, layout.columns), BLANK, dtype=np.uint32)
    confidence = np.zeros((layout.rows, layout.columns), dtype=np.float32)
    for index, (row, row_sure) in enumerate(rows[: layout.rows]):
        cells[index], confidence[index] = row, row_sure
    if len(rows) > layout.rows:
        confidence *= MISFIT
    return cells, confidence


@dataclass(frozen=True)
class _Line:
    """The characters of one line, without its newline."""

    points: Cells
    sure: Confidence
    #: Confidence that the line ends here.
    end: float


def _split_lines(points: Cells, sure: Confidence, ended: float) -> Iterator[_Line]:
    """The lines from the first to the last one that is not blank: a page begins in its first row."""
    used = np.flatnonzero((points != 0x0A) & (points != 0x20))
    if not len(used):
        return
    breaks = np.flatnonzero(points == 0x0A)
    before = breaks[breaks < used[0]]
    start = int(before[-1]) + 1 if len(before) else 0
    for stop in breaks[(breaks > used[0]) & (breaks < used[-1])].tolist():
        yield _Line(points[start:stop], sure[start:stop], float(sure[stop]))
        start = stop + 1
    after = breaks[breaks > used[-1]]
    stop = int(after[0]) if len(after) else len(points)
    yield _Line(points[start:stop], sure[start:stop], float(sure[stop]) if len(after) else ended)


def _wrap(line: _Line, columns: int) -> Iterator[tuple[Cells, Confidence]]:
    """A line as rows of cells; full-width characters start on an even column, as in typesetting."""
    width = load_atlas().width
    cells: list[int] = []
    sure: list[float] = []
    for point, confidence in zip(line.points.tolist(), line.sure.tolist(), strict=True):
        if width[point] == 2:
            if len(cells) % 2:  # the filler before it was left out
                cells.append(ord(FILLER_MARK))
                sure.append(confidence)
            cells += [point, WIDE_TAIL]
            sure += [confidence, confidence]
        elif width[point] == 1:
            cells.append(point)
            sure.append(confidence)
        elif point == 0x09:
            cells.append(0x20)
            sure.append(confidence)
        # a character without a glyph was not on the page
    for start in range(0, max(1, len(cells)), columns):
        row = np.full(columns, BLANK, dtype=np.uint32)
        row_sure = np.full(columns, line.end, dtype=np.float32)
        part = cells[start : start + columns]
        row[: len(part)], row_sure[: len(part)] = part, sure[start : start + columns]
        yield row, row_sure
