"""Confidence of the encoder in each cell, quantised to 16 levels and coded as events beside the symbols.

Nearly all cells of a legible page have level 0, which then costs next to nothing. Uncertain cells tend to be adjacent,
so each level is coded given the one before it.

Shapes: S streams of T cells each.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from . import rans
from .rans import Events, Ints

N_LEVELS = 16
#: Upper bounds of the confidence at levels 1, 2 … 15.
LEVEL_BOUNDS = np.array([0.9992, 0.99, 0.975, 0.96, 0.94, 0.91, 0.87, 0.81, 0.74, 0.65, 0.55, 0.43, 0.3, 0.18, 0.08])
MAX_CONFIDENCE = 0.9999
#: float32 [16]: the confidence reported for each level.
LEVEL_CONFIDENCE = np.concatenate([[MAX_CONFIDENCE], (LEVEL_BOUNDS + np.append(LEVEL_BOUNDS[1:], 0)) / 2]).astype(
    np.float32
)
#: The coding context that the level of a cell gives to the next one.
CONTEXT_OF_LEVEL = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3])
N_CONTEXTS = 4


def quantize(confidence: npt.NDArray[np.float32]) -> Ints:
    """Levels of confidences of any shape."""
    levels: Ints = np.searchsorted(-LEVEL_BOUNDS, -confidence, side="left")
    return levels


def initial_slots() -> npt.NDArray[np.int32]:
    """int32 [N_CONTEXTS, N_LEVELS]: slots of each level before any were counted; half of them are level 0's."""
    row = [rans.SLOTS // 2, *[rans.SLOTS // 2 // (N_LEVELS - 1)] * (N_LEVELS - 1)]
    row[0] += rans.SLOTS - sum(row)
    return np.array([row] * N_CONTEXTS, dtype=np.int32)


def count_slots(levels: Ints, right: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """int32 [N_CONTEXTS, N_LEVELS]: slots in proportion to how often each level follows each context in `levels`,
    [S, T]. `right`: as in `ConfidenceCoder.events`."""
    counts = np.ones((N_CONTEXTS, N_LEVELS))
    np.add.at(counts, (CONTEXT_OF_LEVEL[_previous(levels)][~right], levels[~right]), 1)
    shares = counts / counts.sum(1, keepdims=True)
    slots: npt.NDArray[np.int32] = np.maximum(1, np.floor(shares * (rans.SLOTS - N_LEVELS))).astype(np.int32)
    slots[np.arange(N_CONTEXTS), slots.argmax(1)] += rans.SLOTS - slots.sum(1, dtype=np.int32)
    return slots


class ConfidenceCoder:
    """Codes confidence levels as events of `rans`."""

    def __init__(self, slots: npt.NDArray[Any]) -> None:
        """`slots`: [N_CONTEXTS, N_LEVELS], each at least 1, summing to `rans.SLOTS` in each context; `ValueError` if
        not."""
        if slots.shape != (N_CONTEXTS, N_LEVELS) or slots.min() < 1 or (slots.sum(1) != rans.SLOTS).any():
            raise ValueError(
                f"confidence slots are {N_CONTEXTS} × {N_LEVELS} integers whose rows add up to {rans.SLOTS}"
            )
        self._sizes = slots.astype(np.int64)
        self._stops = np.cumsum(self._sizes, axis=1)

    def events(self, levels: Ints, right: npt.NDArray[np.bool_]) -> Events:
        """Events of `levels`, [S, T]. `right`, bool [S, T]: right halves of characters, which share the level of their
        left half and have no event."""
        context = CONTEXT_OF_LEVEL[_previous(levels)]
        sizes = self._sizes[context, levels]
        return Events(np.where(right, 0, self._stops[context, levels] - sizes), np.where(right, 0, sizes))

    def decode(self, decoder: rans.Decoder, previous: Ints, active: npt.NDArray[np.bool_]) -> Ints:
        """Levels of the next cells, [S], given the `previous` ones; a stream that is not `active` keeps its level."""
        context = CONTEXT_OF_LEVEL[previous]
        levels: Ints = (self._stops[context] <= decoder.slots[:, None]).sum(-1)
        sizes = self._sizes[context, levels]
        decoder.advance(self._stops[context, levels] - sizes, np.where(active, sizes, 0))
        return np.where(active, levels, previous)


def _previous(levels: Ints) -> Ints:
    return np.pad(levels, ((0, 0), (1, 0)))[:, :-1]
