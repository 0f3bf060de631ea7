"""How rare words are: lists of the frequent words of some languages, counted in the training texts."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

#: A file for each language: line `n` (from 0) has those words in more than one of 2^(n/2) messages that no line before
#: it has. Made by `python -m training.frequent_words`.
FREQUENT_WORDS_PATH = Path(__file__).parent / "data"
#: Lines of a list for each halving of the messages that a word is in.
LINES_PER_HALVING = 2

#: Endings of Korean words that stand for particles and the commonest verb forms; the stem keeps two syllables or more.
_KOREAN_ENDINGS = re.compile(
    "(?<=[가-힣]{2})(?:에서는|에서도|으로는|이라고|이라는|에게서|까지는|에서|으로|에게|한테|까지|부터|처럼|보다|이랑|하고|이나|라고|라는|이라|"
    "이다|인데|이고|은|는|이|가|을|를|에|의|도|로|와|과|랑|만|요)$"
)
_POSSESSIVE = re.compile("'s?$")


def stem(word: str) -> str:
    """The part of a word, as `plain` gives it, by which it is listed."""
    return _KOREAN_ENDINGS.sub("", _POSSESSIVE.sub("", word))


class Frequencies:
    """The frequent words of one or more languages."""

    def __init__(self, ranks: Mapping[str, float]) -> None:
        #: Word → how rare it is, above 0 and below 1.
        self.ranks = ranks

    def rarity(self, word: str) -> float:
        """How rare a word is, as `plain` gives it: above 0 and up to 1, which is that of a word that is not listed."""
        return self.ranks.get(stem(word), 1.0)


def frequencies_of(codes: Iterable[str]) -> Frequencies | None:
    """The frequent words of the languages of a text, the likeliest first; None if there is no list for that one. A word
    is as rare as in the language where it is most frequent."""
    first, *others = [_listed(code) for code in codes] or [None]
    if first is None:
        return None
    ranks = dict(first)
    for other in others:
        for word, rank in (other or {}).items():
            ranks[word] = min(rank, ranks.get(word, 1.0))
    return Frequencies(ranks)


@cache
def _listed(code: str) -> Mapping[str, float] | None:
    path = FREQUENT_WORDS_PATH / f"{code}.txt"
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    return {word: number / len(lines) for number, line in enumerate(lines) for word in line.split()}
