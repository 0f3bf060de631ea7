"""Extraction of the encoder's input patches from the image of a tier."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .dims import PAIRS, TierDims


def extract_patches(pixels: Tensor, dims: TierDims, rows: int, dtype: torch.dtype) -> Tensor:
    """Extracts the input of `EncoderNetwork.encode`, [B, patch², 4·rows, 4·80] in `dtype`, ink 1, paper 0, from the
    image of a tier, uint8 [B, 1, H, W], paper 255.

    Equals `resample` followed by `pixel_unshuffle`, but is faster because the pixels of a patch row move as one
    integer.
    """
    size = (rows * dims.pair_px, PAIRS * dims.pair_px)
    if pixels.shape[-2:] != size:
        sized = F.interpolate(pixels.float(), size=size, mode="bilinear", align_corners=False)
        pixels = sized.round_().to(torch.uint8)
    patch = dims.pair_px // 4
    down = size[0] // patch
    across = size[1] // patch
    ink = pixels.bitwise_not().view(torch.int16 if patch == 2 else torch.int32)
    grid = ink.view(-1, down, patch, across).transpose(2, 3).contiguous().view(torch.uint8)
    return grid.view(-1, down, across, patch * patch).to(dtype).div_(255).permute(0, 3, 1, 2)


def resample(pixels: Tensor, dims: TierDims, rows: int) -> Tensor:
    """Resamples the image of a tier, float [B, 1, H, W], to the network's resolution, [B, 1, rows·pair_px,
    80·pair_px]."""
    size = (rows * dims.pair_px, PAIRS * dims.pair_px)
    if pixels.shape[-2:] == size:
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
