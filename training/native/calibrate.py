"""Calibrates the confidence of the native codec and the threshold below which a character is flagged.

    python -m training.native.calibrate DATA/eval WEIGHTS OUTPUT --prior PRIOR

Uses the development pages of the held-out files (see `foxing.encoder.bench.development`), on which no figure is
reported. Each tier gets the temperature with the least calibration error out of a few candidates, and a threshold that
flags nearly all wrong characters within a limit on how many are flagged. The output is written in float16.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor

from foxing.encoder.bench import calibration_error, compared, load_development
from foxing.encoder.bench.comparison import CellComparison
from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError
from foxing.encoder.native.calibration import Calibration
from foxing.encoder.native.codec import BATCH_PAGES, NativeCodec
from foxing.encoder.native.entropy.confidence import LEVEL_CONFIDENCE, MAX_CONFIDENCE, quantize
from foxing.encoder.native.entropy.tables import PriorTables
from foxing.encoder.native.network.dims import NativeDims
from foxing.encoder.native.runner import NetworkRunner, RecognizedPages, to_pixels
from foxing.encoder.native.weights import load_weights, save_weights
from foxing.renderer import Page, render

TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
FLAGGED_ERRORS = 0.995  # share of the wrong characters to flag
MAX_FLAGGED = 0.05  # share of all characters, unless more are wrong; then this many times the wrong ones:
MAX_FLAGGED_PER_ERROR = 6
MIN_FLAGGED = 0.003  # share of all characters; a few wrong ones say little about where others would be
MARGIN = 1e-4  # by which a threshold exceeds the confidences that it flags

Flags = npt.NDArray[np.bool_]
Confidences = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DevelopmentPages:
    """The pages to calibrate on."""

    pages: list[Page]
    #: Their images by tier, all of one size.
    images: dict[str, list[Image]]

    def batches(self, tier: str) -> Iterator[Tensor]:
        """Pixels of a tier, uint8 [B, 1, H, W]."""
        images = self.images[tier]
        for start in range(0, len(images), BATCH_PAGES):
            yield to_pixels(images[start : start + BATCH_PAGES])


def threshold(right: Flags, confidence: Confidences) -> float:
    """The lowest confidence below which `FLAGGED_ERRORS` of the wrong characters and `MIN_FLAGGED` of all lie, unless
    that flags too many. The highest confidence is never flagged."""
    wrong = np.sort(confidence[~right])
    share = max(MAX_FLAGGED, MAX_FLAGGED_PER_ERROR * len(wrong) / max(1, len(confidence)))
    highest = min(float(np.quantile(confidence, min(1.0, share))), MAX_CONFIDENCE - MARGIN)
    if not len(wrong):
        return round(highest, 4)
    enough = float(wrong[min(len(wrong) - 1, int(FLAGGED_ERRORS * len(wrong)))]) + MARGIN
    return round(min(highest, max(enough, float(np.quantile(confidence, MIN_FLAGGED)))), 4)


def calibrate(data: Path, weights: Path, output: Path, prior: Path | None = None) -> Calibration:
    """Calibrates `weights` on the files in `data`, writes `output` and returns the calibration. `prior`: a file of
    `training.native.prior` that replaces the prior in `weights`. Raises `CodecError`."""
    loaded = load_weights(weights)
    if prior is not None:
        loaded = loaded._replace(prior=_read_prior(prior))
    model = loaded.model
    model.dims = replace(model.dims, tiers=NativeDims().tiers)
    model.half().float().eval().requires_grad_(False)
    runner = NetworkRunner(model, loaded.charset, loaded.prior)
    development = _development_pages(data, NativeCodec(runner, "calibration"))
    temperatures: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    for tier in development.images:
        temperatures[tier], thresholds[tier] = _calibrate_tier(runner, development, tier)
    result = Calibration(temperatures, thresholds)
    save_weights(loaded._replace(info={**loaded.info, **result.to_info()}), output, torch.float16)
    return result


def _read_prior(path: Path) -> PriorTables:
    """The prior in `path`. Raises `CodecError`."""
    try:
        return PriorTables.from_arrays(load_file(path))
    except (OSError, SafetensorError, ValueError) as error:
        raise CodecError(f"{path.name} is not a prior: {error}") from error


def _development_pages(data: Path, codec: NativeCodec) -> DevelopmentPages:
    pages = [page for part in load_development(sorted(data.glob("*.jsonl.gz")), codec).values() for page in part]
    return DevelopmentPages(
        pages, {tier: [render(page.cells, page.layout, tier) for page in pages] for tier in codec.tiers}
    )


def _calibrate_tier(runner: NetworkRunner, development: DevelopmentPages, tier: str) -> tuple[float, float]:
    """The temperature of a tier and the confidence below which a character is flagged; prints a line about them."""
    measured: dict[float, CellComparison] = {}
    for temperature in TEMPERATURES:
        parts = [runner.recognize(pixels, tier, temperature) for pixels in development.batches(tier)]
        measured[temperature] = compared(development.pages, [r for part in parts for r in _readings(part, tier)])
    errors = {temperature: calibration_error(*comparison) for temperature, comparison in measured.items()}
    temperature = min(errors, key=lambda candidate: errors[candidate])
    right, confidence = measured[temperature]
    flag_below = threshold(right, confidence)
    flagged, wrong = confidence < flag_below, ~right
    caught = flagged[wrong].mean() if wrong.any() else 1.0
    print(
        f"{tier}: {right.mean():.4%} right, temperature {temperature}, ECE {errors[temperature]:.4f}, flagged below "
        f"{flag_below}: {flagged.mean():.2%} / {caught:.1%} of errors, silent "
        f"{(wrong & ~flagged).mean() * 1e4:.2f} in 10,000",
        flush=True,
    )
    return temperature, flag_below


def _readings(recognized: RecognizedPages, tier: str) -> list[Reading]:
    """What is read from tokens, which hold the confidence in levels, where all of a page fits."""
    confidence = LEVEL_CONFIDENCE[quantize(recognized.confidence)]
    return [Reading(tier, cells, part, 0.0) for cells, part in zip(recognized.cells, confidence, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="A folder with held-out *.jsonl.gz files.")
    parser.add_argument("weights", type=Path, help="The weights to calibrate.")
    parser.add_argument("output", type=Path, help="The weights file to write.")
    parser.add_argument("--prior", type=Path, help="A prior, written by training.native.prior, to put in.")
    arguments = parser.parse_args()
    calibrate(arguments.data, arguments.weights, arguments.output, arguments.prior)


if __name__ == "__main__":
    main()
