"""PaddleOCR-VL: a NaViT encoder with ERNIE-4.5-0.3B as the decoder."""

from types import MappingProxyType
from typing import Any

from torch import Tensor

from .chat_template import ChatTemplate, ImageMarks
from .checkpoint import Checkpoint
from .grid import GridModel, GridVariant
from .model import FREE_OCR
from .preprocessing import HALF, Preprocessing


class PaddleOcrVl(GridModel):
    """See `GridModel`."""

    name = "paddleocr-vl"
    hub_id = "PaddlePaddle/PaddleOCR-VL"
    variants = MappingProxyType(
        {
            "paddleocr_vl": GridVariant(
                "PaddleOCR-VL",
                "PaddleOCRVLForConditionalGeneration",
                "PaddleOCRVLConfig",
                ChatTemplate(
                    "<|begin_of_sentence|>User: ",
                    ImageMarks("<|IMAGE_START|>", "<|IMAGE_PLACEHOLDER|>", "<|IMAGE_END|>"),
                    "\nAssistant: ",
                    ("</s>",),
                    ("<|begin_of_sentence|>",),
                ),
                MappingProxyType(
                    {
                        FREE_OCR: "OCR:",
                        "table": "Table Recognition:",
                        "formula": "Formula Recognition:",
                        "chart": "Chart Recognition:",
                    }
                ),
                Preprocessing(min_pixels=147_384, max_pixels=2_822_400, mean=HALF, std=HALF),
            )
        }
    )

    @classmethod
    def config(cls, config_class: Any, fields: dict[str, Any], checkpoint: Checkpoint) -> Any:
        """See `GridModel`. Restores `tie_word_embeddings` of the published `config.json`, which transformers
        ignores."""
        config = super().config(config_class, fields, checkpoint)
        tied = bool(fields.get("tie_word_embeddings", True))
        config.tie_word_embeddings = config.text_config.tie_word_embeddings = tied
        return config

    def patches(self, pixels: Tensor) -> Tensor:
        """Returns the patches in row-major order, [patches, 3, patch_px, patch_px]. `pixels`: float [B, 3, side,
        side]."""
        batch, channels, side, _ = pixels.shape
        cells = side // self.patch_px
        cut = pixels.view(batch, channels, cells, self.patch_px, cells, self.patch_px)
        return cut.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
