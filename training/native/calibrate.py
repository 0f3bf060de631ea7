"""Calibrating the native codec: how confident it may be, and when a character is flagged.

    python -m training.native.calibrate DATA/eval WEIGHTS OUTPUT --prior PRIOR

Uses the development pages of the held-out files (see `foxing.encoder.bench.development`), which no figure is reported
on. A temperature for each tier, of those that are tried, gives what the encoder sees the least calibration error. How
likely each level of doubt is gets counted. For each size of a token, what the prior fills in gets the confidence it
deserves, and the threshold flags nearly all wrong characters, as far as it may flag so many. Sizes are those that the
present `NativeDims` offer. Weights are written as float16, and calibrated as that.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from safetensors.numpy import load_file

from foxing.encoder.bench import calibration_error, compared, load_development
from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError
from foxing.encoder.native.codec import NativeCodec, NetworkRunner, Seen, to_pixels
from foxing.encoder.native.decoder import BATCH_PAGES, Calibration
from foxing.encoder.native.entropy.alphabet import LEFT
from foxing.encoder.native.entropy.confidence import NO_DOUBT, counted_slots, levels
from foxing.encoder.native.entropy.prior import COLUMNS
from foxing.encoder.native.model import NativeModel
from foxing.encoder.native.network.layers import NativeDims
from foxing.encoder.native.weights import load_weights, save_weights
from foxing.renderer import DENSE_PAGE, Page, render

TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
FLAGGED_ERRORS = 0.97  # of the wrong characters
FLAGGED_SHARE = 0.027  # of all characters, at most; where more than that is wrong, this many times what is wrong:
FLAGGED_PER_ERROR = 1.5
FLAGGED_ANYWAY = 0.003  # of all characters, since few wrong ones say little about where others would be


def threshold(right: Any, sure: Any) -> float:
    """The lowest confidence below which `FLAGGED_ERRORS` of the wrong characters are, if not too many are flagged, and
    `FLAGGED_ANYWAY` of all. What the encoder did not doubt is never flagged."""
    wrong = np.sort(sure[~right])
    share = max(FLAGGED_SHARE, FLAGGED_PER_ERROR * len(wrong) / max(1, len(sure)))
    at_most = min(float(np.quantile(sure, min(1.0, share))), NO_DOUBT - 1e-4)
    if not len(wrong):
        return round(at_most, 4)
    enough = float(wrong[min(len(wrong) - 1, int(FLAGGED_ERRORS * len(wrong)))]) + 1e-4
    return round(min(at_most, max(enough, float(np.quantile(sure, FLAGGED_ANYWAY)))), 4)


def put_prior(model: NativeModel, path: Path) -> None:
    """Puts the arrays of a file of `prior_training` into `model`. Raises `CodecError` when some are missing."""
    arrays = load_file(path)
    missing = {name for name, _ in model.prior.named_buffers()} - {"doubts"} - set(arrays)
    if missing:
        raise CodecError(f"{path.name} is no prior; it lacks {', '.join(sorted(missing))}")
    for name, array in arrays.items():
        model.prior.get_buffer(name).copy_(torch.from_numpy(array))


def calibrate(data: Path, weights: Path, output: Path, prior: Path | None = None) -> Calibration:
    """Writes `output` and returns what was found. `prior`: one to put in, of `prior_training`."""
    model, charset, info = load_weights(weights)
    if prior is not None:
        put_prior(model, prior)
    present = NativeDims().tiers
    tiers = {name: replace(tier, sizes=present[name].sizes) for name, tier in model.dims.tiers.items()}
    model.dims = replace(model.dims, tiers=tiers)
    model.half().float().eval().requires_grad_(False)
    reader = NetworkRunner(model, charset)
    codec = NativeCodec(reader, "calibration")
    pages = [page for part in load_development(sorted(data.glob("*.jsonl.gz")), codec).values() for page in part]
    images = {tier: [render(page.cells, page.layout, tier) for page in pages] for tier in codec.tiers}
    temperatures: dict[str, float] = {}
    doubted = []
    for tier in codec.tiers:
        tried = {heat: _look(reader, images[tier], tier, heat) for heat in TEMPERATURES}
        errors = {
            heat: calibration_error(*compared(pages, [r for part in seen for r in _readings(part, tier)]))
            for heat, seen in tried.items()
        }
        temperatures[tier] = min(errors, key=lambda heat: errors[heat])
        doubted += tried[temperatures[tier]]
    model.prior.get_buffer("doubts").copy_(torch.from_numpy(_doubt_slots(doubted)))
    reader = NetworkRunner(model, charset)
    thresholds: dict[str, float] = {}
    guesses: dict[str, float] = {}
    for tier, sizes in codec.sizes.items():
        for size in sizes:
            right, sure, guessed = _read_back(reader, pages, images[tier], tier, size, temperatures[tier])
            key = f"{tier}/{size}"
            if guessed.any():
                guesses[key] = round(float(right[guessed].mean()), 4)
                sure[guessed] = guesses[key]
            # what is guessed is flagged, however likely it is
            thresholds[key] = max(threshold(right, sure), guesses.get(key, 0.0) + 1e-4)
            error, wrong = calibration_error(right, sure), ~right
            flagged = sure < thresholds[key]
            caught = flagged[wrong].mean() if wrong.any() else 1.0
            print(
                f"{tier} {size}: {right.mean():.4%} right, {guessed.mean():.2%} guessed, of which "
                f"{guesses.get(key, 0):.0%} right, heat {temperatures[tier]}, ECE {error:.4f}, "
                f"flagged {flagged.mean():.2%} / {caught:.1%} of errors, "
                f"silent {(wrong & ~flagged).mean() * 1e4:.1f} in 10,000",
                flush=True,
            )
    found = Calibration(temperatures, thresholds, guesses)
    save_weights(model, charset, output, {**info, **found.note()}, torch.float16)
    return found


def _look(reader: NetworkRunner, images: Sequence[Image], tier: str, heat: float) -> list[Seen]:
    return [reader.look(to_pixels(batch), tier, heat) for batch in _batches(images)]


def _batches(images: Sequence[Image]) -> list[Sequence[Image]]:
    """Dense pages are all of one size."""
    return [images[start : start + BATCH_PAGES] for start in range(0, len(images), BATCH_PAGES)]


def _readings(seen: Seen, tier: str) -> list[Reading]:
    """What the encoder sees, before any of it is left out."""
    return [Reading(tier, cells, sure, 0.0) for cells, sure in zip(seen.cells, seen.sure, strict=True)]


def _doubt_slots(seen: Sequence[Seen]) -> Any:
    symbols = np.concatenate([part.symbols.reshape(-1, COLUMNS) for part in seen])
    right = np.zeros(symbols.shape, dtype=bool)
    right[:, 1:] = symbols[:, :-1] >= LEFT
    return counted_slots(levels(np.concatenate([part.sure.reshape(-1, COLUMNS) for part in seen])), right)


def _read_back(
    reader: NetworkRunner, pages: Sequence[Page], images: Sequence[Image], tier: str, size: int, heat: float
) -> tuple[Any, Any, Any]:
    """For every character: whether it is read right, how sure the reading is, and whether the prior filled it in."""
    readings, fillings = [], []
    room = size * DENSE_PAGE.token_rows(tier)
    for batch in _batches(images):
        for cells, sure, guessed in zip(
            *reader.unpacker.decode(reader.encode(to_pixels(batch), tier, room, heat), tier), strict=True
        ):
            readings.append(Reading(tier, cells, sure, 0.0))
            fillings.append(Reading(tier, cells, guessed.astype(np.float32), 0.0))
    right, sure = compared(pages, readings)
    return right, sure, compared(pages, fillings)[1] > 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--prior", type=Path, help="A prior of prior_training to put into the weights.")
    arguments = parser.parse_args()
    calibrate(arguments.data, arguments.weights, arguments.output, arguments.prior)


if __name__ == "__main__":
    main()
