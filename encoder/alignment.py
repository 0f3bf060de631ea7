"""A text that was read from a page, put back onto the page's grid: by where there is ink, where the image is at hand,
else line by line."""

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

#: Mean darkness of a cell, of 255, from which it holds ink; a full stop has 6. Measured on pages of English as they are
#: stored, in 16 greys. The strokes of the outline font keep clear of the edges of cells: right for all cells at every
#: tier. Unifont's touch them and spill over where edges of cells are no edges of pixels: right for 99.8 % of the cells
#: of dense pages and more, for 98.7 % at tiny.
OUTLINE_INK = 5
BITMAP_INK = 6
SPILT_INK = 7
#: Rows that fit a line so much worse than the best one are not looked at more closely.
NEARLY = 8
#: A text with so many times as many lines as there are rows was broken elsewhere: which line fits which row takes time
#: for each of both.
MOST_LINES = 4
#: What is left of a character's confidence where nothing is sure to stand in its cell: in a word whose letters are not
#: as many as its cells, on a page with fewer rows than there are lines.
MISFIT = 0.5
#: That a cell without ink is blank.
BLANK_CONFIDENCE = 0.99

#: Mean probability of its characters below which a text is no reading at all.
UNREAD_BELOW = 0.25
#: Where an answer to a grounding prompt says what stands where: `<|ref|>text<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>`.
MARKUP = re.compile(r"<\|/?(?:ref|grounding)\|>|<\|det\|>[^<]*<\|/det\|>")

_INK, _PAPER, _BREAK = "x", " ", "\n"

Sure = npt.NDArray[np.float32]


def believed(text: str, sure: Sure, looped: npt.NDArray[np.bool_] | None = None) -> tuple[str, Sure]:
    """The text as far as it is to be believed, with the confidence of each character: what repeats without end
    (`looped`: bool[len(text)]) is `UNREADABLE`, and so is everything where the model was guessing. What the model
    itself writes as that has no confidence."""
    points = code_points(text)
    doubtful = np.zeros(len(points), dtype=bool) if looped is None else looped.copy()
    seen = ~doubtful & (points > 0x20)
    if seen.any() and float(sure[seen].mean()) < UNREAD_BELOW:
        doubtful |= points > 0x20
    doubtful |= points == UNREADABLE
    doubtful &= points != 0x0A
    return _string(np.where(doubtful, np.uint32(UNREADABLE), points)), np.where(doubtful, np.float32(0), sure)


def without_markup(text: str, sure: Sure) -> tuple[str, Sure]:
    """What stands on the page, without what says where it stands."""
    keep = np.ones(len(text), dtype=bool)
    for match in MARKUP.finditer(text):
        keep[match.start() : match.end()] = False
    return _string(code_points(text)[keep]), sure[keep]


def _string(points: Cells) -> str:
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def ink_of(image: Image.Image, rows: int, layout: PageLayout) -> npt.NDArray[np.bool_]:
    """bool[rows, columns]: which cells of a page image of mode "L" hold ink."""
    paper = np.asarray(image.resize((layout.columns, rows), Image.Resampling.BOX), dtype=np.uint8)
    if layout.font != "unifont":
        return paper <= 255 - OUTLINE_INK
    return paper <= 255 - (SPILT_INK if image.width % layout.columns else BITMAP_INK)


def place_on_ink(text: str, sure: Sure, ink: npt.NDArray[np.bool_]) -> tuple[Cells, Sure]:
    """`text`, with the confidence of each character, as cells uint32[rows, columns] and confidence float32 of the same
    shape.

    Lines find their rows and words their places by their length: letters go where there is ink, blanks where there is
    none. Ink for which the text has nothing is `UNREADABLE`; a word that has more or fewer letters than cells is
    doubtful as a whole.
    """
    grid = _Grid(ink)
    lines = [_signs(text, start, stop) for start, stop in _inked_lines(text[: 2 * ink.size])]
    rows = [_row_signs(ink, row) for row in range(len(ink))]
    pairs = _pairs(lines, rows)
    if pairs is None:  # the reader has broken the lines elsewhere
        pairs = [(_joined(lines), _joined(rows))]
    for line, row in pairs:
        grid.put(text, sure, line, row)
    return grid.result()


