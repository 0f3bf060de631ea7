"""Candidate entries of the prior's static tables, and the bits that each would save.

The contexts of a group are processed from short to long. The probability that shorter contexts give each symbol is
known, and a longer context is worth the gain over it. Probabilities are estimated without the occurrence in question,
so that a symbol seen once is worth nothing, except in small groups, where most symbols that will recur have been seen
only once.
"""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder.native.entropy.kernel import Kernel, pointer
from foxing.encoder.native.entropy.tables import N_NODE, N_SYMBOL, RIGHT_NODES

from .symbol_pages import SymbolPage

N_STATIC = N_NODE + N_SYMBOL
SYMBOL_BITS = 10
FIRST_GUESS = 1 / 400  # probability of a symbol without any information
DISCOUNT = 0.5
MIN_NODE_BITS, MIN_SYMBOL_BITS = 0.5, 0.3  # minimum gain of an entry
#: Gain of a symbol seen once in a small group, in bits, by context of the table of symbols.
SEEN_ONCE_BITS = (0.9, 0.6, 0.4, 0.3, 0.2, 0.3, 0.3)

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


class Candidates(NamedTuple):
    """Entries of a static table, [n] each."""

    #: uint64: hash of the context.
    contexts: Array
    #: uint16: the node, or the symbol; right halves begin at `RIGHT_NODES`.
    items: Array
    #: float32: occurrences of a 1 at the node, or of the symbol in the context, times the weight of the group.
    counts: Array
    #: float32: all occurrences there.
    totals: Array
    #: float32: bits saved by the entry, times the weight of the group.
    gains: Array


@dataclass(frozen=True)
class _Grouped:
    """All symbols of a group, sorted by context and symbol."""

    #: int64 [N]: positions in this order.
    order: Ints
    #: int64 [u]: first place in `order` of each pair of a context and a symbol.
    starts: Ints
    #: int64 [u]: occurrences.
    counts: Ints
    #: int64 [c]: first pair of each context.
    context_starts: Ints
    #: int64 [u]: number of the context.
    context: Ints
    #: int64 [u]: occurrences of the context, and different symbols in it.
    totals: Ints
    distinct: Ints
    #: uint64 [u]: hash of the context.
    hashes: Array
    #: int64 [u]: the symbol.
    symbols: Ints


class Weight(NamedTuple):
    """Weight of a group."""

    #: Of an occurrence, relative to those of the same context in other groups.
    occurrence: float
    #: Of a bit saved on it.
    bit: float
    #: True if symbols seen once have a gain too.
    once: bool = False


def group_candidates(kernel: Kernel, pages: Sequence[SymbolPage], weight: Weight) -> tuple[Candidates, Candidates]:
    """Returns the candidates for the tables of nodes and of symbols from the pages of one group."""
    contexts, symbols = _contexts(kernel, pages)
    guess = np.full(len(symbols), FIRST_GUESS, dtype=np.float32)
    nodes: list[Candidates] = []
    found: list[Candidates] = []
    parent: _Nodes | None = None
    for number in range(N_STATIC):
        grouped = _grouped(contexts[:, number], symbols)
        better = _probability(grouped, guess)
        if number < N_NODE:
            parent = _nodes(kernel, grouped, parent)
            nodes.append(_node_candidates(parent, weight))
        else:
            once = SEEN_ONCE_BITS[number - N_NODE] if weight.once else 0.0
            found.append(_symbol_candidates(grouped, np.log2(better / guess[grouped.order]), weight, once))
        guess = np.empty_like(guess)
        guess[grouped.order] = better
    return _joined(nodes), _joined(found)


def _joined(parts: Sequence[Candidates]) -> Candidates:
    return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def merged(parts: Sequence[Candidates]) -> Candidates:
    """Returns the candidates of all groups, with those of the same context and item added up."""
    joined = _joined(parts)
    keys = joined.contexts * np.uint64(0x9E3779B97F4A7C15) ^ joined.items.astype(np.uint64) * np.uint64(
        0xD6E8FEB86659FD93
    )
    order = np.argsort(keys)
    starts = _starts(keys[order])
    sums = [np.add.reduceat(column[order], starts) for column in joined[2:]]
    return Candidates(joined.contexts[order][starts], joined.items[order][starts], *sums)


def _contexts(kernel: Kernel, pages: Sequence[SymbolPage]) -> tuple[Array, Array]:
    """Contexts of all symbols of the pages, uint64 [N, N_STATIC], and the symbols, uint16 [N]."""
    hashes, coded = [], []
    for page in pages:
        cells = len(page.symbols)
        contexts, symbols = np.empty((cells, N_STATIC), dtype=np.uint64), np.empty(cells, dtype=np.uint16)
        count = kernel.library.foxing_contexts(
            *(ctypes.byref(kernel.model), pointer(kernel.tables.state), *map(pointer, page), cells),
            *(pointer(contexts), pointer(symbols)),
        )
        if count < 0:
            raise ValueError("a page of the corpus has invalid symbols")
        hashes.append(contexts[:count])
        coded.append(symbols[:count])
    return np.concatenate(hashes), np.concatenate(coded)


