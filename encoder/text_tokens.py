"""Counting text tokens with a real BPE vocabulary (Mistral's Tekken, 131k), loaded from an installed package."""

from functools import lru_cache
from pathlib import Path
from typing import Any

VOCABULARY = "tekken_240911.json"


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    import mistral_common
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    return Tekkenizer.from_file(Path(mistral_common.__file__).parent / "data" / VOCABULARY)


def count_text_tokens(text: str) -> int:
    """Number of text tokens in `text`."""
    return len(_tokenizer().encode(text, bos=False, eos=False)) if text else 0


def cut_to_tokens(text: str, limit: int) -> str:
    """The longest prefix of `text` with at most `limit` tokens, by bisection."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_text_tokens(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]
