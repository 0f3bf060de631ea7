"""DeepSeek-OCR: SAM → 16× convolutional compression → CLIP, with a mixture-of-experts decoder.

In transformers, its encoder and decoder are called `UnlimitedOcr`, after a later model. A page takes one context
position per vision token, one per row of tokens (a newline embedding) and one for the end of the image (a separator
embedding). Both embeddings are model parameters, so only the vision tokens are stored.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError

from .checkpoint import (
    Checkpoint,
    load_network,
    load_tokenizer,
    read_config,
    token_id,
    transformers,
)
from .model import PageFeatures, RepeatRule, VisionModel

PUBLISHED_TYPE = "deepseek_vl_v2"
CONTEXT_LENGTH = 8192  # positions with which the decoder was trained
SAM_OUTPUT_CHANNELS = 256  # output channels of the neck; not in the published configuration

#: Fields of the published `language_config` that describe the decoder.
_TEXT_FIELDS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "moe_intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "n_routed_experts",
    "n_shared_experts",
    "num_experts_per_tok",
    "first_k_dense_replace",
    "n_group",
    "topk_group",
    "topk_method",
    "bos_token_id",
    "eos_token_id",
)


class DeepSeekOcr(VisionModel):
    """See `VisionModel`. The tiers are the four square modes of the model."""

    name = "deepseek-ocr"
    hub_id = "deepseek-ai/DeepSeek-OCR"
    repeats = RepeatRule(30, 90)
    repeated_tokens = ("<td>", "</td>")
    image_mean = image_std = (0.5, 0.5, 0.5)
    prompt = "\nFree OCR."
    tiers = MappingProxyType({"large": 1280, "base": 1024, "small": 640, "tiny": 512})

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """See `VisionModel`."""
        config = cls.config(read_config(checkpoint), checkpoint)
        network = load_network(cls.network_class(), checkpoint, config, device, dtype)
        return cls(network, load_tokenizer(checkpoint))

    @classmethod
    def network_class(cls) -> Any:
        """Returns the class of the network in transformers."""
        return transformers().UnlimitedOcrForConditionalGeneration

    @classmethod
    def config(cls, fields: Mapping[str, Any], checkpoint: Checkpoint) -> Any:
        """Returns a transformers configuration from the fields of the published `config.json`. Raises `CodecError`."""
        architectures = fields.get("architectures") or [""]
        if fields.get("model_type") != PUBLISHED_TYPE or "OCR2" in architectures[0]:
            raise CodecError(
                f"{checkpoint.name} holds a model of type {fields.get('model_type')!r} "
                f"({architectures[0] or 'unnamed'}), not DeepSeek-OCR; set the option 'model' to {cls.hub_id} or to "
                "a folder that holds it"
            )
        try:
            return transformers().UnlimitedOcrConfig(
                text_config=_text_config(fields["language_config"]),
                vision_config=_vision_config(fields["vision_config"]["width"]),
                image_token_id=token_id(load_tokenizer(checkpoint), "<image>", checkpoint),
            )
        except (KeyError, TypeError, IndexError) as error:
            raise CodecError(f"the config.json of {checkpoint.name} is not that of DeepSeek-OCR ({error!r})") from error

    def positions(self, tier: str) -> int:
        """See `VisionModel`: the tokens, a newline per row, and the separator."""
        rows, columns, _ = self.shape(tier)
        return rows * (columns + 1) + 1

    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        """See `VisionModel`."""
        rows, columns, channels = self.shape(tier)
        flat = torch.stack(self.network.get_image_features(pixel_values=pixels).pooler_output)
        return flat[:, :-1].view(len(pixels), rows, columns + 1, channels)[:, :, :-1]

    def image_embeddings(self, features: Tensor) -> Tensor:
        """Returns the decoder's input for a page, newlines and separator included: [positions, channels], in the
        model's dtype. `features`: float [rows, columns, channels]."""
        network = self.network.model
        tokens = features.to(self.device, self.dtype)
        newlines = network.image_newline.expand(tokens.shape[0], 1, -1)
        return torch.cat([torch.cat([tokens, newlines], dim=1).flatten(0, 1), network.view_separator[None]])

    def prompt_ids(self) -> tuple[list[int], list[int]]:
        """See `VisionModel`."""
        return [int(self.network.config.text_config.bos_token_id)], self.tokenize(self.prompt)

    def inputs(self, pages: Sequence[PageFeatures], ids: Tensor) -> dict[str, Any]:
        """See `VisionModel`."""
        output_class = transformers().modeling_outputs.BaseModelOutputWithPooling
        embeddings = [self.image_embeddings(page.features) for page in pages]
        return {"mm_encoder_outputs": {"image": output_class(pooler_output=embeddings)}}

    @property
    def eos_token_ids(self) -> frozenset[int]:
        """See `VisionModel`."""
        return frozenset({int(self.network.config.text_config.eos_token_id)})


def _text_config(language: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the decoder's configuration in transformers, with full attention, which is not its default. `language`:
    the published fields."""
    return {
        **{name: language[name] for name in _TEXT_FIELDS if name in language},
        "max_position_embeddings": language.get("max_position_embeddings", CONTEXT_LENGTH),
        "layer_types": ["full_attention"] * int(language["num_hidden_layers"]),
    }


def _vision_config(width: Mapping[str, Any]) -> dict[str, Any]:
    sam = width["sam_vit_b"]
    clip = width["clip-l-14-224"]
    return {
        "sam_config": {
            "hidden_size": sam["width"],
            "num_hidden_layers": sam["layers"],
            "num_attention_heads": sam["heads"],
            "mlp_dim": 4 * sam["width"],
            "output_channels": SAM_OUTPUT_CHANNELS,
            "global_attn_indexes": sam["global_attn_indexes"],
            "downsample_channels": sam["downsample_channels"],
        },
        "encoder_config": {
            "hidden_size": clip["width"],
            "intermediate_size": 4 * clip["width"],
            "num_hidden_layers": clip["layers"],
            "num_attention_heads": clip["heads"],
            "image_size": clip["image_size"],
            "patch_size": clip["patch_size"],
        },
    }
