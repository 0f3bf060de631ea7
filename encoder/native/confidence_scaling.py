"""Scaling of the native codec's confidences: from which a cell is certain, and below which a character is flagged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from .entropy.confidence import CERTAIN_FROM

DEFAULT_FLAG_BELOW = 0.8
#: Tier → bits of a narrow and of a full-width cell together with those of its confidence, in bits of the cell alone.
#: Measured on English, Japanese and Chinese chats that had faded to the tier. Below 1 where nearly all cells are
#: certain: costs are rounded, and a little too high.
CONFIDENCE_COST_FACTORS = {"tiny": (0.985, 1.0), "micro": (1.075, 1.45)}


class ConfidenceScalingInfo(TypedDict, total=False):
    """A `ConfidenceScaling` as stored in the weights file."""

    temperature: Mapping[str, float]
    certain_from: Mapping[str, float]
    flag_below: Mapping[str, float]


@dataclass(frozen=True)
class ConfidenceScaling:
    """Measured values by tier. Where one was not measured, a default applies."""

    #: The encoder's logits are divided by this before they become confidences.
    temperatures: Mapping[str, float] = field(default_factory=dict)
    #: A character whose confidence is below this is flagged; no more than `certainties`.
    thresholds: Mapping[str, float] = field(default_factory=dict)
    #: A cell whose confidence is at least this is certain: the stream holds no more about it.
    certainties: Mapping[str, float] = field(default_factory=dict)

    def temperature(self, tier: str) -> float:
        return self.temperatures.get(tier, 1.0)

    def flag_below(self, tier: str) -> float:
        return self.thresholds.get(tier, DEFAULT_FLAG_BELOW)

    def certain_from(self, tier: str) -> float:
        return self.certainties.get(tier, CERTAIN_FROM)

    @classmethod
    def from_info(cls, info: ConfidenceScalingInfo) -> "ConfidenceScaling":
        """The values stored in a weights file."""
        return cls(info.get("temperature", {}), info.get("flag_below", {}), info.get("certain_from", {}))

    def to_info(self) -> ConfidenceScalingInfo:
        """The inverse of `from_info`."""
        return {
            "temperature": self.temperatures,
            "flag_below": self.thresholds,
            "certain_from": self.certainties,
        }
