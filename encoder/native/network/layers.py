"""Layers of the native codec's network.

Module attributes determine the tensor names in the weights file, so they must not change. Shapes: as in `model`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .dims import PAIRS

CHUNK_NUMBERS = 1 << 16  # float32 numbers per chunk on a CPU, to fit in the cache


class TextConv(nn.Module):
    """Residual depthwise convolution along the text, across row ends: [B, L, D] → [B, L, D]. In inference mode it
    overwrites its input."""

    def __init__(self, n_channels: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.beside = nn.Conv2d(n_channels, n_channels, (1, kernel), padding=(0, kernel // 2), groups=n_channels)
        self.mix = nn.Linear(n_channels, n_channels)
        self.out = nn.Linear(n_channels, n_channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x`, [B, L, D], with the context of neighbouring pairs added."""
        y = self.norm(x).transpose(1, 2).unsqueeze(2)  # [B, D, 1, L], channels last in memory
        y = F.relu(self.mix(self.beside(y).squeeze(2).transpose(1, 2)))
        return add_projection(x, y, self.out)


class TokenAttention(nn.Module):
    """Residual self-attention across the page between the mean vectors of the vision tokens."""

    def __init__(self, n_channels: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(n_channels)
        self.qkv = nn.Linear(n_channels, 3 * n_channels)
        self.out = nn.Linear(n_channels, n_channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, token_rows: int, token_pairs: int) -> Tensor:
        """[B, L, D] → [B, L, D]; a token covers `token_rows` rows by `token_pairs` pairs."""
        b, length, d = x.shape
        rows = length // PAIRS
        down = length // PAIRS // token_rows
        across = PAIRS // token_pairs
        grid = x.reshape(b, down, token_rows, across, token_pairs, d)
        means = F.avg_pool2d(x.view(b, rows, PAIRS, d).permute(0, 3, 1, 2), (token_rows, token_pairs))
        tokens = self.norm(means.permute(0, 2, 3, 1).reshape(b, down * across, d))
        q, k, v = self.qkv(tokens).reshape(b, down * across, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, down * across, d)
        spread: Tensor = self.out(y).reshape(b, down, 1, across, 1, d)
        return (grid + spread).reshape(b, rows * PAIRS, d)


def argmax(logits: Tensor) -> Tensor:
    """Returns `logits.argmax(-1)`: […, K] → int64 […]. On a CPU it uses numpy, which is several times as fast."""
    if logits.device.type != "cpu":
        return logits.argmax(-1)
    flat = logits.detach().reshape(-1, logits.shape[-1])
    parts = torch.split(flat, max(1, CHUNK_NUMBERS // logits.shape[-1]))
    indices = [torch.from_numpy(part.float().numpy().argmax(-1)) for part in parts]
    return torch.cat(indices).reshape(logits.shape[:-1])


def add_projection(x: Tensor, y: Tensor, layer: nn.Linear) -> Tensor:
    """Returns x + layer(y), [B, L, D], for a layer without bias. In inference mode it overwrites `x`, which saves two
    copies."""
    if torch.is_inference_mode_enabled():
        return x.flatten(0, 1).addmm_(y.flatten(0, 1), layer.weight.t()).view_as(x)
    projected: Tensor = layer(y)
    return x + projected


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Returns two linear layers with a ReLU between them; the arguments are their widths."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
