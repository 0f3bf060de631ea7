"""The network of the native codec: pixels → codes → characters.

Three stages after DeepEncoder, in miniature. Stage 1 looks at patches of a quarter of a pair of cells at full
resolution; stage 2 compresses them 16× with two strided convolutions, to one vector for each pair of cells; stage 3
gives each vector its context, along the rows and across the vision tokens of the whole page. A quantiser (finite scalar
quantisation, 16 levels, straight through) leaves a few numbers of 4 bits a pair. The decoder reads all pairs of a page
at once: convolutions along the text in both directions, then one head for each cell.

Shapes: B pages, R rows of cells, P = 80 pairs a row, L = R·P pairs, D = channels. Sequences are [B, L, D], row by row.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .charset import N_LEAD, N_TAIL, N_VOWEL, Charset

LEVELS = 16  # of a number in a vision token: 4 bits
PAIRS = 80  # pairs of cells in a row of the dense page


@dataclass(frozen=True)
class TierDims:
    """How one tier is read. `pair_px`: side of a pair of cells after resampling to the network's own resolution, 8 or
    16 px; `n_numbers`: numbers of 4 bits for each pair of cells."""

    pair_px: int
    n_numbers: int


@dataclass(frozen=True)
class NativeDims:
    """Sizes of the network; stored inside the checkpoint."""

    n_stem: int = 32
    n_local: int = 64
    n_encoder: int = 192
    n_encoder_layers: int = 2
    n_decoder: int = 192
    decoder_dilations: tuple[int, ...] = (1, 1, 2, 4, 1, 1)
    n_heads: int = 4
    kernel: int = 5
    tiers: dict[str, TierDims] = field(
        default_factory=lambda: {
            "large": TierDims(16, 8),
            "base": TierDims(16, 6),
            "small": TierDims(8, 4),
            "tiny": TierDims(8, 4),
            "micro": TierDims(8, 2),
        }
    )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        tiers = {name: TierDims(**dims) for name, dims in fields["tiers"].items()}
        dilations = tuple(fields["decoder_dilations"])
        return cls(**{**fields, "tiers": tiers, "decoder_dilations": dilations})

    @property
    def context_pairs(self) -> int:
        """How far, in pairs, a pair's reading can depend on codes before or after it."""
        return self.kernel // 2 * sum(self.decoder_dilations)


