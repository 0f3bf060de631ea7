"""Classification: logits of the encoder → symbol of each cell, with its confidence.

Shapes: as in `model`. A confidence is the softmax probability of the whole symbol: that of its class times that of the
character within the list of the class. Characters with the same glyph count as one: pixels determine the shape, and
`foxing.renderer.Confusables` the character.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from foxing.encoder.native.charset import N_LEAD, N_TAIL, N_VOWEL, Charset
from foxing.encoder.native.entropy.alphabet import LEFT
from foxing.encoder.native.entropy.halves import syllable_halves, wide_halves

from .features import Features, Lookup
from .layers import CHUNK_NUMBERS, argmax

CERTAIN = 0.99999  # class probability from which look-alikes are ignored
CHUNK_CELLS = 1024  # cells resolved at a time


class CellSymbols(NamedTuple):
    """Symbol of each cell."""

    #: int64 [B, L, 2], as in `entropy.alphabet`.
    symbols: Tensor
    #: int64 [B, L, 2]: index into the rare narrow characters; 0 elsewhere.
    rare: Tensor
    #: float32 [B, L, 2]: probability of the symbol.
    confidence: Tensor


class _PairShares(NamedTuple):
    """Probability that a pair holds a full-width character, by kind, float32 [B, L] each."""

    wide: Tensor
    hangul: Tensor


@torch.no_grad()
def classify_cells(features: Features, charset: Charset, temperature: float = 1.0) -> CellSymbols:
    """Returns the most likely symbol of each cell, with all logits divided by `temperature`."""
    cells, pairs = _by_class(features, charset, temperature)
    _name_shapes(cells, features, charset, temperature)
    _name_wide(cells, pairs.wide, features, charset, temperature)
    _name_hangul(cells, pairs.hangul, features.hangul, temperature)
    return cells


def _by_class(features: Features, charset: Charset, temperature: float) -> tuple[CellSymbols, _PairShares]:
    """Returns symbols by class alone, and the probabilities of full-width pairs by the class of their left cell."""
    shape = features.classes.shape
    full_width = torch.tensor([charset.wide_class, charset.hangul_class], device=features.classes.device)
    logits = features.logits.flatten(0, 2)
    symbols = features.classes.flatten().clone()
    top, total = _exponential_sums(logits, symbols, temperature)
    confidence = total.reciprocal()
    full = torch.isin(features.classes, full_width)
    left = full[:, :, 0]
    # a right cell classified as the start of a full-width character gets the most likely other class
    at = torch.stack([torch.zeros_like(left), full[:, :, 1] & ~left], dim=-1).flatten().nonzero().squeeze(-1)
    others = logits[at].float()
    others[:, full_width] = -torch.inf
    best, symbols[at] = others.max(-1)
    confidence[at] = ((best - top[at]) / temperature).exp() / total[at]
    at = torch.stack([left, torch.zeros_like(left)], dim=-1).flatten().nonzero().squeeze(-1)
    shares = torch.zeros(len(symbols), 2, device=symbols.device)
    shares[at] = ((logits[at[:, None], full_width].float() - top[at, None]) / temperature).exp() / total[at, None]
    by_pair = shares.view(*shape, 2)[:, :, 0]
    symbols = symbols.view(shape)
    cells = CellSymbols(symbols, torch.zeros_like(symbols), confidence.view(shape))
    return cells, _PairShares(by_pair[..., 0], by_pair[..., 1])


def _name_shapes(cells: CellSymbols, features: Features, charset: Charset, temperature: float) -> None:
    """Sets rare and uncertain narrow cells to a character with the most likely glyph, in place, with the probability of
    all characters with that glyph. A cell of the rare class that was not looked up becomes unreadable."""
    looked_up = features.rare.at
    cells.symbols[(cells.symbols == charset.rare_class) & ~looked_up] = charset.unreadable_class
    narrow = cells.symbols <= charset.rare_class
    uncertain = narrow & ((cells.confidence < CERTAIN) | (cells.symbols == charset.rare_class))
    place = torch.cumsum(looked_up.flatten(), 0).sub_(1)  # among the cells looked up
    for listed in (False, True):
        of_kind = uncertain.flatten() & (looked_up.flatten() == listed)
        for at in torch.split(of_kind.nonzero().squeeze(-1), CHUNK_CELLS):
            logits = features.rare.logits[place[at]] if listed else None
            _name_shapes_at(cells, at, features.logits.flatten(0, 2)[at], logits, charset, temperature)


def _name_shapes_at(
    cells: CellSymbols, at: Tensor, logits: Tensor, rare_logits: Tensor | None, charset: Charset, temperature: float
) -> None:
    """Sets the N cells `at`, int64 [N], to a character with the most likely glyph, in place. `logits`: by class;
    `rare_logits`: by rare character, None if these were not looked up."""
    of_common, of_rare, symbol, rare = (torch.from_numpy(table).to(at.device) for table in charset.shapes)
    shares = (logits.float() / temperature).softmax(-1)
    glyphs = len(symbol) if rare_logits is not None else int(charset.shapes.of_common.max()) + 1
    by_shape = torch.zeros(len(at), glyphs, device=at.device)
    by_shape.index_add_(1, of_common, shares[:, : charset.rare_class])
    if rare_logits is not None:
        of_list = (rare_logits.float() / temperature).softmax(-1)
        by_shape.index_add_(1, of_rare, of_list.mul_(shares[:, charset.rare_class, None]))
    best = argmax(by_shape)
    cells.symbols.view(-1)[at] = symbol[best]
    cells.rare.view(-1)[at] = rare[best]
    cells.confidence.view(-1)[at] = by_shape.gather(1, best[:, None]).squeeze(1)


def _name_wide(
    cells: CellSymbols, pair_share: Tensor, features: Features, charset: Charset, temperature: float
) -> None:
    """Sets the pairs that hold a full-width character other than Hangul, in place."""
    frequent = features.frequent_wide
    wide = features.wide
    rare_wide = features.rare_wide
    share = _probability(frequent.logits, frequent.best, temperature)
    index = torch.from_numpy(charset.frequent_wide_index).to(cells.symbols.device)[frequent.best]
    in_wide = wide.at[frequent.at]
    in_rare_wide = rare_wide.at[frequent.at]
    share[in_wide] *= _probability(wide.logits, wide.best, temperature)
    index[in_wide] = wide.best
    share[in_rare_wide] *= _probability(rare_wide.logits, rare_wide.best, temperature)
    index[in_rare_wide] = charset.rare_wide_class + rare_wide.best
    _set_pairs(cells, frequent.at, wide_halves(index), pair_share[frequent.at] * share)


def _name_hangul(cells: CellSymbols, pair_share: Tensor, lookup: Lookup, temperature: float) -> None:
    """Sets the pairs that hold a Hangul syllable, in place."""
    parts = torch.split(lookup.logits, [N_LEAD, N_VOWEL, N_TAIL], dim=-1)
    jamo = [argmax(part) for part in parts]
    shares = [_probability(part, best, temperature) for part, best in zip(parts, jamo, strict=True)]
    share = torch.stack(shares).prod(0)
    _set_pairs(cells, lookup.at, syllable_halves(*jamo), pair_share[lookup.at] * share)


def _set_pairs(cells: CellSymbols, at: Tensor, halves: tuple[Tensor, Tensor], confidence: Tensor) -> None:
    """Sets the M pairs `at`, bool [B, L], to `halves`, [M] each, and `confidence`, [M], in place."""
    left, right = halves
    cells.symbols[at] = torch.stack([LEFT + left, right], dim=-1)
    cells.confidence[at] = confidence.unsqueeze(-1)


def _probability(logits: Tensor, best: Tensor, temperature: float) -> Tensor:
    """Returns float32 [M]: probability of the most likely class, `best` [M], by `logits` [M, K]."""
    return _exponential_sums(logits, best, temperature)[1].reciprocal()


def _exponential_sums(logits: Tensor, best: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Returns the logit of the most likely class, `best` [M], of `logits` [M, K], and the sum over all classes of
    exp((logit − that logit) / temperature); float32 [M] each."""
    top = logits.gather(-1, best[:, None]).float()
    if logits.device.type != "cpu":
        return top.squeeze(-1), (logits.float() - top).div_(temperature).exp_().sum(-1)
    total = np.empty(len(logits), dtype=np.float32)
    rows = max(1, CHUNK_NUMBERS // logits.shape[-1])
    for first in range(0, len(logits), rows):
        part = slice(first, first + rows)
        shares = (logits[part].float() - top[part]).numpy()  # numpy's exp is twice as fast as torch's
        shares *= np.float32(1 / temperature)
        total[part] = np.exp(shares, out=shares).sum(-1)
    return top.squeeze(-1), torch.from_numpy(total)
