"""Text token counts in a real BPE vocabulary (Mistral's Tekken, 131k), loaded from an installed package."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

VOCABULARY = "tekken_240911.json"
#: Maximum characters per call of the tokenizer: its regular expression overflows the stack on half a million blanks.
_SLICE = 100_000
#: Cache of token counts: maximum characters of a text, and number of entries. Headers and the messages of a
#: conversation are counted again at every turn.
_SHORT, _KEPT = 500, 1 << 14

_loading = Lock()


def load_vocabulary() -> None:
    """Loads the vocabulary ahead of the first count, which would otherwise block all threads for half a second."""
    _tokenizer()


def _tokenizer() -> Any:
    with _loading:  # lru_cache alone would let concurrent threads load it several times
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> Any:
    import mistral_common
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    return Tekkenizer.from_file(Path(mistral_common.__file__).parent / "data" / VOCABULARY)


def count_text_tokens(text: str) -> int:
    """Returns the number of text tokens in `text`; a text longer than 100,000 characters is counted in slices."""
    return sum(_count(part) for part in _slices(text))


def cut_to_tokens(text: str, limit: int) -> str:
    """Returns the longest prefix of `text` with at most `limit` tokens, found by bisection."""
    kept = 0
    for part in _slices(text):
        tokens = _count(part)
        if tokens > limit:
            return text[:kept] + _cut(part, limit)
        kept += len(part)
        limit -= tokens
    return text


def _slices(text: str) -> Iterator[str]:
    for start in range(0, len(text), _SLICE):
        yield text[start : start + _SLICE]


def _count(text: str) -> int:
    return _count_short(text) if len(text) <= _SHORT else _encoded(text)


@lru_cache(maxsize=_KEPT)
def _count_short(text: str) -> int:
    return _encoded(text) if text else 0


def _encoded(text: str) -> int:
    return len(_tokenizer().encode(text, bos=False, eos=False))


def _cut(text: str, limit: int) -> str:
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _count(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]
