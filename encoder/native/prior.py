"""The prior of the native codec: how likely each symbol is after those before it. Vision tokens spend their bits by it.

A small network over hashed contexts: the symbols before, the word so far, the word before, and what stands above. All
its numbers are integers (weights of 8 bits, activations of 8 bits, sums below 2^24, which float32 holds exactly), so
the same tokens are read alike on every machine, by any number of threads, alone or in a batch.

    python -m foxing.encoder.native.prior_training    # learns one

Shapes: S streams of T cells each, in step with one another; a stream is a few whole rows of a page.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .layers import PAIRS
from .symbols import LEFT, N_SYMBOLS, Symbols

COLUMNS = 2 * PAIRS
N_CONTEXT = N_SYMBOLS + LEFT  # symbols, and right halves apart from narrow characters
START = N_CONTEXT  # before the first cell of a stream
LAGS = 16  # cells before that the contexts look at
SCALE = 64  # of weights and activations
TOP = 255  # of an activation
LOGIT_SHIFT = 256  # sums of products → 1/16 nat
NAT = 16
WEIGHT_BITS = 15  # of the likeliest symbol's weight
EXACT = 1 << 24  # whole numbers below are exact in float32

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_MASK = 0xFFFFFFFF
#: Odd numbers without meaning, one for each lag and one for each table.
_LAG = np.array(
    [
        *(1986784539, 1697923447, 789068255, 418150323, 3762431985, 1514605579, 1338646523, 3029318507, 950602705),
        *(1195072643, 1076271865, 315531931, 1819255907, 2282527513, 2359146987, 3430409831, 1793577069, 3410631603),
    ],
    dtype=np.int64,
)


#: Contexts, and the rows of their tables: powers of two.
TABLES: Mapping[str, int] = MappingProxyType(
    {
        "1": 1024,
        "2": 8192,
        "3": 16384,
        "4": 16384,
        "5": 16384,
        "7": 16384,
        "word": 16384,
        "words": 16384,
        "above": 8192,
    }
)


def context_ids(symbols: Symbols) -> Ints:
    """[S, T] → the same, with right halves as symbols of their own."""
    right = np.zeros(symbols.shape, dtype=bool)
    right[:, 1:] = symbols[:, :-1] >= LEFT
    return np.where(right, symbols + N_SYMBOLS, symbols)


def hashed(before: Ints, above: Ints) -> list[Ints]:
    """Rows of each table. `before`: [..., LAGS], the context ids before a cell, the nearest first; `above`: [..., 2],
    those above it and above its right neighbour."""
    terms = (before + 1) * _LAG[:LAGS] & _MASK
    spaces = np.cumsum(before == 0, axis=-1)
    sums: dict[str, Ints] = {}
    for name in TABLES:
        if name == "word":
            sums[name] = (terms * (spaces == 0)).sum(-1)
        elif name == "words":
            sums[name] = (terms * (spaces <= 1)).sum(-1) + 1
        elif name == "above":
            sums[name] = ((above + 1) * _LAG[LAGS:]).sum(-1) + terms[..., 0]
        else:
            sums[name] = terms[..., : int(name)].sum(-1)
    rows: list[Ints] = []
    for name, size in TABLES.items():
        if name == "1":
            rows.append(before[..., 0] % size)
            continue
        x = sums[name] & _MASK
        x = (x ^ (x >> 15)) * 0x2C1B3C6D & _MASK
        x = (x ^ (x >> 12)) * 0x297A2D39 & _MASK
        rows.append((x ^ (x >> 15)) & (size - 1))
    return rows


def windows(ids: Ints) -> tuple[Ints, Ints]:
    """[S, T] → `before` and `above` of every cell, as `hashed` takes them."""
    padded = np.pad(ids, ((0, 0), (COLUMNS, 1)), constant_values=START)
    length = ids.shape[1]
    before = np.stack([padded[:, COLUMNS - lag : COLUMNS - lag + length] for lag in range(1, LAGS + 1)], axis=-1)
    above = np.stack([padded[:, :length], padded[:, 1 : length + 1]], axis=-1)
    return before, above


N_EMBED = 32  # numbers of each context
N_HIDDEN = 256


def blank_arrays() -> dict[str, npt.NDArray[Any]]:
    """The arrays of a `Prior` that has learned nothing."""
    shapes = {
        "hidden": (N_EMBED * len(TABLES), N_HIDDEN),
        "out": (N_HIDDEN, N_SYMBOLS),
        **{f"table_{name}": (rows, N_EMBED) for name, rows in TABLES.items()},
    }
    biases = {"hidden_bias": N_HIDDEN, "out_bias": N_SYMBOLS}
    return {
        **{name: np.zeros(shape, dtype=np.int8) for name, shape in shapes.items()},
        **{name: np.zeros(size, dtype=np.int32) for name, size in biases.items()},
    }


class Prior:
    """The network with its weights, all whole numbers."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """`arrays`: int8 "table_<name>" [rows, E], "hidden" [n·E, H], "out" [H, 416]; int32 "hidden_bias", "out_bias".
        They are float32 here, as matrix products want them. Raises `ValueError` where sums could leave the whole
        numbers that float32 holds."""
        self._tables = [arrays[f"table_{name}"].astype(np.float32) for name in TABLES]
        self._hidden = np.ascontiguousarray(arrays["hidden"].astype(np.float32))
        self._hidden_bias = arrays["hidden_bias"].astype(np.float32)
        self._out = np.ascontiguousarray(arrays["out"].astype(np.float32))
        self._out_bias = arrays["out_bias"].astype(np.float32)
        for weight, bias, top in ((self._hidden, self._hidden_bias, 128), (self._out, self._out_bias, TOP)):
            if (np.abs(weight).sum(0) * top + np.abs(bias)).max() >= EXACT:
                raise ValueError("the weights of this prior are too large to be computed with exactly")
        steps = np.arange(WEIGHT_BITS * NAT)
        self._weights = np.maximum(1, np.floor(np.exp(-steps / NAT) * (1 << WEIGHT_BITS))).astype(np.float32)

    def weights(self, rows: Sequence[Ints]) -> Floats:
        """Rows of each table, [N] each → whole numbers [N, 416], what probabilities are in proportion to."""
        x = np.empty((len(rows[0]), N_EMBED * len(rows)), dtype=np.float32)
        for index, (table, row) in enumerate(zip(self._tables, rows, strict=True)):
            x[:, N_EMBED * index : N_EMBED * (index + 1)] = table.take(row, axis=0)
        x = x @ self._hidden
        x += self._hidden_bias
        x *= 1 / SCALE
        np.floor(x, out=x)
        np.maximum(x, 0, out=x)
        np.minimum(x, TOP, out=x)
        x = x @ self._out
        x += self._out_bias
        x *= 1 / LOGIT_SHIFT
        np.floor(x, out=x)
        np.subtract(x.max(-1, keepdims=True), x, out=x)
        weights: Floats = self._weights.take(x.astype(np.intp), mode="clip")
        return weights
