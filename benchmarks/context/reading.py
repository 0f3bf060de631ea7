"""OCR of page images: reads the rows that show a message, at the size of the image."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import partial_ratio_alignment

from foxing.encoder.bench.baselines import Baseline, RapidOcr, Tesseract
from foxing.memory import Memory
from foxing.memory.pages.reader_pages import ReaderPage, ReaderPages
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.renderer.readers import Reader, margin_px

#: Name → the engine's class.
ENGINES: Mapping[str, Callable[[], Baseline]] = MappingProxyType({"tesseract": Tesseract, "rapidocr": RapidOcr})
LANGUAGE = "en"
PAPER = 255


@dataclass(frozen=True)
class _Place:
    """Position of a message on a page image."""

    #: Part of the message's text that is shown.
    text: str
    #: Rows of the image in px: start, stop, and height of a row.
    top: int
    bottom: int
    row_px: int


class PageImageReader:
    """Reads messages from page images with an OCR engine, and caches the results."""

    def __init__(self, memory: Memory, engine: Baseline) -> None:
        self._memory = memory
        self._engine = engine
        self._reader_pages: ReaderPages[ReaderPage] = ReaderPages(memory._database, memory._decoder, lambda page: page)
        #: Image as Base64 → key of a message → its position.
        self._places: dict[str, dict[str, _Place]] = {}
        self._read: dict[tuple[str, str], str] = {}
        self._learned: set[tuple[str, str]] = set()

    def read(self, bank: str, reader: Reader, images: Sequence[str], key: str) -> str:
        """Returns the words of a message that the engine reads correctly on `images`, in Base64; empty if none shows
        it."""
        if (bank, reader.name) not in self._learned:
            self._learned.add((bank, reader.name))
            self._learn(bank, reader)
        wanted = [image for image in images if key in self._places.get(image, {})]
        return " ".join(self._words(image, key) for image in wanted)

    def _learn(self, bank: str, reader: Reader) -> None:
        """Locates each message of a bank on the images for a reader."""
        with self._memory._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            keys = [message.message_id for message in self._memory.export(bank)]
            found = messages.by_keys(connection, bank_id, keys)
            spans = pages.spans_of_messages(connection, bank_id, [message.id for message in found.values()])
            ids = list(dict.fromkeys(span.page_id for parts in spans.values() for span in parts))
        for placed in self._reader_pages.images(ids, reader):
            layout = placed.image.page.layout
            _, above = margin_px(layout)
            self._places[base64.b64encode(placed.image.png).decode()] = {
                key: _Place(
                    part.content,
                    above + span.start // layout.columns * layout.cell_height_px,
                    above + (max(span.start, span.stop - 1) // layout.columns + 1) * layout.cell_height_px,
                    layout.cell_height_px,
                )
                for key, part, span in zip(placed.keys, placed.parts, placed.image.page.placements, strict=True)
            }

    def _words(self, image: str, key: str) -> str:
        if (image, key) not in self._read:
            place = self._places[image][key]
            drawn = np.asarray(Image.open(BytesIO(base64.b64decode(image))).convert("L"))
            rows = [drawn[top : top + place.row_px] for top in range(place.top, place.bottom, place.row_px)]
            inked = [row for row in rows if (row < PAPER).any()]
            self._read[image, key] = words_read(place.text, self._engine.read(inked, LANGUAGE)) if inked else ""
        return self._read[image, key]


def words_read(text: str, read: str) -> str:
    """Returns the words of `text` that occur in `read` letter by letter, in their order. Blanks and line breaks are
    ignored, since a row may end within a word."""
    given = "".join(read.split())
    words = text.split()
    truth = "".join(words)
    where = partial_ratio_alignment(truth, given) if truth and given else None
    if where is None:
        return ""
    window = given[where.dest_start : where.dest_end] if len(truth) <= len(given) else given
    wrong = {operation.src_pos for operation in Levenshtein.editops(truth, window)}
    right, start = [], 0
    for word in words:
        if wrong.isdisjoint(range(start, start + len(word))):
            right.append(word)
        start += len(word)
    return " ".join(right)