@dataclass(frozen=True)
class _Signs:
    """Text or cells as ink and paper: for each half of a character whether it has ink (`pattern`), the place of the
    character in the text or of the cell on the page (`place`, -1 for a line break), and which half this is."""

    pattern: str
    place: list[int]
    half: list[int]

    @property
    def letters(self) -> int:
        return self.pattern.count(_INK)


def _inked_lines(text: str) -> Iterator[tuple[int, int]]:
    """Where lines that are not blank begin and end."""
    start = 0
    for line in text.split("\n"):
        if line.strip():
            yield start, start + len(line.rstrip())
        start += len(line) + 1


def _signs(text: str, start: int, stop: int) -> _Signs:
    atlas = load_atlas()
    pattern: list[str] = []
    place: list[int] = []
    half: list[int] = []
    for number in range(start, stop):
        code = ord(" ") if text[number].isspace() else ord(text[number])
        first = int(atlas.first_half[code])
        for part in range(int(atlas.width[code])):  # none for what has no glyph: it cannot stand on a page
            pattern.append(_INK if atlas.halves[first + part].any() else _PAPER)
            place.append(number)
            half.append(part)
    return _Signs("".join(pattern), place, half)


def _row_signs(ink: npt.NDArray[np.bool_], row: int) -> _Signs:
    columns = ink.shape[1]
    used = np.flatnonzero(ink[row])
    stop = int(used[-1]) + 1 if len(used) else 0
    pattern = "".join(_INK if there else _PAPER for there in ink[row, :stop])
    return _Signs(pattern, [*range(row * columns, row * columns + stop)], [0] * stop)


def _joined(parts: Sequence[_Signs]) -> _Signs:
    """One after another, with line breaks between those that are not blank."""
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
    return _Signs("".join(pattern), place, half)


def _pairs(lines: Sequence[_Signs], rows: Sequence[_Signs]) -> list[tuple[_Signs, _Signs]] | None:
    """Which line stands in which row, in their order, with as few letters and cells left over as can be; None where
    there are fewer once the lines are taken together, or too many lines to find out."""
    inked = [row for row in rows if row.pattern]
    if len(lines) > MOST_LINES * len(rows):
        return None
    unlike = [_unlike(line, inked) for line in lines]
    cost = np.zeros((len(lines) + 1, len(inked) + 1))
    cost[1:, 0] = np.cumsum([line.letters for line in lines])
    cost[0, 1:] = np.cumsum([row.letters for row in inked])
    for i, line in enumerate(lines):
        for j, row in enumerate(inked):
            cost[i + 1, j + 1] = min(
                cost[i, j] + unlike[i][j], cost[i, j + 1] + line.letters, cost[i + 1, j] + row.letters
            )
    if Levenshtein.distance(_joined(lines).pattern, _joined(inked).pattern) < cost[-1, -1]:
        return None
    found: list[tuple[_Signs, _Signs]] = []
    i, j = len(lines), len(inked)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + unlike[i - 1][j - 1]:
            found.append((lines[i - 1], inked[j - 1]))
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i, j - 1] + inked[j - 1].letters:
            j -= 1
        else:
            i -= 1
    return found[::-1]


def _unlike(line: _Signs, rows: Sequence[_Signs]) -> list[float]:
    """How badly a line fits each row: signs left over or wrong, and in how many places. Words are alike to a distance
    that may leave out what it likes, so that without the places half a line would fit any row."""
    distances = [Levenshtein.distance(line.pattern, row.pattern) for row in rows]
    near = min(distances, default=0) + NEARLY
    return [
        distance + (len(Levenshtein.opcodes(line.pattern, row.pattern)) if distance <= near else len(row.pattern) / 4)
        for distance, row in zip(distances, rows, strict=True)
    ]