def _starts(keys: Array) -> Ints:
    """First places of the runs of equal keys."""
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def _grouped(hashes: Array, symbols: Array) -> _Grouped:
    keys = (hashes >> np.uint64(SYMBOL_BITS) << np.uint64(SYMBOL_BITS)) | symbols.astype(np.uint64)
    order = np.argsort(keys)
    keys = keys[order]
    starts = _starts(keys)
    counts = np.diff(np.append(starts, len(keys)))
    context_starts = _starts(keys[starts] >> np.uint64(SYMBOL_BITS))
    distinct = np.diff(np.append(context_starts, len(starts)))
    return _Grouped(
        order,
        starts,
        counts,
        context_starts,
        context=np.repeat(np.arange(len(context_starts)), distinct),
        totals=np.repeat(np.add.reduceat(counts, context_starts), distinct),
        distinct=np.repeat(distinct, distinct),
        hashes=hashes[order[starts]],
        symbols=(keys[starts] & np.uint64((1 << SYMBOL_BITS) - 1)).astype(np.int64),
    )


def _probability(grouped: _Grouped, guess: Array) -> Array:
    """Probability of each symbol in its context without this occurrence, float32 [N], in the order of `grouped`.
    Discounted mass goes to the `guess` of shorter contexts."""
    others, total = grouped.counts - 1, grouped.totals - 1
    kinds = np.maximum(grouped.distinct - (others == 0), 0)
    rest = np.where(total > 0, (DISCOUNT * kinds + 0.3) / (total + 0.3), 1).clip(0, 1)
    own = np.where(others > 0, (others - DISCOUNT) / (total + 0.3), 0)
    pair = np.repeat(np.arange(len(grouped.counts)), grouped.counts)
    result: Array = np.maximum(own[pair] + rest[pair] * guess[grouped.order], 1e-6).astype(np.float32)
    return result


def _symbol_candidates(grouped: _Grouped, saved: Array, weight: Weight, once_bits: float) -> Candidates:
    """`saved`: bits at each occurrence, in the order of `grouped`; `once_bits`: gain of symbols seen once."""
    gains = np.add.reduceat(saved, grouped.starts)
    kept = (grouped.counts >= 2) & (gains > MIN_SYMBOL_BITS)
    if once_bits:
        once = grouped.totals == 1
        gains, kept = np.where(once, once_bits, gains), kept | once
    columns = (grouped.counts * weight.occurrence, grouped.totals * weight.occurrence, gains * weight.bit)
    return Candidates(
        grouped.hashes[kept],
        grouped.symbols[kept].astype(np.uint16),
        *(column[kept].astype(np.float32) for column in columns),
    )


@dataclass(frozen=True)
class _Nodes:
    """The nodes that a group visits in contexts of one length, [n] each."""

    #: int64: number of the context · 1024 + node, sorted.
    keys: Ints
    hashes: Array
    ones: Ints
    totals: Ints
    #: float64: probability of a 1, and the one in the shorter context.
    share: Array
    shorter: Array
    #: int64 [N]: number of the context of each symbol of the group.
    context_at: Ints


def _nodes(kernel: Kernel, grouped: _Grouped, parent: _Nodes | None) -> _Nodes:
    pairs, nodes, bits = (np.concatenate(column) for column in zip(*_decisions(kernel, grouped), strict=True))
    keys = grouped.context[pairs] * 1024 + nodes
    order = np.argsort(keys)
    keys, counts = keys[order], grouped.counts[pairs][order]
    starts = _starts(keys)
    totals, ones = np.add.reduceat(counts, starts), np.add.reduceat(counts * bits[order], starts)
    keys = keys[starts]
    first = grouped.context_starts
    shorter = np.full(len(keys), 0.5)
    if parent is not None:
        above = parent.context_at[grouped.order[grouped.starts[first]]][keys // 1024] * 1024 + keys % 1024
        place = np.searchsorted(parent.keys, above).clip(0, len(parent.keys) - 1)
        shorter = np.where(parent.keys[place] == above, parent.share[place], 0.5)
    context_at = np.empty(len(grouped.order), dtype=np.int64)
    context_at[grouped.order] = np.repeat(grouped.context, grouped.counts)
    share = (ones + 0.3 + shorter) / (totals + 1.6)
    return _Nodes(keys, grouped.hashes[first][keys // 1024], ones, totals, share, shorter, context_at)


def _decisions(kernel: Kernel, grouped: _Grouped) -> Iterator[tuple[Ints, Ints, Ints]]:
    """For each level of the trees: pairs that reach it, their nodes, and the decisions there."""
    codes, lengths = (part.astype(np.int64) for part in kernel.tables.paths)
    pairs = np.arange(len(grouped.symbols))
    nodes = np.where(grouped.symbols >= RIGHT_NODES, RIGHT_NODES, 0)
    depth = 0
    while len(pairs):
        symbols = grouped.symbols[pairs]
        bits = codes[symbols] >> (lengths[symbols] - 1 - depth) & 1
        yield pairs, nodes, bits
        following = kernel.tables.children[nodes, bits]
        pairs, nodes = pairs[following >= 0], following[following >= 0].astype(np.int64)
        depth += 1


def _node_candidates(nodes: _Nodes, weight: Weight) -> Candidates:
    share, shorter = nodes.share, nodes.shorter.clip(0.001, 0.999)
    divergence = share * np.log2(share / shorter) + (1 - share) * np.log2((1 - share) / (1 - shorter))
    gains = nodes.totals * divergence - 1
    kept = (nodes.totals >= 2) & (gains > MIN_NODE_BITS)
    columns = (nodes.ones * weight.occurrence, nodes.totals * weight.occurrence, gains * weight.bit)
    return Candidates(
        nodes.hashes[kept],
        (nodes.keys[kept] % 1024).astype(np.uint16),
        *(column[kept].astype(np.float32) for column in columns),
    )
