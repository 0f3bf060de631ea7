"""Score of a range of a text: how likely it is a secret, by its look and by what is said around it.

A logistic regression whose features are hashed: characters of the value, and the words, parts of words and signs beside
it, each by itself and together with the look of the value. `training/redaction` makes the weights. What is said around
is summed once for a text, so that the time grows with the text and no faster.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from zlib import crc32

import numpy as np
import regex
from numpy.typing import NDArray

from .matches import RuleMatch, without_overlaps
from .ranges import Range
from .spans import spans
from .values import YEAR, Shape, shape_of
from .words import SCRIPTS

WEIGHTS = Path(__file__).parents[1] / "data" / "redaction.npz"
BITS = 18
#: Logarithm of the odds above which a range is replaced.
THRESHOLD = 2.5
#: Tokens before a value, after it, and close before it, that count.
BEFORE = 40
AFTER = 14
CLOSE = 5
#: Characters around values that are read, and those without a value after which nothing is read until the next one.
REACH = 500
APART = 4000
_TOKEN = regex.compile(
    rf"\p{{Lu}}?\p{{Ll}}{{1,40}}|\p{{Lu}}{{1,40}}(?!\p{{Ll}})|[{SCRIPTS}]|\p{{L}}|\d{{1,40}}|\n|[^\w\s]|_"
)
_SCRIPT = regex.compile(rf"[{SCRIPTS}]")
_ENDS = frozenset(".!?。！？\n")
_WORD = regex.compile(r"[\p{L}’'.-]+")
_SIGN = regex.compile(r"[^\p{L}\d._-]")
_HEX = regex.compile(r"[0-9a-fA-F-]+")
_LETTERS = regex.compile(r"\p{L}+")
_VOWELS = frozenset("aeiouyäöüéèêàâáíóúîôûœ")
#: Odd numbers, one for each place beside a value, that spread its features.
_SPREAD = [np.uint64((0x9E3779B97F4A7C15 * (2 * place + 1)) & (2**64 - 1) | 1) for place in range(32)]
_SHIFT = np.uint64(64 - BITS)
#: Places of what stands next to a value, from the first of these on.
_NEXT = 0
_SENTENCES = 16
_CLOSE_BY = 20
_AFTERWARDS = 21
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@lru_cache(65536)
def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


@lru_cache(65536)
def _token(spelled: str) -> tuple[int, tuple[int, ...], str, bool]:
    """Returns the hash of a token where it stands next to a value, those of its parts that count wherever it stands,
    the token if it is a sign of a script without blanks, and whether it ends a sentence."""
    token = "0" if spelled.isdigit() else spelled.lower()
    sign = token if _SCRIPT.match(token) else ""
    parts = list[int]()
    if len(token) > 1 and not sign:
        parts = [_hash(token[:5]), _hash("=" + token[:12])]
        if len(token) > 7:
            parts += [_hash("~" + token[-4:]), _hash("~" + token[-6:])]
    return _hash(token[:6]), tuple(parts), sign, token in _ENDS


def _places(hashes: Hashes, place: int, look: int) -> Numbers:
    """Returns the places of weights of hashes that stand at a place beside a value. `look`: 0 for any value."""
    return (((hashes ^ np.uint64(look)) * _SPREAD[place]) >> _SHIFT).astype(np.int64)


class Context:
    """The tokens of a text, read once."""

    def __init__(self, text: str) -> None:
        matches = list(_TOKEN.finditer(text))
        numbers = dict[str, int]()
        tokens = np.array([numbers.setdefault(match[0], len(numbers)) for match in matches], np.int64)
        hashes, parts, signs, ends = zip(*map(_token, numbers), strict=True) if numbers else ((), (), (), ())
        parts_of_tokens = [parts[token] for token in tokens.tolist()]
        last = ""
        last_two = ""
        follows = -1
        for place in np.flatnonzero(np.array(signs, bool)[tokens]).tolist():
            if place != follows:
                last = last_two = ""
            sign = signs[tokens[place]]
            pairs = [last + sign, last_two + sign] if last_two else [last + sign]
            parts_of_tokens[place] = tuple(map(_hash, pairs))
            last_two = last + sign if last else ""
            last = sign
            follows = place + 1
        edge = np.full(4, _hash(""), np.uint64)
        self._starts = np.array([match.start() for match in matches], np.int64)
        self._near = np.concatenate([edge, np.array(hashes, np.uint64)[tokens], edge])
        self._parts = np.fromiter(chain.from_iterable(parts_of_tokens), np.uint64)
        #: number of parts before each token
        self._counts = np.cumsum([0, *map(len, parts_of_tokens)])
        #: number of sentences that ended before each token
        self._sentences = np.concatenate([[0], np.cumsum(np.array(ends, np.int64)[tokens])])

    def beside(self, ranges: Sequence[Range]) -> tuple[list[Hashes], list[tuple[int, Numbers, Numbers]]]:
        """Returns what stands next to ranges, an array of hashes for each place; and for places around them the numbers
        of the first part and of the last, exclusive."""
        bounds = np.array(ranges, np.int64).reshape(-1, 2)
        first = np.searchsorted(self._starts, bounds[:, 0])
        last = np.searchsorted(self._starts, bounds[:, 1])
        four = np.uint64(4)
        before = [self._near[first + 3 - number] for number in range(4)]
        after = [self._near[last + 4 + number] for number in range(3)]
        three = np.uint64(3)
        nine = np.uint64(9)
        both = [before[0] * three + before[1], before[0] * nine + before[1] * three + before[2]]
        both += [after[0] * three + after[1], before[0] * four + after[0]]
        sentence = self._sentences[first]
        begin = [np.searchsorted(self._sentences, sentence - number) for number in range(2)]
        edges = [first, *begin, np.zeros_like(first)]
        first_before = np.maximum(first - BEFORE, 0)
        stretches = [
            (
                _SENTENCES + number,
                np.minimum(np.maximum(edges[number + 1], first_before), first),
                np.maximum(edges[number], first_before),
            )
            for number in range(3)
        ]
        stretches.append((_CLOSE_BY, np.maximum(first - CLOSE, 0), first))
        last_after = np.minimum(last + AFTER, len(self._starts))
        end = np.clip(np.searchsorted(self._sentences, sentence, side="right"), last, last_after)
        stretches += [(_AFTERWARDS, last, end), (_AFTERWARDS + 1, end, last_after)]
        return [*before, *after, *both], [
            (place, self._counts[start], self._counts[stop]) for place, start, stop in stretches
        ]

    def features(self, text: str, ranges: Sequence[Range]) -> Iterator[Numbers]:
        """Yields the places of the weights of each range, for training."""
        neighbours, stretches = self.beside(ranges)
        for number, span in enumerate(ranges):
            look, own = _look(text[slice(*span)])
            places = [np.array(own, np.int64)]
            for of in (0, look):
                places += [
                    _places(hashes[number : number + 1], _NEXT + place, of) for place, hashes in enumerate(neighbours)
                ]
                places += [
                    _places(self._parts[start[number] : stop[number]], place, of) for place, start, stop in stretches
                ]
            yield np.concatenate(places)

    def scores(self, text: str, ranges: Sequence[Range], table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the logarithm of the odds of each range."""
        neighbours, stretches = self.beside(ranges)
        looks, own = zip(*(_look(text[slice(*span)]) for span in ranges), strict=True)
        total = np.array([float(table[list(places)].sum()) for places in own])
        groups = np.array(looks, np.int64)
        for look in (0, *np.unique(groups).tolist()):
            chosen = np.flatnonzero(groups == look) if look else np.arange(len(ranges))
            for place, hashes in enumerate(neighbours):
                total[chosen] += table[_places(hashes[chosen], _NEXT + place, look)]
            for place, start, stop in stretches:
                sums = np.concatenate([[0.0], np.cumsum(table[_places(self._parts, place, look)], dtype=np.float64)])
                total[chosen] += sums[stop[chosen]] - sums[start[chosen]]
        return total


