"""Calibrates the confidence of the native codec and the threshold below which a character is flagged.

    python -m training.native.calibrate DATA/eval WEIGHTS OUTPUT --prior PRIOR

Uses the development pages of the held-out files (see `foxing.encoder.bench.development`), on which no figure is
reported. Each tier gets the temperature with the least calibration error of what the encoder recognises, out of a few
candidates. The frequencies of the confidence levels are counted. Each size of a vision token gets the confidence of
guessed characters, which is the share of them that is right, and a threshold that flags nearly all wrong characters
within a limit on how many are flagged. Sizes are those of the present `NativeDims`. The output is calibrated and
written in float16.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from safetensors.numpy import load_file
from torch import Tensor

from foxing.encoder.bench import calibration_error, compared, load_development
from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError
from foxing.encoder.native.calibration import Calibration
from foxing.encoder.native.codec import NativeCodec
from foxing.encoder.native.decoder import BATCH_PAGES
from foxing.encoder.native.entropy.alphabet import COLUMNS, right_halves
from foxing.encoder.native.entropy.confidence import MAX_CONFIDENCE, count_slots, quantize
from foxing.encoder.native.model import NativeModel
from foxing.encoder.native.network.dims import NativeDims
from foxing.encoder.native.runner import NetworkRunner, RecognizedPages, to_pixels
from foxing.encoder.native.weights import load_weights, save_weights
from foxing.renderer import DENSE_PAGE, Page, render

TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
FLAGGED_ERRORS = 0.97  # share of the wrong characters to flag
MAX_FLAGGED = 0.027  # share of all characters, unless more are wrong; then this many times the wrong ones:
MAX_FLAGGED_PER_ERROR = 1.5
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


@dataclass(frozen=True)
class DecodedCharacters:
    """All characters of the development pages, [N] each, decoded from tokens of one size."""

    #: bool: whether it was read correctly.
    right: Flags
    #: float32: confidence.
    confidence: Confidences
    #: bool: whether the prior filled it in.
    guessed: Flags


@dataclass(frozen=True)
class SizeCalibration:
    """What was measured for one tier and size of a vision token."""

    #: Confidence below which a character is flagged.
    threshold: float
    #: Confidence of guessed characters; None if there were none.
    guess_confidence: float | None


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


def load_prior(model: NativeModel, path: Path) -> None:
    """Copies a prior written by `train_prior` into `model`. Raises `CodecError` if the file lacks arrays."""
    arrays = load_file(path)
    missing = {name for name, _ in model.prior.named_buffers()} - {"doubts"} - set(arrays)
    if missing:
        raise CodecError(f"{path.name} is not a prior; it lacks {', '.join(sorted(missing))}")
    for name, array in arrays.items():
        model.prior.get_buffer(name).copy_(torch.from_numpy(array))


def calibrate(data: Path, weights: Path, output: Path, prior: Path | None = None) -> Calibration:
    """Calibrates `weights` on the files in `data`, writes `output` and returns the calibration. `prior`: a file of
    `train_prior` that replaces the prior in `weights`."""
    model, charset, info = load_weights(weights)
    if prior is not None:
        load_prior(model, prior)
    present = NativeDims().tiers
    tiers = {name: replace(tier, sizes=present[name].sizes) for name, tier in model.dims.tiers.items()}
    model.dims = replace(model.dims, tiers=tiers)
    model.half().float().eval().requires_grad_(False)
    runner = NetworkRunner(model, charset)
    codec = NativeCodec(runner, "calibration")
    development = _development_pages(data, codec)
    temperatures, recognized = _choose_temperatures(runner, development)
    model.prior.get_buffer("doubts").copy_(torch.from_numpy(_count_levels(recognized)))
    runner = NetworkRunner(model, charset)
    thresholds: dict[str, float] = {}
    guesses: dict[str, float] = {}
    for tier, dims in tiers.items():
        for size in dims.sizes:
            measured = _calibrate_size(runner, development, tier, size, temperatures[tier])
            thresholds[f"{tier}/{size}"] = measured.threshold
            if measured.guess_confidence is not None:
                guesses[f"{tier}/{size}"] = measured.guess_confidence
    result = Calibration(temperatures, thresholds, guesses)
    save_weights(model, charset, output, {**info, **result.to_info()}, torch.float16)
    return result


def _development_pages(data: Path, codec: NativeCodec) -> DevelopmentPages:
    pages = [page for part in load_development(sorted(data.glob("*.jsonl.gz")), codec).values() for page in part]
    return DevelopmentPages(
        pages, {tier: [render(page.cells, page.layout, tier) for page in pages] for tier in codec.tiers}
    )


def _choose_temperatures(
    runner: NetworkRunner, development: DevelopmentPages
) -> tuple[dict[str, float], list[RecognizedPages]]:
    """The temperature of each tier, and what the encoder recognises at it."""
    temperatures: dict[str, float] = {}
    chosen: list[RecognizedPages] = []
    for tier in development.images:
        recognized = {
            temperature: [runner.recognize(pixels, tier, temperature) for pixels in development.batches(tier)]
            for temperature in TEMPERATURES
        }
        errors = {
            temperature: calibration_error(
                *compared(development.pages, [reading for part in parts for reading in _readings(part, tier)])
            )
            for temperature, parts in recognized.items()
        }
        temperatures[tier] = min(errors, key=lambda temperature: errors[temperature])
        chosen += recognized[temperatures[tier]]
    return temperatures, chosen


def _readings(recognized: RecognizedPages, tier: str) -> list[Reading]:
    """What the encoder recognises, before tokens of a limited size leave some of it out."""
    pages = zip(recognized.cells, recognized.confidence, strict=True)
    return [Reading(tier, cells, confidence, 0.0) for cells, confidence in pages]


def _count_levels(recognized: Sequence[RecognizedPages]) -> npt.NDArray[np.int32]:
    """The slots of each confidence level."""
    symbols = np.concatenate([part.symbols.reshape(-1, COLUMNS) for part in recognized])
    confidence = np.concatenate([part.confidence.reshape(-1, COLUMNS) for part in recognized])
    return count_slots(quantize(confidence), right_halves(symbols))


def _calibrate_size(
    runner: NetworkRunner, development: DevelopmentPages, tier: str, size: int, temperature: float
) -> SizeCalibration:
    """Measures one size of a vision token and prints a line about it."""
    decoded = _decode(runner, development, tier, size, temperature)
    right, confidence, guessed = decoded.right, decoded.confidence, decoded.guessed
    guess_confidence: float | None = None
    if guessed.any():
        guess_confidence = round(float(right[guessed].mean()), 4)
        confidence[guessed] = guess_confidence
    # guessed characters are flagged, however often they are right
    flag_below = max(threshold(right, confidence), (guess_confidence or 0.0) + MARGIN)
    error, wrong = calibration_error(right, confidence), ~right
    flagged = confidence < flag_below
    caught = flagged[wrong].mean() if wrong.any() else 1.0
    print(
        f"{tier} {size}: {right.mean():.4%} right, {guessed.mean():.2%} guessed, of which "
        f"{guess_confidence or 0:.0%} right, temperature {temperature}, ECE {error:.4f}, "
        f"flagged {flagged.mean():.2%} / {caught:.1%} of errors, "
        f"silent {(wrong & ~flagged).mean() * 1e4:.1f} in 10,000",
        flush=True,
    )
    return SizeCalibration(flag_below, guess_confidence)


def _decode(
    runner: NetworkRunner, development: DevelopmentPages, tier: str, size: int, temperature: float
) -> DecodedCharacters:
    """Encodes the pages to tokens of `size` bytes and decodes them."""
    readings, guesses = [], []
    row_bytes = size * DENSE_PAGE.token_rows(tier)
    for pixels in development.batches(tier):
        decoded = runner.unpacker.decode(runner.encode(pixels, tier, row_bytes, temperature), tier)
        for cells, confidence, guessed in zip(*decoded, strict=True):
            readings.append(Reading(tier, cells, confidence, 0.0))
            guesses.append(Reading(tier, cells, guessed.astype(np.float32), 0.0))
    right, confidence = compared(development.pages, readings)
    return DecodedCharacters(right, confidence, compared(development.pages, guesses)[1] > 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="A folder with held-out *.jsonl.gz files.")
    parser.add_argument("weights", type=Path, help="The weights to calibrate.")
    parser.add_argument("output", type=Path, help="The weights file to write.")
    parser.add_argument("--prior", type=Path, help="A prior, written by train_prior, to put into the weights.")
    arguments = parser.parse_args()
    calibrate(arguments.data, arguments.weights, arguments.output, arguments.prior)


if __name__ == "__main__":
    main()
