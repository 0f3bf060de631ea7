"""Score of a pair of statements: how likely a later message says with another value what an earlier one states.

Numbers that say how the two and a question overlap go through a small network, to whose result the weights of words
that only one of them has are added, by their hashes. `training/updates` makes the weights.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from foxing.memory.text.terms import is_unspaced

from .differences import differences_of
from .sentences import Sentence
from .statement import INFORMATIVE
from .tokens import Token, kinds_of
from .wording import Kind

WEIGHTS = Path(__file__).parents[1] / "data" / "succession.npz"
BITS = 12  # of the hash of a word
#: Letters of a word that count, and those that two forms of one word share at least.
LETTERS, LEAST_COMMON = 6, 4
ALIKE = 0.7  # how much such forms match
MOST_COUNTED = 4
_SYLLABLES = 2  # of Hangul that two forms of a word share
_CODES = ("en", "de", "fr", "ja", "ko")
_KINDS = (Kind.QUANTITY, Kind.NAME, Kind.PERSON, Kind.STATUS)
_FLAGS = (Kind.ADDITION, Kind.EVENT, Kind.OWN, Kind.OTHERS, Kind.STATUS, Kind.ROLE, Kind.SEVERAL, Kind.COPULA)


class PairFeatures(NamedTuple):
    """Look of a pair of statements beside a question."""

    #: Numbers of how they overlap, about 0 to 1.
    numbers: list[float]
    #: Places of the weights of words that only one of them has.
    words: list[int]


class _Words(dict[str, int]):
    """Informative words of a text, form → kind, among which forms of other words are looked for."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        super().__init__((token.form, token.kind) for token in tokens if token.kind & INFORMATIVE and token.form)
        #: Beginnings that two forms of one word share, of words in letters and of those in Hangul.
        self._beginnings = {form[:LEAST_COMMON] for form in self if len(form) >= LEAST_COMMON and form.isalpha()}
        self._syllables = {form[:_SYLLABLES] for form in self if len(form) >= _SYLLABLES}

    def best(self, word: str) -> float:
        """Returns how alike a word and the one of these most like it are, 0 to 1: forms or compounds of one word share
        their beginning, or an ideograph."""
        if word in self:
            return 1.0
        if "가" <= word[:1] <= "힣":
            return ALIKE if word[:_SYLLABLES] in self._syllables else 0.0
        if is_unspaced(word[:1]):
            pairs = list(_ideographs(word))
            return ALIKE if any(pair in other for other in self for pair in pairs) else 0.0
        return ALIKE if word.isalpha() and word[:LEAST_COMMON] in self._beginnings else 0.0


def _ideographs(word: str) -> Iterator[str]:
    """Yields the pairs of ideographs in a word, or the one that it is."""
    if len(word) == 1 and _is_ideograph(word):
        yield word
    yield from (a + b for a, b in pairwise(word) if all(map(_is_ideograph, (a, b))))


