"""Tokens of the model, and the token sequence of a page."""

from collections.abc import Sequence

from foxing.encoder.contract import UNREADABLE
from foxing.renderer import PageLayout

from .synthetic_pages import ALPHABET, TINY_PAGE

#: Cells that follow each location mark.
CELLS_PER_MARK = 8


def location_mark(row: int, run: int, layout: PageLayout = TINY_PAGE) -> str:
    """Returns the location of the `run`-th run of cells of a row, as DeepSeek-OCR writes boxes when grounding: in
    thousandths of the page."""
    width, height = 1000 * CELLS_PER_MARK // layout.columns, 1000 // layout.rows
    box = [run * width, row * height, (run + 1) * width - 1, (row + 1) * height - 1]
    return f"<|det|>[{box}]<|/det|>"


END = "<|end|>"
SPECIAL = ("<|begin|>", END)
MARKS = ("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>")
UNKNOWN = chr(UNREADABLE)
#: One token each, in the order of the cells.
LOCATION_MARKS = tuple(
    location_mark(row, run) for row in range(TINY_PAGE.rows) for run in range(TINY_PAGE.columns // CELLS_PER_MARK)
)
#: Tokens by id.
VOCABULARY = (*SPECIAL, UNKNOWN, *ALPHABET, *LOCATION_MARKS, *MARKS)
TOKEN_IDS = {token: number for number, token in enumerate(VOCABULARY)}


def target_tokens(lines: Sequence[str]) -> list[str]:
    """Returns the tokens that the model learns to generate for the rows of a page: a location mark before each run of
    cells, then its characters. The marks let it learn from few pages where to look."""
    tokens: list[str] = []
    for row, line in enumerate(lines):
        if row:
            tokens.append("\n")
        for run, start in enumerate(range(0, len(line), CELLS_PER_MARK)):
            tokens += [location_mark(row, run), *line[start : start + CELLS_PER_MARK]]
    return tokens


def cell_indices(ids: Sequence[int]) -> list[int]:
    """Returns the cell of each token, in row order; -1 for marks and ends of rows."""
    first, stop, row_end = TOKEN_IDS[LOCATION_MARKS[0]], TOKEN_IDS[MARKS[0]], TOKEN_IDS["\n"]
    indices, cell = [], -1
    for token in ids:
        if first <= token < stop:
            cell = (token - first) * CELLS_PER_MARK
            indices.append(-1)
        elif token == row_end:
            indices.append(-1)
        else:
            indices.append(cell)
            cell += 1
    return indices
