"""Qwen2.5-VL, Qwen3-VL and MinerU2.5: transformers over patches of an image of any size, read by a chat model.

Which of them a folder holds stands in its `config.json`. A vision token covers as many px of the image whatever its
size, so a lower tier is a smaller image: its side is the one that the model's own processor would choose for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.renderer import TIER_SIDES_PX

from .chat_template import Chat
from .loading import Place, load_network, load_tokenizer, published_config, read_config, transformers
from .model import READ, Given, VisionModel

HUB_ID = "Qwen/Qwen2.5-VL-3B-Instruct"
ASSISTANT = "You are a helpful assistant."
_MARKS = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
_PLAIN = "Read all the text in the image."
_CLIP_MEAN, _CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Family:
    """What differs between the models. `network`: its class in transformers, and the one of its configuration; `ngram`,
    `mean`, `deviation` and `prompts` as in `VisionModel`."""

    title: str
    network: str
    config: str
    chat: Chat
    prompts: Mapping[str, str]
    mean: tuple[float, float, float] = _CLIP_MEAN
    deviation: tuple[float, float, float] = _CLIP_DEVIATION
    ngram: int = 100  # published for MinerU2.5


#: Families by the `model_type` of the published `config.json`.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "qwen2_5_vl": Family(
            "Qwen2.5-VL",
            "Qwen2_5_VLForConditionalGeneration",
            "Qwen2_5_VLConfig",
            Chat(ASSISTANT, *_MARKS),
            MappingProxyType({READ: _PLAIN, "html": "QwenVL HTML", "describe": "Describe this image."}),
        ),
        "qwen3_vl": Family(
            "Qwen3-VL",
            "Qwen3VLForConditionalGeneration",
            "Qwen3VLConfig",
            Chat(None, *_MARKS),
            MappingProxyType(
                {READ: _PLAIN, "markdown": "qwenvl markdown", "html": "qwenvl html", "describe": "Describe this image."}
            ),
            mean=(0.5, 0.5, 0.5),
            deviation=(0.5, 0.5, 0.5),
        ),
        "qwen2_vl": Family(
            "MinerU2.5",
            "Qwen2VLForConditionalGeneration",
            "Qwen2VLConfig",
            Chat(ASSISTANT, *_MARKS),
            MappingProxyType(
                {
                    READ: "\nText Recognition:",
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
    """See `VisionModel`. Every tier, each about 4 (patches of 16 px) or 5.2 (of 14 px) times the tokens of a model with
    64 px a token.

    The layers of Qwen3-VL's decoder take features from within its encoder as well as its output; they are stored with
    the token that they are added to, one after another: its numbers are those of the output, then of each of them.
    """

    name = "qwen-vl"

    def __init__(self, network: Any, tokenizer: Any, family: Family, ends: frozenset[int]) -> None:
        super().__init__(network, tokenizer)
        self.family = family
        self.prompts, self.ngram = family.prompts, family.ngram
        self.mean, self.deviation = family.mean, family.deviation
        vision = network.config.vision_config
        self.patch_px, self.merge = int(vision.patch_size), int(vision.spatial_merge_size)
        self._frames = int(vision.temporal_patch_size)
        step = self.patch_px * self.merge
        self._tiers = MappingProxyType({tier: round(side / step) * step for tier, side in TIER_SIDES_PX.items()})
        self._ends = ends

    @classmethod
    def load(cls, place: Place, device: torch.device, dtype: torch.dtype) -> Self:
        """The model of a folder. Strict: every parameter, no other. Raises `CodecError`."""
        fields = read_config(place)
        family = FAMILIES.get(str(fields.get("model_type")))
        if family is None:
            raise CodecError(
                f"{place.name} holds a model of type {fields.get('model_type')!r}; the codec qwen-vl reads with "
                f"{', '.join(f'{known.title} ({kind})' for kind, known in FAMILIES.items())}; set the "
                f"option 'model' to one of them, such as {HUB_ID}"
            )
        package = transformers()
        config = published_config(getattr(package, family.config), fields, place)
        tokenizer = load_tokenizer(place)
        ends = family.chat.check(tokenizer, int(config.image_token_id), place)
        return cls(
            load_network(getattr(package, family.network), place, config, device, dtype), tokenizer, family, ends
        )

    @property
    def tiers(self) -> Mapping[str, int]:
        return self._tiers

    @property
    def parts(self) -> int:
        """Vectors that a token is made of: the output of the encoder, and features from within."""
        return 1 + len(getattr(self.network.config.vision_config, "deepstack_visual_indexes", ()))

    def shape(self, tier: str) -> tuple[int, int, int]:
        side = self.tiers[tier] // (self.patch_px * self.merge)
        return side, side, int(self.network.config.text_config.hidden_size) * self.parts

    def positions(self, tier: str) -> int:
        rows, columns, _ = self.shape(tier)
        return rows * columns

    def look(self, pixels: Tensor, tier: str) -> Tensor:
        seen = self.network.get_image_features(
            pixel_values=self._patches(pixels), image_grid_thw=self._grids([tier] * len(pixels))
        )
        parts = [seen.pooler_output, *(getattr(seen, "deepstack_features", None) or ())]
        flat = torch.cat([torch.stack(list(part)) for part in parts], dim=-1)
        return flat.view(len(pixels), *self.shape(tier))

    def question(self, prompt: str) -> tuple[list[int], list[int]]:
        before, after = self.family.chat.around(prompt)
        return self.ids(before), self.ids(after)

    def inputs(self, pages: Sequence[Given], ids: Tensor) -> dict[str, Any]:
        size = self.shape(pages[0].tier)[2] // self.parts
        flat = [page.features.flatten(0, 1).to(self.device, self.dtype) for page in pages]
        split = [torch.split(tokens, size, dim=-1) for tokens in flat]
        first, *within = (list(part) for part in zip(*split, strict=True))
        if within:
            kind = transformers().models.qwen3_vl.modeling_qwen3_vl.BaseModelOutputWithDeepstackFeatures
            outputs = kind(pooler_output=first, deepstack_features=within)
        else:
            outputs = transformers().modeling_outputs.BaseModelOutputWithPooling(pooler_output=first)
        return {
            "mm_encoder_outputs": {"image": outputs},
            # where each token stands on its page, of which the decoder's positions are made
            "image_grid_thw": self._grids([page.tier for page in pages]),
            "mm_token_type_ids": (ids == self.image_id).int(),
        }

    def _patches(self, pixels: Tensor) -> Tensor:
        """float [B, 3, side, side] → [patches, numbers], patches of a token next to each other. A still image is a film
        that does not move."""
        batch, channels, side, _ = pixels.shape
        cells = side // (self.patch_px * self.merge)
        cut = pixels.view(batch, channels, cells, self.merge, self.patch_px, cells, self.merge, self.patch_px)
        cut = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
        return cut.expand(*cut.shape[:6], self._frames, *cut.shape[7:]).flatten(5).flatten(0, 4)

    def _grids(self, tiers: Sequence[str]) -> Tensor:
        """int [B, 3]: frames, rows and columns of patches."""
        sides = [self.tiers[tier] // self.patch_px for tier in tiers]
        return torch.tensor([[1, side, side] for side in sides], device=self.device)

    @property
    def image_id(self) -> int:
        return int(self.network.config.image_token_id)

    @property
    def end_ids(self) -> frozenset[int]:
        return self._ends

    @property
    def context(self) -> int:
        return int(self.network.config.text_config.max_position_embeddings)