def _is_ideograph(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


def pair_features(question: Sequence[Token], after: Sequence[Sentence], before: Sentence) -> PairFeatures:
    """Returns the features of a later message and the one sentence of an earlier one. `question`: its words."""
    new = [token for sentence in after for token in sentence.tokens]
    old = before.tokens
    query, ours, theirs = map(_Words, (question, new, old))
    in_new, in_old = ({form: words.best(form) for form in query} for words in (ours, theirs))
    old_matches, new_matches = {form: ours.best(form) for form in theirs}, {form: theirs.best(form) for form in ours}
    of_question_new, of_question_old = ({form: query.best(form) for form in words} for words in (ours, theirs))

    numbers = [_mean(in_new.values()), _mean(in_old.values()), _mean(min(in_new[f], in_old[f]) for f in query)]
    for forms in (query, [f for f, kind in query.items() if kind & Kind.IDENTIFYING or not f.isalpha()]):
        numbers += [
            _count(in_old[f] > in_new[f] for f in forms),
            _count(in_new[f] > in_old[f] for f in forms),
            _count(bool(in_new[f] and in_old[f]) for f in forms),
        ]
    exact_new, exact_old = query.keys() & ours.keys(), query.keys() & theirs.keys()
    numbers += [
        len(exact_new & exact_old) / (len(query) or 1),
        len(exact_new) / (len(query) or 1),
        _count(0 < in_new[f] < in_old[f] for f in query),
        _count(0 < in_old[f] < in_new[f] for f in query),
        len(ours.keys() & theirs.keys()) / (len(theirs) or 1),
    ]
    numbers += [_mean(old_matches.values()), _mean(new_matches.values())]
    topic = before.topic
    numbers += [
        _mean(old_matches.get(f, 0.0) for f in topic),
        _mean(of_question_old.get(f, 0.0) for f in topic),
        _count(f not in topic and old_matches[f] > 0 and not of_question_old[f] for f in theirs),
        _count(old_matches[f] > 0 and not of_question_old[f] for f in theirs),
        _count(not old_matches[f] and of_question_old[f] > 0 for f in theirs),
        _count(not new_matches[f] and of_question_new[f] > 0 for f in ours),
    ]
    lost = {f: kind for f, kind in theirs.items() if not old_matches[f] and not of_question_old[f]}
    gained = {f: kind for f, kind in ours.items() if not new_matches[f] and not of_question_new[f]}
    numbers += [_count(map(bool, lost)), _count(map(bool, gained)), float(not lost), float(not gained)]
    for kind in _KINDS:
        one, other = _count(k & kind for k in lost.values()), _count(k & kind for k in gained.values())
        numbers += [
            one,
            other,
            float(bool(one) and bool(other)),
            _count(theirs[f] & kind and old_matches[f] for f in theirs),
        ]
    first = after[0].statements[:1]
    differences = list(differences_of(before.statements[0], first[0])) if before.statements and first else []
    numbers += [
        _count(map(bool, differences)),
        float(any(change.old_names and change.new_names for change in differences)),
        float(any(change.old_names or change.new_names for change in differences)),
        _count(change.is_of_quantities for change in differences),
        float(len(differences) == 1),
    ]
    forms_new, forms_old = ([t.form for t in tokens if t.form] for tokens in (new, old))
    start, end = _alike_at_start(forms_new, forms_old), _alike_at_start(forms_new[::-1], forms_old[::-1])
    shorter = max(1, min(len(forms_new), len(forms_old)))
    numbers += [start / shorter, end / shorter, float(start > 0), float(end > 0), min(start + end, shorter) / shorter]
    numbers += [float([t.kind for t in new] == [t.kind for t in old]), len(forms_new) / 20, len(forms_old) / 20]
    numbers += [len(after) - 1.0, min(2.0, len(forms_new) / max(1, len(forms_old))) / 2]
    numbers += [
        float(any(s.announces for s in after)),
        float(any(s.changed for s in after)),
        float(any(s.opened for s in after)),
        float(before.changed),
        float(any(not s.exclusive.isdisjoint(before.exclusive) for s in after)),
        float(all(s.has_parts for s in after)),
        float(len(query) / 8),
    ]
    kinds = (kinds_of(new), kinds_of(old))
    numbers += [float(bool(of_one & flag)) for of_one in kinds for flag in _FLAGS]
    numbers += [_pairs_shared(after, before)]
    numbers += [float(before.code == code) for code in _CODES]
    words = [*_hashes("a", new, {**theirs, **query}), *_hashes("b", old, {**ours, **query})]
    return PairFeatures(numbers, words)


def _mean(values: Collection[float] | Iterator[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def _count(values: Collection[object] | Iterator[object]) -> float:
    return min(MOST_COUNTED, sum(map(bool, values))) / MOST_COUNTED


def _alike_at_start(one: Sequence[str], other: Sequence[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@lru_cache(1 << 10)
def letter_pairs(text: str) -> frozenset[str]:
    """Returns the pairs of letters that stand together in a text."""
    return frozenset(map(add, text, text[1:]))


def _pairs_shared(after: Sequence[Sentence], before: Sentence) -> float:
    """Returns the share of the pairs of letters of the earlier text that the later one has."""
    new, old = frozenset[str]().union(*(letter_pairs(sentence.text) for sentence in after)), letter_pairs(before.text)
    return len(new & old) / (len(old) or 1)


def _hashes(side: str, tokens: Sequence[Token], others: Collection[str]) -> Iterator[int]:
    """Yields places of the weights of words that are no names, no figures and not among others, and of pairs of
    them."""
    last = ""
    for token in tokens:
        form = token.form[:LETTERS]
        if not form or token.form in others or token.kind & Kind.NAME or any(map(str.isdigit, form)):
            last = ""
            continue
        yield crc32(f"{side} {form}".encode()) & ((1 << BITS) - 1)
        if last and side == "a":
            yield crc32(f"{side} {last} {form}".encode()) & ((1 << BITS) - 1)
        last = form


class Weights(NamedTuple):
    """Weights of the score."""

    #: float32[numbers], [numbers], [numbers, hidden], [hidden], [hidden], [1]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    out: NDArray[np.float32]
    bias: NDArray[np.float32]
    #: float32[2 ** BITS]
    words: NDArray[np.float32]

    def score(self, pair: PairFeatures) -> float:
        """Returns the logarithm of the odds of a pair."""
        inner = ((np.array(pair.numbers, np.float32) - self.mean) / self.scale) @ self.hidden + self.hidden_bias
        return float(np.maximum(inner, 0) @ self.out + self.bias[0] + self.words[pair.words].sum())


@cache
def weights() -> Weights:
    """Returns the weights, loaded once per process."""
    with np.load(WEIGHTS) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in Weights._fields}
        arrays["words"] *= stored["words_scale"]
    return Weights(**arrays)
