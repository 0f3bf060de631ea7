"""The native codec: drives the network behind the codec contract."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.encoder.contract import UNREADABLE, Reading, TierSpec
from foxing.encoder.device import named, pick_device
from foxing.encoder.errors import CodecError, TokensError
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import DENSE_PAGE, TOKEN_SIDE_PX, Cells

from .charset import Charset
from .doubts import Doubts, Ints
from .model import NativeModel, resample
from .packing import Packer
from .prior import COLUMNS, Prior
from .retired import retired_reader
from .symbols import Alphabet, Symbols, seen_symbols
from .threads import shared_out
from .weights import WEIGHTS_PATH, load_weights, weights_digest

NAME = "native"
DTYPE = "uint8"
BATCH_PAGES = 8
DEFAULT_FLAG_BELOW = 0.8  # of a tier whose threshold was not measured
DEFAULT_GUESSED = 0.1  # confidence of what the prior fills in, where it was not measured

_T = TypeVar("_T", bound=Hashable)
_Result = TypeVar("_Result")


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 elsewhere."""
    if device.type == "cpu" and not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return torch.float32
    return torch.bfloat16


def to_pixels(images: Sequence[Image]) -> Tensor:
    """Images of mode "L", all of one size, as uint8 [B, 1, H, W], paper 255."""
    return torch.from_numpy(np.stack([np.asarray(image, dtype=np.uint8) for image in images])).unsqueeze(1)


def to_ink(pixels: Tensor) -> Tensor:
    """uint8, paper 255 → float32, ink 1, paper 0."""
    return 1 - pixels.float() / 255


@dataclass(frozen=True)
class Seen:
    """What the encoder saw on pages, [B, rows, 160] each: `symbols` and positions of `rare` characters, the `cells`
    that they stand for, and how likely those are, `sure`."""

    symbols: Symbols
    rare: Symbols
    cells: Cells
    sure: npt.NDArray[np.float32]


