"""Qwen2.5-VL, Qwen3-VL, and two models of their architecture with their own prompts: MinerU2.5 and olmOCR-2.

The `config.json` of a checkpoint determines the architecture. olmOCR-2 has that of Qwen2.5-VL and is recognised by its
name.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .chat_template import ImageMarks, turn_template
from .checkpoint import Checkpoint
from .grid import GridModel, GridVariant
from .model import FREE_OCR, RepeatRule
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
            MappingProxyType({FREE_OCR: _TRANSCRIBE, "html": "QwenVL HTML", "describe": "Describe this image."}),
            _QWEN2_IMAGES,
        ),
        "qwen3_vl": GridVariant(
            "Qwen3-VL",
            "Qwen3VLForConditionalGeneration",
            "Qwen3VLConfig",
            turn_template(None, _IMAGE),
            MappingProxyType(
                {
                    FREE_OCR: _TRANSCRIBE,
                    "markdown": "qwenvl markdown",
                    "html": "qwenvl html",
                    "describe": "Describe this image.",
                }
            ),
            Preprocessing(min_pixels=65_536, max_pixels=16_777_216, mean=HALF, std=HALF),
        ),
        "qwen2_vl": GridVariant(
            "MinerU2.5",
            "Qwen2VLForConditionalGeneration",
            "Qwen2VLConfig",
            turn_template(SYSTEM_MESSAGE, _IMAGE),
            MappingProxyType(
                {
                    FREE_OCR: "\nText Recognition:",
                    "layout": "\nLayout Detection:",
                    "table": "\nTable Recognition:",
                    "formula": "\nFormula Recognition:",
                    "figure": "\nImage Analysis:",
                }
            ),
            Preprocessing(min_pixels=56 * 56, max_pixels=1_605_632),
            RepeatRule(100, 300, presence_penalty=1.0, frequency_penalty=0.05),
        ),
    }
)

#: Part of the name of every olmOCR checkpoint.
OLMOCR = "olmocr"
#: olmOCR-2 reads a page after its prompt and writes a YAML front matter before the text.
OLMOCR_2 = GridVariant(
    "olmOCR-2",
    "Qwen2_5_VLForConditionalGeneration",
    "Qwen2_5_VLConfig",
    turn_template(SYSTEM_MESSAGE, _IMAGE, prompt_first=True),
    MappingProxyType(
        {
            FREE_OCR: "Attached is one page of a document that you must process. Just return the plain text "
            "representation of this document as if you were reading it naturally. Convert equations to LateX and "
            "tables to HTML.\nIf there are any figures or charts, label them with the following markdown syntax "
            "![Alt text describing the contents of the figure](page_startx_starty_width_height.png)\nReturn your "
            "output as markdown, with a front matter section on top specifying values for the primary_language, "
            "is_rotation_valid, rotation_correction, is_table, and is_diagram parameters."
        }
    ),
    _QWEN2_IMAGES,
    front_matter=True,
)


class QwenVl(GridModel):
    """See `GridModel`."""

    name = "qwen-vl"
    variants = VARIANTS
    hub_id = "Qwen/Qwen2.5-VL-3B-Instruct"

    @classmethod
    def variant_of(cls, fields: Mapping[str, Any], checkpoint: Checkpoint) -> GridVariant:
        """See `GridModel`. Recognises olmOCR-2 by its name."""
        variant = super().variant_of(fields, checkpoint)
        named = f"{checkpoint.name} {fields.get('_name_or_path', '')}".lower()
        return OLMOCR_2 if variant is VARIANTS["qwen2_5_vl"] and OLMOCR in named else variant
