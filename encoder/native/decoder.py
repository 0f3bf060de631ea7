"""What packed vision tokens say, as cells with a confidence: the half of the native codec that needs no encoder."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE, Reading
from foxing.encoder.errors import TokensError
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import DENSE_PAGE, Cells

from .charset import Charset
from .entropy.alphabet import Alphabet
from .entropy.confidence import Doubts
from .entropy.packer import Packer
from .entropy.prior import Prior

NAME = "native"
DTYPE = "uint8"
BATCH_PAGES = 8
DEFAULT_FLAG_BELOW = 0.8  # of a tier whose threshold was not measured
DEFAULT_GUESSED = 0.1  # confidence of what the prior fills in, where it was not measured

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True)
class Calibration:
    """`temperatures`, by tier: what the encoder's logits are divided by before they become confidences; `thresholds`,
    by "tier/bytes a token": the confidence under which a character is flagged; `guessed`, likewise: the share of what
    the prior fills in that is right."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    guessed: Mapping[str, float] = field(default_factory=dict)

    def temperature(self, tier: str) -> float:
        return self.temperatures.get(tier, 1.0)

    def flag_below(self, tier: str, size: int) -> float:
        return self.thresholds.get(f"{tier}/{size}", DEFAULT_FLAG_BELOW)

    def guess(self, tier: str, size: int) -> float:
        return self.guessed.get(f"{tier}/{size}", DEFAULT_GUESSED)

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "Calibration":
        """What `calibrate` noted in the weights."""
        return cls(info.get("temperature", {}), info.get("flag_below", {}), info.get("guessed", {}))

    def note(self) -> dict[str, Mapping[str, float]]:
        """The inverse of `of`."""
        return {"temperature": self.temperatures, "flag_below": self.thresholds, "guessed": self.guessed}


class Unpacker:
    """Bytes of vision tokens → cells, by a prior."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], charset: Charset) -> None:
        """`arrays`: of the prior, and "doubts"."""
        self.alphabet = Alphabet(charset)
        self.packer = Packer(Prior(arrays), Doubts(arrays["doubts"]), charset, self.alphabet)

    def decode(
        self, data: npt.NDArray[np.uint8], tier: str
    ) -> tuple[Cells, npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The inverse of `NetworkRunner.encode`: cells uint32[B, rows, 160], confidence float32[B, rows, 160], and
        which of them the prior filled in. Raises `TokensError` for bytes that it does not write."""
        packed = self.packer.unpack(data, DENSE_PAGE.rows_per_token(tier))
        cells = self.alphabet.cells(packed.symbols, packed.rare)
        return cells, np.where(cells == UNREADABLE, np.float32(0), packed.sure), packed.guessed


class TokenDecoder:
    """Decodes the tokens of one set of weights. Safe to share between threads."""

    def __init__(
        self, unpacker: Unpacker, weights: str, calibration: Calibration, sizes: Mapping[str, tuple[int, ...]]
    ) -> None:
        """`weights`: their digest; `sizes`: bytes of the vision tokens that they write at each tier."""
        self.unpacker = unpacker
        self.weights = weights
        self.calibration = calibration
        self.sizes = sizes

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """One `Reading` for each; tiers may be mixed. Raises `TokensError` for tokens of another codec, of other
        weights, or of a shape that these weights do not write."""
        for item in tokens:
            self._check(item)
        result: dict[int, Reading] = {}
        for numbers in batches([(item.tier, item.shape) for item in tokens]):
            first = tokens[numbers[0]]
            data = [np.frombuffer(tokens[i].data, dtype=np.uint8).reshape(first.shape[0], -1) for i in numbers]
            cells, confidence, guessed = self.unpacker.decode(np.stack(data), first.tier)
            confidence[guessed] = self.calibration.guess(first.tier, first.shape[2])
            threshold = self.calibration.flag_below(first.tier, first.shape[2])
            for index, number in enumerate(numbers):
                result[number] = Reading(first.tier, cells[index], confidence[index], threshold)
        return [result[i] for i in range(len(tokens))]

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` where they are none of ours."""
        if tokens.codec != NAME:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{NAME}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, which this version does not have (its own "
                f"are {self.weights}); install the foxing version that wrote them"
            )
        if tokens.tier not in self.sizes:
            raise TokensError(f"the {NAME} codec has no tier '{tokens.tier}'")
        side = DENSE_PAGE.token_rows(tokens.tier)
        rows, columns, size = tokens.shape
        if tokens.dtype != DTYPE or rows > side or columns != side or size not in self.sizes[tokens.tier]:
            raise TokensError(f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are no page of '{tokens.tier}'")


def batches(keys: Sequence[_T]) -> Iterator[list[int]]:
    """Positions of equal keys together, at most `BATCH_PAGES` at a time."""
    groups: dict[_T, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    for positions in groups.values():
        for start in range(0, len(positions), BATCH_PAGES):
            yield positions[start : start + BATCH_PAGES]
