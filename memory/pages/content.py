"""Page contents: tokens, kept text, and the cells read from them so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from foxing.encoder import Reading, TokensError, VisionTokens
from foxing.memory.storage.blobs.reference import MissingBlob
from foxing.memory.storage.repositories.pages import PageContent
from foxing.renderer.page import Cells

from .exact_text import NO_DIFFERENCES, Differences

#: Page id → the page's tokens and, while it is kept, its packed text.
StoredContents = Mapping[int, PageContent]


def unpack_tokens(stored: bytes) -> VisionTokens:
    """Returns the tokens of a page. Raises `TokensError` if they are damaged, or missing from object storage."""
    if isinstance(stored, MissingBlob):
        raise TokensError("its tokens are missing from object storage or were changed there; restore a backup")
    return VisionTokens.from_bytes(stored)


@dataclass
class PageState:
    """Cells read from a page so far. A band is the smallest run of rows that can be decoded separately."""

    #: tier that the page was read from
    tier: str
    #: "text" for kept text, "decoded" for vision tokens
    source: str
    #: confidence under which a character is flagged as uncertain
    flag_below: float
    #: uint32[rows, columns]; blank where the band has not been read
    cells: Cells
    #: float32[rows, columns], 0 to 1
    confidence: npt.NDArray[np.float32]
    #: bool[bands], True where the band has been read
    known: npt.NDArray[np.bool_]
    #: corrections to the tokens' reading, where exact text is kept as such
    differences: Differences = NO_DIFFERENCES
    #: True if every cell was compared with the drawn page, so that any with a confidence above 0 reads as drawn
    compared: bool = False

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Returns the state of a page that was decoded completely."""
        band_flags = np.ones(1, dtype=bool)
        return cls(reading.tier, "decoded", reading.flag_below, reading.cells, reading.confidence, band_flags)

    @classmethod
    def written(cls, tier: str, cells: Cells, reading: Reading | None) -> Self:
        """Returns the state of a page just written with `cells`: exact, or its `reading` if its text is not kept."""
        return cls.kept(tier, cells) if reading is None else cls.of(reading)

    @classmethod
    def kept(cls, tier: str, cells: Cells) -> Self:
        """Returns the state of a page at `tier` whose text is kept. `cells`: uint32[rows, columns]."""
        return cls(tier, "text", 0.0, cells, _certain(cells.shape), np.ones(1, dtype=bool))

    @classmethod
    def verified(cls, tier: str, cells: Cells, bands: int, differences: Differences) -> Self:
        """Returns the state of an unread page at `tier` whose exact text is read from its tokens and corrected by
        `differences`. `cells`: blank, uint32[rows, columns]."""
        band_flags = np.zeros(bands, dtype=bool)
        return cls(tier, "text", 0.0, cells, _certain(cells.shape), band_flags, differences)

    @property
    def memory_bytes(self) -> int:
        """Size of its arrays in bytes. The confidence of exact text takes none."""
        confidence = 0 if self.source == "text" else self.confidence.nbytes
        return self.cells.nbytes + confidence + self.known.nbytes


def _certain(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Returns the confidence of exact text, 1 everywhere, as a view that takes no memory."""
    return np.broadcast_to(np.float32(1.0), shape)
