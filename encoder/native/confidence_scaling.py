"""Confidence calibration of the native codec: temperatures, thresholds of certain cells and flag thresholds by tier."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from .entropy.confidence import CERTAIN_FROM

DEFAULT_FLAG_BELOW = 0.8
#: Tier → factors for a narrow and a full-width cell from the cost of its symbol to that of symbol and confidence.
#: Measured on English, Japanese and Chinese chats faded to the tier. Below 1 if nearly all cells are certain, because
#: costs are rounded up slightly.
CONFIDENCE_COST_FACTORS = {"tiny": (0.985, 1.0), "micro": (1.075, 1.45)}


class ConfidenceScalingInfo(TypedDict, total=False):
    """`ConfidenceScaling` as stored in the weights file."""

    temperature: Mapping[str, float]
    certain_from: Mapping[str, float]
    flag_below: Mapping[str, float]


@dataclass(frozen=True)
class ConfidenceScaling:
    """Calibrated values by tier; a default applies to tiers without one."""

    #: Softmax temperature by which the encoder's logits are divided.
    temperatures: Mapping[str, float] = field(default_factory=dict)
    #: Confidence below which a character is flagged; not above `certainties`.
    thresholds: Mapping[str, float] = field(default_factory=dict)
    #: Confidence from which a cell is certain: the stream stores no further detail.
    certainties: Mapping[str, float] = field(default_factory=dict)

    def temperature(self, tier: str) -> float:
        """Returns the softmax temperature of a tier, 1 by default."""
        return self.temperatures.get(tier, 1.0)

    def flag_below(self, tier: str) -> float:
        """Returns the confidence below which characters of a tier are flagged."""
        return self.thresholds.get(tier, DEFAULT_FLAG_BELOW)

    def certain_from(self, tier: str) -> float:
        """Returns the confidence from which cells of a tier are certain."""
        return self.certainties.get(tier, CERTAIN_FROM)

    @classmethod
    def from_info(cls, info: ConfidenceScalingInfo) -> "ConfidenceScaling":
        """Returns the values stored in a weights file."""
        return cls(info.get("temperature", {}), info.get("flag_below", {}), info.get("certain_from", {}))

    def to_info(self) -> ConfidenceScalingInfo:
        """Inverts `from_info`."""
        return {
            "temperature": self.temperatures,
            "flag_below": self.thresholds,
            "certain_from": self.certainties,
        }
