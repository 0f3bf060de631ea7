"""DeepSeek-OCR: SAM → 16× convolutional compression → CLIP, read by a mixture-of-experts decoder.

transformers has its encoder and decoder under the name of a later model, `UnlimitedOcr`. A page costs one position for
each vision token, one for the end of each of their rows, and one for the end of the image. The vectors of those ends
are parameters of the model, the same for every page; only the vision tokens are stored.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.renderer import TOKEN_SIDE_PX

from .loading import Place, load_network, load_tokenizer, read_config, token_id, transformers
from .model import Given, VisionModel

HUB_ID = "deepseek-ai/DeepSeek-OCR"
PUBLISHED_TYPE = "deepseek_vl_v2"
CONTEXT = 8192  # positions that the decoder was trained with
SAM_CHANNELS_OUT = 256  # of the neck; the published configuration takes it for granted

#: The fields of the published `language_config` that describe the decoder.
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
    """See `VisionModel`. All of its four square modes are tiers."""

    name = "deepseek-ocr"
    embeds = True
    ngram = 35
    mean = deviation = (0.5, 0.5, 0.5)
    prompts = MappingProxyType(
        {
            "free-ocr": "\nFree OCR.",
            "markdown": "\n<|grounding|>Convert the document to markdown.",
            "grounding": "\n<|grounding|>OCR this image.",
            "locate": "\nLocate <|ref|>{}<|/ref|> in the image.",
            "figure": "\nParse the figure.",
            "describe": "\nDescribe this image in detail.",
        }
    )
    tiers = MappingProxyType({"large": 1280, "base": 1024, "small": 640, "tiny": 512})

    @classmethod
    def load(cls, place: Place, device: torch.device, dtype: torch.dtype) -> Self:
        """The model of a folder. Strict: every parameter, no other. Raises `CodecError`."""
        config = model_config(read_config(place), place)
        network = load_network(transformers().UnlimitedOcrForConditionalGeneration, place, config, device, dtype)
        return cls(network, load_tokenizer(place))

    def shape(self, tier: str) -> tuple[int, int, int]:
        side = self.tiers[tier] // TOKEN_SIDE_PX
        return side, side, int(self.network.config.text_config.hidden_size)

    def positions(self, tier: str) -> int:
        rows, columns, _ = self.shape(tier)
        return rows * (columns + 1) + 1

    def look(self, pixels: Tensor, tier: str) -> Tensor:
        rows, columns, numbers = self.shape(tier)
        flat = torch.stack(self.network.get_image_features(pixel_values=pixels).pooler_output)
        return flat[:, :-1].view(len(pixels), rows, columns + 1, numbers)[:, :, :-1]

    def whole(self, features: Tensor) -> Tensor:
        """Vision tokens [rows, columns, numbers] with the ends of rows and image: [positions, numbers]."""
        network = self.network.model
        tokens = features.to(self.device, self.dtype)
        ends = network.image_newline.expand(tokens.shape[0], 1, -1)
        return torch.cat([torch.cat([tokens, ends], dim=1).flatten(0, 1), network.view_separator[None]])

    def question(self, prompt: str) -> tuple[list[int], list[int]]:
        return [int(self.network.config.text_config.bos_token_id)], self.ids(prompt)

    def inputs(self, pages: Sequence[Given], ids: Tensor) -> dict[str, Any]:
        outputs = transformers().modeling_outputs.BaseModelOutputWithPooling
        return {"mm_encoder_outputs": {"image": outputs(pooler_output=[self.whole(page.features) for page in pages])}}

    @torch.inference_mode()
    def prompt_embeddings(self, page: Given, prompt: str) -> Tensor:
        table = self.network.get_input_embeddings()
        before, after = (table(torch.tensor(ids, device=self.device)) for ids in self.question(prompt))
        return torch.cat([before, self.whole(page.features), after])

    @property
    def image_id(self) -> int:
        return int(self.network.config.image_token_id)

    @property
    def end_ids(self) -> frozenset[int]:
        return frozenset({int(self.network.config.text_config.eos_token_id)})

    @property
    def context(self) -> int:
        return int(self.network.config.text_config.max_position_embeddings)


def model_config(fields: Mapping[str, Any], place: Place) -> Any:
    """The configuration that transformers takes, from the published `config.json`. Raises `CodecError`."""
    architectures = fields.get("architectures") or [""]
    if fields.get("model_type") != PUBLISHED_TYPE or "OCR2" in architectures[0]:
        raise CodecError(
            f"{place.name} holds a model of type {fields.get('model_type')!r} ({architectures[0] or 'unnamed'}), not "
            f"DeepSeek-OCR; set the option 'model' to {HUB_ID} or to a folder that holds it"
        )
    try:
        language, width = fields["language_config"], fields["vision_config"]["width"]
        sam, clip = width["sam_vit_b"], width["clip-l-14-224"]
        layers = int(language["num_hidden_layers"])
        text = {name: language[name] for name in _TEXT_FIELDS if name in language}
        return transformers().UnlimitedOcrConfig(
            # published full attention; the class would take a sliding window
            text_config={
                **text,
                "layer_types": ["full_attention"] * layers,
                "max_position_embeddings": language.get("max_position_embeddings", CONTEXT),
            },
            vision_config={
                "sam_config": {
                    "hidden_size": sam["width"],
                    "num_hidden_layers": sam["layers"],
                    "num_attention_heads": sam["heads"],
                    "mlp_dim": 4 * sam["width"],
                    "output_channels": SAM_CHANNELS_OUT,
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
            },
            image_token_id=token_id(load_tokenizer(place), "<image>", place),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise CodecError(f"the config.json of {place.name} is not that of DeepSeek-OCR ({error!r})") from error