class TextConv(nn.Module):
    """A residual convolution along the text, across the ends of rows. [B, L, D] → [B, L, D]."""

    def __init__(self, n_channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.conv = nn.Conv2d(
            n_channels, n_channels, (1, kernel), padding=(0, kernel // 2 * dilation), dilation=(1, dilation)
        )
        self.out = nn.Linear(n_channels, n_channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).transpose(1, 2).unsqueeze(2)  # [B, D, 1, L], channels last in memory
        y = F.gelu(self.conv(y).squeeze(2).transpose(1, 2))
        mixed: Tensor = self.out(y)
        return x + mixed


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
        tokens = self.norm(grid.mean(dim=(2, 4))).reshape(b, down * across, d)
        q, k, v = self.qkv(tokens).reshape(b, down * across, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, down * across, d)
        spread: Tensor = self.out(y).reshape(b, down, 1, across, 1, d)
        return (grid + spread).reshape(b, rows * PAIRS, d)


class PageEncoder(nn.Module):
    """Pixels of one tier → [B, L, D]."""

    def __init__(self, dims: NativeDims) -> None:
        super().__init__()
        self.dims = dims
        self.stems = nn.ModuleDict()
        for name, tier in dims.tiers.items():
            patch = tier.pair_px // 4
            self.stems[name] = nn.Conv2d(patch * patch, dims.n_stem, 3, padding=1)
        self.local = nn.Conv2d(dims.n_stem, dims.n_local, 3, stride=2, padding=1)
        self.compress = nn.Conv2d(dims.n_local, dims.n_encoder, 3, stride=2, padding=1)
        self.tier = nn.ParameterDict({name: nn.Parameter(torch.zeros(dims.n_encoder)) for name in dims.tiers})
        self.across = TokenAttention(dims.n_encoder, dims.n_heads)
        self.along = nn.ModuleList(TextConv(dims.n_encoder, dims.kernel, 1) for _ in range(dims.n_encoder_layers))
        for layer in (*self.stems.values(), self.local, self.compress):
            # without biases and at full gain, or all pairs look alike to the quantiser and nothing is learned
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, pixels: Tensor, tier: str, token_rows: int, token_pairs: int) -> Tensor:
        """`pixels`: float [B, 1, R·pair_px, P·pair_px], ink 1, paper 0."""
        patch = self.dims.tiers[tier].pair_px // 4
        x: Tensor = F.pixel_unshuffle(pixels, patch).to(memory_format=torch.channels_last)
        x = F.gelu(self.stems[tier](x))
        x = F.gelu(self.local(x))
        x = self.compress(x)  # [B, D, R, P]
        x = x.permute(0, 2, 3, 1).flatten(1, 2) + self.tier[tier]
        x = self.across(x, token_rows, token_pairs)
        for layer in self.along:
            x = layer(x)
        return x


class Quantizer(nn.Module):
    """[B, L, D] → numbers of 16 levels."""

    def __init__(self, dims: NativeDims) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dims.n_encoder)
        self.squeeze = nn.ModuleDict({n: nn.Linear(dims.n_encoder, t.n_numbers) for n, t in dims.tiers.items()})
        for layer in self.squeeze.values():
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=dims.n_encoder**-0.5)
            nn.init.zeros_(layer.bias)

    def levels(self, x: Tensor, tier: str) -> Tensor:
        """float [B, L, n], in [0, 15], not rounded."""
        return (torch.tanh(self.squeeze[tier](self.norm(x)).float()) + 1) * ((LEVELS - 1) / 2)

    def forward(self, x: Tensor, tier: str) -> Tensor:
        """float [B, L, n] in [-1, 1], rounded to levels, gradients straight through."""
        levels = self.levels(x, tier)
        return self.values(levels + (levels.round() - levels).detach())

    @staticmethod
    def values(levels: Tensor) -> Tensor:
        return levels * (2 / (LEVELS - 1)) - 1


@dataclass(frozen=True)
class Logits:
    """What the decoder says. `cells`: [B, L, 2, n_pair]; `hidden`: [B, L, D], from which the other heads read."""

    cells: Tensor
    hidden: Tensor


class PageDecoder(nn.Module):
    """Numbers of 4 bits → characters, all pairs at once."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        self.expand = nn.ModuleDict({n: nn.Linear(t.n_numbers, dims.n_decoder) for n, t in dims.tiers.items()})
        self.layers = nn.ModuleList(TextConv(dims.n_decoder, dims.kernel, d) for d in dims.decoder_dilations)
        self.norm = nn.LayerNorm(dims.n_decoder)
        self.cells = nn.Linear(dims.n_decoder, 2 * charset.n_pair)
        self.rare = nn.ModuleList(nn.Linear(dims.n_decoder, len(charset.rare)) for _ in range(2))  # left, right
        self.wide = nn.Linear(dims.n_decoder, charset.n_wide)
        self.jamo = nn.Linear(dims.n_decoder, N_LEAD + N_VOWEL + N_TAIL)

    def forward(self, values: Tensor, tier: str) -> Logits:
        x = self.expand[tier](values)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return Logits(self.cells(x).unflatten(-1, (2, -1)), x)


class NativeModel(nn.Module):
    """Encoder, quantiser and decoder of all tiers."""

    def __init__(self, dims: NativeDims, encoder: PageEncoder, quantizer: Quantizer, decoder: PageDecoder) -> None:
        super().__init__()
        self.dims = dims
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder

    def forward(self, pixels: Tensor, tier: str, token_rows: int, token_pairs: int) -> Logits:
        logits: Logits = self.decoder(self.quantizer(self.encoder(pixels, tier, token_rows, token_pairs), tier), tier)
        return logits


def build_model(dims: NativeDims, charset: Charset) -> NativeModel:
    return NativeModel(dims, PageEncoder(dims), Quantizer(dims), PageDecoder(dims, charset))


def resample(pixels: Tensor, dims: TierDims, rows: int) -> Tensor:
    """A tier's image, float [B, 1, H, W], at the network's own resolution, [B, 1, rows·pair_px, 80·pair_px]."""
    size = (rows * dims.pair_px, PAIRS * dims.pair_px)
    if pixels.shape[-2:] == size:
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
