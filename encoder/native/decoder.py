"""Decodes vision tokens to cells with a confidence. This half of the native codec needs no encoder."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import STREAM, VisionTokens
from foxing.renderer import DENSE_PAGE, GAP_MARK, NEWLINE_MARK, Cells

from .charset import Charset
from .confidence_scaling import ConfidenceScaling
from .entropy.alphabet import Alphabet, SymbolGrid
from .entropy.confidence import CERTAIN_FROM
from .entropy.kernel import Kernel
from .entropy.stream import read_stream, write_stream
from .entropy.tables import PriorTables
from .network.dims import NativeDims
from .parallel import map_parallel

NAME = "native"


class DecodedPage(NamedTuple):
    """A decoded page, [rows, 160] each."""

    #: uint32: values as in `foxing.renderer.Page`; `GAP_MARK` where the page was cut.
    cells: Cells
    #: float32 in [0, 1]; 0 for unreadable cells, 1 for a gap.
    confidence: npt.NDArray[np.float32]


class PageStreams:
    """Writes and reads the streams of pages. Safe to share between threads."""

    def __init__(self, prior: PriorTables, charset: Charset) -> None:
        self.alphabet = Alphabet(charset)
        newline = int(charset.cell_class[ord(NEWLINE_MARK)])
        self.kernel = Kernel(prior, charset.rare_class, newline)

    def write(
        self, grid: SymbolGrid, confidence: npt.NDArray[np.float32], capacity: int, certain_from: float = CERTAIN_FROM
    ) -> bytes:
        """The stream of a page, [rows, 160] each, cut if it takes more than `capacity` bytes. Cells with a confidence
        of `certain_from` or more are certain."""
        return write_stream(self.kernel, grid, confidence, capacity, certain_from)

    def cost(self, cells: Cells) -> npt.NDArray[np.float32]:
        """float32, shape of `cells`: the bits that each cell of a page takes; a full-width character takes them in its
        left cell."""
        symbols, rare = (part.reshape(-1).astype(np.uint16) for part in self.alphabet.symbols(cells))
        bits = self.kernel.costs(symbols, rare).reshape(cells.shape) * np.float32(1 / 16)
        return bits.astype(np.float32, copy=False)

    def read(self, data: bytes, max_rows: int = DENSE_PAGE.rows) -> DecodedPage:
        """The page in a stream, up to `max_rows` rows. Raises `TokensError` for bytes that `write` does not write."""
        page = read_stream(self.kernel, data, max_rows)
        cells = self.alphabet.cells(*page.grid)
        confidence = np.where(cells == UNREADABLE, np.float32(0), page.confidence)
        cells.reshape(-1)[page.kept :] = ord(GAP_MARK)
        confidence[cells == ord(GAP_MARK)] = 1
        return DecodedPage(cells, confidence)


class TokenDecoder:
    """Decodes the vision tokens of one set of weights. Safe to share between threads."""

    def __init__(self, streams: PageStreams, weights: str, calibration: ConfidenceScaling, dims: NativeDims) -> None:
        """`weights`: their digest."""
        self.streams = streams
        self.weights = weights
        self.calibration = calibration
        self.dims = dims

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """One `Reading` for each page, in order, up to the head that is wanted of it; tiers may be mixed. Raises
        `TokensError` for tokens of another codec, of other weights, or that these weights do not write."""
        for item in tokens:
            self._check(item)
        return map_parallel(self._read, tokens)

    def _read(self, tokens: VisionTokens) -> Reading:
        page = self.streams.read(tokens.data, tokens.max_rows or DENSE_PAGE.rows)
        rows = len(page.cells)
        if rows % DENSE_PAGE.rows_per_token(tokens.tier):
            raise TokensError(f"these vision tokens are invalid: a page of '{tokens.tier}' cannot have {rows} rows")
        return Reading(tokens.tier, page.cells, page.confidence, self.calibration.flag_below(tokens.tier))

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` if these weights did not write `tokens`."""
        if tokens.codec != NAME:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{NAME}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, which this version does not have (it has "
                f"{self.weights}); export the bank with the foxing version that wrote them, and import it here"
            )
        if tokens.tier not in self.dims.tiers:
            raise TokensError(f"the {NAME} codec has no tier '{tokens.tier}'")
        most = self.dims.tiers[tokens.tier].tokens
        if tokens.dtype != STREAM or tokens.bytes_per_token != self.dims.token_bytes or tokens.count > most:
            raise TokensError(
                f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are not a page of '{tokens.tier}'"
            )
