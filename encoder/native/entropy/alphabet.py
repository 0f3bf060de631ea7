"""Pages as symbols: one for each cell, out of 416 where a cell begins something and 256 where it ends it.

A narrow character is its class; a full-width one is a left half (256 and on) and a right half, after `places`. A cell
of the rare class has, beside its symbol, its position in the list of rare narrow characters.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foxing.encoder.contract import UNREADABLE
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, N_LEAD, N_TAIL, N_VOWEL, Charset
from foxing.encoder.native.network.encoder import Features
from foxing.encoder.native.network.layers import NUMBERS_AT_ONCE, likeliest
from foxing.renderer import WIDE_TAIL, Cells

from .halves import N_LEFT, N_RIGHT, syllable_halves, wide_halves

LEFT = 256  # symbols from here on are left halves; those before are classes of cells
N_SYMBOLS = LEFT + N_LEFT

Symbols = npt.NDArray[np.int64]


@torch.no_grad()
def seen_symbols(seen: Features, charset: Charset, heat: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Symbols and positions of rare characters, int64 [B, L, 2] each, and how likely those characters are, float32, all
    logits divided by `heat`."""
    full_width = torch.tensor([charset.wide_class, charset.hangul_class], device=seen.kinds.device)
    logits = seen.logits.flatten(0, 2)
    symbols = seen.kinds.flatten()
    top, total = _sums(logits, symbols, heat)
    sure = total.reciprocal()
    full = torch.isin(seen.kinds, full_width)
    left = full[:, :, 0]
    # a right cell that seems to begin a full-width character shows the likeliest of the others
    at = torch.stack([torch.zeros_like(left), full[:, :, 1] & ~left], dim=-1).flatten().nonzero().squeeze(-1)
    others = logits[at].float()
    others[:, full_width] = -torch.inf
    best, symbols[at] = others.max(-1)
    sure[at] = ((best - top[at]) / heat).exp() / total[at]
    # how likely each kind of full-width character is where a pair shows one
    at = torch.stack([left, torch.zeros_like(left)], dim=-1).flatten().nonzero().squeeze(-1)
    share_of_kind = torch.zeros(len(symbols), 2, device=symbols.device)
    share_of_kind[at] = ((logits[at[:, None], full_width].float() - top[at, None]) / heat).exp() / total[at, None]
    symbols, sure = symbols.view(seen.kinds.shape), sure.view(seen.kinds.shape)
    kinds = share_of_kind.view(*seen.kinds.shape, 2)[:, :, 0]
    named = torch.zeros_like(symbols, dtype=torch.bool)
    named[seen.rare.at] = True
    symbols[(symbols == charset.rare_class) & ~named] = charset.unreadable_class  # rare, and nobody asked which
    rare = torch.zeros_like(symbols)
    share, rare[seen.rare.at] = _share(seen.rare.logits, seen.rare.best, heat), seen.rare.best
    sure[seen.rare.at] *= share
    share, which = _share(seen.often.logits, seen.often.best, heat), seen.often.best
    wide = torch.from_numpy(charset.often_places).to(symbols.device)[which]
    seldom, rare_wide = seen.wide.at[seen.often.at], seen.rare_wide.at[seen.often.at]
    share[seldom] *= _share(seen.wide.logits, seen.wide.best, heat)
    wide[seldom] = seen.wide.best
    share[rare_wide] *= _share(seen.rare_wide.logits, seen.rare_wide.best, heat)
    wide[rare_wide] = charset.rare_wide_class + seen.rare_wide.best
    shift = torch.tensor([LEFT, 0], device=symbols.device)
    symbols[seen.often.at] = wide_halves(wide) + shift
    sure[seen.often.at] = (kinds[..., 0][seen.often.at] * share).unsqueeze(-1)
    parts = torch.split(seen.hangul.logits, [N_LEAD, N_VOWEL, N_TAIL], dim=-1)
    jamo = [likeliest(part) for part in parts]
    symbols[seen.hangul.at] = syllable_halves(*jamo) + shift
    shares = [_share(part, best, heat) for part, best in zip(parts, jamo, strict=True)]
    share = torch.stack(shares).prod(0)
    sure[seen.hangul.at] = (kinds[..., 1][seen.hangul.at] * share).unsqueeze(-1)
    return symbols, rare, sure


def _share(logits: Tensor, best: Tensor, heat: float) -> Tensor:
    """[M, K] and the likeliest, [M] → how likely that is, float32 [M]."""
    return _sums(logits, best, heat)[1].reciprocal()


def _sums(logits: Tensor, best: Tensor, heat: float) -> tuple[Tensor, Tensor]:
    """[M, K] and the likeliest, [M] → its logit, and what exp((logit - its) / heat) add up to, float32 [M] each."""
    top = logits.gather(-1, best[:, None]).float()
    if logits.device.type != "cpu":
        return top.squeeze(-1), (logits.float() - top).div_(heat).exp_().sum(-1)
    total = np.empty(len(logits), dtype=np.float32)
    rows = max(1, NUMBERS_AT_ONCE // logits.shape[-1])
    for first in range(0, len(logits), rows):
        part = slice(first, first + rows)
        shares = (logits[part].float() - top[part]).numpy()  # whose exponentials take half the time of torch's
        shares *= np.float32(1 / heat)
        total[part] = np.exp(shares, out=shares).sum(-1)
    return top.squeeze(-1), torch.from_numpy(total)


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
        symbols, rare = self.narrow(cells)
        right = cells == WIDE_TAIL
        left = np.zeros_like(right)
        left[..., :-1] = right[..., 1:]
        halves = self._halves[cells[left]]
        symbols[left] = LEFT + halves[:, 0]
        symbols[right] = halves[:, 1]
        return symbols, rare

    def narrow(self, cells: Cells) -> tuple[Symbols, Symbols]:
        """Narrow characters of any shape → symbols and positions of rare characters."""
        symbols = self._class[cells].astype(np.int64)
        return symbols, np.where(symbols == self.rare_class, self._rare[cells], 0).astype(np.int64)

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
