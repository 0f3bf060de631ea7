"""The encoder of the native codec: pixels → what each cell shows."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foxing.encoder.native.charset import N_LEAD, N_TAIL, N_VOWEL, Charset

from .layers import NativeDims, TextConv, TokenAttention, likeliest, mlp


@dataclass(frozen=True)
class Targets:
    """Classes of a batch of grids, int64: `cells` and `lists` [B, L, 2]; `often` and `rare_wide` [B, L]; `jamo`
    [B, L, 3]."""

    cells: Tensor
    lists: Tensor
    often: Tensor
    rare_wide: Tensor
    jamo: Tensor


@dataclass(frozen=True)
class Likely:
    """What may stand somewhere: `at`, bool, the M cells or pairs in question; `logits`: [M, K]."""

    at: Tensor
    logits: Tensor

    @cached_property
    def best(self) -> Tensor:
        return likeliest(self.logits)


@dataclass(frozen=True)
class Features:
    """What the encoder saw.

    `glance` and `logits`: [B, L, 2, K], what each cell shows, by itself and in its context; `kinds`: int64 [B, L, 2],
    the likeliest of `logits`, or what was known. Which character it is: `rare` for cells of the rare class; `often` and
    `hangul` for pairs that hold a full-width character, `wide` for those that are none of the frequent ones, and
    `rare_wide` for those that are none of these either.
    """

    glance: Tensor
    logits: Tensor
    kinds: Tensor
    rare: Likely
    often: Likely
    wide: Likely
    rare_wide: Likely
    hangul: Likely


class Glyphs(nn.Module):
    """What cells show: a narrow character or a kind of full-width one by cell, and which full-width one by pair."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        self.rare_class, self.rare_wide_class = charset.rare_class, charset.rare_wide_class
        self.wide_class, self.hangul_class = charset.wide_class, charset.hangul_class
        self.seldom_class = charset.seldom_class
        self.first_norm = nn.LayerNorm(dims.n_cell)
        self.norm = nn.LayerNorm(dims.n_cell)
        self.glance = nn.Linear(dims.n_cell, charset.n_cell)
        self.cell = mlp(dims.n_cell, dims.n_cell, charset.n_cell)
        self.rare = nn.Linear(dims.n_cell, len(charset.rare))
        self.shape = nn.Linear(2 * dims.n_cell, dims.n_pair)
        self.often = nn.Linear(dims.n_pair, charset.n_often)
        self.wide = nn.Linear(dims.n_pair, charset.n_wide)
        self.rare_wide = nn.Linear(dims.n_pair, len(charset.rare_wide))
        self.jamo = nn.Linear(dims.n_pair, N_LEAD + N_VOWEL + N_TAIL)

    def seen(self, cells: Tensor, glance: Tensor, target: Targets | None) -> Features:
        """`cells`: [B, L, 2, C], normalised, in their context. Where `target` is given, the lists that it needs are
        looked up instead of those that seem likeliest."""
        logits = self.cell(cells)
        kinds = likeliest(logits) if target is None else target.cells
        wide_at, hangul_at = kinds[:, :, 0] == self.wide_class, kinds[:, :, 0] == self.hangul_class
        rare_at = kinds == self.rare_class
        rare_at[wide_at | hangul_at] = False
        shapes = F.relu(self.shape(cells[wide_at].flatten(1)))
        often = Likely(wide_at, self.often(shapes))
        seldom = (often.best if target is None else target.often[wide_at]) == self.seldom_class
        wide = Likely(_of(wide_at, seldom), self.wide(shapes[seldom]))
        rare = (wide.best if target is None else target.lists[:, :, 0][wide.at]) == self.rare_wide_class
        return Features(
            glance,
            logits,
            kinds,
            Likely(rare_at, self.rare(cells[rare_at])),
            often,
            wide,
            Likely(_of(wide.at, rare), self.rare_wide(shapes[seldom][rare])),
            Likely(hangul_at, self.jamo(F.relu(self.shape(cells[hangul_at].flatten(1))))),
        )


def _of(at: Tensor, chosen: Tensor) -> Tensor:
    """`at` with only those of its M places that are `chosen`, bool [M]."""
    result = at.clone()
    result[at] = chosen
    return result


class PageEncoder(nn.Module):
    """Pixels of one tier → what its cells show."""

    def __init__(self, dims: NativeDims, charset: Charset) -> None:
        super().__init__()
        self.dims = dims
        self.stems = nn.ModuleDict()
        for name, tier in dims.tiers.items():
            patch = tier.pair_px // 4
            self.stems[name] = nn.Conv2d(patch * patch, dims.n_stem, 3, padding=1)
        self.local = nn.Conv2d(dims.n_stem, dims.n_local, 3, stride=2, padding=1)
        self.compress = nn.Conv2d(dims.n_local, dims.n_cell, 3, stride=(2, 1), padding=1)
        self.glyphs = Glyphs(dims, charset)
        self.join = nn.Linear(2 * dims.n_cell, dims.n_pair)
        self.first_hint = nn.Linear(dims.n_pair, 2 * dims.n_cell)
        self.hint = nn.Linear(dims.n_pair, 2 * dims.n_cell)
        for hint in (self.first_hint, self.hint):
            nn.init.zeros_(hint.weight)
            nn.init.zeros_(hint.bias)
        self.glanced = nn.Linear(2 * charset.n_cell, dims.n_pair, bias=False)
        self.tier = nn.ParameterDict({name: nn.Parameter(torch.zeros(dims.n_pair)) for name in dims.tiers})
        self.across = TokenAttention(dims.n_pair, dims.n_heads)
        self.along = nn.ModuleList(TextConv(dims.n_pair, dims.kernel) for _ in range(dims.layers))
        for layer in (*self.stems.values(), self.local, self.compress):
            # biases of nought and full gain, or all cells look alike at first and nothing is learned
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self._begin_alike()

    @torch.no_grad()
    def _begin_alike(self) -> None:
        """Gives all tiers the same first layer, as far as pixels of different sizes can have one, so that what is
        learned at one tier holds at the others from the beginning."""
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
        """`pixels`: float [B, 1, R·pair_px, P·pair_px], ink 1, paper 0. `target`: the classes where they are known, as
        in training."""
        patches = F.pixel_unshuffle(pixels, self.dims.tiers[tier].pair_px // 4)
        return self.read(patches.to(memory_format=torch.channels_last), tier, token_rows, token_pairs, target)

    def read(
        self, patches: Tensor, tier: str, token_rows: int, token_pairs: int, target: Targets | None = None
    ) -> Features:
        """As `forward`, of patches of a quarter of a pair of cells, [B, patch², 4·R, 4·P], channels last."""
        x: Tensor = F.relu_(self.stems[tier](patches))
        x = F.relu_(self.local(x))
        x = F.relu_(self.compress(x))  # [B, C, R, 2·P]
        cells = x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, 2, x.shape[1])
        x = self.join(cells.flatten(2)) + self.tier[tier]
        x = self.across(x, token_rows, token_pairs)
        # what the whole page is like, shifted or blurred, helps to tell what a cell shows; then what stands beside it
        looks = self.glyphs.first_norm(cells + self.first_hint(x).reshape(cells.shape))
        glance = self.glyphs.glance(looks)
        x = x + self.glanced(glance.softmax(-1).flatten(2))
        for layer in self.along:
            x = layer(x)
        looks = self.glyphs.norm(cells + self.hint(x).reshape(cells.shape))
        seen: Features = self.glyphs.seen(looks, glance, target)
        return seen
