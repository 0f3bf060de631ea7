"""The codes of full-width characters: two halves, one for each of their cells.

The left half is one of 160, the right half one of 256. Hangul syllables and the others have right halves apart, so all
of them are told from one another by their halves, and a prior that knows some of them knows something of the rest.
"""

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import N_TAIL, N_VOWEL, Charset

N_LEFT, N_RIGHT = 160, 256
MOST_RARE = 2048  # rare narrow characters
FIRST_WIDE = (N_VOWEL * N_TAIL) // 7  # right halves before it, 84, are those of Hangul
WIDE_RIGHTS = N_RIGHT - FIRST_WIDE
STRIDE = 9  # neighbours in the list of characters are not neighbours in the code
TAILS = N_TAIL // 7  # of a syllable's 28 tails, the right half tells 4 and the left half 7 kinds of them


def check(charset: Charset) -> None:
    """Raises `CodecError` when there are more characters than codes."""
    full_width = len(charset.wide) + len(charset.rare_wide)
    if charset.n_cell > N_RIGHT or len(charset.rare) > MOST_RARE or full_width > N_LEFT * WIDE_RIGHTS:
        raise CodecError("the charset has more characters than this network has codes")


def wide_halves(wide: Tensor) -> Tensor:
    """Positions in the lists of full-width characters, the rare ones after the others, [M] → left and right, [M, 2]."""
    slot = wide * STRIDE % (N_LEFT * WIDE_RIGHTS)
    return torch.stack([slot // WIDE_RIGHTS, FIRST_WIDE + slot % WIDE_RIGHTS], dim=-1)


def syllable_halves(lead: Tensor, vowel: Tensor, tail: Tensor) -> Tensor:
    """[M] each → left and right, [M, 2]."""
    return torch.stack([lead * (N_TAIL // TAILS) + tail // TAILS, vowel * TAILS + tail % TAILS], dim=-1)