def stretches(ranges: Sequence[Range]) -> Iterator[tuple[int, int, Sequence[Range]]]:
    """Yields the start and the end of the parts of a text that are read, each with its ranges. `ranges`: in order."""
    begin = 0
    for number, (start, _) in enumerate([*ranges[1:], (ranges[-1][1] + APART, 0)], 1):
        if start - ranges[number - 1][1] >= APART:
            inside = ranges[begin:number]
            yield max(0, inside[0][0] - REACH), max(stop for _, stop in inside) + REACH, inside
            begin = number


@lru_cache(4096)
def _look(value: str) -> tuple[int, tuple[int, ...]]:
    """Returns the hashed class of a value, and the features that it has by itself."""
    look = _class(value)
    pattern = _pattern(value)
    lower = value.lower()
    signs = "".join(sorted(set(_SIGN.findall(value))))[:4]
    digits = min(sum(map(str.isdigit, value)), 9)
    first, last = ("" if end.isalnum() else end for end in (value[0], value[-1]))
    features = ["bias", f"class {look}", f"pattern {pattern}", f"pattern {pattern} {min(len(value), 24) // 4}"]
    features += [f"length {min(len(value) // 2, 20)}", f"word {_wordlike(value)}", f"signs {signs}", f"digits {digits}"]
    features += [f"distinct {min(len(set(value)), 12)}", f"last {last}", f"first {first}"]
    words = {token[:8].lower() for token in _TOKEN.findall(value[:60]) if len(token) > 1 and not token.isdigit()}
    features += [f"part {word}" for word in sorted(words)]
    if _WORD.fullmatch(value):
        features.append(f"value {lower[:10]}")
    coarse = look if look[0] in "NSM" else look[:1]
    return _hash("look " + coarse), tuple(_hash(feature) & ((1 << BITS) - 1) for feature in features)


