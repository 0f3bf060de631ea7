"""Reading accuracy by language and tier, cell by cell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from foxing.encoder.alignment import misread_cells
from foxing.encoder.annotation import annotate_page
from foxing.encoder.bench import PageSet, accuracy
from foxing.encoder.contract import Codec, Reading
from foxing.encoder.drawing import DrawnPage, PageDrawer
from foxing.renderer import BLANK, WIDE_TAIL, Cells, Page, Progress, grid_text, transcribe

#: Minimum similarity of a message that is read right: 1 − Levenshtein distance / longer length.
RIGHT = 0.9
#: Maximum share of misread characters at which ageing drops the text of a page.
MAX_MISREAD = 0.05


@dataclass(frozen=True)
class LanguageReading:
    """Results for the pages of one language at one tier, faded to the capacity of the tier."""

    language: str
    tier: str
    pages: int
    #: Characters on the pages after fading.
    characters: int
    #: 1 − Levenshtein distance / longer length, weighted by characters.
    accuracy: float
    #: Share of the characters that are wrong and not flagged, by the current thresholds of the codec.
    silent_errors: float
    #: Share of the characters that are flagged.
    flagged: float
    #: Share of the pages that could not be read.
    unread: float
    #: Share of the messages that are read right, each in its place.
    messages_right: float
    #: Share of the pages that would keep their text because more than `MAX_MISREAD` of it is misread.
    not_aged: float
    #: Time of decoding all pages, in seconds.
    decode_s: float


@dataclass(frozen=True)
class Readings:
    """Results by language, and the data for choosing thresholds."""

    languages: list[LanguageReading]
    #: Tier → for each page (float32 confidence, bool right) of the cells that hold or read as a character.
    cells: dict[str, list[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]]


def measure_readings(codec: Codec, texts: Mapping[str, PageSet], tiers: list[str], progress: Progress) -> Readings:
    """Draws, encodes and decodes the pages of each language at each of `tiers`, and compares the readings. `progress`:
    called with the measurements done and the total. Raises `CodecError`."""
    result = Readings([], {tier: [] for tier in tiers})
    work = [(language, tier) for language in texts for tier in tiers]
    for done, (language, tier) in enumerate(work, start=1):
        result.languages.append(_measure(codec, texts[language], language, tier, result))
        progress(done, len(work))
    return result


def _measure(codec: Codec, pages: PageSet, language: str, tier: str, result: Readings) -> LanguageReading:
    messages = {message.message_id: message for message in pages.messages}
    drawn = PageDrawer(codec).draw([annotate_page(page, messages) for page in pages.pages], tier)
    begun = perf_counter()
    readings = codec.decode([page.tokens for page in drawn])
    seconds = perf_counter() - begun
    cells = [page.cells for page in drawn]
    compared = list(_compared(cells, readings))
    result.cells[tier].extend(compared)
    confidence, right = (np.concatenate(parts) for parts in zip(*compared, strict=True))
    flagged = confidence < codec.tiers[tier].flag_below
    originals = [grid_text(page) for page in cells]
    placed = [
        right
        for page, item, read in zip(pages.pages, drawn, readings, strict=True)
        for right in _right(page, item, read)
    ]
    scores = [accuracy(text, read.text) * len(text) for text, read in zip(originals, readings, strict=True)]
    return LanguageReading(
        language=language,
        tier=tier,
        pages=len(drawn),
        characters=len(confidence),
        accuracy=sum(scores) / max(1, sum(map(len, originals))),
        silent_errors=float((~right & ~flagged).mean()),
        flagged=float(flagged.mean()),
        unread=float(np.mean([reading.unread for reading in readings])),
        messages_right=float(np.mean(placed)) if placed else 1.0,
        not_aged=float(
            np.mean([_misread(page, read) > MAX_MISREAD for page, read in zip(cells, readings, strict=True)])
        ),
        decode_s=seconds,
    )


def _right(page: Page, drawn: DrawnPage, reading: Reading) -> Iterator[bool]:
    """Yields, for each message of `page` as drawn, whether it is read right."""
    placements = page.placements if drawn.faded is None else drawn.faded.page.placements
    drawn_cells, read = drawn.cells.reshape(-1), _padded(reading.cells, len(drawn.cells)).reshape(-1)
    for placement in placements:
        run = slice(placement.start, placement.stop)
        texts = [
            transcribe(cells[run], layout=page.layout, start=placement.start).text for cells in (drawn_cells, read)
        ]
        if texts[0]:
            yield accuracy(texts[0], texts[1]) >= RIGHT


def _misread(drawn: Cells, reading: Reading) -> float:
    """Returns the share of the characters of a page that are misread."""
    written = _written(drawn)
    return float(misread_cells(drawn, reading)[: len(drawn)][written].mean()) if written.any() else 0.0


def _compared(
    drawn: list[Cells], readings: list[Reading]
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
    for cells, reading in zip(drawn, readings, strict=True):
        rows = max(len(cells), len(reading.cells))
        page, read = _padded(cells, rows), _padded(reading.cells, rows)
        confidence = np.zeros(page.shape, dtype=np.float32)
        confidence[: len(reading.confidence)] = reading.confidence
        used = _written(page) | _written(read)
        yield confidence[used], page[used] == read[used]


def _padded(cells: Cells, rows: int) -> Cells:
    padded = np.full((max(rows, len(cells)), cells.shape[1]), BLANK, dtype=np.uint32)
    padded[: len(cells)] = cells
    return padded


def _written(cells: Cells) -> npt.NDArray[np.bool_]:
    """Returns bool of the shape of `cells`: cells that hold a character, without right halves of full-width ones."""
    written: npt.NDArray[np.bool_] = (cells > 0x20) & (cells != BLANK) & (cells != WIDE_TAIL)
    return written
