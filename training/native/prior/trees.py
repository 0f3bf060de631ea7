"""Huffman trees, which turn a symbol into few binary decisions."""

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.encoder.native.entropy.alphabet import COLUMNS, N_SYMBOLS, right_halves
from foxing.encoder.native.entropy.halves import N_RIGHT
from foxing.encoder.native.entropy.tables import RIGHT_NODES, TREE_SIZE

from .symbol_pages import Group

PAGES = 60  # counted per group
SIZE_POWER = 0.7  # exponent of the number of pages in the weight of a group, so that large groups do not dominate
FADED_SHARE = 0.25  # weight of a faded group, relative to a full one of as many pages
LEAST_SHARES = (2.0**-14, 2.0**-13)  # minimum share of a symbol, which limits the length of paths

Counts = npt.NDArray[np.float64]


def children(groups: Sequence[Group]) -> npt.NDArray[np.int32]:
    """Returns the trees of first symbols and of right halves, int32 [TREE_SIZE, 2], as in `PriorTables`."""
    result = np.zeros((TREE_SIZE, 2), dtype=np.int32)
    for root, counts in zip((0, RIGHT_NODES), symbol_counts(groups), strict=True):
        tree = huffman(counts)
        result[root : root + len(tree)] = np.where(tree >= 0, tree + root, tree)
    return result


def symbol_counts(groups: Sequence[Group]) -> tuple[Counts, Counts]:
    """Returns the weighted frequencies of first symbols and of right halves, float64 [416] and [256]; never 0."""
    first, right = np.zeros(N_SYMBOLS), np.zeros(N_RIGHT)
    for group in groups:
        pages = group.pages[:: max(1, len(group.pages) // PAGES)]
        symbols = np.concatenate([page.symbols for page in pages]).astype(np.int64).reshape(-1, COLUMNS)
        rights = right_halves(symbols)
        weight = (FADED_SHARE if group.faded else 1) * len(group.pages) ** SIZE_POWER / len(pages)
        first += weight * np.bincount(symbols[~rights], minlength=N_SYMBOLS)
        right += weight * np.bincount(symbols[rights], minlength=N_RIGHT)
    totals = [
        np.maximum(counts, max(1.0, counts.sum()) * share)
        for counts, share in zip((first, right), LEAST_SHARES, strict=True)
    ]
    return totals[0], totals[1]


def huffman(counts: Counts) -> npt.NDArray[np.int64]:
    """Returns the children of each node, int64 [len(counts) - 1, 2], the root first; ~symbol for a leaf."""
    waiting = [(count, number, ~number) for number, count in enumerate(counts.tolist())]
    heapq.heapify(waiting)
    pairs: list[tuple[int, int]] = []
    while len(waiting) > 1:
        (one, _, left), (other, _, right) = heapq.heappop(waiting), heapq.heappop(waiting)
        heapq.heappush(waiting, (one + other, len(counts) + len(pairs), len(pairs)))
        pairs.append((left, right))
    order = [len(pairs) - 1]
    for node in order:
        order += [child for child in pairs[node] if child >= 0]
    place = {node: number for number, node in enumerate(order)}
    return np.array([[place[child] if child >= 0 else child for child in pairs[node]] for node in order])
