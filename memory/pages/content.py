"""The content of a page: its cells as kept text, and what has been read of it so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.encoder import Reading
from foxing.memory.errors import TokensDamaged
from foxing.memory.storage.repositories.pages import PageContent
from foxing.renderer import Cells

ZSTD_LEVEL = 19

#: Page id → the page's tokens and, while it is kept, its packed text.
StoredContents = Mapping[int, PageContent]


def pack_cells(cells: Cells) -> bytes:
    """The exact text that is kept of a page: the cells in reading order as UTF-8, in a zstd frame with a checksum.

    `cells`: uint32[rows, columns].
    """
    text = cells.astype("<u4").tobytes().decode("utf-32-le")
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(text.encode())


def unpack_cells(blob: bytes, columns: int) -> Cells:
    """The cells packed by `pack_cells`, uint32[rows, columns]. Raises `TokensDamaged`."""
    try:
        text = zstandard.ZstdDecompressor().decompress(blob).decode()
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint32).reshape(-1, columns)
    except (zstandard.ZstdError, ValueError) as error:
        raise TokensDamaged(f"the kept text of a page is damaged ({error}); restore a backup") from error


@dataclass
class PageState:
    """What has been read of a page so far. A band is the smallest run of rows that can be decoded by itself."""

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
    #: bool[bands], whether the band has been read
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """The state of a page decoded as a whole."""
        known = np.ones(1, dtype=bool)
        return cls(reading.tier, "decoded", reading.flag_below, reading.cells, reading.confidence, known)

    @classmethod
    def written(cls, tier: str, cells: Cells, reading: Reading | None) -> Self:
        """A page that was just written with these cells: exact, or as its tokens read where its text is not kept."""
        return cls.kept(tier, cells) if reading is None else cls.of(reading)

    @classmethod
    def kept(cls, tier: str, cells: Cells) -> Self:
        """The state of a page at `tier` whose text is kept: `cells`, uint32[rows, columns]."""
        return cls(tier, "text", 0.0, cells, np.ones(cells.shape, np.float32), np.ones(1, dtype=bool))

    @property
    def memory_bytes(self) -> int:
        """Bytes of its arrays."""
        return self.cells.nbytes + self.confidence.nbytes + self.known.nbytes
