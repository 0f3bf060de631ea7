"""Calibration file: the flag thresholds of a codec, measured on the machine where it runs."""

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
    """Threshold of one tier, with its error rates on pages that were not used to choose it."""

    #: Characters with a confidence below this are flagged.
    flag_below: float
    #: Number of characters used to choose it.
    characters: int
    #: Share of the characters that are wrong and not flagged.
    silent_errors: float
    #: Share of the characters that are flagged.
    flagged: float


@dataclass(frozen=True)
class FlagThresholds:
    """Thresholds by tier of a codec with one set of weights."""

    codec: str
    weights: str
    tiers: Mapping[str, TierThreshold]
    #: Name of the model on the server that reads the pages; empty if the weights identify it.
    model: str = ""

    def write(self, path: Path) -> None:
        """Writes the file atomically. Raises `CodecError`."""
        document = {"format": FORMAT, **asdict(self)}
        try:
            with NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
                file.write(json.dumps(document, indent=2) + "\n")
            Path(file.name).replace(path)
        except OSError as error:
            raise CodecError(f"{path} cannot be written ({error}); choose another file") from error

    @classmethod
    def read(cls, path: Path) -> "FlagThresholds":
        """Reads a file. Raises `CodecError`."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["format"] != FORMAT:
                raise ValueError(f"its format is {fields['format']!r}")
            tiers = {str(tier): _threshold(values) for tier, values in fields["tiers"].items()}
            return cls(str(fields["codec"]), str(fields["weights"]), tiers, str(fields.get("model", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CodecError(
                f"{path} is not a calibration file ({error}); write one with foxing codec bench --calibration FILE"
            ) from error

    def thresholds_for(self, codec: str, weights: str, model: str = "") -> dict[str, float]:
        """Returns tier → confidence below which characters are flagged. Raises `CodecError` if the calibration is of
        another codec, other weights or another model on the server."""
        if (self.codec, self.weights, self.model) != (codec, weights, model):
            raise CodecError(
                f"the calibration was measured with {_named(self.codec, self.weights, self.model)}, not with "
                f"{_named(codec, weights, model)}; write another with foxing codec bench --calibration FILE, or remove "
                "the option"
            ).naming(f"codecs.{codec}.calibration")
        return {tier: threshold.flag_below for tier, threshold in self.tiers.items()}


def _named(codec: str, weights: str, model: str) -> str:
    return f"the codec {codec}, weights {weights}" + (f", model {model}" if model else "")


def _threshold(values: Mapping[str, Any]) -> TierThreshold:
    threshold = TierThreshold(**values)
    if not 0 <= float(threshold.flag_below) <= 1:
        raise ValueError(f"flag_below is {threshold.flag_below}, not a probability")
    return threshold
