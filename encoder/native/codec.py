"""The native codec: drives the network behind the codec contract."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.errors import CodecError, TokensError
from foxing.encoder.tokens import VisionTokens, pack_uint4, unpack_uint4
from foxing.renderer import DENSE_PAGE, TOKEN_SIDE_PX, WIDE_TAIL, Cells

from .charset import HANGUL_FIRST, N_LEAD, N_TAIL, N_VOWEL, Charset
from .model import PAIRS, NativeModel, Quantizer, resample
from .weights import WEIGHTS_PATH, load_weights, weights_digest

NAME = "native"
BATCH_PAGES = 8
DEFAULT_FLAG_BELOW = 0.8  # of a tier whose threshold was not measured

_T = TypeVar("_T", bound=Hashable)


def pick_device(device: str) -> torch.device:
    """`auto` takes a GPU when there is one. Raises `CodecError` for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise CodecError(f"device '{device}' cannot be used: {error}; set FOXING_DEVICE=auto or cpu") from error
    return chosen


def fast_arithmetic(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the device computes in it, float32 elsewhere."""
    if device.type == "cpu" and not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def to_pixels(images: Sequence[Image]) -> Tensor:
    """Images of mode "L", all of one size, as float32 [B, 1, H, W], ink 1, paper 0."""
    array = np.stack([np.asarray(image, dtype=np.uint8) for image in images])
    return 1 - torch.from_numpy(array).unsqueeze(1).float() / 255


class PageReader:
    """Runs a `NativeModel` over batches of pages of one size; knows no bytes and no files."""

    def __init__(self, model: NativeModel, charset: Charset, temperatures: Mapping[str, float] | None = None) -> None:
        self.model = model
        self.charset = charset
        self.temperatures = dict(temperatures or {})
        self._common = torch.tensor([ord(c) for c in charset.common] + [0, 0])
        self._rare = torch.tensor([ord(c) for c in charset.rare])
        self._wide = torch.tensor([ord(c) for c in charset.wide] + [0])

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @torch.inference_mode()
    def encode(self, pixels: Tensor, tier: str) -> npt.NDArray[np.uint8]:
        """`pixels`: float32 [B, 1, H, W] of the tier's image, ink 1 → uint8[B, L, n] in 0…15."""
        token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
        rows = pixels.shape[-2] // TOKEN_SIDE_PX * token_rows
        with fast_arithmetic(self.device):
            sized = resample(pixels.to(self.device), self.model.dims.tiers[tier], rows)
            levels = self.model.quantizer.levels(self.model.encoder(sized, tier, token_rows, token_pairs), tier)
        return levels.round().to(torch.uint8).cpu().numpy()

    @torch.inference_mode()
    def decode(self, levels: npt.NDArray[np.uint8], tier: str) -> tuple[Cells, npt.NDArray[np.float32]]:
        """uint8[B, L, n] → cells uint32[B, rows, 160] and confidence float32[B, rows, 160]."""
        values = Quantizer.values(torch.from_numpy(levels).to(self.device).float())
        heat = self.temperatures.get(tier, 1.0)
        decoder, charset = self.model.decoder, self.charset

        def pick(logits: Tensor) -> tuple[Tensor, Tensor]:
            best = (logits.float() / heat).softmax(-1).max(-1)
            return best.values.cpu(), best.indices.cpu()

        with fast_arithmetic(self.device):
            logits = decoder(values, tier)
            sure, best = pick(logits.cells)
            points = self._common[best]
            wide = best[:, :, 0] == charset.wide_class
            for side in range(2):
                rare = (best[:, :, side] == charset.rare_class) & ~wide
                if rare.any():
                    p, index = pick(decoder.rare[side](logits.hidden[rare]))
                    points[:, :, side][rare] = self._rare[index]
                    sure[:, :, side][rare] *= p
            # on the right there is nothing to be full-width by itself
            alone = (best[:, :, 1] == charset.wide_class) & ~wide
            points[:, :, 1][alone] = 0x20
            sure[:, :, 1][alone] = 0.0
            if wide.any():
                hidden = logits.hidden[wide]
                p, index = pick(decoder.wide(hidden))
                chosen = self._wide[index]
                hangul = index == charset.hangul_class
                if hangul.any():
                    parts = decoder.jamo(hidden[hangul]).split((N_LEAD, N_VOWEL, N_TAIL), dim=-1)
                    (p_lead, lead), (p_vowel, vowel), (p_tail, tail) = (pick(part) for part in parts)
                    chosen[hangul] = HANGUL_FIRST + (lead * N_VOWEL + vowel) * N_TAIL + tail
                    p[hangul] *= p_lead * p_vowel * p_tail
                points[:, :, 0][wide] = chosen
                points[:, :, 1][wide] = WIDE_TAIL
                sure[wide] = (sure[:, :, 0][wide] * p).unsqueeze(-1).expand(-1, 2)
        shape = (levels.shape[0], levels.shape[1] // PAIRS, 2 * PAIRS)
        return points.numpy().astype(np.uint32).reshape(shape), sure.numpy().reshape(shape)


class NativeCodec:
    """See `foxing.encoder.Codec`. Encodes and decodes in batches of `BATCH_PAGES`; safe to share between threads."""

    name = NAME
    layout = DENSE_PAGE

    def __init__(self, reader: PageReader, weights: str, flag_below: Mapping[str, float] | None = None) -> None:
        """`weights`: digest of the weights file; `flag_below`: threshold of each tier."""
        self.reader = reader
        self.weights = weights
        self.repertoire: str | None = reader.charset.characters
        dims = reader.model.dims
        self.context_rows: int | None = -(-dims.context_pairs // PAIRS)
        self.tiers: Mapping[str, TierSpec] = MappingProxyType(
            {
                tier: TierSpec(
                    name=tier,
                    side_px=self.layout.side_px(tier),
                    tokens=self.layout.vision_tokens(self.layout.rows, tier),
                    bytes_per_token=-(-self._numbers(tier) // 2),
                    flag_below=(flag_below or {}).get(tier, DEFAULT_FLAG_BELOW),
                )
                for tier in dims.tiers
            }
        )

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH, device: str = "auto") -> "NativeCodec":
        """The codec with the weights of `path` on `device`. Raises `CodecError`."""
        chosen = pick_device(device)
        model, charset, info = load_weights(path)
        model.eval().requires_grad_(False).to(chosen)
        reader = PageReader(model, charset, info.get("temperature"))
        return cls(reader, weights_digest(path), info.get("flag_below"))

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
        result: dict[int, VisionTokens] = {}
        for numbers in _batches([image.height for image in images]):
            levels = self.reader.encode(to_pixels([images[i].convert("L") for i in numbers]), tier)
            for number, page in zip(numbers, levels, strict=True):
                result[number] = self._pack(page, tier)
        return [result[i] for i in range(len(images))]

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        for item in tokens:
            self._check(item)
        result: dict[int, Reading] = {}
        for numbers in _batches([(item.tier, item.shape) for item in tokens]):
            tier = tokens[numbers[0]].tier
            levels = np.stack([self._unpack(tokens[i]) for i in numbers])
            cells, confidence = self.reader.decode(levels, tier)
            for index, number in enumerate(numbers):
                result[number] = Reading(tier, cells[index], confidence[index], self.tiers[tier].flag_below)
        return [result[i] for i in range(len(tokens))]

    def _numbers(self, tier: str) -> int:
        """Numbers in a vision token."""
        pairs = self.layout.rows_per_token(tier) * self.layout.columns_per_token(tier) // 2
        return pairs * self.reader.model.dims.tiers[tier].n_numbers

    def _pack(self, levels: npt.NDArray[np.uint8], tier: str) -> VisionTokens:
        """uint8[L, n] → tokens: the numbers of a token's pairs, row by row within it."""
        down, across = self.layout.rows_per_token(tier), self.layout.columns_per_token(tier) // 2
        n = levels.shape[-1]
        rows, columns = levels.shape[0] // PAIRS // down, PAIRS // across
        tokens = levels.reshape(rows, down, columns, across, n).transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1)
        shape = (rows, columns, down * across * n)
        return VisionTokens(self.name, self.weights, tier, shape, "uint4", pack_uint4(tokens))

    def _unpack(self, tokens: VisionTokens) -> npt.NDArray[np.uint8]:
        """The inverse of `_pack`: uint8[L, n]."""
        down, across = self.layout.rows_per_token(tokens.tier), self.layout.columns_per_token(tokens.tier) // 2
        n = self.reader.model.dims.tiers[tokens.tier].n_numbers
        numbers = unpack_uint4(tokens.data, tokens.count, tokens.shape[2])
        grid = numbers.reshape(tokens.shape[0], tokens.shape[1], down, across, n).transpose(0, 2, 1, 3, 4)
        return grid.reshape(-1, n)

    def _check(self, tokens: VisionTokens) -> None:
        if tokens.codec != self.name:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{self.name}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, loaded are {self.weights}; "
                "install the foxing version that wrote them"
            )
        if tokens.tier not in self.tiers:
            raise TokensError(f"the {self.name} codec has no tier '{tokens.tier}'")
        columns = self.layout.token_rows(tokens.tier)
        fits = tokens.shape[0] <= columns and tokens.shape[1:] == (columns, self._numbers(tokens.tier))
        if tokens.dtype != "uint4" or not fits:
            raise TokensError(f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are no page of '{tokens.tier}'")


def _batches(keys: Sequence[_T]) -> Iterator[list[int]]:
    """Positions of equal keys together, at most `BATCH_PAGES` at a time."""
    groups: dict[_T, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    for positions in groups.values():
        for start in range(0, len(positions), BATCH_PAGES):
            yield positions[start : start + BATCH_PAGES]
