"""Sets of words compared in pairs, all at once."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.bool_]


def incidence(sets: Sequence[Collection[str]]) -> NDArray[np.float32]:
    """Returns float32[n, words], 1 where a set has a word."""
    columns: dict[str, int] = {}
    places = [columns.setdefault(word, len(columns)) for words in sets for word in words]
    rows = np.zeros((len(sets), len(columns)), np.float32)
    rows[np.repeat(np.arange(len(sets)), [len(words) for words in sets]), places] = 1
    return rows


def in_common(sets: Sequence[Collection[str]]) -> NDArray[np.float32]:
    """Returns float32[n, n]: number of words that two sets have in common."""
    rows = incidence(sets)
    return np.asarray(rows @ rows.T)


def lacking(sets: Sequence[Collection[str]], required: Sequence[Collection[str]]) -> Pairs:
    """Returns bool[n, n]: whether the set of the row lacks a word that is required by the column."""
    if not any(required):
        return np.zeros((len(sets), len(required)), np.bool_)
    rows = incidence([*required, *sets])
    needs, has = rows[: len(required)], rows[len(required) :]
    return np.asarray(has @ needs.T < needs.sum(axis=1))


def shares(common: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns float64[n, n]: share of the words of the larger of two sets that both have. `common`: see `in_common`."""
    sizes = common.diagonal().astype(np.float64)
    return np.asarray(common / np.maximum(np.maximum(sizes[:, None], sizes), 1))


def equal(values: Sequence[object]) -> Pairs:
    """Returns bool[n, n]: whether two values are equal."""
    numbers: dict[object, int] = {}
    keys = np.array([numbers.setdefault(value, len(numbers)) for value in values])
    return np.asarray(keys[:, None] == keys)