def _class(value: str) -> str:
    """Returns the class of a value: its shape, and what else matters of one of this shape."""
    if " " in value or _SCRIPT.search(value):
        return "phrase" if any(map(str.isalpha, value)) else "groups"
    shape = shape_of(value)
    if shape is Shape.PLACEHOLDER:
        return "P"
    if shape is Shape.NUMBER:
        digits = sum(map(str.isdigit, value))
        return "NY" if YEAR.fullmatch(value) else f"N{'d' if value.isdigit() else 'x'}{min(digits, 7)}"
    if shape is Shape.MACHINE:
        return "Mh" if _HEX.fullmatch(value) else "M"
    if shape is Shape.STRONG:
        sign = _SIGN.search(value[:-1]) is not None
        return f"S{sign:d}{any(map(str.isupper, value)):d}{any(map(str.isdigit, value)):d}"
    return "W" if _WORD.fullmatch(value) else "O"


def _pattern(value: str) -> str:
    """Returns the kinds of the characters of a value, each run of them as one."""
    kinds = [
        "a" if c.islower() else "A" if c.isupper() else "9" if c.isdigit() else "x" if c.isalpha() else c
        for c in value[:40]
    ]
    return "".join(kind for kind, last in zip(kinds, ["", *kinds], strict=False) if kind != last)[:12]


def _wordlike(value: str) -> str:
    """Returns how much the longest run of letters looks like a word, and how long it is."""
    longest = max(_LETTERS.findall(value), key=len, default="")
    if len(longest) < 3:
        return ""
    vowels = sum(character in _VOWELS for character in longest.lower()) / len(longest)
    case = longest[1:].islower() or longest.isupper()
    return f"{'w' if 0.2 <= vowels <= 0.65 and case else 'r'}{min(len(longest) // 3, 4)}"


@cache
def _weights() -> NDArray[np.float32]:
    with np.load(WEIGHTS) as stored:
        table: NDArray[np.float32] = stored["weights"].astype(np.float32) * stored["scale"]
    return table


def _scores(text: str, begin: int, ranges: Sequence[Range]) -> NDArray[np.float64]:
    """Returns the scores of ranges of a longer text, of which `text` begins at `begin`."""
    return Context(text).scores(text, [(start - begin, stop - begin) for start, stop in ranges], _weights())


def scored(text: str, matches: Sequence[RuleMatch], check: Callable[[], object], order: int) -> Iterator[RuleMatch]:
    """Yields the ranges of a text that are likely secrets, and no two that overlap. `matches`: what was found already,
    which stays; `check`: called now and then, to raise an exception if time is up; `order`: see `RuleMatch`."""
    ranges = sorted(set(spans(text)))
    check()
    if not ranges:
        return
    occupied = [(match.start, match.stop) for match in without_overlaps(matches)]
    scores = np.concatenate([_scores(text[begin:end], begin, inside) for begin, end, inside in stretches(ranges)])
    for number in np.argsort(-scores, kind="stable"):
        if scores[number] <= THRESHOLD:
            return
        start, stop = ranges[number]
        place = bisect_left(occupied, (start, stop))
        if (place and occupied[place - 1][1] > start) or (place < len(occupied) and occupied[place][0] < stop):
            continue
        occupied.insert(place, (start, stop))
        yield RuleMatch(start, stop, "secret", "secrets", order)
