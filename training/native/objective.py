"""The training objective: negative log-likelihood of the cells."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, N_LEAD, N_TAIL, N_VOWEL, Charset
from foxing.encoder.native.network.features import Features, Targets
from foxing.renderer.page import Cells

CONTEXT_FREE_WEIGHT = 0.3  # weight of the loss of the classes before context is applied
IGNORED = -100  # a target without a cost: the right half of a full-width character


def targets(cells: Sequence[Cells], charset: Charset) -> Targets:
    """Returns the targets of strips of `cells`, uint32 [rows, 160] each. Raises `CodecError` for a character outside
    the charset, which the typesetter would have escaped."""
    grid = np.stack(cells).reshape(len(cells), -1, 2)
    classes = charset.cell_class[grid]
    if (classes < 0).any():
        raise CodecError("a page holds characters outside the charset")
    left = grid[:, :, 0]
    syllable = np.clip(left.astype(np.int64) - HANGUL_FIRST, 0, HANGUL_LAST - HANGUL_FIRST)
    jamo = np.stack([syllable // (N_VOWEL * N_TAIL), syllable // N_TAIL % N_VOWEL, syllable % N_TAIL], axis=-1)
    return Targets(
        torch.from_numpy(classes.astype(np.int64)),
        torch.from_numpy(charset.list_class[grid].astype(np.int64)),
        torch.from_numpy(charset.frequent_wide_class[left].astype(np.int64)),
        torch.from_numpy(charset.rare_wide_index[left].astype(np.int64)),
        torch.from_numpy(jamo),
    )


def loss(features: Features, target: Targets) -> Tensor:
    """Returns the mean negative log-likelihood of the targets in nats per cell, given `features` that looked up the
    lists of `target`. Both halves of a full-width character have its class."""
    full = features.frequent_wide.at | features.hangul.at
    classes = target.cells.clone()
    classes[:, :, 1][full] = classes[:, :, 0][full]
    total = _negative_log_likelihood(features.logits.flatten(0, 2), classes.flatten())
    total = total + CONTEXT_FREE_WEIGHT * _negative_log_likelihood(
        features.context_free_logits.flatten(0, 2), classes.flatten()
    )
    for lookup, correct in (
        (features.rare, target.lists),
        (features.frequent_wide, target.frequent_wide),
        (features.wide, target.lists[:, :, 0]),
        (features.rare_wide, target.rare_wide),
    ):
        total = total + _negative_log_likelihood(lookup.logits, correct[lookup.at])
    total = total + _jamo_loss(features.hangul.logits, target.jamo[features.hangul.at])
    return total / target.cells.numel()


def _negative_log_likelihood(logits: Tensor, classes: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), classes, ignore_index=IGNORED, reduction="sum")


def _jamo_loss(logits: Tensor, jamo: Tensor) -> Tensor:
    parts = torch.split(logits, [N_LEAD, N_VOWEL, N_TAIL], dim=-1)
    return torch.stack([_negative_log_likelihood(part, jamo[:, index]) for index, part in enumerate(parts)]).sum()
