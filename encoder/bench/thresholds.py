"""Calibration of the confidence below which characters are flagged, to bound silent errors."""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from foxing.encoder.annotation import annotate_page
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.contract import Codec, Reading
from foxing.encoder.drawing import PageDrawer
from foxing.encoder.flag_thresholds import FlagThresholds, TierThreshold
from foxing.renderer import Progress
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells

from .comparison import CellComparison
from .corpus import PageSet

#: Maximum share of the characters that may be wrong and not flagged.
SILENT_ERRORS = 0.005
#: Minimum number of characters for choosing a threshold; with fewer, a tier keeps its threshold.
MIN_CHARACTERS = 1000
#: Candidate thresholds, ascending.
CANDIDATES = np.concatenate([np.round(np.arange(0.02, 1.0, 0.01), 2), [0.995, 0.998, 0.999]])


def measure_thresholds(
    codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str], progress: Progress
) -> FlagThresholds:
    """Encodes and decodes the pages of `groups` (name → pages) at each of `tiers`, and returns the thresholds that
    `calibrate` chooses. `progress`: called with the tiers done and the total. Raises `CodecError`."""
    comparisons: dict[str, list[CellComparison]] = {}
    for tier in tiers:
        comparisons[tier] = [page for texts in groups.values() for page in _comparisons(codec, texts, tier)]
        progress(len(comparisons), len(tiers))
    return calibrate(codec, comparisons)


def _comparisons(codec: Codec, texts: PageSet, tier: str) -> Iterator[CellComparison]:
    """Yields for each page, faded to the capacity of the tier, the cells that hold a character or are read as one."""
    messages = {message.message_id: message for message in texts.messages}
    drawn = PageDrawer(codec).draw([annotate_page(page, messages) for page in texts.pages], tier)
    readings = codec.decode([page.tokens for page in drawn])
    for page, reading in zip(drawn, readings, strict=True):
        rows = max(len(page.cells), len(reading.cells))
        truth = _padded(page.cells, rows)
        read = _padded(reading.cells, rows)
        used = _written(truth) | _written(read)
        yield CellComparison(truth[used] == read[used], _confidence(reading, truth.shape)[used])


def _padded(cells: Cells, rows: int) -> Cells:
    padded = np.full((rows, cells.shape[1]), BLANK, dtype=np.uint32)
    padded[: len(cells)] = cells
    return padded


def _written(cells: Cells) -> npt.NDArray[np.bool_]:
    """Returns bool of the shape of `cells`: cells that hold a character, without right halves of full-width ones."""
    written: npt.NDArray[np.bool_] = (cells > 0x20) & (cells != BLANK) & (cells != WIDE_TAIL)
    return written


def _confidence(reading: Reading, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    confidence = np.zeros(shape, dtype=np.float32)
    confidence[: len(reading.confidence)] = reading.confidence
    return confidence


def calibrate(codec: Codec, comparisons: Mapping[str, Sequence[CellComparison]]) -> FlagThresholds:
    """Returns, for each tier, the lowest threshold that keeps silent errors below `SILENT_ERRORS` with 95 % confidence,
    chosen on every other page and measured on the rest. Tiers with fewer than `MIN_CHARACTERS` are left out.
    `comparisons`: tier → pages."""
    tiers = {tier: _calibrate(pages) for tier, pages in comparisons.items()}
    thresholds = {tier: threshold for tier, threshold in tiers.items() if threshold is not None}
    describable = capabilities_of(codec).describable
    runs_on = {} if describable is None else describable.runs_on()
    model = runs_on.get("model", "") if "endpoint" in runs_on else ""  # its weights do not identify a model
    return FlagThresholds(codec.name, codec.weights, thresholds, model)


def _calibrate(pages: Sequence[CellComparison]) -> TierThreshold | None:
    choice = _joined(pages[::2])
    test = _joined(pages[1::2] or pages)
    if len(choice.right) < MIN_CHARACTERS:
        return None
    allowed = SILENT_ERRORS * len(choice.right)
    wrong = ~choice.right
    enough = [value for value in CANDIDATES if _at_most(int((wrong & (choice.confidence >= value)).sum())) <= allowed]
    threshold = float(enough[0] if enough else CANDIDATES[-1])
    flagged = test.confidence < threshold
    return TierThreshold(threshold, len(choice.right), float((~test.right & ~flagged).mean()), float(flagged.mean()))


def _at_most(errors: int) -> float:
    """Returns an upper 95 % confidence bound of the expected errors, given the observed number, so that a small sample
    does not look better than a large one."""
    return errors + 1 + 1.645 * sqrt(errors + 1)


def _joined(pages: Sequence[CellComparison]) -> CellComparison:
    if not pages:
        return CellComparison(np.zeros(0, dtype=bool), np.zeros(0, dtype=np.float32))
    return CellComparison(*(np.concatenate(parts) for parts in zip(*pages, strict=True)))
