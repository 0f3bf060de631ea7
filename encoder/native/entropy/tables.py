"""Pre-trained tables of the prior: the initial state of the kernel that codes pages.

    python -m training.native.prior    # trains them

All values are integers of fixed width, so that tokens decode identically on every machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .alphabet import LEFT, N_SYMBOLS
from .halves import N_RIGHT

Array = npt.NDArray[Any]

RIGHT_NODES = 512  # first node and code of the right halves; first symbols precede them
TREE_SIZE = 1024
BUCKET_ENTRIES = 4  # entries per bucket of the static tables
RANKS = 4  # symbols listed per context
#: Quantised probabilities of a listed symbol, in units of 2^-16.
SHARES = (400, 900, 1600, 2600, 4000, 6000, 9000, 13000, 18000, 24000, 31000, 39000, 47000, 54000, 60000, 64000)
N_LEARNED = 12  # contexts of each kind, as in `mixing.c`
N_NODE = 3
N_SYMBOL = 7
N_MATCH = 2
N_INPUTS = 32
STEPS = 33

#: Arrays of the initial state of a page, contiguous in memory in this order: name → dtype and shape.
STATE: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "histories": ("<u4", (N_LEARNED, 256)),
    "nodes": ("<u4", (N_NODE, 64)),
    "symbols": ("<u4", (N_SYMBOL, 256)),
    "matches": ("<u4", (N_MATCH, 64)),
    "levels": ("<u4", (1024,)),
    "by_node": ("<i4", (768, N_INPUTS)),
    "by_rank": ("<i4", (1024, N_INPUTS)),
    "by_character": ("<i4", (512, N_INPUTS)),
    "by_seen": ("<i4", (256, N_INPUTS)),
    "by_order": ("<i4", (1024, N_INPUTS)),
    "final": ("<i4", (64, 8)),
    "node_maps": ("<u2", (1024, STEPS + 1)),
    "pair_maps": ("<u2", (4096, STEPS + 1)),
}
STATE_BYTES = sum(np.dtype(dtype).itemsize * int(np.prod(shape)) for dtype, shape in STATE.values())


def state_views(state: npt.NDArray[np.uint8]) -> dict[str, Array]:
    """Returns the arrays of `STATE` as views of `state`, uint8 [STATE_BYTES]."""
    views: dict[str, Array] = {}
    start = 0
    for name, (dtype, shape) in STATE.items():
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        views[name] = state[start : start + size].view(dtype).reshape(shape)
        start += size
    return views


@dataclass(frozen=True, eq=False)
class PriorTables:
    """Tables of the prior. Raises `ValueError` if their shapes or trees are invalid."""

    #: int16 [4096]: probability in units of 2^-12 → logit in units of 2^-8.
    stretch: Array
    #: uint16 [4096]: logit + 2048 → probability in units of 2^-16.
    squash: Array
    #: int32 [TREE_SIZE, 2]: child node after a 0 and after a 1; ~symbol at a leaf.
    children: Array
    #: uint8 [256]: 1 letters, 2 digits, 3 the space, 0 and 4 all other narrow characters. Stored because the set of
    #: letters depends on the version of Unicode.
    kinds: Array
    #: uint16 [n, 4]: probability of a 1 at a node in a context; see `find_node` in `mixing.c`.
    nodes: Array
    #: uint8 [m, 4, 3]: most likely symbols in a context; see `find_symbols`.
    symbols: Array
    #: uint8 [STATE_BYTES]: see `STATE`.
    state: Array

    def __post_init__(self) -> None:
        expected = {
            "stretch": ("int16", (4096,)),
            "squash": ("uint16", (4096,)),
            "children": ("int32", (TREE_SIZE, 2)),
            "kinds": ("uint8", (LEFT,)),
            "nodes": ("uint16", (len(self.nodes), BUCKET_ENTRIES)),
            "symbols": ("uint8", (len(self.symbols), BUCKET_ENTRIES, 3)),
            "state": ("uint8", (STATE_BYTES,)),
        }
        for name, (dtype, shape) in expected.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape or not len(array):
                raise ValueError(
                    f"the table '{name}' of the prior is {array.dtype}{list(array.shape)}, not {dtype}{list(shape)}"
                )
        for root, count in ((0, N_SYMBOLS), (RIGHT_NODES, N_RIGHT)):
            self._check_tree(root, count)

    def _check_tree(self, root: int, count: int) -> None:
        """Raises `ValueError` unless the nodes from `root` on form a tree that contains each of `count` symbols once,
        with children after their parents. The kernel follows the nodes without checks."""
        waiting = [root]
        symbols = []
        while waiting:
            node = waiting.pop()
            for child in self.children[node].tolist():
                if child < 0:
                    symbols.append(~child)
                elif node < child < root + count - 1:
                    waiting.append(child)
                else:
                    raise ValueError(f"node {node} of the prior has the invalid child {child}")
            if len(symbols) + len(waiting) > count:
                raise ValueError("a tree of the prior has more leaves than symbols")
        if sorted(symbols) != list(range(count)):
            raise ValueError("a tree of the prior does not contain each symbol exactly once")

    @cached_property
    def paths(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
        """Code of each symbol, uint32 [TREE_SIZE], whose highest bit is the first decision, and its length in bits,
        uint8 [TREE_SIZE]; 0 for unused entries. Right halves begin at `RIGHT_NODES`."""
        codes = np.zeros(TREE_SIZE, dtype=np.uint32)
        lengths = np.zeros(TREE_SIZE, dtype=np.uint8)
        for root, count in ((0, N_SYMBOLS), (RIGHT_NODES, N_RIGHT)):
            waiting = [(root, 0, 0)]
            while waiting:
                node, path, length = waiting.pop()
                for bit, child in enumerate(self.children[node].tolist()):
                    if child >= 0:
                        waiting.append((child, 2 * path + bit, length + 1))
                    elif ~child < count:
                        codes[root + ~child] = 2 * path + bit
                        lengths[root + ~child] = length + 1
        return codes, lengths

    def to_arrays(self) -> dict[str, Array]:
        """Returns the tables by name, as in a weights file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Inverts `to_arrays`. Raises `ValueError` for missing or invalid tables."""
        names = [field.name for field in fields(cls)]
        if set(arrays) != set(names):
            raise ValueError(f"the prior has the tables {', '.join(names)}, not {', '.join(sorted(arrays))}")
        return cls(**{name: np.ascontiguousarray(arrays[name]) for name in names})
