"""The prior of the native codec: how likely each symbol is after those before it. Vision tokens spend their bits by it.

A small network over hashed contexts: the symbols before, the word so far, the word before, and what stands above. All
its numbers are whole (`whole`), so the same tokens are read alike on every machine, by any number of threads, alone or
in a batch.

    python -m training.native.train_prior    # learns one

Shapes: S streams of T cells each, in step with one another; a stream is a few whole rows of a page.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foxing.encoder.native.network.layers import PAIRS

from .alphabet import LEFT, N_SYMBOLS, Symbols
from .integer_layers import WholeLayer

COLUMNS = 2 * PAIRS
N_CONTEXT = N_SYMBOLS + LEFT  # symbols, and right halves apart from narrow characters
START = N_CONTEXT  # before the first cell of a stream
LAGS = 16  # cells before that the contexts look at
SCALE_SHIFT = 6
SCALE = 1 << SCALE_SHIFT  # of weights and activations
TOP = 255  # of an activation
MIDDLE = 128
LOGIT_SHIFT = 8  # sums of products → 1/16 nat
NAT = 16
WEIGHT_BITS = 15  # of the likeliest symbol's weight

Ints = npt.NDArray[np.int64]
#: Odd numbers without meaning, one for each lag and one for each table.
_LAG = np.array(
    [
        *(1986784539, 1697923447, 789068255, 418150323, 3762431985, 1514605579, 1338646523, 3029318507, 950602705),
        *(1195072643, 1076271865, 315531931, 1819255907, 2282527513, 2359146987, 3430409831, 1793577069, 3410631603),
    ],
    dtype=np.uint32,
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
_ROWS = np.array(list(TABLES.values()), dtype=np.uint32)[:, None] - 1
#: Row of the first of each table, where they lie one behind the other.
FIRST_ROW = np.cumsum([0, *list(TABLES.values())[:-1]])[:, None]
_BY_LAGS = tuple(int(name) for name in TABLES if name.isdecimal() and name != "1")


def context_ids(symbols: Symbols) -> Ints:
    """[S, T] → the same, with right halves as symbols of their own."""
    right = np.zeros(symbols.shape, dtype=bool)
    right[:, 1:] = symbols[:, :-1] >= LEFT
    return np.where(right, symbols + N_SYMBOLS, symbols)


def hashed(before: Ints, above: Ints) -> Ints:
    """Rows of each table, [n, N], those of all tables counted on. `before`: [LAGS, N], the context ids before a cell,
    the nearest first; `above`: [2, N], those above it and above its right neighbour."""
    terms = (before + 1).astype(np.uint32) * _LAG[:LAGS, None]  # modulo 2^32, as is all that follows
    spaces = np.cumsum(before == 0, axis=0, dtype=np.int8)
    by_lags = np.cumsum(terms[: max(_BY_LAGS)], axis=0, dtype=np.uint32)
    sums = np.empty((len(TABLES), before.shape[1]), dtype=np.uint32)
    for index, lags in enumerate(_BY_LAGS):
        sums[1 + index] = by_lags[lags - 1]
    word, words, over = sums[1 + len(_BY_LAGS) :]
    np.add.reduce(terms * (spaces == 0), axis=0, out=word)
    np.add.reduce(terms * (spaces <= 1), axis=0, out=words)
    words += np.uint32(1)
    np.add.reduce((above + 1).astype(np.uint32) * _LAG[LAGS:, None], axis=0, out=over)
    over += terms[0]
    x = sums[1:]
    x ^= x >> 15
    x *= np.uint32(0x2C1B3C6D)
    x ^= x >> 12
    x *= np.uint32(0x297A2D39)
    x ^= x >> 15
    sums[0] = before[0]
    rows: Ints = (sums & _ROWS) + FIRST_ROW
    return rows


def windows(ids: Ints) -> tuple[Ints, Ints]:
    """[S, T] → `before` and `above` of all cells, row by row, as `hashed` takes them."""
    padded = np.pad(ids, ((0, 0), (COLUMNS, 1)), constant_values=START)
    length = ids.shape[1]
    before = np.stack([padded[:, COLUMNS - lag : COLUMNS - lag + length].ravel() for lag in range(1, LAGS + 1)])
    above = np.stack([padded[:, :length].ravel(), padded[:, 1 : length + 1].ravel()])
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
        Raises `ValueError` where sums could leave the whole numbers that float32 holds."""
        self._tables = np.concatenate([arrays[f"table_{name}"] for name in TABLES])
        self._hidden = WholeLayer(arrays["hidden"], arrays["hidden_bias"])
        # activations are 0 … 255, and stand in 8 bits as they are less 128
        out = arrays["out"].astype(np.int64)
        self._out = WholeLayer(arrays["out"], arrays["out_bias"] + MIDDLE * out.sum(0))
        steps = np.arange(WEIGHT_BITS * NAT)
        weights = np.maximum(1, np.floor(np.exp(-steps / NAT) * (1 << WEIGHT_BITS))).astype(np.float32)
        self._weights = torch.from_numpy(weights)

    @torch.inference_mode()
    def weights(self, rows: Ints) -> Tensor:
        """Rows of each table, [n, N] → whole numbers, float32 [N, 416], what probabilities are in proportion to."""
        found = self._tables.take(rows.T, axis=0).reshape(rows.shape[1], -1)
        x = self._hidden(torch.from_numpy(found))
        x = x.bitwise_right_shift_(SCALE_SHIFT).clamp_(0, TOP).sub_(MIDDLE).to(torch.int8)
        x = self._out(x).bitwise_right_shift_(LOGIT_SHIFT)
        steps = x.sub_(x.amax(-1, keepdim=True)).neg_().clamp_max_(len(self._weights) - 1)
        return self._weights.index_select(0, steps.view(-1).long()).view_as(steps)
