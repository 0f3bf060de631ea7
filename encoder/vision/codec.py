"""Codec over a vision–language model: stores the model's own vision tokens and reads them with its decoder."""

from collections.abc import Mapping, Sequence
from threading import Lock
from time import monotonic
from types import MappingProxyType

import torch
from PIL import Image
from torch import Tensor

from foxing.encoder.alignment import ink_of, mask_untrusted, pack_ink, place_on_ink, unpack_ink, without_markup
from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.device import device_label
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import VisionTokens, bytes_of
from foxing.renderer import PageLayout
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.repertoire import Repertoire

from .batching import Batches
from .generation import Budget, Generation, generate
from .models.model import PageFeatures, VisionModel

#: Default flag threshold without a calibration; the best value depends on the weights.
FLAG_BELOW = 0.8
TIMEOUT_S = 600.0  # for decoding a batch
#: Dtypes in which vision tokens can be stored.
STORAGE_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
CELLS_PER_MARK = 8  # minimum cells per location mark, which a model may write before words


#: Vision tokens of a page → text tokens of which 97 % are read right, interpolated from table 2 of DeepSeek-OCR's
#: publication, arXiv 2510.18234.
_WELL_READ = {64: 600, 100: 800}


def legible_text_tokens(vision_tokens: int) -> int:
    """Returns the text tokens that a model reads well from the given number of vision tokens, by the ratio of the
    nearest measurement."""
    nearest = min(_WELL_READ, key=lambda measured: abs(measured - vision_tokens))
    return vision_tokens * _WELL_READ[nearest] // nearest


class VisionCodec:
    """See `foxing.encoder.Codec`. One batch at a time is encoded, and one decoded, over all threads, which bounds
    memory."""

    context_rows: int | None = None
    repertoire: Repertoire | None = None

    def __init__(
        self,
        model: VisionModel,
        weights: str,
        *,
        source: str = "",
        layout: PageLayout = PRINTED_PAGE,
        token_dtype: str = "bfloat16",
    ) -> None:
        """`weights`: digest of the model's weights; `source`: origin of the model, for people; `token_dtype`: one of
        `STORAGE_DTYPES`."""
        self.model = model
        self.name = model.name
        self.weights = weights
        self.source = source
        self.layout = layout
        self.token_dtype = token_dtype
        #: Maximum text tokens per page: one per cell and end of row, location marks, the end of the sequence.
        self.max_new_tokens = layout.cells + layout.cells // CELLS_PER_MARK + layout.rows + 1
        self._encoded = Batches(model.device)
        self._decoded = Batches(model.device, ReadFailed)
        self._encoding = Lock()
        self._decoding = Lock()
        self.tiers: Mapping[str, TierSpec] = {}
        self.flag({})

    def flag(self, below: Mapping[str, float]) -> None:
        """Sets the flag thresholds. `below`: tier → confidence; `FLAG_BELOW` at tiers that are not given."""
        specs = {tier: self._spec(tier, below.get(tier, FLAG_BELOW)) for tier in self.model.tiers}
        self.tiers = MappingProxyType(specs)

    def _spec(self, tier: str, flag_below: float) -> TierSpec:
        rows, columns, channels = self.model.shape(tier)
        return TierSpec(
            name=tier,
            side_px=self.layout.side_px(tier),
            tokens=rows * columns,
            bytes_per_token=bytes_of(self.token_dtype, channels),
            dtype=self.token_dtype,
            flag_below=flag_below,
            positions=self.model.positions(tier),
            text_tokens=legible_text_tokens(rows * columns),
        )

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        precision = str(self.model.dtype).removeprefix("torch.")
        facts = {"device": device_label(self.model.device), "model": self.source, "computes in": precision}
        return {name: value for name, value in facts.items() if value}

    def encode(self, images: Sequence[Image.Image], tier: str) -> list[VisionTokens]:
        """See `foxing.encoder.Codec`. A map of inked cells is stored with the tokens, because a model's text does not
        indicate its rows."""
        self._check_images(images, tier)
        with self._encoding:
            return self._encoded.run(lambda batch: self._encode(batch, tier), images)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`. Raises `ReadFailed` if memory does not suffice for a single page."""
        return [self._reading(item, text) for item, text in zip(tokens, self.generate(tokens), strict=True)]

    def generate(self, tokens: Sequence[VisionTokens]) -> list[Generation]:
        """Returns the model's raw answer for each page. Raises `TokensError` as `decode` does, `ReadFailed` if a single
        page does not fit into memory or a batch takes longer than `TIMEOUT_S`."""
        for item in tokens:
            self._check(item)
        pages = [PageFeatures(item.tier, from_tokens(item)) for item in tokens]
        with self._decoding:
            return self._decoded.run(
                lambda batch: generate(self.model, batch, Budget(self.max_new_tokens, monotonic() + TIMEOUT_S)), pages
            )

    @torch.inference_mode()
    def _encode(self, images: Sequence[Image.Image], tier: str) -> list[VisionTokens]:
        side = self.model.side_px(tier)
        shape = self.model.shape(tier)
        sized = images
        if side != self.tiers[tier].side_px:
            sized = [image.convert("L").resize((side, side), Image.Resampling.BICUBIC) for image in images]
        tokens = []
        for image, page in zip(images, self.model.image_features(self.model.pixels(sized), tier), strict=True):
            ink = pack_ink(ink_of(image.convert("L"), self.layout.rows, self.layout))
            tokens.append(
                VisionTokens(
                    self.name, self.weights, tier, shape, self.token_dtype, to_bytes(page, self.token_dtype), ink
                )
            )
        return tokens

    def _reading(self, tokens: VisionTokens, generation: Generation) -> Reading:
        """Places the model's text in the inked cells."""
        trusted = mask_untrusted(generation.text, generation.confidence, generation.looped)
        cells, sure = place_on_ink(*without_markup(*trusted), unpack_ink(tokens.ink, self.layout))
        return Reading(tokens.tier, cells, sure, self.tiers[tokens.tier].flag_below)

    def _check_images(self, images: Sequence[Image.Image], tier: str) -> None:
        """Raises `CodecError` for an unknown tier or an image of the wrong size."""
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        side = self.tiers[tier].side_px
        for image in images:
            if image.size != (side, side):
                raise CodecError(
                    f"the {self.name} codec needs images of {side}×{side} px for '{tier}', not {image.width}×"
                    f"{image.height}; for pages laid out for another codec, run foxing reencode"
                )

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` for tokens that this codec did not write."""
        if tokens.codec != self.name:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', not by '{self.name}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, not by {self.weights}; set the options "
                "'model' and 'revision' to the model that wrote them"
            )
        if tokens.tier not in self.tiers:
            raise TokensError(f"the {self.name} codec has no tier '{tokens.tier}'")
        if tokens.dtype not in STORAGE_DTYPES or tokens.shape != self.model.shape(tokens.tier):
            raise TokensError(
                f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are not a page of '{tokens.tier}'"
            )
        unpack_ink(tokens.ink, self.layout)


def to_bytes(features: Tensor, dtype: str) -> bytes:
    """Returns features in the storage dtype `dtype`, row-major."""
    return features.detach().cpu().to(STORAGE_DTYPES[dtype]).contiguous().view(torch.uint8).numpy().tobytes()


def from_tokens(tokens: VisionTokens) -> Tensor:
    """Returns the features of a page: float32 of the tokens' shape."""
    data = torch.frombuffer(bytearray(tokens.data), dtype=STORAGE_DTYPES[tokens.dtype])
    return data.view(tokens.shape).float()