class _Grid:
    """The cells of a page while they are filled; see `place_on_ink`."""

    def __init__(self, ink: npt.NDArray[np.bool_]) -> None:
        self.shape = ink.shape
        self.ink = ink.reshape(-1)
        self.cells: Cells = np.full(ink.size, BLANK, dtype=np.uint32)
        self.confidence = np.where(self.ink, np.float32(0), np.float32(BLANK_CONFIDENCE))
        self.doubtful = np.zeros(ink.size, dtype=bool)

    def put(self, text: str, sure: Sure, line: _Signs, row: _Signs) -> None:
        """Sets the characters of `line` into the cells of `row`."""
        for operation in Levenshtein.opcodes(line.pattern, row.pattern):
            source = slice(operation.src_start, operation.src_end)
            target = slice(operation.dest_start, operation.dest_end)
            if operation.tag == "delete" and _INK in line.pattern[source]:
                beside = row.place[max(0, target.start - 1) : target.start + 1]
                self.doubtful[[cell for cell in beside if cell >= 0]] = True
            if operation.tag not in ("equal", "replace"):
                continue
            for letter, half, cell in zip(line.place[source], line.half[source], row.place[target], strict=True):
                if letter < 0 or cell < 0:
                    continue
                if text[letter].isspace():
                    if self.ink[cell]:  # ink that has spilt over, or a letter that was not read: a doubtful blank
                        self._set(ord(" "), cell, MISFIT * float(sure[letter]))
                    continue
                self.doubtful[cell] |= operation.tag == "replace"
                self._set(ord(text[letter]), cell - half, float(sure[letter]))

    def result(self) -> tuple[Cells, Sure]:
        """Cells and confidence, with what was not read marked as such."""
        _fillers(self.cells, self.confidence, self.ink, self.shape[1])
        unread = self.ink & (self.cells == BLANK)
        self.cells[unread] = UNREADABLE
        self.confidence[unread] = 0
        words = np.cumsum(np.concatenate([[0], np.diff(self.ink.astype(np.int8)) != 0]))
        misfit = np.isin(words, words[self.doubtful | unread]) & (self.cells != BLANK)
        self.confidence[misfit] *= MISFIT
        return self.cells.reshape(self.shape), self.confidence.reshape(self.shape)

    def _set(self, code: int, start: int, sure: float) -> None:
        """Sets a character where there is room for it; a full-width one at an even column."""
        if load_atlas().width[code] == 1:
            if self.cells[start] == BLANK:
                self.cells[start] = code
                self.confidence[start] = sure
            return
        columns = self.shape[1]
        if start % columns % 2:  # most likely the mark before it was left out
            start += 1 if start % columns + 1 < columns else -1
        if start >= 0 and (self.cells[start : start + 2] == BLANK).all():
            self.cells[start : start + 2] = code, WIDE_TAIL
            self.confidence[start : start + 2] = sure


def _fillers(cells: Cells, confidence: Sure, ink: npt.NDArray[np.bool_], columns: int) -> None:
    """The marks before full-width characters, which many readers leave out; cells are changed in place."""
    wide = np.flatnonzero(cells[1:] == WIDE_TAIL)  # the first halves
    before = wide[wide % columns > 0] - 1
    missed = before[ink[before] & (cells[before] == BLANK)]
    cells[missed] = ord(FILLER_MARK)
    confidence[missed] = confidence[missed + 1]


def place_lines(text: str, sure: Sure, ended: float, layout: PageLayout) -> tuple[Cells, Sure]:
    """`text`, with the confidence of each character, as cells uint32[rows, columns] and confidence float32 of the same
    shape. `ended`: how sure it is that the text ends where it does.

    A line is a row; a longer one goes on in the next, as typesetting does. Rows below the last line have confidence 0,
    since nobody knows whether something stands there. More lines than rows lose their blank ones, then the last, and
    the whole page its confidence.
    """
    rows = [row for line in _lines(code_points(text), sure, ended) for row in _rows(line, layout.columns)]
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
    """Characters of one line, without the new line at its end; `end`: how sure that is."""

    points: Cells
    sure: Sure
    end: float


def _lines(points: Cells, sure: Sure, ended: float) -> Iterator[_Line]:
    """The lines from the first to the last one with something on it: a page begins in its first row."""
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


def _rows(line: _Line, columns: int) -> Iterator[tuple[Cells, Sure]]:
    """A line as rows of cells; a full-width character starts on an even column, as typesetting has it."""
    width = load_atlas().width
    cells: list[int] = []
    sure: list[float] = []
    for point, confidence in zip(line.points.tolist(), line.sure.tolist(), strict=True):
        if width[point] == 2:
            if len(cells) % 2:  # the filler before it was not read
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
        # what has no glyph was not on the page
    for start in range(0, max(1, len(cells)), columns):
        row = np.full(columns, BLANK, dtype=np.uint32)
        row_sure = np.full(columns, line.end, dtype=np.float32)
        part = cells[start : start + columns]
        row[: len(part)], row_sure[: len(part)] = part, sure[start : start + columns]
        yield row, row_sure
