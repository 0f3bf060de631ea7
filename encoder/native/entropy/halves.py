"""Codes of full-width characters: two halves, one for each of their cells.

There are 160 left and 256 right halves. Hangul syllables and all other characters use disjoint right halves, so a pair
of halves is unique, and characters that share a half share statistics of the prior.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import N_TAIL, N_VOWEL, Charset

if TYPE_CHECKING:
    from torch import Tensor

N_LEFT = 160
N_RIGHT = 256
MAX_RARE = 2048  # maximum number of rare narrow characters
FIRST_WIDE = (N_VOWEL * N_TAIL) // 7  # 84: smaller right halves are those of Hangul
WIDE_RIGHTS = N_RIGHT - FIRST_WIDE
STRIDE = 9  # spreads adjacent characters of the list over the codes
#: An array of NumPy or a tensor of torch, which reading does not import.
Numbers = TypeVar("Numbers", npt.NDArray[np.int64], "Tensor")
TAILS = N_TAIL // 7  # the 28 tails of a syllable: 4 values in the right half, 7 in the left


def check_capacity(charset: Charset) -> None:
    """Checks the size of a charset. Raises `CodecError` if it has more characters than there are codes."""
    full_width = len(charset.wide) + len(charset.rare_wide)
    if charset.n_cell > N_RIGHT or len(charset.rare) > MAX_RARE or full_width > N_LEFT * WIDE_RIGHTS:
        raise CodecError("the charset has more characters than this network has codes")


def wide_halves(wide: Numbers) -> tuple[Numbers, Numbers]:
    """Returns the left and right halves, int64 [M] each, of indices into `wide + rare_wide` of a charset, int64 [M]."""
    slot = wide * STRIDE % (N_LEFT * WIDE_RIGHTS)
    return slot // WIDE_RIGHTS, FIRST_WIDE + slot % WIDE_RIGHTS


def syllable_halves(lead: Numbers, vowel: Numbers, tail: Numbers) -> tuple[Numbers, Numbers]:
    """Returns the left and right halves, int64 [M] each, of syllables given by jamo indices, int64 [M] each."""
    return lead * (N_TAIL // TAILS) + tail // TAILS, vowel * TAILS + tail % TAILS
