"""Calibration of the native codec: how its confidences are scaled, and below which a character is flagged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

DEFAULT_FLAG_BELOW = 0.8
DEFAULT_GUESSED = 0.1


class CalibrationInfo(TypedDict, total=False):
    """A `Calibration` as stored in the weights file."""

    temperature: Mapping[str, float]
    flag_below: Mapping[str, float]
    guessed: Mapping[str, float]


@dataclass(frozen=True)
class Calibration:
    """Measured values by tier, or by tier and size of a vision token as "tier/bytes". Where one was not measured, a
    default applies."""

    #: By tier: the encoder's logits are divided by this before they become confidences.
    temperatures: Mapping[str, float] = field(default_factory=dict)
    #: By tier and size: a character whose confidence is below this is flagged.
    thresholds: Mapping[str, float] = field(default_factory=dict)
    #: By tier and size: share of the characters filled in by the prior that are right, which is their confidence.
    guessed: Mapping[str, float] = field(default_factory=dict)

    def temperature(self, tier: str) -> float:
        return self.temperatures.get(tier, 1.0)

    def flag_below(self, tier: str, size: int) -> float:
        return self.thresholds.get(f"{tier}/{size}", DEFAULT_FLAG_BELOW)

    def guess_confidence(self, tier: str, size: int) -> float:
        return self.guessed.get(f"{tier}/{size}", DEFAULT_GUESSED)

    @classmethod
    def from_info(cls, info: CalibrationInfo) -> "Calibration":
        """The calibration stored in a weights file."""
        return cls(info.get("temperature", {}), info.get("flag_below", {}), info.get("guessed", {}))

    def to_info(self) -> CalibrationInfo:
        """The inverse of `from_info`."""
        return {"temperature": self.temperatures, "flag_below": self.thresholds, "guessed": self.guessed}
