"""Text token counts in a real BPE vocabulary (Mistral's Tekken, 131k), loaded from an installed package."""

import json
import re
from binascii import a2b_base64
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import IO, Any

VOCABULARY = "tekken_240911.json"
#: How its members begin, and its tokens; and the bytes of it that are read at a time.
_CONFIG = b'"config":'
_TOKENS = b'"vocab":'
_TOKEN = re.compile(rb'"token_bytes": "([^"]*)"')
_PART_BYTES = 1 << 18
#: Maximum characters per call of the tokenizer: its regular expression overflows the stack on half a million blanks.
_SLICE = 100_000
#: Cache of token counts: maximum characters of a text, and number of entries. Headers and the messages of a
#: conversation are counted again at every turn.
_SHORT = 500
_KEPT = 1 << 14
#: The models of providers read up to three digits as one token, where this vocabulary has one for each.
_DIGITS = re.compile(r"\d+")
_DIGITS_A_TOKEN = 3
#: Scripts of which they have more or fewer tokens: ideographs, kana, and Hangul.
_IDEOGRAPHS, _KANA, _HANGUL = (
    re.compile(f"[{ranges}]") for ranges in ("\u3400-\u9fff\uf900-\ufaff", "\u3040-\u30ff", "\uac00-\ud7af")
)
#: Tokens for each token of this vocabulary without digits, for each group of digits, and for each character of a script
#: beside that. Fitted to OpenAI's o200k_base on dialogues, logs and code, 2026-12-01.
_WORD_SHARE = 0.96
_DIGITS_SHARE = 1.03
_SCRIPTS = ((_IDEOGRAPHS, -0.12), (_KANA, 0.12), (_HANGUL, 0.1))

#: How `count_prompt_tokens` counts, for those who are told.
PROMPT_FORMULA = "text: estimated tokens (BPE, digits by threes)"

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
    # the tokens are found where they stand: to parse the complete document takes longer, and three times the memory
    with (Path(folder) / "data" / VOCABULARY).open("rb") as file:
        head, _, ranks_part = file.read(_PART_BYTES).partition(_TOKENS)
        config = json.loads(head[head.index(_CONFIG) + len(_CONFIG) :].rstrip(b", \n"))
        ordinary = config["default_vocab_size"] - config["default_num_special_tokens"]
        # without a step of Python for each token
        ranks = dict(zip(map(a2b_base64, _tokens(ranks_part, file)), range(ordinary), strict=False))
    return Encoding("tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})


def _tokens(part: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """Yields the tokens in a part of a vocabulary and in the rest of its file, in Base64."""
    while part:
        part += file.readline()  # a token is a line
        yield from _TOKEN.findall(part)
        part = file.read(_PART_BYTES)


def _found(package: str) -> ModuleSpec:
    """Returns the spec of an installed package, which is not imported: its import takes a second."""
    spec = find_spec(package)
    assert spec is not None
    return spec


def count_text_tokens(text: str) -> int:
    """Returns the number of text tokens in `text`; a text longer than 100,000 characters is counted in slices."""
    return _count_short(text) if len(text) <= _SHORT else sum(map(_encoded, _slices(text)))


def count_prompt_tokens(text: str) -> int:
    """Returns about how many tokens the models of providers read in `text`: within a few per cent of OpenAI's
    `o200k_base`. See `count_text_tokens` for a count that is exact, in a vocabulary of its own."""
    digits = groups = 0
    for run in _DIGITS.finditer(text):
        length = run.end() - run.start()
        digits += length
        groups += -(-length // _DIGITS_A_TOKEN)
    tokens = _WORD_SHARE * (count_text_tokens(text) - digits) + _DIGITS_SHARE * groups
    if not text.isascii():
        tokens += sum(share * len(script.findall(text)) for script, share in _SCRIPTS)
    return max(round(tokens), 1 if text else 0)


def cut_to_tokens(text: str, limit: int) -> str:
    """Returns the longest prefix of `text` with at most `limit` tokens, found by bisection."""
    length = 0
    for part in _slices(text):
        tokens = _count(part)
        if tokens > limit:
            return text[:length] + _cut(part, limit)
        length += len(part)
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
    low = 0
    high = len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _count(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]
