"""How sure the encoder was of each cell, in 16 levels, as events that stand beside the cells in packed tokens.

Nearly all cells of a page that is read well have level 0, which then costs next to nothing; a cell that is doubted
tends to stand beside others.

Shapes: S streams of T cells each.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from . import rans

LEVELS = 16
#: Below these confidences a cell has level 1, 2 … 15.
BOUNDS = np.array([0.9992, 0.99, 0.975, 0.96, 0.94, 0.91, 0.87, 0.81, 0.74, 0.65, 0.55, 0.43, 0.3, 0.18, 0.08])
NO_DOUBT = 0.9999
#: Level 0, 1 … 15 → the confidence that a reader is shown.
SHOWN = np.concatenate([[NO_DOUBT], (BOUNDS + np.append(BOUNDS[1:], 0)) / 2]).astype(np.float32)
#: Level of the cell before → the kind of neighbourhood that it makes.
AFTER = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3])
N_AFTER = 4

Ints = npt.NDArray[np.int64]


def levels(sure: npt.NDArray[np.float32]) -> Ints:
    """Confidences of any shape → levels."""
    found: Ints = np.searchsorted(-BOUNDS, -sure, side="left")
    return found


def even_slots() -> npt.NDArray[np.int32]:
    """Slots of each level, [N_AFTER, LEVELS], where nothing is known: level 0 half of the time."""
    row = [rans.SLOTS // 2, *[rans.SLOTS // 2 // (LEVELS - 1)] * (LEVELS - 1)]
    row[0] += rans.SLOTS - sum(row)
    return np.array([row] * N_AFTER, dtype=np.int32)


def counted_slots(found: Ints, right: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Slots by how often each level came after each other in `found`, [S, T]; `right`: as in `Doubts.events`."""
    counts = np.ones((N_AFTER, LEVELS))
    np.add.at(counts, (AFTER[_before(found)][~right], found[~right]), 1)
    shares = counts / counts.sum(1, keepdims=True)
    slots: npt.NDArray[np.int32] = np.maximum(1, np.floor(shares * (rans.SLOTS - LEVELS))).astype(np.int32)
    slots[np.arange(N_AFTER), slots.argmax(1)] += rans.SLOTS - slots.sum(1, dtype=np.int32)
    return slots


class Doubts:
    """Levels as events of `rans`."""

    def __init__(self, slots: npt.NDArray[Any]) -> None:
        """`slots`: [N_AFTER, LEVELS], each at least 1, that add up to `rans.SLOTS`. Raises `ValueError`."""
        if slots.shape != (N_AFTER, LEVELS) or slots.min() < 1 or (slots.sum(1) != rans.SLOTS).any():
            raise ValueError(f"slots of doubts are {N_AFTER} × {LEVELS} whole numbers that add up to {rans.SLOTS}")
        self._sizes = slots.astype(np.int64)
        self._stops = np.cumsum(self._sizes, axis=1)

    def events(self, found: Ints, right: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Starts and sizes, [S, T] each. `right`: right halves of characters, which have the level of their left half
        and no event."""
        after = AFTER[_before(found)]
        sizes = self._sizes[after, found]
        return np.where(right, 0, self._stops[after, found] - sizes), np.where(right, 0, sizes)

    def take(self, decoder: rans.Decoder, before: Ints, on: npt.NDArray[np.bool_]) -> Ints:
        """The levels of the next cells, [S], after those `before`; streams that are not `on` keep that level."""
        after = AFTER[before]
        found: Ints = (self._stops[after] <= decoder.slots[:, None]).sum(-1)
        sizes = self._sizes[after, found]
        decoder.take(self._stops[after, found] - sizes, np.where(on, sizes, 0))
        return np.where(on, found, before)


def _before(found: Ints) -> Ints:
    return np.pad(found, ((0, 0), (1, 0)))[:, :-1]
