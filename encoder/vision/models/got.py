"""GOT-OCR 2.0: SAM at 1024 px, 16× convolutional compression, Qwen2-0.5B as the decoder; one tier of 256 tokens."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError

from .chat_template import END_OF_TURN, ImageMarks, turn_template
from .checkpoint import Checkpoint, load_network, load_tokenizer, parse_config, read_config, transformers
from .model import PageFeatures, RepeatRule, VisionModel
from .preprocessing import CLIP_MEAN, CLIP_STD

PUBLISHED_TYPE = "got_ocr2"
SIDE_PX = 1024  # the only image size of the encoder
#: Relative positions in the encoder need eager attention in transformers.
ATTENTION = {"": "eager", "vision_config": "eager", "text_config": "sdpa"}
#: As in the published processor, no newline follows the end of a turn.
CHAT_TEMPLATE = turn_template(
    system="You should follow the instructions carefully and explain your answers in detail.",
    image=ImageMarks("<img>", "<imgpad>", "</img>\n"),
    turn_end=END_OF_TURN,
)


class GotOcr2(VisionModel):
    """See `VisionModel`."""

    name = "got-ocr2"
    hub_id = "stepfun-ai/GOT-OCR-2.0-hf"
    repeats = RepeatRule(20, 60)
    image_mean = CLIP_MEAN
    image_std = CLIP_STD
    prompt = " OCR: "
    tiers = MappingProxyType({"base": SIDE_PX})

    def __init__(self, network: Any, tokenizer: Any, eos_token_ids: frozenset[int]) -> None:
        super().__init__(network, tokenizer)
        self._eos_token_ids = eos_token_ids

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """See `VisionModel`."""
        fields = read_config(checkpoint)
        if fields.get("model_type") != PUBLISHED_TYPE:
            raise CodecError(
                f"{checkpoint.name} holds a model of type {fields.get('model_type')!r}, not GOT-OCR 2.0; set "
                f"the option 'model' to {cls.hub_id} or to a folder that holds it, converted for transformers"
            )
        config = parse_config(transformers().GotOcr2Config, fields, checkpoint)
        if (config.vision_config.image_size, config.vision_config.patch_size) != (SIDE_PX, 16):
            raise CodecError(
                f"the encoder of {checkpoint.name} does not take images of {SIDE_PX} px in patches of 16 px"
            )
        tokenizer = load_tokenizer(checkpoint)
        eos_token_ids = CHAT_TEMPLATE.eos_token_ids(tokenizer, int(config.image_token_id), checkpoint)
        network_class = transformers().GotOcr2ForConditionalGeneration
        network = load_network(network_class, checkpoint, config, device, dtype, attention=ATTENTION)
        return cls(network, tokenizer, eos_token_ids)

    def image_features(self, pixels: Tensor, tier: str) -> Tensor:
        """See `VisionModel`."""
        flat: Tensor = self.network.get_image_features(pixel_values=pixels).pooler_output
        return flat.view(len(pixels), *self.shape(tier))

    def prompt_ids(self) -> tuple[list[int], list[int]]:
        """See `VisionModel`."""
        before, after = CHAT_TEMPLATE.render(self.prompt)
        return self.tokenize(before), self.tokenize(after)

    def inputs(self, pages: Sequence[PageFeatures], ids: Tensor) -> dict[str, Any]:
        """See `VisionModel`."""
        output_class = transformers().modeling_outputs.BaseModelOutputWithPooling
        features = torch.stack([page.features.flatten(0, 1) for page in pages]).to(self.device, self.dtype)
        return {"mm_encoder_outputs": {"image": output_class(pooler_output=features)}}

    @property
    def eos_token_ids(self) -> frozenset[int]:
        """See `VisionModel`."""
        return self._eos_token_ids
