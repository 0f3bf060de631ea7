"""A model's text line by line as rows of the grid, where the page's ink is not known."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from foxing.renderer import BLANK, WIDE_TAIL, Cells, PageLayout, code_points, load_atlas
from foxing.renderer.marks import FILLER_MARK

from .page_ink import MISFIT, Confidence


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
