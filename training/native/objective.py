"""What the training minimises: the negative log-likelihood of the grid as the encoder sees it."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import HANGUL_FIRST, HANGUL_LAST, N_LEAD, N_TAIL, N_VOWEL, Charset
from foxing.encoder.native.network.encoder import Features, Targets
from foxing.renderer import Cells

GLANCE = 0.3  # weight of what a cell seems to show by itself
IGNORED = -100  # a target that costs nothing: the right half of a full-width character


def targets(cells: Sequence[Cells], charset: Charset) -> Targets:
    """Raises `CodecError` when a character is outside the charset (the typesetter escapes those)."""
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
        torch.from_numpy(charset.often_class[left].astype(np.int64)),
        torch.from_numpy(charset.rare_wide_index[left].astype(np.int64)),
        torch.from_numpy(jamo),
    )


def loss(seen: Features, target: Targets) -> Tensor:
    """Negative log-likelihood of the grid as the encoder sees it, nats a cell, and what the first glance costs; `seen`
    knew the kinds. Both halves of a full-width character are of its kind."""
    full = seen.often.at | seen.hangul.at
    classes = target.cells.clone()
    classes[:, :, 1][full] = classes[:, :, 0][full]
    total = _negative(seen.logits.flatten(0, 2), classes.flatten())
    total = total + GLANCE * _negative(seen.glance.flatten(0, 2), classes.flatten())
    total = total + _negative(seen.rare.logits, target.lists[seen.rare.at])
    total = total + _negative(seen.often.logits, target.often[seen.often.at])
    total = total + _negative(seen.wide.logits, target.lists[:, :, 0][seen.wide.at])
    total = total + _negative(seen.rare_wide.logits, target.rare_wide[seen.rare_wide.at])
    total = total + _jamo(seen.hangul.logits, target.jamo[seen.hangul.at])
    return total / target.cells.numel()


def _negative(logits: Tensor, classes: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), classes, ignore_index=IGNORED, reduction="sum")


def _jamo(logits: Tensor, jamo: Tensor) -> Tensor:
    parts = torch.split(logits, [N_LEAD, N_VOWEL, N_TAIL], dim=-1)
    return torch.stack([_negative(part, jamo[:, index]) for index, part in enumerate(parts)]).sum()
