"""Composed page images: what recall found, typeset together, in place of the pages on which it happens to stand.

A stored page shows a match among messages that nobody asked for. A dense type has room for several times as many
matches as the same tokens of text, so the matches alone fill its pages.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from foxing.memory.ingest.doubtful_words import exact_words
from foxing.memory.pages.reader_pages import ReaderPage
from foxing.memory.recall.answer import HEADER_CELLS
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.trust import page_marks
from foxing.renderer import Entry
from foxing.renderer.readers import (
    PageImage,
    ProofReader,
    Reader,
    cells_per_token,
    is_read,
    page_images,
    page_px,
    reader_layout,
)

from .prompt_images import PromptImage

#: Characters of English for a token of text.
TEXT_CELLS = 4.3
#: Most attempts at the number of matches that fit.
ATTEMPTS = 3
#: For the first attempt: the share of the cells paid for that hold text, since rows end with words, and identifiers
#: stand beside images.
IN_USE = 0.85
#: Tokens of the label of an image.
LABEL_TOKENS = 32
#: A number that has at least this share of the most that may fit is taken.
ENOUGH = 0.93
#: Share of the estimated number of matches that an attempt takes, so that most first ones fit.
CAUTION = 0.96


@dataclass(frozen=True)
class Composition:
    """Page images of matches."""

    images: tuple[PromptImage, ...]
    #: For each image: the indexes of the matches on it.
    shown: tuple[frozenset[int], ...]
    #: Tokens billed for the images and what stands beside them, and for the latter alone.
    tokens: int
    beside: int
    #: Cells of the rows in use.
    cells: int


class Composer:
    """Composes page images of matches. Safe to share between threads."""

    def __init__(self, proofs: ProofReader) -> None:
        """`proofs`: proof-reads the images."""
        self._proofs = proofs

    def compose(
        self,
        spans: Sequence[RecalledMessage],
        reader: Reader,
        room: int,
        most_images: int,
        beside: Callable[[Sequence[PromptImage]], int],
    ) -> Composition | None:
        """Returns images of as many of the first matches as fit into `room` tokens; None if the first does not, or if
        images of this reader show no more than text for as many tokens.

        `spans`: matches, best first; those in a script that the reader is not known to read are left out. `beside`:
        returns the tokens of what stands beside images.
        """
        if cells_per_token(reader) <= TEXT_CELLS:
            return None
        drawable = [n for n, span in enumerate(spans) if is_read(f"{span.role} {span.name} {span.text}", reader)]
        if not drawable:
            return None
        taken = list(accumulate(len(spans[n].text) + HEADER_CELLS for n in drawable))
        count = max(1, bisect_right(taken, _cells(room, reader) * IN_USE))
        best: Composition | None = None
        most = len(drawable)
        exact = cache(exact_words)
        for _ in range(ATTEMPTS):
            drawn = _drawn(drawable[:count], spans, reader, self._proofs)
            made = _composition([PromptImage.of(page, exact) for page in drawn], reader, beside)
            if made.tokens <= room and len(made.images) <= most_images:
                best = made
                if made.tokens >= ENOUGH * room:
                    break
                following = min(most, int(_fitting(count, made, room, reader) * CAUTION))
            else:
                most = count - 1
                fitting = min(_fitting(count, made, room, reader), count * most_images / len(made.images))
                if not _page(reader)[2]:  # images are billed in steps of patches
                    fitting = min(fitting, count * room / made.tokens)
                following = min(most, int(fitting * CAUTION))
            if following < 1 or (best is not None and following <= sum(map(len, best.shown))):
                break
            count = following
        return best


def _cells(room: int, reader: Reader) -> float:
    """Returns the cells of page images that a reader bills `room` tokens for."""
    cells, full, whole = _page(reader)
    return cells * (int(room / full) if whole else room / full)


def _page(reader: Reader) -> tuple[int, int, bool]:
    """Returns the cells of a full page image, the tokens of it and its label, and whether smaller images cost no
    less."""
    assert reader.billing is not None
    layout = reader_layout(reader)
    full, half = (reader.billing.tokens(*page_px(layout, rows)) for rows in (layout.rows, -(-layout.rows // 2)))
    return layout.ink_columns * layout.rows, full + LABEL_TOKENS, half >= full


def _fitting(count: int, made: Composition, room: int, reader: Reader) -> float:
    """Returns about how many matches fit into `room` tokens, after a composition of `count` matches."""
    cells, full, whole = _page(reader)
    pages_each, beside_each = made.cells / cells / count, made.beside / count
    if not whole:
        return room / (beside_each + pages_each * full)
    return max(
        (
            min(pages / pages_each, (room - pages * full) / beside_each if beside_each else float("inf"))
            for pages in range(1, int(room / full) + 1)
        ),
        default=0.0,
    )


def _composition(
    images: Sequence[PromptImage], reader: Reader, beside: Callable[[Sequence[PromptImage]], int]
) -> Composition:
    shown = tuple(frozenset(image.placed.shares) for image in images)
    words = beside(images)
    cells = sum(image.image.page.rows_used * image.image.page.layout.ink_columns for image in images)
    return Composition(tuple(images), shown, sum(image.tokens for image in images) + words, words, cells)


def _drawn(
    numbers: Collection[int], spans: Sequence[RecalledMessage], reader: Reader, proofs: ProofReader
) -> list[ReaderPage]:
    """Returns page images of the matches `numbers`, in time order."""
    ordered = sorted(numbers, key=lambda n: (spans[n].created_at, spans[n].message_id, spans[n].passage or (0, 0)))
    images = page_images([_entry(n, spans[n]) for n in ordered], reader)
    return [_placed(image, spans, proofs) for image in images]


def _entry(number: int, span: RecalledMessage) -> Entry:
    marks = page_marks(span.role, span.trust, suspicious=span.suspicious)
    return Entry(
        *(str(number), span.role, span.text, span.created_at, span.thread, span.name), ref=span.ref, marks=marks
    )


def _placed(image: PageImage, spans: Sequence[RecalledMessage], proofs: ProofReader) -> ReaderPage:
    """Returns an image with its matches, which the images of a composition show completely between them."""
    parts, shares = [], dict[int, float]()
    for place in image.page.placements:
        number = int(place.message_id)
        text = spans[number].text
        said = text[place.char_start : place.char_stop]
        parts.append(
            Entry(
                place.message_id,
                spans[number].role,
                said,
                spans[number].created_at,
                spans[number].thread,
                spans[number].name,
                ref=spans[number].ref,
                marks=page_marks(spans[number].role, spans[number].trust, suspicious=spans[number].suspicious),
            )
        )
        shares[number] = len(said) / len(text) if text else 1.0
    keys = tuple(spans[number].message_id for number in shares)
    return ReaderPage(None, image, parts, shares, keys, proofs=proofs)
