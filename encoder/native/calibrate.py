"""Calibrating the native codec: a temperature for each tier, a threshold for each tier and size of a token.

    python -m foxing.encoder.native.calibrate DATA/eval WEIGHTS OUTPUT --prior PRIOR

Uses the development pages of the held-out files (see `foxing.encoder.bench.development`), which no figure is reported
on. The temperature minimises the calibration error; the threshold flags nearly all wrong characters, as far as it may
flag so many. Weights are written as float16.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from safetensors.numpy import load_file

from foxing.encoder.bench import calibration_error, compared, load_development
from foxing.encoder.contract import Reading
from foxing.renderer import render

from .codec import Calibration, NativeCodec, PageReader, to_pixels
from .weights import load_weights, save_weights

TEMPERATURES = (0.9, 1.0, 1.15, 1.35)
FLAGGED_ERRORS = 0.97  # of the wrong characters
FLAGGED_SHARE = 0.027  # of all characters, at most; where more than that is wrong, this many times what is wrong:
FLAGGED_PER_ERROR = 1.5


def threshold(right: Any, sure: Any) -> float:
    """The lowest confidence below which `FLAGGED_ERRORS` of the wrong characters are, if not too many are flagged."""
    wrong = np.sort(sure[~right])
    share = max(FLAGGED_SHARE, FLAGGED_PER_ERROR * len(wrong) / max(1, len(sure)))
    at_most = float(np.quantile(sure, min(1.0, share)))
    if not len(wrong):
        return round(at_most, 4)
    enough = float(wrong[min(len(wrong) - 1, int(FLAGGED_ERRORS * len(wrong)))]) + 1e-4
    return round(min(at_most, enough), 4)


def calibrate(data: Path, weights: Path, output: Path, prior: Path | None = None) -> dict[str, dict[str, float]]:
    """Writes `output` and returns what was chosen. `prior`: one to put in, of `prior_training`."""
    model, charset, info = load_weights(weights)
    if prior is not None:
        for name, array in load_file(prior).items():
            getattr(model.prior, name).copy_(torch.from_numpy(array))
    model.eval().requires_grad_(False)
    codec = NativeCodec(PageReader(model, charset), "calibration")
    pages = [page for part in load_development(sorted(data.glob("*.jsonl.gz")), codec).values() for page in part]
    temperatures: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    for tier, sizes in codec.sizes.items():
        images = [render(page.cells, page.layout, tier) for page in pages]
        errors = {heat: calibration_error(*compared(pages, _seen(codec, images, tier, heat))) for heat in TEMPERATURES}
        temperatures[tier] = min(errors, key=lambda heat: errors[heat])
        for size in sizes:
            chosen = NativeCodec(codec.reader, codec.weights, Calibration(temperatures), {tier: size})
            right, sure = compared(pages, chosen.decode(chosen.encode(images, tier)))
            thresholds[f"{tier}/{size}"] = threshold(right, sure)
            error = calibration_error(right, sure)
            print(tier, size, temperatures[tier], f"{right.mean():.4%} right", f"ECE {error:.4f}", flush=True)
    found = {"temperature": temperatures, "flag_below": thresholds}
    save_weights(model, charset, output, {**info, **found}, torch.float16)
    return found


def _seen(codec: NativeCodec, images: Sequence[Image], tier: str, heat: float) -> list[Reading]:
    """What the encoder sees, before any of it is left out."""
    readings: list[Reading] = []
    for image in images:
        seen = codec.reader.look(to_pixels([image]), tier, heat)
        readings.append(Reading(tier, seen.cells[0], seen.sure[0], 0.0))
    return readings


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
