"""A codec over a vision–language model: it stores the model's own vision tokens, and reads them with its decoder."""

from collections.abc import Mapping, Sequence
from threading import Lock
from types import MappingProxyType

import torch
from PIL import Image
from torch import Tensor

from foxing.encoder.alignment import believed, place_lines, without_markup
from foxing.encoder.capabilities import StorageEffect
from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.device import named
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import VisionTokens, bytes_of
from foxing.renderer import PRINTED_PAGE, PageLayout

from .batching import batches, halving
from .generation import Written, write
from .model import READ, Given, VisionModel
from .plugins import DEFAULT_BATCH_TOKENS
from .quantization import STORED, from_tokens, to_bytes
from .storage_effects import storage_effects

#: Confidence under which a character is flagged. Not measured: it depends on the weights.
FLAG_BELOW = 0.8
CELLS_A_MARK = 8  # at least; a model may say before its words where on the page they stand


class VisionCodec:
    """See `foxing.encoder.Codec`. One batch runs at a time, whoever asks for it, so that memory stays bounded; others
    wait."""

    context_rows: int | None = None
    repertoire: str | None = None

    def __init__(
        self,
        model: VisionModel,
        weights: str,
        *,
        source: str = "",
        layout: PageLayout = PRINTED_PAGE,
        token_dtype: str = "bfloat16",
        batch_tokens: int = DEFAULT_BATCH_TOKENS,
    ) -> None:
        """`weights`: digest of the model's; `source`: where it came from; `token_dtype`: what tokens are stored in;
        `batch_tokens`: positions that a batch may fill. Raises `CodecError` for a dtype that it does not know."""
        if token_dtype not in STORED:
            raise CodecError(f"vision tokens are stored in one of {', '.join(STORED)}, not '{token_dtype}'")
        self.model = model
        self.name = model.name
        self.weights = weights
        self.source = source
        self.layout = layout
        self.token_dtype = token_dtype
        self.batch_tokens = batch_tokens
        #: Most tokens that the text of a page takes: one for each cell and each end of a row, room for marks, the end.
        self.bound = layout.cells + layout.cells // CELLS_A_MARK + layout.rows + 1
        self._lock = Lock()
        self.tiers: Mapping[str, TierSpec] = MappingProxyType({tier: self._spec(tier) for tier in model.tiers})

    def _spec(self, tier: str) -> TierSpec:
        rows, columns, numbers = self.model.shape(tier)
        return TierSpec(
            name=tier,
            side_px=self.layout.side_px(tier),
            tokens=rows * columns,
            bytes_per_token=bytes_of(self.token_dtype, numbers),
            dtype=self.token_dtype,
            flag_below=FLAG_BELOW,
            positions=self.model.positions(tier),
        )

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        precision = str(self.model.dtype).removeprefix("torch.")
        said = {"device": named(self.model.device), "model": self.source, "computes in": precision}
        return {name: words for name, words in said.items() if words}

    def encode(self, images: Sequence[Image.Image], tier: str) -> list[VisionTokens]:
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        side = self.tiers[tier].side_px
        for image in images:
            if image.size != (side, side):
                raise CodecError(
                    f"an image for '{tier}' of the {self.name} codec is {side} px a side, not {image.width}×"
                    f"{image.height}; pages laid out for another reader are moved by foxing reencode"
                )
        patches = (self.model.side_px(tier) // self.model.patch_px) ** 2
        result: dict[int, VisionTokens] = {}
        for batch in batches([patches] * len(images), self.batch_tokens):
            features = self._look([images[i] for i in batch], tier)
            for number, page in zip(batch, features, strict=True):
                data = to_bytes(page, self.token_dtype)
                shape = self.model.shape(tier)
                result[number] = VisionTokens(self.name, self.weights, tier, shape, self.token_dtype, data)
        return [result[i] for i in range(len(images))]

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return [self._reading(item.tier, text) for item, text in zip(tokens, self.write(tokens), strict=True)]

    def write(self, tokens: Sequence[VisionTokens], prompt: str = READ, subject: str = "") -> list[Written]:
        """What the model writes for each page when asked by the prompt of that name, as it comes. Raises `TokensError`
        as `decode` does, `CodecError` for a prompt that the model does not have, `ReadFailed` where memory does not
        suffice for a single page."""
        for item in tokens:
            self._check(item)
        text = self.model.prompt(prompt, subject)
        costs = [self.model.positions(item.tier) + self.bound for item in tokens]
        result: dict[int, Written] = {}
        for batch in batches(costs, self.batch_tokens):
            pages = [Given(tokens[i].tier, from_tokens(tokens[i])) for i in batch]
            with self._lock:
                texts = halving(lambda part: write(self.model, part, text, self.bound), pages, ReadFailed)
            result.update(zip(batch, texts, strict=True))
        return [result[i] for i in range(len(tokens))]

    def storage_effects(self, images: Sequence[Image.Image], texts: Sequence[str], tier: str) -> list[StorageEffect]:
        """See `foxing.encoder.QuantizableCodec`."""
        with self._lock:
            return storage_effects(self.model, images, texts, tier)

    @torch.inference_mode()
    def _look(self, images: Sequence[Image.Image], tier: str) -> list[Tensor]:
        """The vision tokens of images of a tier, in the model's own dtype."""
        side = self.model.side_px(tier)
        if side != self.tiers[tier].side_px:
            images = [image.convert("L").resize((side, side), Image.Resampling.BICUBIC) for image in images]
        with self._lock:
            return halving(lambda part: list(self.model.look(self.model.pixels(part), tier)), images)

    def _reading(self, tier: str, written: Written) -> Reading:
        text, sure = believed(written.text, written.confidence, written.looped)
        cells, confidence = place_lines(*without_markup(text, sure), written.ended, self.layout)
        return Reading(tier, cells, confidence, self.tiers[tier].flag_below)

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` where they are none of ours."""
        if tokens.codec != self.name:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{self.name}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens were written by the weights {tokens.weights}, and these are {self.weights}; set "
                "the options 'model' and 'revision' to the model that wrote them"
            )
        if tokens.tier not in self.tiers:
            raise TokensError(f"the {self.name} codec has no tier '{tokens.tier}'")
        if tokens.dtype not in STORED or tokens.shape != self.model.shape(tokens.tier):
            raise TokensError(f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are no page of '{tokens.tier}'")
