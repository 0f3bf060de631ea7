"""Passages: parts of a long text that end where a reader would pause, found and given back by themselves."""

import re
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

LONGEST = 240  # tokens, estimated, of a text that is one passage
FEWEST, MOST = 80, 200  # tokens of a passage, but for the last

PASSAGE_BITS = 12
MAX_PASSAGES = 1 << PASSAGE_BITS  # of a text

_TOKENS_OF_LETTER, _TOKENS_OF_IDEOGRAPH = 0.25, 0.75  # about, in the vocabularies of today's models
_FIRST_IDEOGRAPH = 0x1100

# where a passage may end, from the poorest place to the best
_ANYWHERE, _BLANK, _MEMBER, _SENTENCE, _LINE, _PARAGRAPH = range(6)
_PATTERNS = (
    (_BLANK, re.compile(r"\s")),
    (_MEMBER, re.compile(r"[\]}\"\d],")),
    (_SENTENCE, re.compile(r"[.!?][\"')\]]?\s|[。！？][」』”）]?")),
    (_LINE, re.compile(r"\n")),
    (_PARAGRAPH, re.compile(r"\n[ \t]{0,8}\n")),
)
_FENCE = re.compile(r"^[ \t]{0,8}(?:```|~~~)[^\n]*\n?", re.MULTILINE)

Key = TypeVar("Key", int, npt.NDArray[np.int64])


class Passage(NamedTuple):
    """A range of characters of a text, half open."""

    start: int
    stop: int


def split_passages(text: str) -> list[Passage]:
    """The passages of `text`, one after the other, all of it; at least one. Those of a long text have about 80 to 200
    tokens and end at the end of a paragraph or a code block if there is one, else of a line, a sentence, a member of
    JSON, or a word."""
    tokens = _tokens(text)
    total = float(tokens[-1])
    if total <= LONGEST:
        return [Passage(0, len(text))]
    scale = max(1.0, total / (FEWEST * (MAX_PASSAGES - 1)))
    ends = _ends(text)
    passages: list[Passage] = []
    start = 0
    while total - tokens[start] > LONGEST * scale:
        first = int(np.searchsorted(tokens, tokens[start] + scale * FEWEST))
        beyond = int(np.searchsorted(tokens, tokens[start] + scale * MOST, side="right"))
        stop = beyond - 1 - int(ends[first:beyond][::-1].argmax())  # the last of the best places
        passages.append(Passage(start, stop))
        start = stop
    return [*passages, Passage(start, len(text))]


def document_key(message_id: Key, passage: Key) -> Key:
    """What a passage of a message is called in an index: ascending by message, and by passage in it."""
    return (message_id << PASSAGE_BITS) | passage


def message_of(key: Key) -> Key:
    """The id of the message that a document belongs to."""
    return key >> PASSAGE_BITS


def passage_of(key: Key) -> Key:
    """Which passage of its message a document is, from 0."""
    return key & (MAX_PASSAGES - 1)


def _tokens(text: str) -> npt.NDArray[np.float64]:
    """float64[len(text) + 1], about how many tokens stand before each character."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    weights = np.where(codes < _FIRST_IDEOGRAPH, _TOKENS_OF_LETTER, _TOKENS_OF_IDEOGRAPH)
    return np.append(0.0, np.cumsum(weights))


def _ends(text: str) -> npt.NDArray[np.int8]:
    """int8[len(text) + 1], how good a place each is for a passage to end at. Inside a code block no line is better than
    the end of a sentence."""
    ends = np.full(len(text) + 1, _ANYWHERE, dtype=np.int8)
    for rank, pattern in _PATTERNS:
        places = np.fromiter((match.end() for match in pattern.finditer(text)), dtype=np.int64)
        ends[places] = np.maximum(ends[places], rank)
    fences = [(match.start(), match.end()) for match in _FENCE.finditer(text)]
    for (opened, _), (_, closed) in zip(fences[::2], fences[1::2], strict=False):
        inside = ends[opened + 1 : closed]
        np.minimum(inside, _SENTENCE, out=inside)
        ends[opened] = ends[closed] = _PARAGRAPH
    return ends
