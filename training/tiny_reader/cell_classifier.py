"""Auxiliary head that trains the encoder before the decoder can use its tokens."""

import math

import torch
from torch import Tensor, nn

from .synthetic_pages import TINY_PAGE
from .vocabulary import VOCABULARY


class CellClassifier(nn.Module):
    """Classifies every cell of a page from the vision token at the cell's centre, and from the encoder's patch there
    before compression. Used in training only: tokens learn to represent their cells before the decoder has learned
    where to look."""

    def __init__(self, channels: int, patch_channels: int, hidden: int = 384) -> None:
        super().__init__()
        self.token_in = nn.Linear(channels, hidden)
        self.offset_in = nn.Linear(16, hidden)
        self.token_out = nn.Linear(hidden, len(VOCABULARY))
        self.patch_out = nn.Linear(patch_channels, len(VOCABULARY))

    def forward(self, tokens: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the logits from the tokens and from the patches, each [B, rows, columns, vocabulary]. `tokens`: [B,
        side, side, channels]; `patches`: [B, patch channels, 4 · side, 4 · side]."""
        y, x = cell_centers(tokens.shape[1])
        at_cells = tokens[:, y.long()][:, :, x.long()]
        offsets = torch.stack(torch.meshgrid(y % 1, x % 1, indexing="ij"), dim=-1)
        angles = offsets[..., None] * math.pi * torch.arange(1, 5)
        offset = self.offset_in(torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(2))
        # the product selects one of the cells that a token represents
        hidden = nn.functional.gelu(self.token_in(at_cells) * offset)
        y, x = cell_centers(patches.shape[2])
        return self.token_out(hidden), self.patch_out(patches.movedim(1, 3)[:, y.long()][:, :, x.long()])


def cell_centers(side: int) -> tuple[Tensor, Tensor]:
    """Returns the centres of the page's rows and columns in a grid of `side` × `side`: float32 [rows] and float32
    [columns]."""
    rows, columns = TINY_PAGE.rows, TINY_PAGE.columns
    return (torch.arange(rows) + 0.5) * side / rows, (torch.arange(columns) + 0.5) * side / columns
