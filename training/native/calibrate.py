"""Calibrates the confidence of the native codec: its temperature, the bound above which a cell is certain, and the
threshold of flags.

    python -m training.native.calibrate DATA/eval WEIGHTS OUTPUT --prior PRIOR

Uses the development pages of the held-out files (see `foxing.encoder.bench.development`), on which no figure is
reported: full ones at every tier, and faded ones at the tiers where pages fade. Each tier gets the candidate
temperature with the lowest calibration error. Where pages fade, a cell is certain from the lowest of `LEVEL_BOUNDS` at
which at most `MAX_CERTAIN_ERRORS` of the characters are wrong and certain, or from a higher one that takes hardly more
bytes. The threshold flags nearly all wrong characters within a limit on the number of flags. The output is written in
float16.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from foxing.encoder.bench import calibration_error, development
from foxing.encoder.bench.corpus import DEVELOPMENT_PAGES
from foxing.encoder.bench.documents import entries, full_pages, read_messages
from foxing.encoder.errors import CodecError
from foxing.encoder.native.codec import batch_equal
from foxing.encoder.native.confidence_scaling import ConfidenceScaling
from foxing.encoder.native.decoder import PageStreams
from foxing.encoder.native.entropy.alphabet import SymbolGrid
from foxing.encoder.native.entropy.confidence import CERTAIN_FROM, LEVEL_BOUNDS, LEVEL_CONFIDENCE, quantize
from foxing.encoder.native.entropy.tables import PriorTables
from foxing.encoder.native.network.dims import NativeDims
from foxing.encoder.native.runner import NetworkRunner, RecognizedPages, to_pixels
from foxing.encoder.native.weights import load_weights, save_weights
from foxing.renderer import DENSE_PAGE, Page, render
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

from .options import TrainingOptions
from .texts.faded import PageFader

TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
FADED_TIERS = ("tiny", "micro")  # tiers at which pages fade
MAX_CERTAIN_ERRORS = 6e-5  # share of the characters of trained languages; the target for unflagged errors is 1e-4
MAX_BYTES = 1.005  # bytes with a higher bound, which conveys more, relative to the lowest allowed bound
UNLIMITED = 100_000  # bytes, more than any page takes
FLAGGED_ERRORS = 0.995  # share of the wrong characters to flag
MAX_FLAGGED = 0.05  # share of all characters, unless more are wrong; then this many times the wrong ones:
MAX_FLAGGED_PER_ERROR = 6
MIN_FLAGGED = 0.003  # share of all characters; a few errors say little about the confidence of others
MARGIN = 1e-4  # by which a threshold exceeds the confidences that it flags

Flags = npt.NDArray[np.bool_]
Confidences = npt.NDArray[np.float32]


@dataclass
class DevelopmentPages:
    """Pages for the calibration of a tier."""

    pages: list[Cells] = field(default_factory=list)
    #: For each page, True if the codec is trained on its language.
    trained: list[bool] = field(default_factory=list)

    def add(self, pages: Sequence[Page], *, trained: bool) -> None:
        """Adds pages that all have the same value of `trained`."""
        self.pages += [page.cells for page in pages]
        self.trained += [trained] * len(pages)


class ReadPage(NamedTuple):
    """A page as the encoder reads it, [rows, 160] each."""

    #: uint32: the original cells, padded with blank rows.
    cells: Cells
    #: uint32: the cells that are read.
    read: Cells
    #: float32 in [0, 1].
    confidence: Confidences
    grid: SymbolGrid

    @property
    def inked(self) -> Flags:
        """Mask of the cells that hold a character or a gap, bool [rows, 160]."""
        blank: Flags = np.isin(self.cells, (BLANK, WIDE_TAIL, 0x20))
        return ~blank


class Characters(NamedTuple):
    """Characters and gaps of pages, [n] each."""

    right: Flags
    confidence: Confidences

    @classmethod
    def of(cls, pages: Sequence[ReadPage]) -> "Characters":
        """Returns the characters and gaps of `pages`."""
        right = [(page.read == page.cells)[page.inked] for page in pages]
        return cls(np.concatenate(right), np.concatenate([page.confidence[page.inked] for page in pages]))

    def stored(self, certain_from: float) -> "Characters":
        """Returns the characters with their confidences quantized as in streams."""
        return self._replace(confidence=LEVEL_CONFIDENCE[quantize(self.confidence, certain_from)])


def threshold(right: Flags, confidence: Confidences, certain_from: float = CERTAIN_FROM) -> float:
    """Returns the lowest confidence below which `FLAGGED_ERRORS` of the wrong characters and `MIN_FLAGGED` of all
    characters lie, unless that flags too many. Certain characters are never flagged."""
    wrong = np.sort(confidence[~right])
    share = max(MAX_FLAGGED, MAX_FLAGGED_PER_ERROR * len(wrong) / max(1, len(confidence)))
    highest = min(float(np.quantile(confidence, min(1.0, share))), certain_from)
    if not len(wrong):
        return round(highest, 4)
    enough = float(wrong[min(len(wrong) - 1, int(FLAGGED_ERRORS * len(wrong)))]) + MARGIN
    return round(min(highest, max(enough, float(np.quantile(confidence, MIN_FLAGGED)))), 4)


def certain_from(runner: NetworkRunner, pages: Sequence[ReadPage], trained: Characters) -> float:
    """Returns the confidence from which a cell is certain: the highest of `LEVEL_BOUNDS` that takes at most `MAX_BYTES`
    times the bytes of the lowest one at which few enough of the `trained` characters are wrong and certain."""
    shares = [(~trained.right & (trained.confidence >= bound)).mean() for bound in LEVEL_BOUNDS]
    allowed = [
        CERTAIN_FROM,
        *(float(b) for b, share in zip(LEVEL_BOUNDS, shares, strict=True) if share <= MAX_CERTAIN_ERRORS),
    ]
    least = _stream_bytes(runner, pages, allowed[-1])
    return next(bound for bound in allowed if _stream_bytes(runner, pages, bound) <= MAX_BYTES * least)


def _stream_bytes(runner: NetworkRunner, pages: Sequence[ReadPage], bound: float) -> int:
    return sum(len(runner.streams.write(page.grid, page.confidence, UNLIMITED, bound)) for page in pages)


def calibrate(data: Path, weights: Path, output: Path, prior: Path | None = None) -> ConfidenceScaling:
    """Calibrates `weights` on the files in `data`, writes `output` and returns the calibration. `prior`: a file of
    `training.native.prior` that replaces the prior in `weights`. Raises `CodecError`."""
    loaded = load_weights(weights)
    if prior is not None:
        loaded = loaded._replace(prior=_read_prior(prior))
    model = loaded.model
    model.dims = replace(model.dims, tiers=NativeDims().tiers)
    model.half().float().eval().requires_grad_(False)
    runner = NetworkRunner(model, loaded.charset, PageStreams(loaded.prior, loaded.charset))
    result = ConfidenceScaling({}, {}, {})
    for tier, pages in _development_pages(data, PageFader(loaded.prior, loaded.charset), model.dims).items():
        measured = _calibrate_tier(runner, pages, tier)
        result = ConfidenceScaling(
            {**result.temperatures, tier: measured.temperature},
            {**result.thresholds, tier: measured.flag_below},
            {**result.certainties, tier: measured.certain_from},
        )
    save_weights(loaded._replace(info={**loaded.info, **result.to_info()}), output, torch.float16)
    return result


def _read_prior(path: Path) -> PriorTables:
    """The prior in `path`. Raises `CodecError`."""
    try:
        return PriorTables.from_arrays(load_file(path))
    except (OSError, SafetensorError, ValueError) as error:
        raise CodecError(f"{path.name} is not a prior: {error}") from error


def _development_pages(data: Path, fader: PageFader, dims: NativeDims) -> dict[str, DevelopmentPages]:
    """Pages by tier: full ones, and faded ones at `FADED_TIERS`."""
    result = {tier: DevelopmentPages() for tier in dims.tiers}
    byte_limits = {tier: dims.capacity(tier)[0] * dims.token_bytes for tier in dims.tiers}
    languages = {name.split("_")[0] for name in TrainingOptions().text_shares}
    for path in sorted(data.glob("*.jsonl.gz")):
        messages = entries(list(read_messages(path)))
        pages = development(full_pages(messages, fader.setter, 2 * DEVELOPMENT_PAGES))
        by_id = {message.message_id: message for message in messages}
        for tier, those in result.items():
            faded = [fader.faded(page, by_id, byte_limits[tier]) for page in pages if tier in FADED_TIERS]
            those.add([*pages, *faded], trained=path.name.split("_")[0] in languages)
    return result


class _TierCalibration(NamedTuple):
    temperature: float
    certain_from: float
    flag_below: float


def _calibrate_tier(runner: NetworkRunner, development: DevelopmentPages, tier: str) -> _TierCalibration:
    """Calibrates a tier and prints a summary line."""
    errors: dict[float, float] = {}
    best: list[ReadPage] = []
    for temperature in TEMPERATURES:
        pages = _read(runner, development.pages, tier, temperature)
        errors[temperature] = calibration_error(*Characters.of(pages).stored(CERTAIN_FROM))
        best = pages if errors[temperature] == min(errors.values()) else best
    temperature = min(errors, key=lambda candidate: errors[candidate])
    trained = Characters.of([page for page, is_trained in zip(best, development.trained, strict=True) if is_trained])
    # on faded pages, confidences of correct cells take bytes from words
    certain = certain_from(runner, best, trained) if tier in FADED_TIERS else CERTAIN_FROM
    right, confidence = Characters.of(best).stored(certain)
    flag_below = threshold(right, confidence, certain)
    silent = [_silent(characters.stored(certain), flag_below) for characters in (trained, Characters.of(best))]
    flagged = (confidence < flag_below).mean()
    print(
        f"{tier}: {right.mean():.4%} right, temperature {temperature}, certain from {certain}, "
        f"ECE {calibration_error(right, confidence):.4f}, flagged below {flag_below}: {flagged:.2%}, "
        f"silent errors per 10,000: {silent[0]:.2f} in trained languages, {silent[1]:.2f} in all",
        flush=True,
    )
    return _TierCalibration(temperature, certain, flag_below)


def _silent(characters: Characters, flag_below: float) -> float:
    """Wrong characters that are not flagged, per 10,000."""
    return 1e4 * float((~characters.right & (characters.confidence >= flag_below)).mean())


def _read(runner: NetworkRunner, pages: Sequence[Cells], tier: str, temperature: float) -> list[ReadPage]:
    images = [render(cells, DENSE_PAGE, tier) for cells in pages]
    result: dict[int, ReadPage] = {}
    for numbers in batch_equal([image.height for image in images]):
        read = runner.recognize(to_pixels([images[i] for i in numbers]), tier, temperature)
        for place, number in enumerate(numbers):
            result[number] = _read_page(pages[number], read, place)
    return [result[number] for number in range(len(pages))]


def _read_page(cells: Cells, read: RecognizedPages, place: int) -> ReadPage:
    """Page `place` of a batch. `cells`: its original cells."""
    padded = np.pad(cells, ((0, read.cells.shape[1] - len(cells)), (0, 0)))
    grid = SymbolGrid(read.symbols[place], read.rare[place])
    return ReadPage(padded, read.cells[place], read.confidence[place], grid)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="A folder with held-out *.jsonl.gz files.")
    parser.add_argument("weights", type=Path, help="The weights to calibrate.")
    parser.add_argument("output", type=Path, help="The weights file to write.")
    parser.add_argument(
        "--prior", type=Path, help="Prior of training.native.prior that replaces the one in the weights."
    )
    arguments = parser.parse_args()
    calibrate(arguments.data, arguments.weights, arguments.output, arguments.prior)


if __name__ == "__main__":
    main()
