"""Pages as drawn at a tier, faded where necessary, and degraded images of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from foxing.encoder.annotation import AnnotatedPage, Refinement, annotate_page, annotate_reading
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.contract import Codec, Reading
from foxing.encoder.drawing import DrawnPage, PageDrawer
from foxing.renderer import Entry, Page
from foxing.renderer.page import Cells
from foxing.renderer.transcription import transcribe, transcribe_placements

from .corpus import PageSet

BATCH_PAGES = 8


@dataclass(frozen=True)
class DrawnPages:
    """Pages of a group as drawn at a tier."""

    #: Drawn pages, with the placements of all messages.
    pages: Sequence[Page]
    #: Cells that `pages` would have without misreadings at earlier tiers.
    truth: Sequence[Cells]


class TierDrawer:
    """Drawer of the pages of a group at the tiers of a codec.

    Pages of a codec with costs are drawn as in a memory when they age: text that does not fit fades. Pages of other
    codecs are drawn unchanged.
    """

    def __init__(self, codec: Codec, texts: PageSet) -> None:
        self.texts = texts
        costable = capabilities_of(codec).costable is not None
        #: None if pages are drawn unchanged.
        self._drawer = PageDrawer(codec) if costable else None
        self._messages: Mapping[str, Entry] = {message.message_id: message for message in texts.messages}

    @property
    def fades(self) -> bool:
        """True if pages may be typeset again because text fades."""
        return self._drawer is not None

    def draw(self, tier: str) -> DrawnPages:
        """Draws the pages at `tier` from the originals. Raises `CodecError`."""
        pages = self.texts.pages
        whole = DrawnPages(pages, [page.cells for page in pages])
        if self._drawer is None:
            return whole
        return self._draw(self._drawer, whole, [annotate_page(page, self._messages) for page in pages], tier)

    def draw_read(self, drawn: DrawnPages, readings: Sequence[Reading], tier: str) -> DrawnPages:
        """Draws the pages at `tier` from `readings` of the pages `drawn` at an earlier tier. Raises `CodecError`."""
        pairs = list(zip(drawn.pages, readings, strict=True))
        if self._drawer is None:
            return DrawnPages([replace(page, cells=reading.cells) for page, reading in pairs], drawn.truth)
        annotated = [annotate_reading(page, reading, self._messages) for page, reading in pairs]
        return self._draw(self._drawer, drawn, annotated, tier)

    def _draw(
        self, drawer: PageDrawer, before: DrawnPages, annotated: Sequence[AnnotatedPage], tier: str
    ) -> DrawnPages:
        annotated = [replace(page, refinements=self._refinements(number)) for number, page in enumerate(annotated)]
        drawn: list[DrawnPage] = []
        for start in range(0, len(annotated), BATCH_PAGES):
            drawn += drawer.draw(annotated[start : start + BATCH_PAGES], tier)
        pages = [_page(page, new) for page, new in zip(before.pages, drawn, strict=True)]
        return DrawnPages(pages, [_truth(*parts) for parts in zip(before.truth, annotated, drawn, strict=True)])

    def _refinements(self, number: int) -> Sequence[Refinement]:
        if self.texts.refine is None:
            return ()
        return self.texts.refine([part.text for part in transcribe_placements(self.texts.pages[number])])


def _page(before: Page, drawn: DrawnPage) -> Page:
    return drawn.faded.page if drawn.faded is not None else replace(before, cells=drawn.cells)


def _truth(before: Cells, annotated: AnnotatedPage, drawn: DrawnPage) -> Cells:
    """Returns the cells that a drawn page would have without misreadings. `before`: the same for `annotated.cells`."""
    if drawn.faded is None:
        return before
    truth = drawn.cells.copy()
    flat = truth.reshape(-1)
    was_read = annotated.cells.reshape(-1)
    was_meant = before.reshape(-1)
    for message, placement, faded_text in zip(
        annotated.messages, drawn.faded.page.placements, drawn.faded.texts, strict=True
    ):
        if placement.start == placement.stop or message.start == message.stop:
            continue
        read = transcribe(flat[placement.start : placement.stop].copy(), layout=annotated.layout, start=placement.start)
        cells = placement.start + read.cell
        source = message.start + message.cell[faded_text.origin]
        misread = (flat[cells] == was_read[source]) & (was_read[source] != was_meant[source])
        flat[cells[misread]] = was_meant[source[misread]]
    return truth


def shifted(image: Image.Image) -> Image.Image:
    """Shifts an image by one pixel to the right and down."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, -1, 0, 1, -1), fillcolor=255)


def blurred(image: Image.Image) -> Image.Image:
    """Applies Gaussian blur, σ 0.5 px."""
    return image.filter(ImageFilter.GaussianBlur(0.5))


def noisy(image: Image.Image) -> Image.Image:
    """Adds Gaussian noise, σ 8/255; the same on every run."""
    noise = np.random.default_rng(7).normal(0, 8, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


def compressed(image: Image.Image) -> Image.Image:
    """Compresses an image as JPEG of quality 80."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return Image.open(buffer).convert("L")


#: Name → function that degrades a page image of mode "L".
CONDITIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "shift 1 px": shifted,
    "blur 0.5 px": blurred,
    "noise 8/255": noisy,
    "JPEG 80": compressed,
}
