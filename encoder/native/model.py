"""Model of the native codec: the page encoder.

The encoder has three stages, modelled on DeepEncoder. Stage 1 processes patches of a quarter of a pair of cells at full
resolution; stage 2 compresses them with strided convolutions to one vector per cell; stage 3 joins two cells to a pair
and adds context, along the text and across the page. The logits of each cell are computed from both vectors.

The recognised symbols and the confidence of the encoder are then entropy-coded (`entropy.stream`) with a prior over
text that adapts along the page.

Shapes: B pages, R rows of cells, P = 80 pairs per row, L = R·P pairs, D = channels of a pair, C = channels of a cell,
K = classes. Sequences are [B, L, D], row by row.
"""

from torch import nn

from .charset import Charset
from .entropy.halves import check_capacity
from .network.dims import NativeDims
from .network.encoder import EncoderNetwork


class NativeModel(nn.Module):
    """Encoder of all tiers. Raises `CodecError` if the charset has more characters than codes."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        check_capacity(charset)
        self.dims = dims
        self.encoder = EncoderNetwork(dims, charset)
