"""Accuracy of the messages of printed pages after corruption, and the number of wrong messages without a flag."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from foxing.encoder import UNREADABLE, Reading, VisionTokens, known_misread, misread_cells, with_misread
from foxing.encoder.alignment import Confidence, Ink, ink_of, pack_ink, place_on_ink, unpack_ink
from foxing.renderer import (
    PRINTED_PAGE,
    WIDE_TAIL,
    Cells,
    Entry,
    Page,
    Placement,
    Typesetter,
    grid_text,
    render,
    transcribe,
)

from .corruptions import corrupted

#: Minimum similarity of a correct message: 1 − Levenshtein distance / longer length.
RIGHT = 0.9
#: Confidence of the simulated model in its characters, and in misread ones that it is unsure of.
CONFIDENCE, DOUBTED = 0.95, 0.6
#: Confidence below which a character is flagged, and the minimum share of flagged characters in a flagged message.
FLAG_BELOW, FLAGGED = 0.8, 0.1
TIER = "tiny"
#: Seed offset for a second, different reading of a page.
OTHERWISE = 1_000_000


@dataclass(frozen=True)
class PlacedPage:
    """A page with its ink map as stored."""

    page: Page
    ink: Ink
    map_bytes: int


@dataclass
class AlignmentResult:
    """Counts over the messages of a set of pages.

    The `unflagged_*` fields count messages that are wrong and not flagged, in four cases: the model is unsure of what
    it misreads (`doubted`); it is as certain of that as of the rest, and nothing else is known (`certain`); likewise,
    but the page was compared with its text before that was dropped, and is read the same way again (`compared`);
    likewise, but the page is now read differently, with other characters misread and just as certain (`otherwise`).
    """

    messages: int = 0
    #: Messages with a similarity of at least `RIGHT`; unreadable characters count as wrong.
    right: int = 0
    #: Messages that would be right if every character that was read were in its correct cell.
    achievable: int = 0
    #: Messages that are right if unreadable cells are ignored.
    right_where_read: int = 0
    unflagged_doubted: int = 0
    unflagged_certain: int = 0
    unflagged_compared: int = 0
    unflagged_otherwise: int = 0
    #: Size of the maps of misread cells in bytes.
    misread_bytes: int = 0

    def shares(self) -> dict[str, float]:
        """Returns the counts as shares of the messages."""
        counted = ("messages", "misread_bytes")
        return {name: value / max(1, self.messages) for name, value in vars(self).items() if name not in counted}


def placed_pages(entries: Iterable[Entry], count: int) -> list[PlacedPage]:
    """Returns the first `count` printed pages of `entries`."""
    pages = []
    for page in Typesetter(PRINTED_PAGE).pages(list(entries)):
        packed = pack_ink(ink_of(render(page.cells, page.layout, TIER), page.layout.rows, page.layout))
        pages.append(PlacedPage(page, unpack_ink(packed, page.layout), len(packed)))
        if len(pages) == count:
            break
    return pages


def measure(pages: Sequence[PlacedPage], names: Sequence[str], first_seed: int = 0) -> AlignmentResult:
    """Returns the counts for `pages` after the corruptions `names`. Page n is corrupted with the seed `first_seed` +
    n."""
    total = AlignmentResult()
    for number, placed in enumerate(pages, start=first_seed):
        page = placed.page
        text, misread = corrupted([grid_text(row) for row in page.cells], names, number)
        certain = np.full(len(text), CONFIDENCE, dtype=np.float32)
        reading = _read(placed, text, certain)
        doubted = _read(placed, text, np.where(misread, np.float32(DOUBTED), certain)) if any(misread) else reading
        tokens = with_misread(_TOKENS, misread_cells(page.cells, reading))
        again, _ = corrupted([grid_text(row) for row in page.cells], names, number + OTHERWISE)
        again_certain = np.full(len(again), CONFIDENCE, dtype=np.float32)
        otherwise = reading if again == text else _read(placed, again, again_certain)
        total.messages += len(page.placements)
        total.misread_bytes += len(tokens.misread)
        total.right += sum(_right(page, reading.cells))
        total.achievable += sum(_right(page, best_placed(page, text)))
        total.right_where_read += sum(_right(page, reading.cells, unread=False))
        total.unflagged_doubted += _unflagged(page, doubted)
        total.unflagged_certain += _unflagged(page, reading)
        total.unflagged_compared += _unflagged(page, known_misread(reading, tokens))
        total.unflagged_otherwise += _unflagged(page, known_misread(otherwise, tokens))
    return total


#: Placeholder tokens that carry the map of misread cells.
_TOKENS = VisionTokens("none", "", TIER, (1, 1, 1), "uint8", b"\0")


def _read(placed: PlacedPage, text: str, sure: Confidence) -> Reading:
    return Reading(TIER, *place_on_ink(text, sure, placed.ink), FLAG_BELOW)


def best_placed(page: Page, text: str) -> Cells:
    """Returns the best possible alignment, uint32 [rows, columns]: each character of the model's text in its correct
    cell, found with the original text, which no codec has when it reads. Cells without a character are unreadable."""
    cells = page.cells.reshape(-1).copy()
    places: list[int] = []
    original = ""
    for number, row in enumerate(page.cells):
        said = grid_text(row)
        begins = np.flatnonzero(row != WIDE_TAIL)[: len(said)] + number * row.size
        places += [*begins.tolist(), -1]
        original += said + "\n"
    for edit in Levenshtein.editops(original, text + "\n"):
        place = places[edit.src_pos] if edit.src_pos < len(places) else -1
        if edit.tag != "insert" and place >= 0 and cells[place] > 0x20:
            written = text[edit.dest_pos : edit.dest_pos + 1]
            lost = edit.tag == "delete" or not written.strip()
            cells[place] = UNREADABLE if lost else ord(written)
    return cells.reshape(page.cells.shape)


def _right(page: Page, read: Cells, *, unread: bool = True) -> list[bool]:
    """For each message, True if it is right. `unread`: unreadable cells count as wrong."""
    results = []
    for placement in page.placements:
        said, seen = (cells.reshape(-1)[placement.start : placement.stop] for cells in (page.cells, read))
        if not unread:
            lost = seen == UNREADABLE
            said, seen = (np.where(lost, ord("?"), run).astype(np.uint32) for run in (said, seen))
        results.append(_similarity(_text(said, page, placement), _text(seen, page, placement)) >= RIGHT)
    return results


def _unflagged(page: Page, reading: Reading) -> int:
    """Number of messages that are wrong and not flagged."""
    unflagged = 0
    cells, confidence = reading.cells.reshape(-1), reading.confidence.reshape(-1)
    for placement, is_right in zip(page.placements, _right(page, reading.cells), strict=True):
        part = slice(placement.start, placement.stop)
        inked = cells[part] > 0x20
        flagged = not inked.any() or float((confidence[part][inked] < FLAG_BELOW).mean()) >= FLAGGED
        unflagged += not is_right and not flagged
    return unflagged


def _text(cells: Cells, page: Page, placement: Placement) -> str:
    return transcribe(cells, layout=page.layout, start=placement.start).text


def _similarity(said: str, read: str) -> float:
    longer = max(len(said), len(read))
    return 1 - Levenshtein.distance(said, read) / longer if longer else 1.0
