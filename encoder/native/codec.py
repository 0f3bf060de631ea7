"""The native codec: drives the network behind the codec contract."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.device import named, pick_device
from foxing.encoder.errors import CodecError
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import DENSE_PAGE, TOKEN_SIDE_PX, Cells

from .charset import Charset
from .confusables import Scripts
from .decoder import DTYPE, NAME, Calibration, TokenDecoder, Unpacker, batches
from .entropy.alphabet import Symbols, seen_symbols
from .entropy.confidence import Ints
from .entropy.prior import COLUMNS
from .model import NativeModel, patches
from .parallel import shared_out
from .weights import WEIGHTS_PATH, load_weights, weights_digest

_Result = TypeVar("_Result")


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 elsewhere."""
    if device.type == "cpu" and not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return torch.float32
    return torch.bfloat16


def to_pixels(images: Sequence[Image]) -> Tensor:
    """Images of mode "L", all of one size, as uint8 [B, 1, H, W], paper 255."""
    return torch.from_numpy(np.stack([np.asarray(image, dtype=np.uint8) for image in images])).unsqueeze(1)


@dataclass(frozen=True)
class Seen:
    """What the encoder saw on pages, [B, rows, 160] each: `symbols` and positions of `rare` characters, the `cells`
    that they stand for, and how likely those are, `sure`."""

    symbols: Symbols
    rare: Symbols
    cells: Cells
    sure: npt.NDArray[np.float32]


class NetworkRunner:
    """Runs a `NativeModel` over batches of pages of one size; knows no files. On a CPU, threads share out the pages."""

    def __init__(self, model: NativeModel, charset: Charset) -> None:
        self.model = model
        self.charset = charset
        self.unpacker = Unpacker(model.prior.arrays(), charset)
        self._scripts = Scripts(charset.common, charset.rare)
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
            return self.unpacker.packer.events(seen.symbols, seen.rare, seen.sure, token_rows, room)

        return self.unpacker.packer.write(self._shared_out(events, pixels), len(pixels), token_rows, room)

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
        shown = patches(pixels.to(self.device), self.model.dims.tiers[tier], rows, fast_dtype(self.device))
        seen = self._encoder.read(shown, tier, token_rows, token_pairs)
        found = (part.reshape(len(pixels), -1, COLUMNS).cpu() for part in seen_symbols(seen, self.charset, heat))
        symbols, rare, sure = (part.numpy() for part in found)
        alphabet = self.unpacker.alphabet
        cells = alphabet.cells(symbols, rare)
        settled = np.stack([self._scripts.settled(page) for page in cells])
        changed = settled != cells
        symbols[changed], rare[changed] = alphabet.narrow(settled[changed])
        return Seen(symbols, rare, settled, sure)


class NativeCodec:
    """See `foxing.encoder.Codec`. Encodes and decodes in batches of `BATCH_PAGES`; safe to share between threads.

    A tier's tokens can have several sizes; `sizes` lists those that were measured, `sized` chooses. Tokens of every
    size are read, whatever was chosen.
    """

    name = NAME
    layout = DENSE_PAGE

    def __init__(
        self,
        reader: NetworkRunner,
        weights: str,
        calibration: Calibration | None = None,
        token_bytes: Mapping[str, int] | None = None,
    ) -> None:
        """`weights`: digest of the weights file; `token_bytes`: size of a token of some tiers, otherwise the default.
        Raises `CodecError` for a tier or a size that the weights do not have."""
        self.reader = reader
        self.weights = weights
        calibration = calibration or Calibration()
        self.repertoire: str | None = reader.charset.characters
        self.calibration = calibration
        dims = reader.model.dims
        for tier in token_bytes or {}:
            if tier not in dims.tiers:
                raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(dims.tiers)}").naming(
                    "codecs.native.token_bytes"
                )
        self.context_rows: int | None = 0
        #: Bytes of a vision token that can be written at each tier, the default first.
        self.sizes: Mapping[str, tuple[int, ...]] = MappingProxyType(
            {tier: tier_dims.sizes for tier, tier_dims in dims.tiers.items()}
        )
        for tier, size in (token_bytes or {}).items():
            if size not in self.sizes[tier]:
                offered = ", ".join(map(str, self.sizes[tier]))
                raise CodecError(f"a token of '{tier}' cannot have {size} bytes; these weights offer {offered}").naming(
                    "codecs.native.token_bytes"
                )
        self._packed = TokenDecoder(reader.unpacker, weights, calibration, self.sizes)
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
        return cls(NetworkRunner(model, charset), weights_digest(path), Calibration.of(info), token_bytes)

    def sized(self, token_bytes: Mapping[str, int]) -> "NativeCodec":
        """The same weights, in memory once, that write tokens of other sizes. Raises `CodecError`."""
        return NativeCodec(self.reader, self.weights, self.calibration, token_bytes)

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
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
        for numbers in batches([image.height for image in images]):
            pixels = to_pixels([images[i].convert("L") for i in numbers])
            for number, page in zip(numbers, self.reader.encode(pixels, tier, size * across, heat), strict=True):
                shape = (len(page), across, size)
                result[number] = VisionTokens(self.name, self.weights, tier, shape, DTYPE, page.tobytes())
        return [result[i] for i in range(len(images))]

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return self._packed.decode(tokens)
