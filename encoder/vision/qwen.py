"""Qwen2.5-VL, Qwen3-VL and MinerU2.5: a vision transformer for images of any size, with a chat model as decoder.

The `config.json` of a checkpoint says which of them it is. A vision token covers a fixed area of the image, so a lower
tier is a smaller image; its side is the one that the model's own processor would choose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.renderer import TIER_SIDES_PX

from .chat_template import ChatTemplate
from .checkpoint import Checkpoint, load_network, load_tokenizer, parse_config, read_config, transformers
from .model import FREE_OCR, PageFeatures, VisionModel

HUB_ID = "Qwen/Qwen2.5-VL-3B-Instruct"
SYSTEM_MESSAGE = "You are a helpful assistant."
_IMAGE_MARKS = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
_TRANSCRIBE = "Read all the text in the image."
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class QwenVariant:
    """What differs between the models."""

    #: Name for users.
    title: str
    #: Class of the network in transformers.
    network_class: str
    #: Class of its configuration in transformers.
    config_class: str
    chat_template: ChatTemplate
    #: See `VisionModel`.
    prompts: Mapping[str, str]
    #: See `VisionModel`.
    image_mean: tuple[float, float, float] = _CLIP_MEAN
    #: See `VisionModel`.
    image_std: tuple[float, float, float] = _CLIP_STD
    #: See `VisionModel`. The default is published for MinerU2.5.
    no_repeat_ngram_size: int = 100
    #: See `VisionModel`. Published without one, which cuts pages that repeat themselves.
    no_repeat_window: int = 300


#: By the `model_type` of the published `config.json`.
VARIANTS: Mapping[str, QwenVariant] = MappingProxyType(
    {
        "qwen2_5_vl": QwenVariant(
            "Qwen2.5-VL",
            "Qwen2_5_VLForConditionalGeneration",
            "Qwen2_5_VLConfig",
            ChatTemplate(SYSTEM_MESSAGE, *_IMAGE_MARKS),
            MappingProxyType({FREE_OCR: _TRANSCRIBE, "html": "QwenVL HTML", "describe": "Describe this image."}),
        ),
        "qwen3_vl": QwenVariant(
            "Qwen3-VL",
            "Qwen3VLForConditionalGeneration",
            "Qwen3VLConfig",
            ChatTemplate(None, *_IMAGE_MARKS),
            MappingProxyType(
                {
                    FREE_OCR: _TRANSCRIBE,
                    "markdown": "qwenvl markdown",
                    "html": "qwenvl html",
                    "describe": "Describe this image.",
                }
            ),
            image_mean=(0.5, 0.5, 0.5),
            image_std=(0.5, 0.5, 0.5),
        ),
        "qwen2_vl": QwenVariant(
            "MinerU2.5",
            "Qwen2VLForConditionalGeneration",
            "Qwen2VLConfig",
            ChatTemplate(SYSTEM_MESSAGE, *_IMAGE_MARKS),
            MappingProxyType(
                {
                    FREE_OCR: "\nText Recognition:",
                    "layout": "\nLayout Detection:",
                    "table": "\nTable Recognition:",
                    "formula": "\nFormula Recognition:",
                    "figure": "\nImage Analysis:",
                }
            ),
        ),
    }
)


class QwenVl(VisionModel):
    """See `VisionModel`. Serves every tier, with about 4 (patches of 16 px) or 5.2 (14 px) times the tokens of a model
    that has 64 px per token.

    Qwen3-VL's decoder also takes features of intermediate encoder layers (DeepStack). They are stored with the token to
    which they are added: its channels are those of the encoder's output, then of each intermediate layer.
    """

    name = "qwen-vl"

    def __init__(self, network: Any, tokenizer: Any, variant: QwenVariant, eos_token_ids: frozenset[int]) -> None:
        super().__init__(network, tokenizer)
        self.variant = variant
        self.prompts, self.no_repeat_ngram_size = variant.prompts, variant.no_repeat_ngram_size
        self.no_repeat_window = variant.no_repeat_window
        self.image_mean, self.image_std = variant.image_mean, variant.image_std
        vision = network.config.vision_config
        self.patch_px, self.merge_size = int(vision.patch_size), int(vision.spatial_merge_size)
        self._frames = int(vision.temporal_patch_size)
        step = self.patch_px * self.merge_size
        self._tiers = MappingProxyType({tier: round(side / step) * step for tier, side in TIER_SIDES_PX.items()})
        self._eos_token_ids = eos_token_ids

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        fields = read_config(checkpoint)
        variant = VARIANTS.get(str(fields.get("model_type")))
        if variant is None:
            raise CodecError(
                f"{checkpoint.name} holds a model of type {fields.get('model_type')!r}; the codec qwen-vl supports "
                f"{', '.join(f'{known.title} ({name})' for name, known in VARIANTS.items())}; set the "
                f"option 'model' to one of them, such as {HUB_ID}"
            )
        package = transformers()
        config = parse_config(getattr(package, variant.config_class), fields, checkpoint)
        tokenizer = load_tokenizer(checkpoint)
        eos_token_ids = variant.chat_template.eos_token_ids(tokenizer, int(config.image_token_id), checkpoint)
        network = load_network(getattr(package, variant.network_class), checkpoint, config, device, dtype)
        return cls(network, tokenizer, variant, eos_token_ids)

    @property
    def tiers(self) -> Mapping[str, int]:
        return self._tiers

    @property
    def vectors_per_token(self) -> int:
        """The encoder's output and its intermediate layers."""
        return 1 + len(getattr(self.network.config.vision_config, "deepstack_visual_indexes", ()))

    def shape(self, tier: str) -> tuple[int, int, int]:
        side = self.tiers[tier] // (self.patch_px * self.merge_size)
        return side, side, int(self.network.config.text_config.hidden_size) * self.vectors_per_token

    def positions(self, tier: str) -> int:
        rows, columns, _ = self.shape(tier)
        return rows * columns

    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        output = self.network.get_image_features(
            pixel_values=self._patches(pixels), image_grid_thw=self._grids([tier] * len(pixels))
        )
        parts = [output.pooler_output, *(getattr(output, "deepstack_features", None) or ())]
        flat = torch.cat([torch.stack(list(part)) for part in parts], dim=-1)
        return flat.view(len(pixels), *self.shape(tier))

    def prompt_ids(self, prompt: str) -> tuple[list[int], list[int]]:
        before, after = self.variant.chat_template.render(prompt)
        return self.tokenize(before), self.tokenize(after)

    def inputs(self, pages: Sequence[PageFeatures], ids: Tensor) -> dict[str, Any]:
        size = self.shape(pages[0].tier)[2] // self.vectors_per_token
        flat = [page.features.flatten(0, 1).to(self.device, self.dtype) for page in pages]
        split = [torch.split(tokens, size, dim=-1) for tokens in flat]
        last, *intermediate = (list(part) for part in zip(*split, strict=True))
        if intermediate:
            output_class = transformers().models.qwen3_vl.modeling_qwen3_vl.BaseModelOutputWithDeepstackFeatures
            outputs = output_class(pooler_output=last, deepstack_features=intermediate)
        else:
            outputs = transformers().modeling_outputs.BaseModelOutputWithPooling(pooler_output=last)
        return {
            "mm_encoder_outputs": {"image": outputs},
            # from which the decoder computes each token's position on the page
            "image_grid_thw": self._grids([page.tier for page in pages]),
            "mm_token_type_ids": (ids == self.image_token_id).int(),
        }

    def _patches(self, pixels: Tensor) -> Tensor:
        """[patches, values], the patches of a token adjacent. The frames of the encoder's video input are all the same.
        `pixels`: float [B, 3, side, side]."""
        batch, channels, side, _ = pixels.shape
        cells = side // (self.patch_px * self.merge_size)
        cut = pixels.view(batch, channels, cells, self.merge_size, self.patch_px, cells, self.merge_size, self.patch_px)
        cut = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
        return cut.expand(*cut.shape[:6], self._frames, *cut.shape[7:]).flatten(5).flatten(0, 4)

    def _grids(self, tiers: Sequence[str]) -> Tensor:
        """Frames, rows and columns of patches: int [B, 3]."""
        sides = [self.tiers[tier] // self.patch_px for tier in tiers]
        return torch.tensor([[1, side, side] for side in sides], device=self.device)

    @property
    def eos_token_ids(self) -> frozenset[int]:
        return self._eos_token_ids
