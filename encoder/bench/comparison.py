"""Comparison of pages with their readings, cell by cell and word by word: kept, right and invented text.

A character is an inked cell: headers and marks count; blanks, right halves of full-width characters and gaps do not.
Every cell of a page counts once: where the drawn page has a character, the reading keeps it, right or wrong, or has a
gap; elsewhere, a character in the reading is invented.

Words are compared message by message and in order, so that a lost word does not shift the others. Headers are ignored.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import LCSseq

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.renderer import Page
from foxing.renderer.fading import Word, is_punctuation, words_of, words_with_facts
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells, Placement
from foxing.renderer.transcription import Transcription, transcribe

Flags = npt.NDArray[np.bool_]
_NOTHING = transcribe(np.zeros(0, dtype=np.uint32))
_Number = TypeVar("_Number", bound=np.generic)
#: Characters that join the parts of a word; one may stand between a part that is read and the gap beside it.
JOINERS = "'’._@:/+~-"


class CellComparison(NamedTuple):
    """Comparison of the kept characters of some pages, flat, in reading order."""

    #: bool[n]: whether each character was read right.
    right: Flags
    #: float32[n] in [0, 1]: the codec's confidence.
    confidence: npt.NDArray[np.float32]


@dataclass(frozen=True)
class PageComparison:
    """Comparison of some pages with their readings."""

    kept: CellComparison
    #: Number of characters on the pages, kept or not.
    characters: int
    #: Number of characters read where the drawn page has none.
    invented: int

    @property
    def kept_share(self) -> float:
        """Share of the characters that are kept; 1 for empty pages."""
        return len(self.kept.right) / self.characters if self.characters else 1.0

    @property
    def kept_accuracy(self) -> float:
        """Share of the kept characters that are read right; 1 if none is kept."""
        return float(self.kept.right.mean()) if len(self.kept.right) else 1.0


@dataclass
class WordComparison:
    """Comparison of the words of some messages with those of their readings. Punctuation does not count."""

    words: int = 0
    #: Number of words that are read.
    words_kept: int = 0
    #: Number of words that never fade by rule; see `foxing.renderer.fading`.
    facts: int = 0
    facts_kept: int = 0
    #: Number of words in the readings that match no word of the messages.
    invented: int = 0

    def add(self, original: str, read: str, gaps: Collection[int]) -> None:
        """Adds a message. `read`: its text as read; `gaps`: offsets of the gaps in it."""
        words = words_with_facts(original)
        read_words = [Word(*word) for word in words_of(read, gaps) if not is_punctuation(read[slice(*word)])]
        texts = [original[slice(*word)] for word, _ in words]
        steps = LCSseq.opcodes(texts, [read[slice(*word)] for word in read_words])
        matched = [fact for step in steps if step.tag == "equal" for _, fact in words[step.src_start : step.src_end]]
        self.words += len(words)
        self.words_kept += len(matched)
        self.facts += sum(fact for _, fact in words)
        self.facts_kept += sum(matched)
        lost = [text for step in steps if step.tag != "equal" for text in texts[step.src_start : step.src_end]]
        unmatched = [w for step in steps if step.tag != "equal" for w in read_words[step.dest_start : step.dest_end]]
        self.invented += sum(not _is_part_of(word, read, gaps, lost) for word in unmatched)


def gap_cells(cells: Cells) -> Flags:
    """Returns bool of the shape of `cells`: cells of gaps."""
    gaps: Flags = cells == ord(GAP_MARK)
    return gaps


def count_characters(cells: Cells) -> int:
    """Returns the number of characters in a grid, gaps not counted."""
    return int(_characters(cells).sum())


def compared(pages: Sequence[Page], readings: Sequence[Reading]) -> CellComparison:
    """Compares the kept characters of `pages`, headers included, with `readings`."""
    return compare_pages([page.cells for page in pages], [page.cells for page in pages], readings).kept


def compare_pages(originals: Sequence[Cells], drawn: Sequence[Cells], readings: Sequence[Reading]) -> PageComparison:
    """Compares `readings` with the `originals`. `drawn`: the cells that were drawn, which differ from the originals if
    a page was drawn from an earlier reading."""
    right = []
    confidence = []
    characters = invented = 0
    for original, seen, reading in zip(originals, drawn, readings, strict=True):
        cells = max(original.size, seen.size, reading.cells.size)
        page, image, read = (_padded(part, cells) for part in (original, seen, reading.cells))
        on_page = _characters(page)
        legible = on_page & ~gap_cells(image) & ~gap_cells(read)
        right.append(read[legible] == page[legible])
        confidence.append(_padded(reading.confidence, cells)[legible])
        characters += count_characters(page)
        invented += int((_characters(read) & (read != UNREADABLE) & (_blank(image) | gap_cells(image))).sum())
    return PageComparison(CellComparison(np.concatenate(right), np.concatenate(confidence)), characters, invented)


def kept_of_messages(originals: Sequence[Page], drawn: Sequence[Page], readings: Sequence[Reading]) -> float:
    """Returns the share of the characters of the messages of `originals`, without headers, that are on the `drawn`
    pages and are not read as a gap; 1 if the messages are empty."""
    characters = legible = 0
    for original, page, reading in zip(originals, drawn, readings, strict=True):
        flat = original.cells.reshape(-1)
        seen = page.cells.reshape(-1)
        read = _padded(reading.cells, max(seen.size, reading.cells.size))
        characters += sum(count_characters(flat[placement.start : placement.stop]) for placement in original.placements)
        drawn_characters = _characters(seen) & ~gap_cells(read[: seen.size])
        legible += sum(int(drawn_characters[placement.start : placement.stop].sum()) for placement in page.placements)
    return legible / characters if characters else 1.0


def compare_words(
    pages: Sequence[Page], readings: Sequence[Reading], drawn: Sequence[Sequence[Placement]] | None = None
) -> WordComparison:
    """Compares the words of messages on `pages` with `readings`. `drawn`: placements of the messages on each page as
    drawn; those of `pages` by default."""
    result = WordComparison()
    for number, (page, reading) in enumerate(zip(pages, readings, strict=True)):
        originals = _messages(page.cells, page, page.placements)
        read = _messages(reading.cells, page, page.placements if drawn is None else drawn[number])
        for message_id in dict.fromkeys((*originals, *read)):
            transcription = read.get(message_id, _NOTHING)
            original = originals.get(message_id, _NOTHING).text
            result.add(original, transcription.text, transcription.gaps.tolist())
    return result


def _messages(cells: Cells, page: Page, placements: Sequence[Placement]) -> Mapping[str | None, Transcription]:
    """Returns message id → text of the message in `cells`; None → text below the last message."""
    flat = cells.reshape(-1)
    texts: dict[str | None, Transcription] = {
        placement.message_id: transcribe(
            flat[placement.start : placement.stop], layout=page.layout, start=placement.start
        )
        for placement in placements
    }
    end = max((placement.stop for placement in placements), default=0)
    return {**texts, None: transcribe(flat[end:], layout=page.layout, start=end)}


def _is_part_of(word: Word, text: str, gaps: Collection[int], lost: Sequence[str]) -> bool:
    """Returns whether a word in a reading is unreadable in part, or part of a word in `lost` next to a gap."""
    start, stop = word
    if chr(UNREADABLE) in text[max(0, start - 1) : stop + 1]:
        return True
    before = start - 2 if text[max(0, start - 1) : start] in [*JOINERS] else start - 1
    after = stop + 1 if text[stop : stop + 1] in [*JOINERS] else stop
    read = text[start:stop].strip(JOINERS)
    return (after in gaps and any(original.startswith(read) for original in lost)) or (
        before in gaps and any(original.endswith(read) for original in lost)
    )


def _blank(cells: Cells) -> Flags:
    """Returns bool of the shape of `cells`: cells without ink."""
    blank: Flags = (cells == BLANK) | (cells == ord(" "))
    return blank


def _characters(cells: Cells) -> Flags:
    """Returns bool of the shape of `cells`: cells that begin a character, gaps excluded."""
    characters: Flags = ~(_blank(cells) | (cells == WIDE_TAIL) | gap_cells(cells))
    return characters


def _padded(cells: npt.NDArray[_Number], size: int) -> npt.NDArray[_Number]:
    """Returns `cells` flattened and padded with zeros (blank cells) to `size`."""
    flat = cells.reshape(-1)
    return np.concatenate([flat, np.zeros(size - len(flat), dtype=flat.dtype)])
