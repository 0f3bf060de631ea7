"""Global alignment of two sequences with affine gap costs, by dynamic programming over rows.

Here, “letters” are the symbols of a text and “cells” the symbols of a page.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

#: Maximum number of pairs of a letter and a cell; longer inputs are aligned in a band around the diagonal.
MAX_PAIRS = 24_000_000
#: Minimum width of the band on each side of the diagonal, in cells.
MIN_BAND = 300

_MATCHED = 0  # last operation of an alignment of two prefixes
_SKIPPED = 1
_UNREAD = 2
_BEST = 3  # bits of a step
_SKIP_EXTENDS = 4
_UNREAD_EXTENDS = 8
_UNREAD_AFTER_SKIPPED = 16
_NEVER = np.int32(1 << 28)  # larger than any real cost

Costs = npt.NDArray[np.int32]  # integers, so that sums are exact
Steps = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class AlignmentProblem:
    """Alignment of `n` letters with `m` cells: its costs."""

    #: int32[kinds, m]: cost of matching a letter of each kind with each cell.
    match: Costs
    #: int64[n]: kind of each letter.
    kind: npt.NDArray[np.int64]
    #: int32[n]: cost of opening a run of skipped letters with each letter.
    skip: Costs
    #: int32[n]: cost of extending a run of skipped letters by each letter.
    skip_extend: Costs
    #: int32[gaps, m]: cost of opening a run of unread cells with each cell, by the kind of the preceding gap.
    unread: Costs
    #: int64[n + 1]: row of `unread` before the first letter, and after each letter.
    unread_kind: npt.NDArray[np.int64]
    #: int32[m]: cost of extending a run of unread cells by each cell.
    unread_extend: Costs

    @cached_property
    def ramp(self) -> Costs:
        """int32[m + 1]: cumulative sum of `unread_extend`."""
        ramp: Costs = np.concatenate([[0], np.cumsum(self.unread_extend)]).astype(np.int32)
        return ramp


@dataclass
class _Row:
    """Costs int32[m + 1] of aligning the letters so far with each prefix of the cells; undefined outside the band."""

    best: Costs
    #: Costs if the last letter is skipped.
    skipped: Costs


def align(problem: AlignmentProblem) -> npt.NDArray[np.int64]:
    """Returns the alignment of minimum cost: int64[n], the cell of each letter, ascending, or -1 if it is skipped."""
    n = len(problem.kind)
    m = problem.match.shape[1]
    row = _Row(problem.ramp.copy(), np.full(m + 1, _NEVER, dtype=np.int32))
    if m:
        row.best[1:] += problem.unread[problem.unread_kind[0], 0] - problem.unread_extend[0]
    first = np.full(m + 1, _UNREAD | _UNREAD_EXTENDS, dtype=np.uint8)
    first[:2] = np.array([_MATCHED, _UNREAD], dtype=np.uint8)[: m + 1]
    steps: list[tuple[int, Steps]] = [(0, first)]
    band = max(MIN_BAND, MAX_PAIRS // max(1, 2 * n))
    row.best[band + 1 :] = _NEVER
    for i in range(n):
        centre = (i + 1) * m // n
        low = max(0, centre - band)
        high = min(m + 1, centre + band + 1)
        steps.append((low, _next_row(problem, row, i, low, high)))
    return _traced(steps, n, m)


def _next_row(problem: AlignmentProblem, row: _Row, i: int, low: int, high: int) -> Steps:
    """Advances `row` by letter `i` for prefixes of `low` to `high` cells, in place. Returns uint8[high - low]: bits of
    the step that reached each prefix."""
    best = row.best[low:high]
    skipped = row.skipped[low:high]
    matched = np.empty(high - low, dtype=np.int32)
    matched[0] = row.best[low - 1] + problem.match[problem.kind[i], low - 1] if low else _NEVER
    np.add(best[:-1], problem.match[problem.kind[i], low : high - 1], out=matched[1:])
    begun = best + problem.skip[i]
    skipped += problem.skip_extend[i]
    extends = skipped < begun
    np.minimum(begun, skipped, out=skipped)
    is_skipped = skipped < matched
    read = np.minimum(skipped, matched)  # costs without an unread cell at the end
    opened = read[:-1] + problem.unread[problem.unread_kind[i + 1], low : high - 1]
    ramp = problem.ramp[low + 1 : high]
    unread = np.minimum.accumulate(opened - ramp) + ramp
    unread_extends = unread < opened
    is_unread = unread < read[1:]
    best[0] = read[0]
    np.minimum(unread, read[1:], out=best[1:])
    if low:  # no longer within the band
        row.best[low - 1] = row.skipped[low - 1] = _NEVER
    steps: Steps = is_skipped * np.uint8(_SKIPPED | _UNREAD_AFTER_SKIPPED) + extends * np.uint8(_SKIP_EXTENDS)
    steps[1:] += unread_extends * np.uint8(_UNREAD_EXTENDS)
    steps[1:][is_unread] |= _UNREAD
    steps[1:][is_unread] &= ~np.uint8(_SKIPPED)
    return steps


def _traced(steps: list[tuple[int, Steps]], n: int, m: int) -> npt.NDArray[np.int64]:
    """Traces the alignment back from the end through `steps`."""
    cells = np.full(n, -1, dtype=np.int64)
    i = n
    j = m
    state = int(steps[n][1][m - steps[n][0]]) & _BEST
    while i or j:
        low, row = steps[i]
        step = int(row[j - low])
        if state == _UNREAD:
            j -= 1
            if not step & _UNREAD_EXTENDS:
                before = int(steps[i][1][j - low])
                state = _SKIPPED if before & _UNREAD_AFTER_SKIPPED else _MATCHED
        elif state == _SKIPPED:
            i -= 1
            state = _SKIPPED if step & _SKIP_EXTENDS else int(steps[i][1][j - steps[i][0]]) & _BEST
        else:
            i = i - 1
            j = j - 1
            cells[i] = j
            state = int(steps[i][1][j - steps[i][0]]) & _BEST
    return cells
