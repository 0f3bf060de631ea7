"""Identifiers and numbers that a page image does not show safely, to be given as text beside it."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from foxing.renderer.type_proof import TypeProof

from .keepsakes import Rank, find_keepsakes

#: Words with a digit that are not keepsakes, such as “14”, “k8s” or “16:40”. A colon or comma before anything but a
#: digit ends the word: “23:def” is a line number and a line.
_NUMBER = re.compile(r"(?<!\w)\w*\d(?:(?:[\w.+-]|[,:](?=\d))*\w)?")


class ExactWord(NamedTuple):
    """An identifier or a number."""

    text: str
    #: Whether it is a keepsake, and not only a word with a digit.
    keepsake: bool
    #: Whether it is a keepsake other than a figure: useless unless it is exact.
    identifier: bool = False


def unsafe_words(words: Iterable[ExactWord], proof: TypeProof) -> tuple[str, ...]:
    """Returns the distinct words that hold a character which a type does not show safely, in order. `proof`: that of
    the page which shows them."""
    return tuple(dict.fromkeys(word.text for word in words if proof.is_unsafe(word.text)))


def doubtful_words(texts: Iterable[str], proof: TypeProof) -> tuple[str, ...]:
    """Returns the unsafe words among the identifiers and numbers in texts; see `unsafe_words`."""
    return () if proof.safe else unsafe_words((word for text in texts for word in exact_words(text)), proof)


def exact_words(text: str) -> list[ExactWord]:
    """Returns the identifiers and numbers in a text, in order."""
    words = list[ExactWord]()
    start = 0
    for keepsake in find_keepsakes(text):
        words += (ExactWord(match[0], False) for match in _NUMBER.finditer(text, start, keepsake.start))
        words.append(ExactWord(text[keepsake.start : keepsake.stop], True, keepsake.rank != Rank.FIGURE))
        start = keepsake.stop
    words += (ExactWord(match[0], False) for match in _NUMBER.finditer(text, start))
    return words
