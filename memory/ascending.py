"""Functions of ascending arrays of ids: faster than NumPy's set functions, which sort and hash again."""

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


def places_in(ascending: Ids, ids: Ids) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """Returns the index of each of `ids` in `ascending`, int64[n], and whether it is there, bool[n]. An id that is not
    there has the index of any other."""
    if not len(ascending):
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
    places = np.searchsorted(ascending, ids)
    places[places == len(ascending)] = 0
    return places, ascending[places] == ids


def is_in(ids: Ids, ascending: Ids) -> npt.NDArray[np.bool_]:
    """Returns bool[n]: True for those of `ids` that are in `ascending`."""
    return places_in(ascending, ids)[1]


def distinct(ids: Ids) -> Ids:
    """Returns the distinct `ids`, ascending."""
    ordered = np.sort(ids)
    return ordered[is_first(ordered)]


def is_first(ascending: Ids) -> npt.NDArray[np.bool_]:
    """Returns bool[n]: True for the first of each run of equal ids."""
    first = np.ones(len(ascending), dtype=np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return first
