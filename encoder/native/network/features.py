"""Outputs and training targets of the encoder: logits and classes of each cell."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .layers import argmax


@dataclass(frozen=True)
class Targets:
    """Target classes of a batch of pages."""

    #: int64 [B, L, 2]: class of each cell.
    cells: Tensor
    #: int64 [B, L, 2]: index in the list of rare narrow characters, or class of a full-width one.
    lists: Tensor
    #: int64 [B, L]: class of a full-width character in the first lookup.
    frequent_wide: Tensor
    #: int64 [B, L]: index in the list of rare full-width characters.
    rare_wide: Tensor
    #: int64 [B, L, 3]: lead, vowel and tail of a Hangul syllable.
    jamo: Tensor


@dataclass(frozen=True)
class Lookup:
    """Logits over one list of characters, for the M cells or pairs that may hold one of them."""

    #: bool: mask of these cells, [B, L, 2], or pairs, [B, L].
    at: Tensor
    #: float [M, K].
    logits: Tensor

    @cached_property
    def best(self) -> Tensor:
        """int64 [M]: the most likely class."""
        return argmax(self.logits)


@dataclass(frozen=True)
class Features:
    """Output of the encoder."""

    #: float [B, L, 2, K]: class logits of each cell without context along the text.
    context_free_logits: Tensor
    #: float [B, L, 2, K]: class logits of each cell with context.
    logits: Tensor
    #: int64 [B, L, 2]: most likely class by `logits`, or the target in training.
    classes: Tensor
    #: Rare narrow characters, for cells in or near the rare class.
    rare: Lookup
    #: Frequent full-width characters, for pairs of the full-width class.
    frequent_wide: Lookup
    #: Full-width characters, for the pairs without a frequent one.
    wide: Lookup
    #: Rare full-width characters, for the pairs without a character of `wide`.
    rare_wide: Lookup
    #: Jamo, for pairs of the Hangul class.
    hangul: Lookup
