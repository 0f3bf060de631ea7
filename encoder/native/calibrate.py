"""Calibrating the native codec: a temperature and a threshold for each tier, kept in the weights file.

    python -m foxing.encoder.native.calibrate DATA/eval WEIGHTS OUTPUT

Uses the development pages of the held-out files (see `foxing.encoder.bench.DEVELOPMENT_PAGES`), which no figure is
reported on. The temperature minimises the calibration error; the threshold flags the wrong characters that it can for
`FLAGGED_SHARE` of all. Weights are written as float16.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from foxing.encoder.bench import DEVELOPMENT_PAGES, calibration_error, compared, load_pages
from foxing.renderer import render

from .codec import NativeCodec, PageReader
from .weights import load_weights, save_weights

TEMPERATURES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
THRESHOLDS = np.concatenate([np.arange(0.3, 0.9, 0.05), np.arange(0.9, 0.99, 0.01), np.arange(0.99, 0.9991, 0.001)])
FLAGGED_SHARE = 0.03  # of all characters, at most
FLAGGED_ERRORS = 0.97  # of the wrong ones, if that takes less


def threshold(right: np.ndarray, sure: np.ndarray) -> float:
    """The lowest threshold that flags `FLAGGED_ERRORS` of the wrong characters, as far as `FLAGGED_SHARE` allows."""
    best = float(THRESHOLDS[0])
    for value in THRESHOLDS:
        flagged = sure < value
        if flagged.mean() > FLAGGED_SHARE:
            break
        best = float(value)
        if not (~right).any() or flagged[~right].mean() >= FLAGGED_ERRORS:
            break
    return round(best, 4)


def calibrate(data: Path, weights: Path, output: Path) -> dict[str, dict[str, float]]:
    """Writes `output` and returns what was chosen."""
    model, charset, info = load_weights(weights)
    model.eval().requires_grad_(False)
    codec = NativeCodec(PageReader(model, charset), "calibration")
    files = [path for name in ("en_*", "ko_*", "de_*") for path in sorted(data.glob(f"{name}.jsonl.gz"))]
    pages = [page for part in load_pages(files, codec, skip=0, limit=DEVELOPMENT_PAGES).values() for page in part]
    temperature: dict[str, float] = {}
    flag_below: dict[str, float] = {}
    for tier in codec.tiers:
        tokens = codec.encode([render(page.cells, page.layout, tier) for page in pages], tier)
        found: dict[float, tuple[float, float]] = {}
        for heat in TEMPERATURES:
            codec.reader.temperatures[tier] = heat
            right, sure = compared(pages, codec.decode(tokens))
            found[heat] = calibration_error(right, sure), threshold(right, sure)
        temperature[tier] = min(found, key=lambda heat: found[heat][0])
        error, flag_below[tier] = found[temperature[tier]]
        print(tier, temperature[tier], f"ECE {error:.4f}", flag_below[tier], flush=True)
    chosen = {"temperature": temperature, "flag_below": flag_below}
    save_weights(model, charset, output, {**info, **chosen}, torch.float16)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    calibrate(arguments.data, arguments.weights, arguments.output)


if __name__ == "__main__":
    main()
