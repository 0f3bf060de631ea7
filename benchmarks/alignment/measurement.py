"""Messages of printed pages after a model has misread them: how many are right, and how many wrong without a flag."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from foxing.encoder import UNREADABLE
from foxing.encoder.alignment import Confidence, Ink, ink_of, pack_ink, place_on_ink, unpack_ink
from foxing.renderer import PRINTED_PAGE, Cells, Entry, Page, Span, Typesetter, grid_text, render, transcribe

from .corruptions import corrupted

#: A message is right from this similarity on: 1 − Levenshtein distance / longer length.
RIGHT = 0.9
#: Probability that the model gives for the characters that it reads right, and for those that it misreads.
CONFIDENCE, MISREAD_CONFIDENCE = 0.95, 0.6
#: Confidence below which a character is flagged, and the share of the characters of a message that must be flagged for
#: the message to count as flagged.
FLAG_BELOW, FLAGGED = 0.8, 0.1
TIER = "tiny"


@dataclass(frozen=True)
class PlacedPage:
    """A page, and the map of its ink as it is stored."""

    page: Page
    ink: Ink
    map_bytes: int


@dataclass
class Placement:
    """What became of the messages of some pages."""

    messages: int = 0
    #: Messages with a similarity of at least `RIGHT`; what was not read counts as wrong.
    right: int = 0
    #: The same where what is marked as unreadable does not count: whether what was read is where it belongs.
    placed: int = 0
    #: Messages that are not right and not flagged.
    unflagged: int = 0

    def shares(self) -> dict[str, float]:
        """The figures as shares of the messages."""
        count = max(1, self.messages)
        return {
            "right": self.right / count,
            "right_where_read": self.placed / count,
            "wrong_and_unflagged": self.unflagged / count,
        }


def placed_pages(entries: Iterable[Entry], count: int) -> list[PlacedPage]:
    """The first printed pages of messages."""
    pages = []
    for page in Typesetter(PRINTED_PAGE).pages(list(entries)):
        packed = pack_ink(ink_of(render(page.cells, page.layout, TIER), page.layout.rows, page.layout))
        pages.append(PlacedPage(page, unpack_ink(packed, page.layout), len(packed)))
        if len(pages) == count:
            break
    return pages


def measure(
    pages: Sequence[PlacedPage], names: Sequence[str], misread_confidence: float = MISREAD_CONFIDENCE
) -> Placement:
    """The messages of `pages` after the corruptions called `names`; the number of a page is its seed."""
    total = Placement()
    for number, placed in enumerate(pages):
        text, misread = corrupted([grid_text(row) for row in placed.page.cells], names, number)
        sure = np.where(np.array(misread, dtype=bool), misread_confidence, CONFIDENCE).astype(np.float32)
        _count(total, placed.page, *place_on_ink(text, sure, placed.ink))
    return total


def _count(total: Placement, page: Page, cells: Cells, confidence: Confidence) -> None:
    """Adds the messages of a page. `cells`, `confidence`: as it was read."""
    original = page.cells.reshape(-1)
    cells, confidence = cells.reshape(-1), confidence.reshape(-1)
    for span in page.spans:
        part = slice(span.start, span.stop)
        said, read = original[part], cells[part]
        unread = read == UNREADABLE
        is_right = _similarity(_text(said, page, span), _text(read, page, span)) >= RIGHT
        known, found = (np.where(unread, ord("?"), run).astype(np.uint32) for run in (said, read))
        inked = read > 0x20
        flagged = not inked.any() or float((confidence[part][inked] < FLAG_BELOW).mean()) >= FLAGGED
        total.messages += 1
        total.right += is_right
        total.placed += _similarity(_text(known, page, span), _text(found, page, span)) >= RIGHT
        total.unflagged += not is_right and not flagged


def _text(cells: Cells, page: Page, span: Span) -> str:
    return transcribe(cells, layout=page.layout, start=span.start).text


def _similarity(said: str, read: str) -> float:
    longer = max(len(said), len(read))
    return 1 - Levenshtein.distance(said, read) / longer if longer else 1.0
