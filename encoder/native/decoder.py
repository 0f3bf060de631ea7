"""Decoder of the native codec: vision tokens → cells with a confidence. It does not need the encoder network."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import STREAM, VisionTokens
from foxing.renderer import DENSE_PAGE
from foxing.renderer.marks import GAP_MARK, NEWLINE_MARK
from foxing.renderer.page import Cells

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
    """Decoded page, [rows, 160] each."""

    #: uint32: values as in `foxing.renderer.Page`; `GAP_MARK` where the stream was cut.
    cells: Cells
    #: float32 in [0, 1]; 0 for unreadable cells, 1 for a gap.
    confidence: npt.NDArray[np.float32]


class PageStreams:
    """Writer and reader of page streams. Thread-safe."""

    def __init__(self, prior: PriorTables, charset: Charset) -> None:
        self.alphabet = Alphabet(charset)
        newline = int(charset.cell_class[ord(NEWLINE_MARK)])
        self.kernel = Kernel(prior, charset.rare_class, newline)

    def write(
        self, grid: SymbolGrid, confidence: npt.NDArray[np.float32], capacity: int, certain_from: float = CERTAIN_FROM
    ) -> bytes:
        """Writes the stream of a page, [rows, 160] each, cut if it exceeds `capacity` bytes. Cells with a confidence of
        at least `certain_from` are certain."""
        return write_stream(self.kernel, grid, confidence, capacity, certain_from)

    def cost(self, cells: Cells) -> npt.NDArray[np.float32]:
        """Returns the cost in bits of each cell of a page: float32 of the shape of `cells`. The cost of a full-width
        character is in its left cell."""
        symbols, rare = (part.reshape(-1).astype(np.uint16) for part in self.alphabet.symbols(cells))
        bits = self.kernel.costs(symbols, rare).reshape(cells.shape) * np.float32(1 / 16)
        return bits.astype(np.float32, copy=False)

    def read(self, data: bytes, max_rows: int = DENSE_PAGE.rows) -> DecodedPage:
        """Reads the page in a stream, up to `max_rows` rows. Raises `TokensError` for bytes that `write` cannot
        produce."""
        page = read_stream(self.kernel, data, max_rows)
        cells = self.alphabet.cells(*page.grid)
        confidence = np.where(cells == UNREADABLE, np.float32(0), page.confidence)
        cells.reshape(-1)[page.stored :] = ord(GAP_MARK)
        confidence[cells == ord(GAP_MARK)] = 1
        return DecodedPage(cells, confidence)


class TokenDecoder:
    """Decoder of the vision tokens of one set of weights. Thread-safe."""

    def __init__(self, streams: PageStreams, weights: str, calibration: ConfidenceScaling, dims: NativeDims) -> None:
        """`weights`: digest of the weights file."""
        self.streams = streams
        self.weights = weights
        self.calibration = calibration
        self.dims = dims

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """Decodes pages in order, each up to its requested head; tiers may be mixed. Raises `TokensError` for tokens of
        another codec, of other weights, or that these weights cannot produce."""
        for item in tokens:
            self._check(item)
        return map_parallel(self._read, tokens)

    def without_confidences(self, tokens: Sequence[VisionTokens]) -> list[VisionTokens]:
        """See `foxing.encoder.VerifiableCodec`. Raises `TokensError`."""
        for item in tokens:
            self._check(item)
        return map_parallel(self._without_confidences, tokens)

    def _without_confidences(self, tokens: VisionTokens) -> VisionTokens:
        page = read_stream(self.streams.kernel, tokens.data)
        if page.stored < page.confidence.size:  # the end of the page is missing
            return tokens
        size = self.dims.token_bytes
        # One token more than before, so that a stream which does not get shorter is longer even if it is cut.
        data = self.streams.write(page.grid, np.ones_like(page.confidence), len(tokens.data) + size)
        if len(data) >= len(tokens.data):
            return tokens
        return replace(tokens, data=data, shape=(1, -(-len(data) // size), size))

    def _read(self, tokens: VisionTokens) -> Reading:
        page = self.streams.read(tokens.data, tokens.max_rows or DENSE_PAGE.rows)
        rows = len(page.cells)
        if rows % DENSE_PAGE.rows_per_token(tokens.tier):
            raise TokensError(f"these vision tokens are invalid: a page of '{tokens.tier}' cannot have {rows} rows")
        return Reading(tokens.tier, page.cells, page.confidence, self.calibration.flag_below(tokens.tier))

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` if these weights did not write `tokens`."""
        if tokens.codec != NAME:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', not by '{NAME}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, which this version does not have (it has "
                f"{self.weights}); export the bank with the foxing version that wrote them, and import it here"
            )
        if tokens.tier not in self.dims.tiers:
            raise TokensError(f"the {NAME} codec has no tier '{tokens.tier}'")
        _, maximum = self.dims.capacity(tokens.tier)
        if tokens.dtype != STREAM or tokens.bytes_per_token != self.dims.token_bytes or tokens.count > maximum:
            raise TokensError(
                f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are not a page of '{tokens.tier}'"
            )
