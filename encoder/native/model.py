"""The model of the native codec: the page encoder.

The encoder has three stages after DeepEncoder, in miniature. Stage 1 looks at patches of a quarter of a pair of cells
at full resolution; stage 2 compresses them with strided convolutions to one vector per cell; stage 3 joins two cells to
a pair and adds context, along the text and across the whole page. Both vectors together give the logits of each cell.

The recognised symbols are then entropy-coded (`entropy.stream`) with a prior over text that goes on learning along the
page, along with the confidence of the encoder.

Shapes: B pages, R rows of cells, P = 80 pairs per row, L = R·P pairs, D = channels of a pair, C = channels of a cell,
K = classes. Sequences are [B, L, D], row by row.
"""

from torch import nn

from .charset import Charset
from .entropy.halves import check_capacity
from .network.dims import NativeDims
from .network.encoder import EncoderNetwork


class NativeModel(nn.Module):
    """The encoder of all tiers. Raises `CodecError` if the charset has more characters than codes."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        check_capacity(charset)
        self.dims = dims
        self.encoder = EncoderNetwork(dims, charset)
