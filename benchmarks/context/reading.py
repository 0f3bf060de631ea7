"""OCR of page images: reads the rows that show a message, at the size of the image."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image
from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import partial_ratio_alignment

from foxing.encoder.bench.baselines import Baseline, RapidOcr, Tesseract
from foxing.memory.context.prompt_images import PromptImage
from foxing.renderer.readers import margin_px

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

    def __init__(self, engine: Baseline, enlarge: int = 1) -> None:
        """`enlarge`: factor by which images are enlarged before the engine reads them."""
        self._engine = engine
        self._enlarge = enlarge
        #: Image as Base64 → key of a message → its positions.
        self._places: dict[str, dict[str, list[_Place]]] = {}
        self._read: dict[tuple[str, str], str] = {}
        self._learned: set[bytes] = set()

    def read(self, images: Sequence[str], key: str) -> str:
        """Returns the words of a message that the engine reads correctly on `images`, in Base64; empty if none shows
        it."""
        wanted = [image for image in images if key in self._places.get(image, {})]
        return " ".join(self._words(image, key) for image in wanted)

    def learn(self, image: PromptImage) -> None:
        """Locates each message on an image."""
        placed = image.placed
        if placed.image.png in self._learned:
            return
        self._learned.add(placed.image.png)
        layout = placed.image.page.layout
        _, above = margin_px(layout)
        places = self._places.setdefault(base64.b64encode(placed.image.png).decode(), {})
        for key, part, span in zip(placed.keys, placed.parts, placed.image.page.placements, strict=True):
            place = _Place(
                part.content,
                above + span.start // layout.columns * layout.cell_height_px,
                above + (max(span.start, span.stop - 1) // layout.columns + 1) * layout.cell_height_px,
                layout.cell_height_px,
            )
            places.setdefault(key, []).append(place)

    def _words(self, image: str, key: str) -> str:
        if (image, key) not in self._read:
            drawn = np.asarray(Image.open(BytesIO(base64.b64decode(image))).convert("L"))
            self._read[image, key] = " ".join(self._read_place(drawn, place) for place in self._places[image][key])
        return self._read[image, key]

    def _read_place(self, drawn: npt.NDArray[np.uint8], place: _Place) -> str:
        rows = [drawn[top : top + place.row_px] for top in range(place.top, place.bottom, place.row_px)]
        inked = [np.kron(row, self._block) for row in rows if (row < PAPER).any()]
        return words_read(place.text, self._engine.read(inked, LANGUAGE)) if inked else ""

    @property
    def _block(self) -> npt.NDArray[np.uint8]:
        return np.ones((self._enlarge, self._enlarge), np.uint8)


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
