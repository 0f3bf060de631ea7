"""The model of the native codec: the page encoder and the weights of the prior.

The encoder has three stages after DeepEncoder, in miniature. Stage 1 looks at patches of a quarter of a pair of cells
at full resolution; stage 2 compresses them with strided convolutions to one vector per cell; stage 3 joins two cells to
a pair and adds context, along the text and across the vision tokens of the whole page. Both vectors together give the
logits of each cell.

The recognised symbols are then entropy-coded (`entropy.packer`) with a prior over text, along with the confidence of
the encoder. A vision token may have any size; what does not fit is left out, and the prior fills it in.

Shapes: B pages, R rows of cells, P = 80 pairs per row, L = R·P pairs, D = channels of a pair, C = channels of a cell,
K = classes. Sequences are [B, L, D], row by row.
"""

from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from .charset import Charset
from .entropy.confidence import initial_slots
from .entropy.halves import check_capacity
from .entropy.prior import zero_arrays
from .network.dims import NativeDims
from .network.encoder import PageEncoder


class PriorWeights(nn.Module):
    """The integer weights of the `Prior` and the slots of its `ConfidenceCoder`, trained apart from the network."""

    def __init__(self) -> None:
        super().__init__()
        for name, array in zero_arrays().items():
            self.register_buffer(name, torch.from_numpy(array))
        # named as in the weights file: the slots of the confidence levels
        self.register_buffer("doubts", torch.from_numpy(initial_slots()))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that `Prior` takes, and as "doubts" the slots that `ConfidenceCoder` takes."""
        return {name: buffer.cpu().numpy() for name, buffer in self.named_buffers()}


class NativeModel(nn.Module):
    """The encoder of all tiers, and the prior. Raises `CodecError` if the charset has more characters than codes."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        check_capacity(charset)
        self.dims = dims
        self.encoder = PageEncoder(dims, charset)
        self.prior = PriorWeights()
