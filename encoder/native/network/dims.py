"""Dimensions of the native codec's network."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from foxing.encoder.native.entropy.alphabet import COLUMNS
from foxing.renderer.tiers import OWN_TIERS

PAIRS = COLUMNS // 2  # 80 pairs of cells per row

#: Vision tokens of a page, by tier, where they differ from the dimensions in the weights: the maximum, and the maximum
#: of a page whose facts need more.
CAPACITIES = {"micro": (38, 64)}


@dataclass(frozen=True)
class TierDims:
    """Dimensions of one tier."""

    #: Side of a pair of cells at the network's resolution, 8 or 16 px.
    pair_px: int
    #: Vision tokens of the grid of a full page, and of a page at most, except in `CAPACITIES`.
    tokens: int


def _own_tiers() -> dict[str, TierDims]:
    return {tier.name: TierDims(8 if tier.side_px <= 8 * PAIRS else 16, tier.tokens) for tier in OWN_TIERS}


@dataclass(frozen=True)
class NativeDims:
    """Dimensions of the network; stored inside the checkpoint."""

    #: Channels of the stem, at four positions per pair and axis.
    n_stem: int = 48
    #: Channels after the first strided convolution.
    n_local: int = 96
    #: Channels of a cell.
    n_cell: int = 160
    #: Channels of a pair of cells.
    n_pair: int = 192
    #: Attention heads over the vision tokens.
    n_heads: int = 4
    #: Kernel size of the convolutions along the text, in pairs.
    kernel: int = 9
    #: Number of convolutions along the text.
    layers: int = 3
    #: Bytes of a vision token.
    token_bytes: int = 48
    #: Dimensions of the tiers by name.
    tiers: dict[str, TierDims] = field(default_factory=_own_tiers)

    def capacity(self, tier: str) -> tuple[int, int]:
        """Returns the maximum number of vision tokens of a page at `tier`, and that of a page whose facts need
        more."""
        tokens = self.tiers[tier].tokens
        return CAPACITIES.get(tier, (tokens, tokens))

    def to_dict(self) -> dict[str, Any]:
        """Returns the dimensions as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Inverts `to_dict`. Raises `KeyError` or `TypeError` for unknown or missing fields."""
        tiers = {name: TierDims(**tier) for name, tier in fields["tiers"].items()}
        return cls(**{**fields, "tiers": tiers})
