"""Qwen2.5-VL, Qwen3-VL, and MinerU2.5, which has the architecture of Qwen2-VL and prompts of its own.

The `config.json` of a checkpoint determines the architecture.
"""

from collections.abc import Mapping
from types import MappingProxyType

from .chat_template import ImageMarks, turn_template
from .grid import GridModel, GridVariant
from .model import RepeatRule
from .preprocessing import HALF, Preprocessing

SYSTEM_MESSAGE = "You are a helpful assistant."
_IMAGE = ImageMarks("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
_TRANSCRIBE = "Read all the text in the image."
_QWEN2_IMAGES = Preprocessing(min_pixels=56 * 56, max_pixels=12_845_056)

VARIANTS: Mapping[str, GridVariant] = MappingProxyType(
    {
        "qwen2_5_vl": GridVariant(
            "Qwen2.5-VL",
            "Qwen2_5_VLForConditionalGeneration",
            "Qwen2_5_VLConfig",
            turn_template(SYSTEM_MESSAGE, _IMAGE),
            _TRANSCRIBE,
            _QWEN2_IMAGES,
        ),
        "qwen3_vl": GridVariant(
            "Qwen3-VL",
            "Qwen3VLForConditionalGeneration",
            "Qwen3VLConfig",
            turn_template(None, _IMAGE),
            _TRANSCRIBE,
            Preprocessing(min_pixels=65_536, max_pixels=16_777_216, mean=HALF, std=HALF),
        ),
        "qwen2_vl": GridVariant(
            "MinerU2.5",
            "Qwen2VLForConditionalGeneration",
            "Qwen2VLConfig",
            turn_template(SYSTEM_MESSAGE, _IMAGE),
            "\nText Recognition:",
            Preprocessing(min_pixels=56 * 56, max_pixels=1_605_632),
            RepeatRule(100, 300, presence_penalty=1.0, frequency_penalty=0.05),
        ),
    }
)


class QwenVl(GridModel):
    """See `GridModel`."""

    name = "qwen-vl"
    variants = VARIANTS
    hub_id = "Qwen/Qwen2.5-VL-3B-Instruct"
