"""Encoder network of the native codec: pixels → logits of each cell.

Module attributes determine the tensor names in the weights file, so they must not change. Shapes: as in `model`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foxing.encoder.native.charset import N_LEAD, N_TAIL, N_VOWEL, Charset

from .dims import NativeDims
from .features import Features, Lookup, Targets
from .layers import TextConv, TokenAttention, argmax, mlp

#: Rare characters are looked up if the logit of their class is within this margin of the best: a probability of 1e-4.
RARE_MARGIN = 9.0


class GlyphHeads(nn.Module):
    """Classifiers of cells, rare characters, full-width characters and jamo."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        self.rare_class = charset.rare_class
        self.rare_wide_class = charset.rare_wide_class
        self.wide_class = charset.wide_class
        self.hangul_class = charset.hangul_class
        self.infrequent_wide_class = charset.infrequent_wide_class
        self.first_norm = nn.LayerNorm(dims.n_cell)
        self.norm = nn.LayerNorm(dims.n_cell)
        self.glance = nn.Linear(dims.n_cell, charset.n_cell)  # classes without context along the text
        self.cell = mlp(dims.n_cell, dims.n_cell, charset.n_cell)
        self.rare = nn.Linear(dims.n_cell, len(charset.rare))
        self.shape = nn.Linear(2 * dims.n_cell, dims.n_pair)
        self.often = nn.Linear(dims.n_pair, charset.n_frequent_wide)  # frequent full-width characters
        self.wide = nn.Linear(dims.n_pair, charset.n_wide)
        self.rare_wide = nn.Linear(dims.n_pair, len(charset.rare_wide))
        self.jamo = nn.Linear(dims.n_pair, N_LEAD + N_VOWEL + N_TAIL)

    def classify(self, cells: Tensor, context_free_logits: Tensor, target: Targets | None) -> Features:
        """Returns the logits of `cells`, [B, L, 2, C], normalised and with context. The classes of `target`, if given,
        determine which lists are looked up; otherwise the most likely classes do."""
        logits = self.cell(cells)
        classes = argmax(logits) if target is None else target.cells
        wide_at = classes[:, :, 0] == self.wide_class
        hangul_at = classes[:, :, 0] == self.hangul_class
        rare_at = classes == self.rare_class
        if target is None:
            # a rare character may share the glyph of a common one, like Greek Ο, and its probability then counts
            rare_at |= logits[..., self.rare_class] > logits.amax(-1) - RARE_MARGIN
        rare_at[wide_at | hangul_at] = False
        shapes = F.relu(self.shape(cells[wide_at].flatten(1)))
        frequent = Lookup(wide_at, self.often(shapes))
        first_class = frequent.best if target is None else target.frequent_wide[wide_at]
        infrequent = first_class == self.infrequent_wide_class
        wide = Lookup(_narrowed(wide_at, infrequent), self.wide(shapes[infrequent]))
        rare_wide = (wide.best if target is None else target.lists[:, :, 0][wide.at]) == self.rare_wide_class
        return Features(
            context_free_logits,
            logits,
            classes,
            Lookup(rare_at, self.rare(cells[rare_at])),
            frequent,
            wide,
            Lookup(_narrowed(wide.at, rare_wide), self.rare_wide(shapes[infrequent][rare_wide])),
            Lookup(hangul_at, self.jamo(F.relu(self.shape(cells[hangul_at].flatten(1))))),
        )


def _narrowed(at: Tensor, chosen: Tensor) -> Tensor:
    """Returns the mask `at` restricted to those of its M true elements that are `chosen`, bool [M]."""
    result = at.clone()
    result[at] = chosen
    return result


