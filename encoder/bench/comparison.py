"""Comparison of pages with their readings, cell by cell and word by word: kept, right and invented text.

A character is an inked cell: headers and marks count; blanks, right halves of full-width characters and gaps do not.
Every cell of a page counts once: where the drawn page has a character, the reading keeps it, right or wrong, or has a
gap; elsewhere, a character in the reading is invented.

Words are compared message by message and in order, so that a lost word does not shift the others. Headers are ignored.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import LCSseq

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer import BLANK, GAP_MARK, WIDE_TAIL, Cells, Page, Placement, Transcription, transcribe

from .word_classes import JOINERS, ClassedWord, WordClass, classify, is_identifier, words_of

Flags = npt.NDArray[np.bool_]
_NOTHING = transcribe(np.zeros(0, dtype=np.uint32))
_Number = TypeVar("_Number", bound=np.generic)


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

    @property
    def character_accuracy(self) -> float:
        """Share of the characters that are kept and read right; 1 for empty pages."""
        return float(self.kept.right.sum()) / self.characters if self.characters else 1.0

    @property
    def invented_per_million(self) -> float:
        """Invented characters per million characters on the pages."""
        return self.invented * 1e6 / max(1, self.characters)


@dataclass
class WordComparison:
    """Comparison of the words of some pages with those of their readings."""

    #: Number of words on the pages, by class.
    words: Counter[WordClass] = field(default_factory=Counter)
    #: Number of words read right, by class.
    right: Counter[WordClass] = field(default_factory=Counter)
    #: Number of words in the readings that match no word on the pages.
    invented: int = 0
    #: Number of identifiers on the pages, of any class, and of those read right.
    identifiers: int = 0
    identifiers_right: int = 0
    #: Text tokens of the messages on the pages, and of their readings, gap marks included.
    text_tokens: int = 0
    read_text_tokens: int = 0

    def share(self, of: WordClass) -> float | None:
        """Returns the share of the words of a class that are read right; None if there are none."""
        return self.right[of] / self.words[of] if self.words[of] else None

    @property
    def identifier_share(self) -> float | None:
        """Share of the identifiers that are read right; None if there are none."""
        return self.identifiers_right / self.identifiers if self.identifiers else None

    @property
    def text_tokens_share(self) -> float | None:
        """Text tokens of the messages as read ÷ those of the messages; None if there are none."""
        return self.read_text_tokens / self.text_tokens if self.text_tokens else None


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
    pages: Sequence[Page],
    readings: Sequence[Reading],
    language: str,
    drawn: Sequence[Sequence[Placement]] | None = None,
) -> WordComparison:
    """Compares the words of messages in `readings` with those on `pages`. `language`: key of `LANGUAGES`, which
    determines the classes; `drawn`: placements on the drawn pages, if they were typeset again."""
    result = WordComparison()
    for number, (page, reading) in enumerate(zip(pages, readings, strict=True)):
        originals = _messages(page.cells, page, page.placements)
        read = _messages(reading.cells, page, page.placements if drawn is None else drawn[number])
        for message_id in dict.fromkeys((*originals, *read)):
            original = originals.get(message_id, _NOTHING)
            transcription = read.get(message_id, _NOTHING)
            compare_message(original.text, transcription.text, transcription.gaps.tolist(), language, result)
            if message_id is not None and original.text:
                result.text_tokens += count_text_tokens(original.text)
                result.read_text_tokens += count_text_tokens(transcription.text or GAP_MARK)
    return result


def _messages(cells: Cells, page: Page, placements: Sequence[Placement]) -> Mapping[str | None, Transcription]:
    """Returns message id → its transcription from a grid in the layout of `page`. The key None stands for the text
    below all messages."""
    flat = cells.reshape(-1)
    texts: dict[str | None, Transcription] = {
        placement.message_id: transcribe(
            flat[placement.start : placement.stop], layout=page.layout, start=placement.start
        )
        for placement in placements
    }
    end = max((placement.stop for placement in placements), default=0)
    return {**texts, None: transcribe(flat[end:], layout=page.layout, start=end)}


def compare_message(original: str, read: str, gaps: Collection[int], language: str, result: WordComparison) -> None:
    """Adds the words of a message to `result`. `read`: its text in the reading; `gaps`: offsets of the gaps in
    `read`."""
    words = words_of(original)
    read_words = words_of(read)
    classes = classify(original, words, language)
    identifiers = [is_identifier(word.text) for word in words]
    result.words.update(classes)
    result.identifiers += sum(identifiers)
    steps = LCSseq.opcodes([word.text for word in words], [word.text for word in read_words])
    for step in steps:
        if step.tag == "equal":
            result.right.update(classes[step.src_start : step.src_end])
            result.identifiers_right += sum(identifiers[step.src_start : step.src_end])
    lost = [word.text for step in steps if step.tag != "equal" for word in words[step.src_start : step.src_end]]
    unmatched = [word for step in steps if step.tag != "equal" for word in read_words[step.dest_start : step.dest_end]]
    result.invented += sum(not _is_left_over(word, read, gaps, lost) for word in unmatched)


def _is_left_over(word: ClassedWord, text: str, gaps: Collection[int], lost: Sequence[str]) -> bool:
    """Returns whether an unmatched word is the remainder of an original word: it contains or touches an unreadable
    character, or it touches a gap and a lost word begins or ends with it. One of `JOINERS` may be between the word and
    the gap."""
    start = word.start
    stop = word.stop
    if chr(UNREADABLE) in text[max(0, start - 1) : stop + 1]:
        return True
    before = start - 2 if text[max(0, start - 1) : start] in JOINERS else start - 1
    after = stop + 1 if text[stop : stop + 1] in JOINERS else stop
    return (after in gaps and any(original.startswith(word.text) for original in lost)) or (
        before in gaps and any(original.endswith(word.text) for original in lost)
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
