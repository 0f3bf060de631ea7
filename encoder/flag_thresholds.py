"""Thresholds of a codec, measured on the machine where it runs: a file that the codec then uses."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from .errors import CodecError

FORMAT = "foxing-calibration-1"


@dataclass(frozen=True)
class TierThreshold:
    """The threshold of one tier, and what it did on pages that it was not chosen on."""

    #: A character with a confidence below it is flagged.
    flag_below: float
    #: Characters that it was chosen on.
    characters: int
    #: Share of the characters that are wrong and not flagged.
    silent_errors: float
    #: Share of the characters that are flagged.
    flagged: float


@dataclass(frozen=True)
class FlagThresholds:
    """Thresholds of the tiers of a codec with certain weights."""

    codec: str
    weights: str
    tiers: Mapping[str, TierThreshold]
    #: Name of the model on a server that reads the pages; empty where the weights tell which one it is.
    model: str = ""

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all. Raises `CodecError`."""
        document = {"format": FORMAT, **asdict(self)}
        try:
            with NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
                file.write(json.dumps(document, indent=2) + "\n")
            Path(file.name).replace(path)
        except OSError as error:
            raise CodecError(f"{path} cannot be written ({error}); choose another file") from error

    @classmethod
    def read(cls, path: Path) -> "FlagThresholds":
        """The contents of a file. Raises `CodecError`."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["format"] != FORMAT:
                raise ValueError(f"its format is {fields['format']!r}")
            tiers = {str(tier): _threshold(values) for tier, values in fields["tiers"].items()}
            return cls(str(fields["codec"]), str(fields["weights"]), tiers, str(fields.get("model", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CodecError(
                f"{path} is not a calibration file ({error}); write one with foxing codec check --full"
            ) from error

    def thresholds_for(self, codec: str, weights: str, model: str = "") -> dict[str, float]:
        """Tier → the confidence below which a character is flagged. Raises `CodecError` if it was measured with another
        codec, other weights or another model on the server."""
        if (self.codec, self.weights, self.model) != (codec, weights, model):
            raise CodecError(
                f"the calibration was measured with {_named(self.codec, self.weights, self.model)}, and this is "
                f"{_named(codec, weights, model)}; write another with foxing codec check --full, or remove the option"
            ).naming(f"codecs.{codec}.calibration")
        return {tier: threshold.flag_below for tier, threshold in self.tiers.items()}


def _named(codec: str, weights: str, model: str) -> str:
    return f"the codec {codec}, weights {weights}" + (f", model {model}" if model else "")


def _threshold(values: Mapping[str, Any]) -> TierThreshold:
    threshold = TierThreshold(**values)
    if not 0 <= float(threshold.flag_below) <= 1:
        raise ValueError(f"flag_below is {threshold.flag_below}, not a probability")
    return threshold
