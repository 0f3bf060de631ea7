"""GLM-OCR, and GLM-4.1V with Glyph, which is fine-tuned from it to read long texts as images."""

from types import MappingProxyType

from .chat_template import END_OF_TEXT, ChatTemplate, ImageMarks
from .grid import GridModel, GridVariant
from .model import FREE_OCR
from .preprocessing import Preprocessing

_BEFORE = "[gMASK]<sop><|user|>\n"
_IMAGE = ImageMarks("<|begin_of_image|>", "<|image|>", "<|end_of_image|>")
_ROLES = ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>")
_ENDS = ("<|user|>", END_OF_TEXT)
_FRAMES = 2  # the processors count an image as two frames


class GlmOcr(GridModel):
    """See `GridModel`."""

    name = "glm-ocr"
    hub_id = "zai-org/GLM-OCR"
    variants = MappingProxyType(
        {
            "glm_ocr": GridVariant(
                "GLM-OCR",
                "GlmOcrForConditionalGeneration",
                "GlmOcrConfig",
                ChatTemplate(_BEFORE, _IMAGE, "<|assistant|>\n", _ENDS, _ROLES),
                MappingProxyType(
                    {
                        FREE_OCR: "Text Recognition:",
                        "table": "Table Recognition:",
                        "formula": "Formula Recognition:",
                    }
                ),
                Preprocessing(min_pixels=112 * 112, max_pixels=9_633_792, frames=_FRAMES),
            )
        }
    )


class Glm4v(GridModel):
    """See `GridModel`. For this reasoning model, the prompt contains an empty thinking section, so that it writes only
    the text of the page."""

    name = "glm4v"
    hub_id = "zai-org/Glyph"
    variants = MappingProxyType(
        {
            "glm4v": GridVariant(
                "GLM-4.1V or Glyph",
                "Glm4vForConditionalGeneration",
                "Glm4vConfig",
                ChatTemplate(
                    _BEFORE,
                    _IMAGE,
                    "<|assistant|>\n<think></think><answer>",
                    ("</answer>", *_ENDS),
                    (*_ROLES, "<think>", "</think>", "<answer>"),
                ),
                MappingProxyType({FREE_OCR: "Read all the text in the image.", "describe": "Describe this image."}),
                Preprocessing(min_pixels=112 * 112, max_pixels=28 * 28 * 15_000, frames=_FRAMES),
            )
        }
    )
