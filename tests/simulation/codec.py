"""A small deterministic codec: the image carries the cells of its page, and the stream their characters."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from unittest import mock

import numpy as np
import numpy.typing as npt
from PIL import Image

from foxing.encoder import Reading, TierSpec, VisionTokens
from foxing.renderer import DENSE_PAGE, PageLayout
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.tiers import OWN_TIERS, TOKEN_SIDE_PX

TOKEN_BYTES = 48
END_OF_ROW = ord("\n")  # never in a cell
#: One of so many characters is misread at a tier.
MISREAD = {"tiny": 997, "micro": 499}
MISREAD_AS = ord("¤")
SURE, UNSURE, FLAG_BELOW = 0.9999, 0.4, 0.5
_SHAPE_BYTES = 8
#: Modules that draw pages for the codec.
DRAWING = (
    "foxing.encoder.drawing",
    "foxing.memory.ingest.seal",
    "foxing.memory.lifecycle.relayout",
    "foxing.memory.pages.drawing",
)


def packed_image(cells: Cells, layout: PageLayout, tier: str) -> Image.Image:
    """Returns an image of the size of `render` whose pixels are the shape and the cells of the page."""
    rows = layout.cropped_rows(cells.shape[0], tier)
    side = layout.side_px(tier)
    height = layout.bands(rows, tier) * TOKEN_SIDE_PX if layout.cropped else side
    grid = np.full((rows, cells.shape[1]), BLANK, dtype="<u4")
    grid[: cells.shape[0]] = cells
    data = np.array(grid.shape, dtype="<u4").tobytes() + grid.tobytes()
    pixels = np.zeros(side * height, dtype=np.uint8)
    pixels[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    return Image.fromarray(pixels.reshape(height, side))


@contextmanager
def packed_images() -> Iterator[None]:
    """Has pages that are encoded drawn by `packed_image`. Glyphs are the subject of other tests, and take most of the
    time."""
    with ExitStack() as stack:
        for module in DRAWING:
            stack.enter_context(mock.patch(f"{module}.render", packed_image))
        yield


def _cells_of(image: Image.Image) -> Cells:
    data = np.asarray(image).tobytes()
    rows, columns = np.frombuffer(data[:_SHAPE_BYTES], dtype="<u4").tolist()
    cells = np.frombuffer(data[_SHAPE_BYTES : _SHAPE_BYTES + 4 * rows * columns], dtype="<u4")
    return cells.reshape(rows, columns).astype(np.uint32)


class PackedCodec:
    """Codec whose streams hold the characters in UTF-8, as many as fit; at low tiers a few are misread."""

    name = "packed"
    weights = hashlib.sha256(b"packed").hexdigest()
    layout = DENSE_PAGE
    context_rows = None
    repertoire = None

    def __init__(self) -> None:
        #: Called before pages are encoded, as another process may act then.
        self.before_encode: Callable[[], object] = lambda: None
        self.tiers = MappingProxyType({tier.name: self._spec(tier.name, tier.tokens) for tier in OWN_TIERS})

    @staticmethod
    def _spec(name: str, tokens: int) -> TierSpec:
        sharp = name in ("large", "base")
        return TierSpec(
            name=name,
            side_px=DENSE_PAGE.side_px(name),
            tokens=2 * tokens if sharp else tokens,
            fact_tokens=(2 if sharp else 3) * tokens,
            bytes_per_token=TOKEN_BYTES,
            dtype="stream",
            flag_below=FLAG_BELOW,
        )

    def encode(self, images: Sequence[Image.Image], tier: str) -> list[VisionTokens]:
        self.before_encode()
        return [self._encode(_cells_of(image), tier) for image in images]

    def _encode(self, cells: Cells, tier: str) -> VisionTokens:
        rows = []
        for row in cells.tolist():
            while row and row[-1] == BLANK:
                row.pop()
            rows.append("".join(map(chr, row)) + chr(END_OF_ROW))
        text = "".join(rows).rstrip(chr(END_OF_ROW))
        data = bytes([len(rows)]) + text.encode()
        limit = self.tiers[tier].max_bytes
        cut = b"\x01" if len(data) > limit else b""
        data = data[:limit]
        count = -(-len(data) // TOKEN_BYTES)
        return VisionTokens(self.name, self.weights, tier, (1, count, TOKEN_BYTES), "stream", data, ink=cut)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return [self._decode(item) for item in tokens]

    def _decode(self, tokens: VisionTokens) -> Reading:
        number = tokens.data[0]
        cells = np.full((number, self.layout.columns), BLANK, dtype=np.uint32)
        rows = tokens.data[1:].decode(errors="ignore").split(chr(END_OF_ROW))
        last = 0
        for place, row in enumerate(rows):
            points = np.array([ord(character) for character in row], dtype=np.uint32)
            cells[place, : len(points)] = points
            last = place * self.layout.columns + len(points)
        if tokens.ink:
            cells.reshape(-1)[last:] = ord(GAP_MARK)
        confidence = np.full(cells.shape, SURE, dtype=np.float32)
        confidence[cells == ord(GAP_MARK)] = 1
        self._misread(cells, confidence, tokens.tier)
        return Reading(tokens.tier, cells, confidence, FLAG_BELOW)

    def _misread(self, cells: Cells, confidence: npt.NDArray[np.float32], tier: str) -> None:
        """Misreads letters that are chosen by their place and value."""
        one_of = MISREAD.get(tier)
        if one_of is None:
            return
        flat = cells.reshape(-1)
        letters = ((flat >= ord("a")) & (flat <= ord("z"))).nonzero()[0]
        selection = letters[(flat[letters] * 2654435761 + letters * 40503) % one_of == 0]
        flat[selection] = MISREAD_AS
        confidence.reshape(-1)[selection] = UNSURE

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        bits = np.full(cells.shape, 8, dtype=np.float32)
        bits[cells >= 0x80] = 16
        bits[cells >= 0x800] = 24
        bits[cells >= 0x10000] = 32
        used = cells != BLANK
        trailing = ~used[:, ::-1].cumsum(axis=1)[:, ::-1].astype(bool)
        bits[trailing] = 0
        return bits
