"""Layers and sizes of the network of the native codec."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAIRS = 80  # pairs of cells in a row of the dense page
NUMBERS_AT_ONCE = 1 << 16  # so few that they stay in the processor's cache


@dataclass(frozen=True)
class TierDims:
    """How one tier is read and written. `pair_px`: side of a pair of cells after resampling to the network's own
    resolution, 8 or 16 px; `sizes`: bytes that a vision token may have, the default first."""

    pair_px: int
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class NativeDims:
    """Sizes of the network; stored inside the checkpoint."""

    n_stem: int = 48
    n_local: int = 96
    n_cell: int = 160
    n_pair: int = 192
    n_heads: int = 4
    kernel: int = 9
    layers: int = 3
    tiers: dict[str, TierDims] = field(
        default_factory=lambda: {
            "large": TierDims(16, (48, 32, 20)),
            "base": TierDims(16, (64, 40, 25)),
            "small": TierDims(8, (128, 96, 64, 48)),
            "tiny": TierDims(8, (125, 256, 200, 100, 64)),
            "micro": TierDims(8, (128, 192, 256)),
        }
    )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        tiers = {name: TierDims(d["pair_px"], tuple(d["sizes"])) for name, d in fields["tiers"].items()}
        return cls(**{**fields, "tiers": tiers})


class TextConv(nn.Module):
    """A residual convolution along the text, across the ends of rows: each channel by itself, then all of them.
    [B, L, D] → [B, L, D]; in inference mode into the tensor that it is given."""

    def __init__(self, n_channels: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.beside = nn.Conv2d(n_channels, n_channels, (1, kernel), padding=(0, kernel // 2), groups=n_channels)
        self.mix = nn.Linear(n_channels, n_channels)
        self.out = nn.Linear(n_channels, n_channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).transpose(1, 2).unsqueeze(2)  # [B, D, 1, L], channels last in memory
        y = F.relu(self.mix(self.beside(y).squeeze(2).transpose(1, 2)))
        return plus(x, y, self.out)


class TokenAttention(nn.Module):
    """Context across the page: each vision token's mean attends to those of all others."""

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
        rows, down, across = length // PAIRS, length // PAIRS // token_rows, PAIRS // token_pairs
        grid = x.reshape(b, down, token_rows, across, token_pairs, d)
        means = F.avg_pool2d(x.view(b, rows, PAIRS, d).permute(0, 3, 1, 2), (token_rows, token_pairs))
        tokens = self.norm(means.permute(0, 2, 3, 1).reshape(b, down * across, d))
        q, k, v = self.qkv(tokens).reshape(b, down * across, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, down * across, d)
        spread: Tensor = self.out(y).reshape(b, down, 1, across, 1, d)
        return (grid + spread).reshape(b, rows * PAIRS, d)


def likeliest(logits: Tensor) -> Tensor:
    """[…, K] → int64 […]: what `argmax(-1)` finds, by numpy on a CPU, which is several times as fast."""
    if logits.device.type != "cpu":
        return logits.argmax(-1)
    flat = logits.detach().reshape(-1, logits.shape[-1])
    parts = torch.split(flat, max(1, NUMBERS_AT_ONCE // logits.shape[-1]))
    found = [torch.from_numpy(part.float().numpy().argmax(-1)) for part in parts]
    return torch.cat(found).reshape(logits.shape[:-1])


def plus(x: Tensor, y: Tensor, layer: nn.Linear) -> Tensor:
    """x + layer(y), [B, L, D], of a layer without biases; in inference mode it overwrites `x`, which saves the time of
    two copies."""
    if torch.is_inference_mode_enabled():
        return x.flatten(0, 1).addmm_(y.flatten(0, 1), layer.weight.t()).view_as(x)
    mixed: Tensor = layer(y)
    return x + mixed


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
