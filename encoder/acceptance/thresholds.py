"""Calibration of the confidence below which characters are flagged, to bound silent errors."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.contract import Codec
from foxing.encoder.flag_thresholds import FlagThresholds, TierThreshold

from .readings import Readings

#: Maximum share of the characters that may be wrong and not flagged.
SILENT_ERRORS = 0.005
#: Minimum number of characters for choosing a threshold; with fewer, a tier keeps its threshold.
MIN_CHARACTERS = 1000
#: Candidate thresholds, ascending.
CANDIDATES = np.concatenate([np.round(np.arange(0.02, 1.0, 0.01), 2), [0.995, 0.998, 0.999]])

#: Per character: (confidence, whether it was read right).
Compared = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def calibrate(codec: Codec, readings: Readings) -> FlagThresholds:
    """Returns, for each tier, the lowest threshold that keeps silent errors below `SILENT_ERRORS` with 95 % confidence,
    chosen on every other page and measured on the rest. Tiers with fewer than `MIN_CHARACTERS` are left out."""
    tiers = {tier: _calibrate(pages) for tier, pages in readings.cells.items()}
    thresholds = {tier: threshold for tier, threshold in tiers.items() if threshold is not None}
    describable = capabilities_of(codec).describable
    runs_on = {} if describable is None else describable.runs_on()
    model = runs_on.get("model", "") if "endpoint" in runs_on else ""  # its weights do not identify a model
    return FlagThresholds(codec.name, codec.weights, thresholds, model)


def _calibrate(pages: Sequence[Compared]) -> TierThreshold | None:
    chosen_on, measured_on = _joined(pages[::2]), _joined(pages[1::2] or pages)
    if len(chosen_on[0]) < MIN_CHARACTERS:
        return None
    confidence, right = chosen_on
    allowed = SILENT_ERRORS * len(confidence)
    enough = [value for value in CANDIDATES if _at_most(int((~right & (confidence >= value)).sum())) <= allowed]
    threshold = float(enough[0] if enough else CANDIDATES[-1])
    confidence, right = measured_on
    flagged = confidence < threshold
    return TierThreshold(threshold, len(chosen_on[0]), float((~right & ~flagged).mean()), float(flagged.mean()))


def _at_most(errors: int) -> float:
    """Returns an upper 95 % confidence bound of the expected errors, given the observed number, so that a small sample
    does not look better than a large one."""
    return errors + 1 + 1.645 * sqrt(errors + 1)


def _joined(pages: Sequence[Compared]) -> Compared:
    if not pages:
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=bool)
    confidence, right = zip(*pages, strict=True)
    return np.concatenate(confidence), np.concatenate(right)
