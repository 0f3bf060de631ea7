"""The prior of the native codec: how likely each symbol is given those before it. Unlikely symbols cost more bits.

A small network over hashed contexts: the preceding symbols, the word so far, the word before it, and the cells above.
All of its arithmetic is in integers (`integer_layers`), so tokens decode identically on every machine, with any number
of threads, alone or in a batch.

    python -m training.native.train_prior    # trains one

Shapes: S streams of T cells each, in lockstep; a stream is a few whole rows of a page.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .alphabet import COLUMNS, LEFT, N_SYMBOLS, Symbols, right_halves
from .integer_layers import Int8Linear
from .rans import Ints

N_CONTEXT_IDS = N_SYMBOLS + LEFT  # symbols, with right halves distinct from narrow characters
START = N_CONTEXT_IDS  # context id before the first cell of a stream
LAGS = 16  # preceding cells that the contexts cover
N_EMBED = 32  # numbers per context
N_HIDDEN = 256
SCALE_SHIFT = 6
SCALE = 1 << SCALE_SHIFT  # of weights and activations
MAX_ACTIVATION = 255
ZERO_POINT = 128  # subtracted from activations so that they fit int8
LOGIT_SHIFT = 8  # from sums of products to 1/16 nat
STEPS_PER_NAT = 16
WEIGHT_BITS = 15  # of the likeliest symbol's weight

#: Contexts and the number of rows of their tables, powers of two. Digits name the number of preceding symbols.
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
#: int64 [n, 1]: first row of each of the n tables when they are concatenated.
FIRST_ROW = np.cumsum([0, *list(TABLES.values())[:-1]])[:, None]
_ROW_MASKS = np.array(list(TABLES.values()), dtype=np.uint32)[:, None] - 1
_SYMBOL_LAGS = tuple(int(name) for name in TABLES if name.isdecimal() and name != "1")
#: Arbitrary odd multipliers: one for each lag, then one for each cell above.
_MULTIPLIERS = np.array(
    [
        *(1986784539, 1697923447, 789068255, 418150323, 3762431985, 1514605579, 1338646523, 3029318507, 950602705),
        *(1195072643, 1076271865, 315531931, 1819255907, 2282527513, 2359146987, 3430409831, 1793577069, 3410631603),
    ],
    dtype=np.uint32,
)


def context_ids(symbols: Symbols) -> Ints:
    """int64 [S, T]: `symbols`, with right halves numbered apart from narrow characters."""
    return np.where(right_halves(symbols), symbols + N_SYMBOLS, symbols)


def context_rows(before: Ints, above: Ints) -> Ints:
    """int64 [n, N]: for N cells, the row of each of the n concatenated tables. `before`, [LAGS, N]: the context ids
    before each cell, nearest first; `above`, [2, N]: those above it and above its right neighbour."""
    terms = (before + 1).astype(np.uint32) * _MULTIPLIERS[:LAGS, None]  # modulo 2^32, like all that follows
    spaces = np.cumsum(before == 0, axis=0, dtype=np.int8)
    by_lags = np.cumsum(terms[: max(_SYMBOL_LAGS)], axis=0, dtype=np.uint32)
    sums = np.empty((len(TABLES), before.shape[1]), dtype=np.uint32)
    for index, lags in enumerate(_SYMBOL_LAGS):
        sums[1 + index] = by_lags[lags - 1]
    word, words, over = sums[1 + len(_SYMBOL_LAGS) :]
    np.add.reduce(terms * (spaces == 0), axis=0, out=word)
    np.add.reduce(terms * (spaces <= 1), axis=0, out=words)
    words += np.uint32(1)
    np.add.reduce((above + 1).astype(np.uint32) * _MULTIPLIERS[LAGS:, None], axis=0, out=over)
    over += terms[0]
    x = sums[1:]
    x ^= x >> 15
    x *= np.uint32(0x2C1B3C6D)
    x ^= x >> 12
    x *= np.uint32(0x297A2D39)
    x ^= x >> 15
    sums[0] = before[0]
    rows: Ints = (sums & _ROW_MASKS) + FIRST_ROW
    return rows


def context_windows(ids: Ints) -> tuple[Ints, Ints]:
    """`before` and `above` of all cells of `ids`, [S, T], row by row, as `context_rows` takes them."""
    padded = np.pad(ids, ((0, 0), (COLUMNS, 1)), constant_values=START)
    length = ids.shape[1]
    before = np.stack([padded[:, COLUMNS - lag : COLUMNS - lag + length].ravel() for lag in range(1, LAGS + 1)])
    above = np.stack([padded[:, :length].ravel(), padded[:, 1 : length + 1].ravel()])
    return before, above


def zero_arrays() -> dict[str, npt.NDArray[Any]]:
    """The arrays of an untrained `Prior`."""
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
    """The network with its integer weights."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """`arrays`: int8 "table_<name>" [rows, E], "hidden" [n·E, H], "out" [H, 416]; int32 "hidden_bias", "out_bias".
        Raises `ValueError` if a sum could exceed the integers that float32 represents exactly."""
        self._tables = np.concatenate([arrays[f"table_{name}"] for name in TABLES])
        self._hidden = Int8Linear(arrays["hidden"], arrays["hidden_bias"])
        # activations are 0 … 255 and stored as int8 less 128; the bias makes up for it
        out = arrays["out"].astype(np.int64)
        self._out = Int8Linear(arrays["out"], arrays["out_bias"] + ZERO_POINT * out.sum(0))
        steps = np.arange(WEIGHT_BITS * STEPS_PER_NAT)
        weights = np.maximum(1, np.floor(np.exp(-steps / STEPS_PER_NAT) * (1 << WEIGHT_BITS))).astype(np.float32)
        self._weights = torch.from_numpy(weights)

    @torch.inference_mode()
    def weights(self, rows: Ints) -> Tensor:
        """float32 [N, 416]: integers in proportion to the probability of each symbol. `rows`: as from `context_rows`,
        int64 [n, N]."""
        embedded = self._tables.take(rows.T, axis=0).reshape(rows.shape[1], -1)
        x = self._hidden(torch.from_numpy(embedded))
        x = x.bitwise_right_shift_(SCALE_SHIFT).clamp_(0, MAX_ACTIVATION).sub_(ZERO_POINT).to(torch.int8)
        x = self._out(x).bitwise_right_shift_(LOGIT_SHIFT)
        steps = x.sub_(x.amax(-1, keepdim=True)).neg_().clamp_max_(len(self._weights) - 1)
        return self._weights.index_select(0, steps.view(-1).long()).view_as(steps)
