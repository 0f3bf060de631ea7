"""Pages as symbols: one for each cell, out of 416 where a cell begins something and 256 where it ends it.

A narrow character is its class; a full-width one is a left half (256 and on) and a right half, after `places`. A cell
of the rare class has, beside its symbol, its position in the list of rare narrow characters.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foxing.encoder.contract import UNREADABLE
from foxing.renderer import WIDE_TAIL, Cells

from .charset import HANGUL_FIRST, HANGUL_LAST, N_LEAD, N_TAIL, N_VOWEL, Charset
from .encoder import Features
from .places import N_LEFT, N_RIGHT, syllable_halves, wide_halves

LEFT = 256  # symbols from here on are left halves; those before are classes of cells
N_SYMBOLS = LEFT + N_LEFT

Symbols = npt.NDArray[np.int64]


@torch.no_grad()
def likeliest(seen: Features, charset: Charset) -> tuple[Tensor, Tensor]:
    """Symbols and positions of rare characters, int64 [B, L, 2] each."""
    narrow = seen.logits.clone()
    narrow[..., [charset.wide_class, charset.hangul_class]] = -torch.inf
    symbols = narrow.argmax(-1)
    named = torch.zeros_like(symbols, dtype=torch.bool)
    named[seen.rare.at] = True
    symbols[(symbols == charset.rare_class) & ~named] = charset.unreadable_class  # rare, and nobody asked which
    rare = torch.zeros_like(symbols)
    rare[seen.rare.at] = seen.rare.best
    wide = seen.wide.best.clamp_max(charset.rare_wide_class - 1)
    wide[seen.rare_wide.at[seen.wide.at]] = charset.rare_wide_class + seen.rare_wide.best
    parts = torch.split(seen.hangul.logits, [N_LEAD, N_VOWEL, N_TAIL], dim=-1)
    shift = torch.tensor([LEFT, 0], device=symbols.device)
    symbols[seen.wide.at] = wide_halves(wide) + shift
    symbols[seen.hangul.at] = syllable_halves(*(part.argmax(-1) for part in parts)) + shift
    return symbols, rare


@torch.no_grad()
def sureness(seen: Features, charset: Charset, heat: float = 1.0) -> Tensor:
    """float32 [B, L, 2]: how likely the likeliest characters are, all logits divided by `heat`."""

    def best(logits: Tensor) -> Tensor:
        top = logits.amax(-1, keepdim=True)
        return (logits - top).div_(heat).exp_().sum(-1).reciprocal()

    shares = (seen.logits / heat).softmax(-1)
    kinds = shares[:, :, 0, [charset.wide_class, charset.hangul_class]]
    shares[..., [charset.wide_class, charset.hangul_class]] = 0
    sure = shares.amax(-1)
    sure[seen.rare.at] *= best(seen.rare.logits)
    wide = best(seen.wide.logits)
    wide[seen.rare_wide.at[seen.wide.at]] *= best(seen.rare_wide.logits)
    parts = torch.split(seen.hangul.logits, [N_LEAD, N_VOWEL, N_TAIL], dim=-1)
    hangul = torch.stack([best(part) for part in parts]).prod(0)
    sure[seen.wide.at] = (kinds[..., 0][seen.wide.at] * wide).unsqueeze(-1)
    sure[seen.hangul.at] = (kinds[..., 1][seen.hangul.at] * hangul).unsqueeze(-1)
    return sure


class Alphabet:
    """Cells of typeset pages ↔ symbols, by tables."""

    def __init__(self, charset: Charset) -> None:
        self.rare_class = charset.rare_class
        self._class = charset.cell_class
        self._rare = charset.list_class
        narrow = [ord(c) for c in charset.common] + [UNREADABLE] * (LEFT - len(charset.common))
        self._common = np.array(narrow, dtype=np.uint32)
        self._rare_points = np.array([ord(c) for c in charset.rare] or [UNREADABLE], dtype=np.uint32)
        full_width = np.array([ord(c) for c in charset.wide + charset.rare_wide], dtype=np.int64)
        halves = wide_halves(torch.arange(len(full_width))).numpy()
        syllable = torch.arange(HANGUL_LAST + 1 - HANGUL_FIRST)
        lead, vowel, tail = syllable // (N_VOWEL * N_TAIL), syllable // N_TAIL % N_VOWEL, syllable % N_TAIL
        of_syllable = syllable_halves(lead, vowel, tail).numpy()
        self._halves = np.zeros((0x110000, 2), dtype=np.int16)
        self._halves[full_width] = halves
        self._halves[HANGUL_FIRST : HANGUL_LAST + 1] = of_syllable
        self._pair = np.full((N_LEFT, N_RIGHT), UNREADABLE, dtype=np.uint32)
        self._pair[halves[:, 0], halves[:, 1]] = full_width
        self._pair[of_syllable[:, 0], of_syllable[:, 1]] = np.arange(HANGUL_FIRST, HANGUL_LAST + 1)

    @property
    def rights(self) -> npt.NDArray[np.bool_]:
        """bool [160, 256]: right halves that make a character with a left half."""
        made: npt.NDArray[np.bool_] = self._pair != UNREADABLE
        return made

    def symbols(self, cells: Cells) -> tuple[Symbols, Symbols]:
        """Cells of any shape whose last axis is a whole row → symbols and positions of rare characters."""
        symbols = self._class[cells].astype(np.int64)
        rare = np.where(symbols == self.rare_class, self._rare[cells], 0).astype(np.int64)
        right = cells == WIDE_TAIL
        left = np.zeros_like(right)
        left[..., :-1] = right[..., 1:]
        halves = self._halves[cells[left]]
        symbols[left] = LEFT + halves[:, 0]
        symbols[right] = halves[:, 1]
        return symbols, rare

    def cells(self, symbols: Symbols, rare: Symbols) -> Cells:
        """The inverse of `symbols`; what stands for no character is unreadable."""
        left = symbols >= LEFT
        right = np.zeros_like(left)
        right[..., 1:] = left[..., :-1]
        cells: Cells = self._common[np.minimum(symbols, LEFT - 1)]
        at = (symbols == self.rare_class) & ~right
        cells[at] = self._rare_points[rare[at]]
        cells[left] = self._pair[symbols[left] - LEFT, symbols[right]]
        cells[right] = WIDE_TAIL
        return cells
