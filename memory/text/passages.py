"""Passages: chunks of a long text, split at natural boundaries, that are searched and returned separately."""

import re
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

LONGEST = 240  # a text of at most this many tokens (estimated) is not split
FEWEST, MOST = 80, 200  # tokens of a passage, except the last

PASSAGE_BITS = 12
MAX_PASSAGES = 1 << PASSAGE_BITS  # of a text

_TOKENS_OF_LETTER, _TOKENS_OF_IDEOGRAPH = 0.25, 0.75  # approximate, in the vocabularies of current models
_FIRST_IDEOGRAPH = 0x1100

# boundaries at which a passage may end, from worst to best
_ANYWHERE, _BLANK, _MEMBER, _SENTENCE, _LINE, _PARAGRAPH = range(6)
#: bool[n]: the characters that are blanks; none beyond them is.
_BLANKS = np.array([chr(code).isspace() for code in range(0x3002)], dtype=np.bool_)
_PATTERNS = (
    # each begins with one character or set of them, which is looked for faster than two
    (_MEMBER, re.compile(r",(?<=[\]}\"\d],)")),
    (_SENTENCE, re.compile(r"[.!?。！？](?:(?<=[.!?])[\"')\]]?\s|(?<=[。！？])[」』”）]?)")),
    (_LINE, re.compile(r"\n")),
    (_PARAGRAPH, re.compile(r"\n[ \t]{0,8}\n")),
)
_FENCE = re.compile(r"^[ \t]{0,8}(?:```|~~~)[^\n]*\n?", re.MULTILINE)

Key = TypeVar("Key", int, npt.NDArray[np.int64])


class Passage(NamedTuple):
    """A half-open range of characters of a text."""

    start: int
    stop: int


def split_passages(text: str) -> list[Passage]:
    """Returns the passages of `text`, in order and covering all of it; at least one. Passages of a long text have about
    80 to 200 tokens and end with a paragraph or code block if possible, else with a line, a sentence, a JSON member or
    a word. A text too long for `MAX_PASSAGES` gets proportionally longer passages."""
    if len(text) * _TOKENS_OF_IDEOGRAPH <= LONGEST:
        return [Passage(0, len(text))]
    return _split(text)


def _split(text: str) -> list[Passage]:
    codes: npt.NDArray[Any]
    if text.isascii():
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
        tokens = _TOKENS_OF_LETTER * np.arange(len(text) + 1)
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        tokens = _tokens(codes)
    total = float(tokens[-1])
    if total <= LONGEST:
        return [Passage(0, len(text))]
    scale = max(1.0, total / (FEWEST * (MAX_PASSAGES - 1)))
    ends = _ends(text, codes)
    passages: list[Passage] = []
    start = 0
    while total - tokens[start] > LONGEST * scale:
        first = int(np.searchsorted(tokens, tokens[start] + scale * FEWEST))
        beyond = int(np.searchsorted(tokens, tokens[start] + scale * MOST, side="right"))
        stop = beyond - 1 - int(ends[first:beyond][::-1].argmax())  # the last of the best boundaries
        passages.append(Passage(start, stop))
        start = stop
    return [*passages, Passage(start, len(text))]


def passage_left(passage: int, passages: int, remaining: int) -> int:
    """Returns the number of the passage that is shown for one of a message that has faded. The message was indexed as
    `passages` passages, and what is left of it has at most as many, `remaining`."""
    return passage * remaining // passages


def document_key(message_id: Key, passage: Key) -> Key:
    """Returns the document key of a passage: keys sort by message id, then by passage number."""
    return (message_id << PASSAGE_BITS) | passage


def message_of(key: Key) -> Key:
    """Returns the message id of a document key."""
    return key >> PASSAGE_BITS


def passage_of(key: Key) -> Key:
    """Returns the passage number of a document key, from 0."""
    return key & (MAX_PASSAGES - 1)


def _tokens(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Returns float64[n + 1], the estimated number of tokens before each of the characters with these `codes`."""
    weights = np.where(codes < _FIRST_IDEOGRAPH, _TOKENS_OF_LETTER, _TOKENS_OF_IDEOGRAPH)
    return np.append(0.0, np.cumsum(weights))


def _ends(text: str, codes: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """Returns int8[len(text) + 1], the rank of the boundary before each character. Inside a code block, the end of a
    line or paragraph ranks no higher than that of a sentence. `codes`: uint8 or uint32[len(text)], those of the
    characters."""
    ends = np.full(len(text) + 1, _ANYWHERE, dtype=np.int8)
    ends[1:] = _BLANK * _BLANKS.take(codes, mode="clip")
    for rank, pattern in _PATTERNS:
        places = [match.end() for match in pattern.finditer(text)]
        if places:
            ends[places] = np.maximum(ends[places], rank)
    fences = [(m.start(), m.end()) for m in _FENCE.finditer(text)] if "```" in text or "~~~" in text else []
    for (opened, _), (_, closed) in zip(fences[::2], fences[1::2], strict=False):
        inside = ends[opened + 1 : closed]
        np.minimum(inside, _SENTENCE, out=inside)
        ends[opened] = ends[closed] = _PARAGRAPH
    return ends
