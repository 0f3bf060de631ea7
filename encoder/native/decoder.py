"""Decodes packed vision tokens to cells with a confidence. This half of the native codec needs no encoder."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import STREAM, VisionTokens
from foxing.renderer import DENSE_PAGE, Cells

from .calibration import Calibration
from .charset import Charset
from .entropy.alphabet import Alphabet
from .entropy.confidence import ConfidenceCoder
from .entropy.packer import Packer
from .entropy.prior import Prior

NAME = "native"
#: Bytes of a vision token: a piece of a page's stream.
TOKEN_BYTES = 48
BATCH_PAGES = 8

_T = TypeVar("_T", bound=Hashable)


class DecodedPages(NamedTuple):
    """Decoded pages, [B, rows, 160] each."""

    #: uint32: values as in `foxing.renderer.Page`.
    cells: Cells
    #: float32 in [0, 1]; 0 for unreadable and guessed cells.
    confidence: npt.NDArray[np.float32]
    #: bool: cells that the prior filled in.
    guessed: npt.NDArray[np.bool_]


class Unpacker:
    """Decodes the bytes of vision tokens to cells. Safe to share between threads."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], charset: Charset) -> None:
        """`arrays`: as from `PriorWeights.arrays`."""
        self.alphabet = Alphabet(charset)
        self.packer = Packer(Prior(arrays), ConfidenceCoder(arrays["doubts"]), charset, self.alphabet)

    def decode(self, data: npt.NDArray[np.uint8], tier: str) -> DecodedPages:
        """The pages in `data`, uint8 [B, token rows, bytes per token row], as from `NetworkRunner.encode`. Raises
        `TokensError` for bytes that it does not write."""
        unpacked = self.packer.unpack(data, DENSE_PAGE.rows_per_token(tier))
        cells = self.alphabet.cells(unpacked.symbols, unpacked.rare)
        confidence = np.where(cells == UNREADABLE, np.float32(0), unpacked.confidence)
        return DecodedPages(cells, confidence, unpacked.guessed)


class TokenDecoder:
    """Decodes the vision tokens of one set of weights. Safe to share between threads."""

    def __init__(self, unpacker: Unpacker, weights: str, calibration: Calibration, sizes: Mapping[str, int]) -> None:
        """`weights`: their digest; `sizes`: bytes for each 64×64 px of the image at each tier."""
        self.unpacker = unpacker
        self.weights = weights
        self.calibration = calibration
        self.sizes = sizes

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """One `Reading` for each page, in order; tiers may be mixed. Raises `TokensError` for tokens of another codec,
        of other weights, or of a shape that these weights do not write."""
        for item in tokens:
            self._check(item)
        result: dict[int, Reading] = {}
        for numbers in batch_equal([(item.tier, len(item.data)) for item in tokens]):
            tier = tokens[numbers[0]].tier
            size = self.sizes[tier]
            data = [np.frombuffer(tokens[i].data, np.uint8).reshape(-1, self.row_bytes(tier)) for i in numbers]
            cells, confidence, guessed = self.unpacker.decode(np.stack(data), tier)
            confidence[guessed] = self.calibration.guess_confidence(tier, size)
            threshold = self.calibration.flag_below(tier, size)
            for index, number in enumerate(numbers):
                result[number] = Reading(tier, cells[index], confidence[index], threshold)
        return [result[i] for i in range(len(tokens))]

    def row_bytes(self, tier: str) -> int:
        """Bytes for each 64 px of the height of an image of `tier`."""
        return self.sizes[tier] * DENSE_PAGE.token_rows(tier)

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` if these weights did not write `tokens`."""
        if tokens.codec != NAME:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{NAME}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, which this version does not have (it has "
                f"{self.weights}); install the foxing version that wrote them"
            )
        if tokens.tier not in self.sizes:
            raise TokensError(f"the {NAME} codec has no tier '{tokens.tier}'")
        rows, rest = divmod(len(tokens.data), self.row_bytes(tokens.tier))
        streamed = (tokens.dtype, tokens.bytes_per_token) == (STREAM, TOKEN_BYTES)
        if not streamed or rest or rows > DENSE_PAGE.token_rows(tokens.tier):
            raise TokensError(
                f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are not a page of '{tokens.tier}'"
            )


def batch_equal(keys: Sequence[_T]) -> Iterator[list[int]]:
    """Positions in `keys` in batches with equal keys, at most `BATCH_PAGES` each."""
    groups: dict[_T, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    for positions in groups.values():
        for start in range(0, len(positions), BATCH_PAGES):
            yield positions[start : start + BATCH_PAGES]
