"""What a page holds: its cells as kept text, and its state as far as it has been read."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.encoder import Reading
from foxing.memory.errors import TokensDamaged
from foxing.renderer import Cells

ZSTD_LEVEL = 19


def pack_cells(cells: Cells) -> bytes:
    """A grid as the exact text that is kept: zstd with a checksum over the UTF-8 of its cells."""
    text = cells.astype("<u4").tobytes().decode("utf-32-le")
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(text.encode())


def unpack_cells(blob: bytes, columns: int) -> Cells:
    """The inverse of `pack_cells`. Raises `TokensDamaged`."""
    try:
        text = zstandard.ZstdDecompressor().decompress(blob).decode()
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint32).reshape(-1, columns)
    except (zstandard.ZstdError, ValueError) as error:
        raise TokensDamaged(f"the kept text of a page is damaged ({error}); restore a backup") from error


@dataclass
class PageState:
    """A page as far as it is read. `cells`, `confidence`: [rows, columns]; `known`: bool[n], of the bands
    that can be read by themselves."""

    tier: str
    source: str  # "text" or "decoded"
    flag_below: float
    cells: Cells
    confidence: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """A page that is read whole."""
        known = np.ones(1, dtype=bool)
        return cls(reading.tier, "decoded", reading.flag_below, reading.cells, reading.confidence, known)
