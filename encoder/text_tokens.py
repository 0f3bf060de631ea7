"""Text token counts in a real BPE vocabulary (Mistral's Tekken, 131k), loaded from an installed package."""

import json
from base64 import b64decode
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
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
    from tiktoken import Encoding

    folder = next(iter(_found("mistral_common").submodule_search_locations or ()))
    # each token becomes bytes as soon as it is read: the complete document takes three times the memory
    vocabulary = json.loads((Path(folder) / "data" / VOCABULARY).read_bytes(), object_hook=_token_bytes)
    config = vocabulary["config"]
    ordinary = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {token: rank for rank, token in enumerate(vocabulary["vocab"][:ordinary])}
    return Encoding("tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})


def _found(package: str) -> ModuleSpec:
    """Returns the spec of an installed package, which is not imported: its import takes a second."""
    found = find_spec(package)
    assert found is not None
    return found


def _token_bytes(members: dict[str, Any]) -> Any:
    return b64decode(members["token_bytes"]) if "token_bytes" in members else members


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
    return len(_tokenizer().encode(text))


def _cut(text: str, limit: int) -> str:
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _count(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]