class EncoderNetwork(nn.Module):
    """Network from the pixels of a page at one tier to the logits of its cells."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        self.dims = dims
        self.stems = nn.ModuleDict()
        for name, tier in dims.tiers.items():
            patch = tier.pair_px // 4
            self.stems[name] = nn.Conv2d(patch * patch, dims.n_stem, 3, padding=1)
        self.local = nn.Conv2d(dims.n_stem, dims.n_local, 3, stride=2, padding=1)
        self.compress = nn.Conv2d(dims.n_local, dims.n_cell, 3, stride=(2, 1), padding=1)
        self.glyphs = GlyphHeads(dims, charset)
        self.join = nn.Linear(2 * dims.n_cell, dims.n_pair)
        self.first_hint = nn.Linear(dims.n_pair, 2 * dims.n_cell)
        self.hint = nn.Linear(dims.n_pair, 2 * dims.n_cell)
        for hint in (self.first_hint, self.hint):
            nn.init.zeros_(hint.weight)
            nn.init.zeros_(hint.bias)
        self.glanced = nn.Linear(2 * charset.n_cell, dims.n_pair, bias=False)  # takes the context-free classes
        self.tier = nn.ParameterDict({name: nn.Parameter(torch.zeros(dims.n_pair)) for name in dims.tiers})
        self.across = TokenAttention(dims.n_pair, dims.n_heads)
        self.along = nn.ModuleList(TextConv(dims.n_pair, dims.kernel) for _ in range(dims.layers))
        for layer in (*self.stems.values(), self.local, self.compress):
            # zero biases and full gain; otherwise all cells look the same initially and training does not start
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self._share_initial_stems()

    @torch.no_grad()
    def _share_initial_stems(self) -> None:
        """Initialises the first layer equally for all tiers, scaled to their pixel size, so that features transfer
        between tiers from the start."""
        finest = min(tier.pair_px for tier in self.dims.tiers.values())
        patch = finest // 4
        weights = {name: stem.weight for name, stem in self.stems.items() if isinstance(stem, nn.Conv2d)}
        first = next(w for name, w in weights.items() if self.dims.tiers[name].pair_px == finest)
        grid = first.reshape(-1, patch, patch, 3, 3).clone()
        for name, weight in weights.items():
            scale = self.dims.tiers[name].pair_px // finest
            spread = (grid / scale**2).repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)
            weight.copy_(spread.flatten(1, 2))

    def forward(
        self, pixels: Tensor, tier: str, token_rows: int, token_pairs: int, target: Targets | None = None
    ) -> Features:
        """Returns the logits for `pixels`, float [B, 1, R·pair_px, P·pair_px], ink 1, paper 0. `token_rows`,
        `token_pairs`: rows and pairs of cells per vision token; `target`: known classes, for training."""
        patches = F.pixel_unshuffle(pixels, self.dims.tiers[tier].pair_px // 4)
        return self.encode(patches.to(memory_format=torch.channels_last), tier, token_rows, token_pairs, target)

    def encode(
        self, patches: Tensor, tier: str, token_rows: int, token_pairs: int, target: Targets | None = None
    ) -> Features:
        """Equals `forward`, given patches with a side of a quarter of a pair: [B, patch², 4·R, 4·P], channels last."""
        x: Tensor = F.relu_(self.stems[tier](patches))
        x = F.relu_(self.local(x))
        x = F.relu_(self.compress(x))  # [B, C, R, 2·P]
        cells = x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, 2, x.shape[1])
        x = self.join(cells.flatten(2)) + self.tier[tier]
        x = self.across(x, token_rows, token_pairs)
        # properties of the whole image, such as a shift or blur, help to classify a cell; then its neighbours do
        normed = self.glyphs.first_norm(cells + self.first_hint(x).reshape(cells.shape))
        context_free = self.glyphs.glance(normed)
        x = x + self.glanced(context_free.softmax(-1).flatten(2))
        for layer in self.along:
            x = layer(x)
        normed = self.glyphs.norm(cells + self.hint(x).reshape(cells.shape))
        features: Features = self.glyphs.classify(normed, context_free, target)
        return features
