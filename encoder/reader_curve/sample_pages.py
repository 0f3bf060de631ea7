"""Sample pages: English sentences and identifiers, laid out for a reader at a given cell size."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from math import ceil

from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer import Entry, Typesetter
from foxing.renderer.fading.frequencies import FREQUENT_WORDS_PATH
from foxing.renderer.readers import PageImage, Reader, TypeSize, page_image, reader_layout

#: Default cell sizes (width, height) in px, smallest first.
CELLS = ((5, 10), (6, 12), (7, 14), (8, 16), (9, 18), (10, 20), (12, 24), (14, 28), (16, 32), (20, 40))
WORDS_PER_SENTENCE = 5
#: Every n-th sentence ends in an identifier; number of its hexadecimal digits.
IDENTIFIER_EVERY = 5
IDENTIFIER_DIGITS = 12
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

#: Half open ranges of characters.
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SamplePage:
    """Page for a reader to transcribe."""

    cell: TypeSize
    #: Number of the page among those of this cell size, from 0.
    number: int
    image: PageImage
    #: Text on the page.
    text: str
    #: Ranges in `text` of the sentences without an identifier, and of the identifiers.
    sentences: Ranges
    identifiers: Ranges

    @property
    def text_tokens(self) -> int:
        """Number of text tokens on the page."""
        return count_text_tokens(self.text)


def sample_pages(
    reader: Reader,
    cells: Sequence[tuple[int, int]],
    count: int,
    *,
    first: int = 0,
    characters: int | None = None,
) -> list[SamplePage]:
    """Returns `count` pages for each of `cells`, (width, height) in px, in the page shape for the reader.
    `characters`: maximum characters of a page; `first`: number of the first page of a cell size. Raises
    `ReaderProfileError` for a cell size at which the provider would scale down every image, and for a reader that
    accepts no images."""
    return [
        page
        for width, height in cells
        for page in _pages(reader, TypeSize(width_px=width, height_px=height), range(first, first + count), characters)
    ]


def _pages(reader: Reader, cell: TypeSize, numbers: range, characters: int | None) -> Iterator[SamplePage]:
    tried = Reader.model_validate({**reader.model_dump(), "type": (cell.model_dump(),)})
    layout = reader_layout(tried)
    row_limit = ceil(characters / layout.columns) if characters is not None else layout.rows
    layout = replace(layout, rows=min(layout.rows, row_limit))
    for number in numbers:
        texts = list(_sentences(f"{cell.width_px}x{cell.height_px}:{number}", layout.cells))
        text = " ".join(texts)
        page = Typesetter(layout).page([Entry("", "", text, _NO_TIME, header=False)])
        stop = page.placements[0].char_stop
        sentences, identifiers = _places(texts, stop)
        yield SamplePage(cell, number, page_image(page, tried), text[:stop], sentences, identifiers)


def _sentences(seed: str, characters: int) -> Iterator[str]:
    """Yields sentences with at least `characters` characters in total; the same for the same seed."""
    generator = random.Random(seed)
    words = _words()
    written = 0
    number = 0
    while written < characters:
        chosen = [generator.choice(words) for _ in range(WORDS_PER_SENTENCE)]
        number += 1
        if number % IDENTIFIER_EVERY == 0:
            chosen.append(f"{generator.getrandbits(4 * IDENTIFIER_DIGITS):0{IDENTIFIER_DIGITS}x}")
        sentence = f"{' '.join(chosen).capitalize()}."
        written += len(sentence) + 1
        yield sentence


@cache
def _words() -> Sequence[str]:
    listed = (FREQUENT_WORDS_PATH / "en.txt").read_text(encoding="utf-8").split()
    return sorted(word for word in listed if word.isascii() and word.isalpha() and 3 < len(word) < 10)


def _places(sentences: Sequence[str], stop: int) -> tuple[Ranges, Ranges]:
    """Returns the ranges of the sentences without identifiers, and of the identifiers, that end before `stop`."""
    whole: list[tuple[int, int]] = []
    identifiers: list[tuple[int, int]] = []
    start = 0
    for number, sentence in enumerate(sentences, 1):
        end = start + len(sentence)
        if end > stop:
            break
        if number % IDENTIFIER_EVERY == 0:
            identifiers.append((end - 1 - IDENTIFIER_DIGITS, end - 1))
        else:
            whole.append((start, end))
        start = end + 1
    return tuple(whole), tuple(identifiers)
