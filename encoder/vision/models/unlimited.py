"""Unlimited-OCR: encoder and decoder of DeepSeek-OCR, with decoder attention limited to the page and a sliding window
of the text, so that a text may have any length."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .deepseek import DeepSeekOcr
from .model import FREE_OCR, RepeatRule

#: `model_type` of the published `config.json`, and of one written by transformers.
TYPES = ("unlimited-ocr", "unlimited_ocr")
DEFAULT_WINDOW = 128  # tokens


class UnlimitedOcr(DeepSeekOcr):
    """See `VisionModel`. The tiers are the image sizes of the published processor: 1024 px for a page, 640 px for part
    of a page."""

    name = "unlimited-ocr"
    title = "Unlimited-OCR"
    hub_id = "baidu/Unlimited-OCR"
    supports_prompt_embeddings = False  # no server is known to limit attention for embeddings
    published_types = TYPES
    repeats = RepeatRule(35, 128)
    repeated_tokens = ()
    prompts = MappingProxyType({FREE_OCR: "document parsing."})
    tiers = MappingProxyType({"base": 1024, "small": 640})

    @classmethod
    def attention(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the sliding window, which the published `config.json` states outside the decoder's fields."""
        language = fields["language_config"]
        places = ((language, "sliding_window"), (language, "sliding_window_size"), (fields, "sliding_window"))
        found = [place[name] for place, name in places if place.get(name)]
        return {"sliding_window": int(found[0]) if found else DEFAULT_WINDOW}
