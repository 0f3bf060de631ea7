"""Inputs and outputs of the encoder: the logits of each cell, and the target classes of training."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .layers import argmax


@dataclass(frozen=True)
class Targets:
    """The correct classes of a batch of pages."""

    #: int64 [B, L, 2]: class of each cell.
    cells: Tensor
    #: int64 [B, L, 2]: index in the list of rare narrow characters, or class of a full-width one.
    lists: Tensor
    #: int64 [B, L]: class of a full-width character in its first look-up.
    frequent_wide: Tensor
    #: int64 [B, L]: index in the list of rare full-width characters.
    rare_wide: Tensor
    #: int64 [B, L, 3]: lead, vowel and tail of a Hangul syllable.
    jamo: Tensor


@dataclass(frozen=True)
class Lookup:
    """Logits over one list of characters, for the M cells or pairs that may hold one of them."""

    #: bool: these cells, [B, L, 2], or pairs, [B, L].
    at: Tensor
    #: [M, K].
    logits: Tensor

    @cached_property
    def best(self) -> Tensor:
        """int64 [M]: the likeliest class."""
        return argmax(self.logits)


@dataclass(frozen=True)
class Features:
    """The output of the encoder."""

    #: [B, L, 2, K]: logits of the class of each cell, before the context along the text.
    context_free_logits: Tensor
    #: [B, L, 2, K]: the same, given the context.
    logits: Tensor
    #: int64 [B, L, 2]: the likeliest class by `logits`, or the target where that is known.
    classes: Tensor
    #: Which rare narrow character, for cells of the rare class or close to it.
    rare: Lookup
    #: Which frequent full-width character, for pairs of the full-width class.
    frequent_wide: Lookup
    #: Which full-width character, for the pairs that hold none of the frequent ones.
    wide: Lookup
    #: Which rare full-width character, for the pairs that hold none of `wide` either.
    rare_wide: Lookup
    #: Which jamo, for pairs of the Hangul class.
    hangul: Lookup