class PageReader:
    """Runs a `NativeModel` over batches of pages of one size; knows no files. On a CPU, threads share out the pages."""

    def __init__(self, model: NativeModel, charset: Charset) -> None:
        self.model = model
        self.charset = charset
        self._alphabet = Alphabet(charset)
        arrays = model.prior.arrays()
        self._packer = Packer(Prior(arrays), Doubts(arrays["doubts"]), charset, self._alphabet)
        self._encoder = model.encoder
        if fast_dtype(self.device) != next(model.encoder.parameters()).dtype:
            self._encoder = deepcopy(model.encoder).to(fast_dtype(self.device)).requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def look(self, pixels: Tensor, tier: str, heat: float = 1.0) -> Seen:
        """`pixels`: uint8 [B, 1, H, W] of the tier's image, paper 255; logits are divided by `heat` before they become
        confidences."""
        parts = self._shared_out(lambda part: self._look(part, tier, heat), pixels)
        fields = ((part.symbols, part.rare, part.cells, part.sure) for part in parts)
        return Seen(*(np.concatenate(arrays) for arrays in zip(*fields, strict=True)))

    def encode(self, pixels: Tensor, tier: str, room: int, heat: float = 1.0) -> npt.NDArray[np.uint8]:
        """`pixels` and `heat` as in `look` → uint8[B, token rows, room], `room` bytes for each row of vision tokens."""

        token_rows = DENSE_PAGE.rows_per_token(tier)

        def events(part: Tensor) -> tuple[Ints, Ints]:
            seen = self._look(part, tier, heat)
            return self._packer.events(seen.symbols, seen.rare, seen.sure, token_rows, room)

        return self._packer.write(self._shared_out(events, pixels), len(pixels), token_rows, room)

    def _shared_out(self, work: Callable[[Tensor], _Result], pixels: Tensor) -> list[_Result]:
        """`work` of all pages together, or one by one where threads share them out."""
        return (
            shared_out(work, torch.split(pixels, 1))
            if self.device.type == "cpu" and len(pixels) > 1
            else [work(pixels)]
        )

    @torch.inference_mode()
    def _look(self, pixels: Tensor, tier: str, heat: float) -> Seen:
        token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
        rows = pixels.shape[-2] // TOKEN_SIDE_PX * token_rows
        sized = resample(to_ink(pixels.to(self.device)), self.model.dims.tiers[tier], rows)
        seen = self._encoder(sized.to(fast_dtype(self.device)), tier, token_rows, token_pairs)
        found = (part.reshape(len(pixels), -1, COLUMNS).cpu() for part in seen_symbols(seen, self.charset, heat))
        symbols, rare, sure = (part.numpy() for part in found)
        return Seen(symbols, rare, self._alphabet.cells(symbols, rare), sure)

    def decode(
        self, data: npt.NDArray[np.uint8], tier: str
    ) -> tuple[Cells, npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The inverse of `encode`: cells uint32[B, rows, 160], confidence float32[B, rows, 160], and which of them the
        prior filled in. Raises `TokensError` for bytes that `encode` does not write."""
        packed = self._packer.unpack(data, DENSE_PAGE.rows_per_token(tier))
        cells = self._alphabet.cells(packed.symbols, packed.rare)
        return cells, np.where(cells == UNREADABLE, np.float32(0), packed.sure), packed.guessed


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


class NativeCodec:
    """See `foxing.encoder.Codec`. Encodes and decodes in batches of `BATCH_PAGES`; safe to share between threads.

    A tier's tokens can have several sizes; `sizes` lists those that were measured, `sized` chooses. Tokens of every
    size are read, whatever was chosen.
    """

    name = NAME
    layout = DENSE_PAGE

    def __init__(
        self,
        reader: PageReader,
        weights: str,
        calibration: Calibration | None = None,
        token_bytes: Mapping[str, int] | None = None,
    ) -> None:
        """`weights`: digest of the weights file; `token_bytes`: size of a token of some tiers, otherwise the default.
        Raises `CodecError` for a tier or a size that the weights do not have."""
        self.reader = reader
        self.weights = weights
        self.repertoire: str | None = reader.charset.characters
        self.calibration = calibration or Calibration()
        dims = reader.model.dims
        for tier in token_bytes or {}:
            if tier not in dims.tiers:
                raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(dims.tiers)}")
        self.context_rows: int | None = 0
        #: Bytes of a vision token that can be written at each tier, the default first.
        self.sizes: Mapping[str, tuple[int, ...]] = MappingProxyType(
            {tier: tier_dims.sizes for tier, tier_dims in dims.tiers.items()}
        )
        for tier, size in (token_bytes or {}).items():
            if size not in self.sizes[tier]:
                offered = ", ".join(map(str, self.sizes[tier]))
                raise CodecError(f"a token of '{tier}' cannot have {size} bytes; these weights offer {offered}")
        chosen = {tier: (token_bytes or {}).get(tier, sizes[0]) for tier, sizes in self.sizes.items()}
        self.tiers: Mapping[str, TierSpec] = MappingProxyType(
            {
                tier: TierSpec(
                    name=tier,
                    side_px=self.layout.side_px(tier),
                    tokens=self.layout.vision_tokens(self.layout.rows, tier),
                    bytes_per_token=size,
                    dtype=DTYPE,
                    flag_below=self.calibration.flag_below(tier, size),
                )
                for tier, size in chosen.items()
            }
        )

    @classmethod
    def load(
        cls, path: Path = WEIGHTS_PATH, device: str = "auto", token_bytes: Mapping[str, int] | None = None
    ) -> "NativeCodec":
        """The codec with the weights of `path` on `device`. Raises `CodecError`."""
        chosen = pick_device(device)
        model, charset, info = load_weights(path)
        model.eval().requires_grad_(False).to(chosen)
        return cls(PageReader(model, charset), weights_digest(path), Calibration.of(info), token_bytes)

    def sized(self, token_bytes: Mapping[str, int]) -> "NativeCodec":
        """The same weights, in memory once, that write tokens of other sizes. Raises `CodecError`."""
        return NativeCodec(self.reader, self.weights, self.calibration, token_bytes)

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.SituatedCodec`."""
        return {"device": named(self.reader.device)}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        side = self.tiers[tier].side_px
        for image in images:
            if image.width != side or image.height % TOKEN_SIDE_PX or not 0 < image.height <= side:
                raise CodecError(
                    f"an image for '{tier}' is {side} px wide and a multiple of {TOKEN_SIDE_PX} px high, "
                    f"at most {side}, not {image.width}×{image.height}"
                )
        size, across = self.tiers[tier].bytes_per_token, self.layout.token_rows(tier)
        heat = self.calibration.temperature(tier)
        result: dict[int, VisionTokens] = {}
        for numbers in _batches([image.height for image in images]):
            pixels = to_pixels([images[i].convert("L") for i in numbers])
            for number, page in zip(numbers, self.reader.encode(pixels, tier, size * across, heat), strict=True):
                shape = (len(page), across, size)
                result[number] = VisionTokens(self.name, self.weights, tier, shape, DTYPE, page.tobytes())
        return [result[i] for i in range(len(images))]

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`. Tokens written by retired weights are read by those."""
        result: dict[int, Reading] = {}
        written: dict[str, list[int]] = defaultdict(list)
        for number, item in enumerate(tokens):
            written[item.weights].append(number)
        for weights, numbers in written.items():
            retired = None if weights == self.weights else retired_reader(weights, self.reader.device)
            part = [tokens[i] for i in numbers]
            readings = self._read(part) if retired is None else retired.decode(part)
            result.update(zip(numbers, readings, strict=True))
        return [result[i] for i in range(len(tokens))]

    def _read(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        for item in tokens:
            self._check(item)
        result: dict[int, Reading] = {}
        for numbers in _batches([(item.tier, item.shape) for item in tokens]):
            first = tokens[numbers[0]]
            data = [np.frombuffer(tokens[i].data, dtype=np.uint8).reshape(first.shape[0], -1) for i in numbers]
            cells, confidence, guessed = self.reader.decode(np.stack(data), first.tier)
            confidence[guessed] = self.calibration.guess(first.tier, first.shape[2])
            threshold = self.calibration.flag_below(first.tier, first.shape[2])
            for index, number in enumerate(numbers):
                result[number] = Reading(first.tier, cells[index], confidence[index], threshold)
        return [result[i] for i in range(len(tokens))]

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` where they are none of ours."""
        if tokens.codec != self.name:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{self.name}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, which this version does not have (its own "
                f"are {self.weights}); install the foxing version that wrote them"
            )
        if tokens.tier not in self.tiers:
            raise TokensError(f"the {self.name} codec has no tier '{tokens.tier}'")
        side = self.layout.token_rows(tokens.tier)
        rows, columns, size = tokens.shape
        if tokens.dtype != DTYPE or rows > side or columns != side or size not in self.sizes[tokens.tier]:
            raise TokensError(f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are no page of '{tokens.tier}'")


def _batches(keys: Sequence[_T]) -> Iterator[list[int]]:
    """Positions of equal keys together, at most `BATCH_PAGES` at a time."""
    groups: dict[_T, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    for positions in groups.values():
        for start in range(0, len(positions), BATCH_PAGES):
            yield positions[start : start + BATCH_PAGES]
