"""Line-by-line placement of a model's text on the grid, for pages without a map of ink."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from foxing.renderer import BLANK, WIDE_TAIL, Cells, PageLayout, code_points, load_atlas
from foxing.renderer.marks import FILLER_MARK

from .page_ink import MISFIT, Confidence


def place_lines(text: str, confidence: Confidence, ended: float, layout: PageLayout) -> tuple[Cells, Confidence]:
    """Places each line of `text` in a row; a longer line continues in the next row, as in typesetting.

    `confidence`: float32[len(text)]; `ended`: probability that the text is complete. Returns cells, uint32[rows,
    columns], and their confidence, float32 of the same shape. Rows below the last line have confidence 0, since text
    there may have been missed. If there are more lines than rows, blank lines are dropped first, then the last lines,
    and the confidence of the whole page is multiplied by `MISFIT`.
    """
    rows = [row for line in _split_lines(code_points(text), confidence, ended) for row in _wrap(line, layout.columns)]
    if len(rows) > layout.rows:
        rows = [row for row in rows if (row[0] != BLANK).any()]
    cells = np.full((layout.rows, layout.columns), BLANK, dtype=np.uint32)
    placed = np.zeros((layout.rows, layout.columns), dtype=np.float32)
    for index, (row, row_confidence) in enumerate(rows[: layout.rows]):
        cells[index], placed[index] = row, row_confidence
    if len(rows) > layout.rows:
        placed *= MISFIT
    return cells, placed


@dataclass(frozen=True)
class _Line:
    """Characters of one line, without the newline."""

    points: Cells
    confidence: Confidence
    #: Confidence that the line ends here.
    end: float


def _split_lines(points: Cells, confidence: Confidence, ended: float) -> Iterator[_Line]:
    """Yields the lines from the first to the last one that is not blank, since a page begins in its first row."""
    used = np.flatnonzero((points != 0x0A) & (points != 0x20))
    if not len(used):
        return
    breaks = np.flatnonzero(points == 0x0A)
    before = breaks[breaks < used[0]]
    start = int(before[-1]) + 1 if len(before) else 0
    for stop in breaks[(breaks > used[0]) & (breaks < used[-1])].tolist():
        yield _Line(points[start:stop], confidence[start:stop], float(confidence[stop]))
        start = stop + 1
    after = breaks[breaks > used[-1]]
    stop = int(after[0]) if len(after) else len(points)
    yield _Line(points[start:stop], confidence[start:stop], float(confidence[stop]) if len(after) else ended)


def _wrap(line: _Line, columns: int) -> Iterator[tuple[Cells, Confidence]]:
    """Splits a line into rows of cells; full-width characters start on an even column, as in typesetting."""
    width = load_atlas().width
    cells: list[int] = []
    confidence: list[float] = []
    for point, certainty in zip(line.points.tolist(), line.confidence.tolist(), strict=True):
        if width[point] == 2:
            if len(cells) % 2:  # the model omitted the filler before it
                cells.append(ord(FILLER_MARK))
                confidence.append(certainty)
            cells += [point, WIDE_TAIL]
            confidence += [certainty, certainty]
        elif width[point] == 1:
            cells.append(point)
            confidence.append(certainty)
        elif point == 0x09:
            cells.append(0x20)
            confidence.append(certainty)
        # a character without a glyph was not on the page
    for start in range(0, max(1, len(cells)), columns):
        row = np.full(columns, BLANK, dtype=np.uint32)
        row_confidence = np.full(columns, line.end, dtype=np.float32)
        part = cells[start : start + columns]
        row[: len(part)], row_confidence[: len(part)] = part, confidence[start : start + columns]
        yield row, row_confidence
