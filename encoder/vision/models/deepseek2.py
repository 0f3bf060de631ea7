"""DeepSeek-OCR-2: SAM → 16× convolutional compression → a causal encoder whose learned queries are the vision tokens,
with the mixture-of-experts decoder of DeepSeek-OCR.

The model has queries for two image sizes, hence two tiers; the order of the tokens is not that of the rows of a page. A
page takes one context position more than its tokens, for a separator, which is a model parameter and is not stored.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError

from .checkpoint import Checkpoint, load_tokenizer, token_id, transformers
from .deepseek import PUBLISHED_TYPE, SAM_OUTPUT_CHANNELS, DeepSeekOcr, text_config

PUBLISHED_ARCHITECTURE = "DeepseekOCR2ForCausalLM"
#: Configuration of the encoder, of which the published `config.json` contains only the width (`dim`).
_ENCODER = {
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
}


class DeepSeekOcr2(DeepSeekOcr):
    """See `VisionModel`. `small` uses an image of 768 px, scaled up from that of the tier."""

    name = "deepseek-ocr-2"
    hub_id = "deepseek-ai/DeepSeek-OCR-2"
    tiers = MappingProxyType({"base": 1024, "small": 768})

    @classmethod
    def network_class(cls) -> Any:
        """See `DeepSeekOcr`."""
        return transformers().DeepseekOcr2ForConditionalGeneration

    @classmethod
    def config(cls, fields: Mapping[str, Any], checkpoint: Checkpoint) -> Any:
        """See `DeepSeekOcr`."""
        architectures = fields.get("architectures") or [""]
        if fields.get("model_type") != PUBLISHED_TYPE or architectures[0] != PUBLISHED_ARCHITECTURE:
            raise CodecError(
                f"{checkpoint.name} holds a model of type {fields.get('model_type')!r} "
                f"({architectures[0] or 'unnamed'}), not DeepSeek-OCR-2; set the option 'model' to {cls.hub_id} or to "
                "a folder that holds it"
            )
        try:
            width = fields["vision_config"]["width"]
            return transformers().DeepseekOcr2Config(
                text_config={**text_config(fields["language_config"]), **_mlp_layers(fields["language_config"])},
                vision_config=_vision_config(width["sam_vit_b"], width["qwen2-0-5b"]),
                image_token_id=token_id(load_tokenizer(checkpoint), "<image>", checkpoint),
            )
        except (KeyError, TypeError, IndexError) as error:
            raise CodecError(
                f"the config.json of {checkpoint.name} is not that of DeepSeek-OCR-2 ({error!r})"
            ) from error

    def positions(self, tier: str) -> int:
        """See `VisionModel`: the tokens and the separator."""
        rows, columns, _ = self.shape(tier)
        return rows * columns + 1

    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        """See `VisionModel`."""
        flat = torch.stack(self.network.get_image_features(pixel_values=pixels).pooler_output)
        return flat[:, :-1].view(len(pixels), *self.shape(tier))

    def image_embeddings(self, features: Tensor) -> Tensor:
        """Returns the decoder's input for a page, separator included: [positions, channels], in the model's dtype.
        `features`: float [rows, columns, channels]."""
        tokens = features.to(self.device, self.dtype).flatten(0, 1)
        return torch.cat([tokens, self.network.model.view_separator[None]])


def _mlp_layers(language: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration of the decoder layers, dense or with experts."""
    dense, layers = int(language.get("first_k_dense_replace", 1)), int(language["num_hidden_layers"])
    return {"mlp_layer_types": ["dense" if layer < dense else "sparse" for layer in range(layers)]}


def _vision_config(sam: Mapping[str, Any], encoder: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration of the encoder. The published `downsample_channels` ends with the width of
    DeepSeek-OCR; the correct width is that of the encoder."""
    return {
        "sam_config": {
            "hidden_size": sam["width"],
            "num_hidden_layers": sam["layers"],
            "num_attention_heads": sam["heads"],
            "output_channels": SAM_OUTPUT_CHANNELS,
            "global_attn_indexes": sam["global_attn_indexes"],
            "downsample_channels": [sam["downsample_channels"][0], encoder["dim"]],
        },
        "encoder_config": {
            **{name: encoder.get(name, value) for name, value in _ENCODER.items()},
            "hidden_size": encoder["dim"],
        },
    }
