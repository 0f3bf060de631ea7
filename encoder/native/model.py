"""The network of the native codec: pixels → what each cell of a page shows, and how likely that is.

Three stages after DeepEncoder, in miniature. Stage 1 looks at patches of a quarter of a pair of cells at full
resolution; stage 2 compresses them with strided convolutions to one vector for each cell; stage 3 joins two cells to a
pair and gives it its context, along the text and across the vision tokens of the whole page. From both, the encoder
says what each cell shows.

What it shows is then written with as many bits as it is surprising (`packing`), by a `prior` over text, with what the
encoder was not sure of. A vision token has any size; what does not fit is left out, and the prior fills it in.

Shapes: B pages, R rows of cells, P = 80 pairs a row, L = R·P pairs, D = channels of a pair, C = channels of a cell, K =
classes. Sequences are [B, L, D], row by row.
"""

from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .charset import Charset
from .entropy.confidence import even_slots
from .entropy.halves import check
from .entropy.prior import blank_arrays
from .network.encoder import PageEncoder
from .network.layers import PAIRS, NativeDims, TierDims


class PriorWeights(nn.Module):
    """The weights of the `prior`, and how likely its `doubts` are: whole numbers, learned apart from the network."""

    def __init__(self) -> None:
        super().__init__()
        for name, array in blank_arrays().items():
            self.register_buffer(name, torch.from_numpy(array))
        self.register_buffer("doubts", torch.from_numpy(even_slots()))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As `Prior` takes them, and "doubts" as `Doubts` does."""
        return {name: buffer.cpu().numpy() for name, buffer in self.named_buffers()}


class NativeModel(nn.Module):
    """Encoder of all tiers, and the prior. Raises `CodecError` when the charset has more characters than codes."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        check(charset)
        self.dims = dims
        self.encoder = PageEncoder(dims, charset)
        self.prior = PriorWeights()


def patches(pixels: Tensor, dims: TierDims, rows: int, dtype: torch.dtype) -> Tensor:
    """A tier's image, uint8 [B, 1, H, W], paper 255, as `PageEncoder.read` takes it: what `resample` and
    `pixel_unshuffle` make of it, in less time, since the pixels of a row of a patch move as one number."""
    size = (rows * dims.pair_px, PAIRS * dims.pair_px)
    if pixels.shape[-2:] != size:
        sized = F.interpolate(pixels.float(), size=size, mode="bilinear", align_corners=False)
        pixels = sized.round_().to(torch.uint8)
    patch = dims.pair_px // 4
    down, across = size[0] // patch, size[1] // patch
    ink = pixels.bitwise_not().view(torch.int16 if patch == 2 else torch.int32)
    grid = ink.view(-1, down, patch, across).transpose(2, 3).contiguous().view(torch.uint8)
    return grid.view(-1, down, across, patch * patch).to(dtype).div_(255).permute(0, 3, 1, 2)


def resample(pixels: Tensor, dims: TierDims, rows: int) -> Tensor:
    """A tier's image, float [B, 1, H, W], at the network's own resolution, [B, 1, rows·pair_px, 80·pair_px]."""
    size = (rows * dims.pair_px, PAIRS * dims.pair_px)
    if pixels.shape[-2:] == size:
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
