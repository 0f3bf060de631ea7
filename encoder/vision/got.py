"""GOT-OCR 2.0: SAM at 1024 px, 16× convolutional compression, a Qwen2 decoder of 0.5B. One tier, 256 tokens."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.renderer import TOKEN_SIDE_PX

from .chat_template import END_OF_TURN, Chat
from .loading import Place, load_network, load_tokenizer, published_config, read_config, transformers
from .model import Given, VisionModel

HUB_ID = "stepfun-ai/GOT-OCR-2.0-hf"
PUBLISHED_TYPE = "got_ocr2"
SIDE_PX = 1024  # of all images that the encoder takes
#: Its encoder has positions within the attention, which transformers computes in the plain way only.
ATTENTION = {"": "eager", "vision_config": "eager", "text_config": "sdpa"}
#: Every turn ends in a mark and nothing after it, as the published processor writes it.
CHAT = Chat(
    system="You should follow the instructions carefully and explain your answers in detail.",
    before="<img>",
    image="<imgpad>",
    after="</img>\n",
    end=END_OF_TURN,
)


class GotOcr2(VisionModel):
    """See `VisionModel`."""

    name = "got-ocr2"
    ngram = 20
    mean = (0.48145466, 0.4578275, 0.40821073)
    deviation = (0.26862954, 0.26130258, 0.27577711)
    prompts = MappingProxyType({"free-ocr": " OCR: ", "markdown": " OCR with format: "})
    tiers = MappingProxyType({"base": SIDE_PX})

    def __init__(self, network: Any, tokenizer: Any, ends: frozenset[int]) -> None:
        super().__init__(network, tokenizer)
        self._ends = ends

    @classmethod
    def load(cls, place: Place, device: torch.device, dtype: torch.dtype) -> Self:
        """The model of a folder. Strict: every parameter, no other. Raises `CodecError`."""
        fields = read_config(place)
        if fields.get("model_type") != PUBLISHED_TYPE:
            raise CodecError(
                f"{place.name} holds a model of type {fields.get('model_type')!r}, not GOT-OCR 2.0; set "
                f"the option 'model' to {HUB_ID} or to a folder that holds it, converted for transformers"
            )
        config = published_config(transformers().GotOcr2Config, fields, place)
        if (config.vision_config.image_size, config.vision_config.patch_size) != (SIDE_PX, 16):
            raise CodecError(f"the encoder of {place.name} does not take images of {SIDE_PX} px in patches of 16 px")
        tokenizer = load_tokenizer(place)
        ends = CHAT.check(tokenizer, int(config.image_token_id), place)
        kind = transformers().GotOcr2ForConditionalGeneration
        network = load_network(kind, place, config, device, dtype, attention=ATTENTION)
        return cls(network, tokenizer, ends)

    def shape(self, tier: str) -> tuple[int, int, int]:
        side = self.tiers[tier] // TOKEN_SIDE_PX
        return side, side, int(self.network.config.text_config.hidden_size)

    def positions(self, tier: str) -> int:
        rows, columns, _ = self.shape(tier)
        return rows * columns

    def look(self, pixels: Tensor, tier: str) -> Tensor:
        flat: Tensor = self.network.get_image_features(pixel_values=pixels).pooler_output
        return flat.view(len(pixels), *self.shape(tier))

    def question(self, prompt: str) -> tuple[list[int], list[int]]:
        before, after = CHAT.around(prompt)
        return self.ids(before), self.ids(after)

    def inputs(self, pages: Sequence[Given], ids: Tensor) -> dict[str, Any]:
        outputs = transformers().modeling_outputs.BaseModelOutputWithPooling
        features = torch.stack([page.features.flatten(0, 1) for page in pages]).to(self.device, self.dtype)
        return {"mm_encoder_outputs": {"image": outputs(pooler_output=features)}}

    @property
    def image_id(self) -> int:
        return int(self.network.config.image_token_id)

    @property
    def end_ids(self) -> frozenset[int]:
        return self._ends

    @property
    def context(self) -> int:
        return int(self.network.config.text_config.max_position_embeddings)
