"""Models whose vision transformer accepts images of any size as a grid of patches, such as Qwen-VL.

A vision token covers a fixed area of the image, so a lower tier is a smaller image, with the side that the model's
processor chooses. The decoder uses row and column of each token as its position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.renderer import all_tiers

from .chat_template import ChatTemplate
from .checkpoint import Checkpoint, load_network, load_tokenizer, parse_config, read_config, transformers
from .model import PageFeatures, RepeatRule, VisionModel
from .preprocessing import Preprocessing, read_preprocessing

#: Minimum image side in px; below it the letters of a printed page are too small for these models: 4 × 8 px at 320.
MIN_SIDE_PX = 512


@dataclass(frozen=True)
class GridVariant:
    """Variant of `GridModel`: the properties in which models differ."""

    #: Name for users.
    title: str
    #: Class of the network in transformers.
    network_class: str
    #: Class of its configuration in transformers.
    config_class: str
    chat_template: ChatTemplate
    #: See `VisionModel`.
    prompt: str
    #: Published preprocessing; the file in the checkpoint overrides it.
    preprocessing: Preprocessing
    #: See `VisionModel`. The default is the published value for MinerU2.5, plus a window: without one, repetitive pages
    #: would be cut.
    repeats: RepeatRule = field(default_factory=lambda: RepeatRule(100, 300))


class GridModel(VisionModel):
    """See `VisionModel`. Supports every tier except `micro`.

    Some decoders also take features of intermediate encoder layers (DeepStack in Qwen3-VL). These are stored with the
    token to which they are added: its channels are those of the encoder's output, then of each intermediate layer.
    """

    #: Variants by the `model_type` of the published `config.json`.
    variants: ClassVar[Mapping[str, GridVariant]]

    def __init__(
        self, network: Any, tokenizer: Any, variant: GridVariant, images: Preprocessing, eos_token_ids: frozenset[int]
    ) -> None:
        super().__init__(network, tokenizer)
        self.variant = variant
        self.prompt = variant.prompt
        self.repeats = variant.repeats
        self.image_mean = images.mean
        self.image_std = images.std
        vision = network.config.vision_config
        self.patch_px = int(vision.patch_size)
        self.merge_size = int(vision.spatial_merge_size)
        self._frames = int(getattr(vision, "temporal_patch_size", 1))
        self._tiers = MappingProxyType(tier_sides(images, self.patch_px * self.merge_size))
        self._eos_token_ids = eos_token_ids

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """See `VisionModel`."""
        fields = read_config(checkpoint)
        variant = cls.variant_of(fields, checkpoint)
        package = transformers()
        config = parse_config(getattr(package, variant.config_class), fields, checkpoint)
        tokenizer = load_tokenizer(checkpoint)
        eos_token_ids = variant.chat_template.eos_token_ids(tokenizer, int(config.image_token_id), checkpoint)
        images = read_preprocessing(checkpoint, variant.preprocessing)
        network = load_network(getattr(package, variant.network_class), checkpoint, config, device, dtype)
        return cls(network, tokenizer, variant, images, eos_token_ids)

    @classmethod
    def variant_of(cls, fields: Mapping[str, Any], checkpoint: Checkpoint) -> GridVariant:
        """Returns the variant that `fields` of `config.json` describe. Raises `CodecError` if it is not supported."""
        variant = cls.variants.get(str(fields.get("model_type")))
        if variant is None:
            raise CodecError(
                f"{checkpoint.name} holds a model of type {fields.get('model_type')!r}; the codec {cls.name} supports "
                f"{', '.join(f'{other.title} ({name})' for name, other in cls.variants.items())}; set the "
                f"option 'model' to one of them, such as {cls.hub_id}"
            )
        return variant

    @property
    def tiers(self) -> Mapping[str, int]:
        """See `VisionModel`."""
        return self._tiers

    @property
    def vectors_per_token(self) -> int:
        """Number of feature vectors per token: the encoder's output and its intermediate layers."""
        return 1 + len(getattr(self.network.config.vision_config, "deepstack_visual_indexes", ()))

    def shape(self, tier: str) -> tuple[int, int, int]:
        """See `VisionModel`."""
        side = self.tiers[tier] // (self.patch_px * self.merge_size)
        return side, side, int(self.network.config.text_config.hidden_size) * self.vectors_per_token

    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        """See `VisionModel`."""
        output = self.network.get_image_features(
            pixel_values=self.patches(pixels), image_grid_thw=self._grids([tier] * len(pixels))
        )
        parts = [output.pooler_output, *(getattr(output, "deepstack_features", None) or ())]
        flat = torch.cat([torch.stack(list(part)) for part in parts], dim=-1)
        return flat.view(len(pixels), *self.shape(tier))

    def prompt_ids(self) -> tuple[list[int], list[int]]:
        """See `VisionModel`."""
        before, after = self.variant.chat_template.render(self.prompt)
        return self.tokenize(before), self.tokenize(after)

    def inputs(self, pages: Sequence[PageFeatures], ids: Tensor) -> dict[str, Any]:
        """See `VisionModel`."""
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
            # the decoder computes the position of each token from the grid
            "image_grid_thw": self._grids([page.tier for page in pages]),
            "mm_token_type_ids": (ids == self.image_token_id).int(),
        }

    def patches(self, pixels: Tensor) -> Tensor:
        """Returns the encoder's input, [patches, values], with the patches of a token adjacent and equal frames of the
        video input. `pixels`: float [B, 3, side, side]."""
        batch, channels, side, _ = pixels.shape
        cells = side // (self.patch_px * self.merge_size)
        cut = pixels.view(batch, channels, cells, self.merge_size, self.patch_px, cells, self.merge_size, self.patch_px)
        cut = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
        return cut.expand(*cut.shape[:6], self._frames, *cut.shape[7:]).flatten(5).flatten(0, 4)

    def _grids(self, tiers: Sequence[str]) -> Tensor:
        """Returns the frames, rows and columns of patches: int64 [B, 3]."""
        sides = [self.tiers[tier] // self.patch_px for tier in tiers]
        return torch.tensor([[1, side, side] for side in sides], device=self.device)

    @property
    def eos_token_ids(self) -> frozenset[int]:
        """See `VisionModel`."""
        return self._eos_token_ids


def tier_sides(images: Preprocessing, step_px: int) -> dict[str, int]:
    """Returns tier → side of the image in px. If the processor's limits give two tiers the same side, only the lower
    tier is kept."""
    legible = [tier for tier in all_tiers().values() if tier.side_px >= MIN_SIDE_PX]
    sides = {tier.name: images.side_px(tier.side_px, step_px) for tier in legible}
    later = [*list(sides.values())[1:], 0]
    return {tier: side for (tier, side), lower in zip(sides.items(), later, strict=True) if side > lower}
