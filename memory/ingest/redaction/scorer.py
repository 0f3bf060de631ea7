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
from .spans import sentence_words, spans
from .values import YEAR, Shape, shape_of
from .words import SCRIPTS, Cue, Words, words

WEIGHTS = Path(__file__).parents[1] / "data" / "redaction.npz"
BITS = 18
#: Logarithm of the odds above which a range is replaced.
THRESHOLD = 0.5
#: The same in a text of words with blanks, of which none speaks of a secret, of what one opens or of signing in.
THRESHOLD_WITHOUT_CUES = 2.4
#: The same for a range that another rule proposes.
UNLIKELY = -7.0
#: Tokens before a value, after it, and close before it, that count.
BEFORE = 40
AFTER = 14
CLOSE = 5
#: Characters of a text of which every sentence may tell a secret.
SHORT = 400
#: What sentences say in which any word may be a secret, and those of them beside which one may be.
_TELLING = Cue.SECRET | Cue.KEY | Cue.OPENED | Cue.THING | Cue.SIGNING | Cue.QUESTION | Cue.PHRASE
_TELLING_BESIDE = Cue.SECRET | Cue.QUESTION | Cue.PHRASE
_TOKEN = regex.compile(
    rf"\p{{Lu}}?\p{{Ll}}{{1,40}}|\p{{Lu}}{{1,40}}(?!\p{{Ll}})|[{SCRIPTS}]|\p{{L}}|\d{{1,40}}|\n|[^\w\s]|_"
)
_SCRIPT = regex.compile(rf"[{SCRIPTS}]")
_PARTICLE = regex.compile("[はがをにでもへとのって는은이가을를로으에와과랑도야]")
_ENDS = frozenset(".!?。！？\n")
_WORD = regex.compile(r"[\p{L}’'.-]+")
_SIGN = regex.compile(r"[^\p{L}\d._-]")
_HEX = regex.compile(r"[0-9a-fA-F-]+")
_LETTERS = regex.compile(r"\p{L}+")
_QUOTES = frozenset("\"'`«“„‘‚「『")
_VOWELS = frozenset("aeiouyäöüéèêàâáíóúîôûœ")
#: Odd numbers, one for each place beside a value, that spread its features.
_SPREAD = [np.uint64((0x9E3779B97F4A7C15 * (2 * place + 1)) & (2**64 - 1) | 1) for place in range(64)]
_SPREADS = np.array(_SPREAD, np.uint64)
_SHIFT = np.uint64(64 - BITS)
#: Places of what stands next to a value, from the first of these on.
_NEXT = 0
_SENTENCES = 48
_CLOSE_BY = 52
_AFTERWARDS = 53
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@lru_cache(65536)
def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


@lru_cache(65536)
def _token(spelled: str) -> tuple[int, tuple[int, ...], str, bool, int, int]:
    """Returns the hash of a token where it stands next to a value, those of its parts that count wherever it stands,
    the token if it is a sign of a script without blanks, whether it ends a sentence, the hash of its role, and its
    cues. Role and cues are the same in every language."""
    token = "0" if spelled.isdigit() else spelled.lower()
    sign = token if _SCRIPT.match(token) else ""
    parts = list[int]()
    cues = 0
    if len(token) > 1 and not sign:
        parts = [_hash(token[:5]), _hash("=" + token[:12])]
        if len(token) > 7:
            parts += [_hash("~" + token[-4:]), _hash("~" + token[-6:])]
        cues = words().cues.said(token)
        parts += _cue_parts(cues)
    return _hash(token[:6]), tuple(parts), sign, token in _ENDS, _hash(_role(spelled, token, cues, words())), cues


@cache
def _cue_parts(cues: int) -> tuple[int, ...]:
    """Returns the hashes of cues."""
    return tuple(_hash(f"cue {bit}") for bit in range(cues.bit_length()) if cues >> bit & 1)


def _role(spelled: str, token: str, cues: int, lexicon: Words) -> str:
    """Returns what a token does in a sentence, whatever its language."""
    if not token[0].isalpha():
        return token
    if cues & ~Cue.ENTERING:
        return f"cue {cues & -cues}"
    for role, members in (
        ("is", lexicon.connected),
        ("as", lexicon.verbs),
        ("of", lexicon.scopes),
        ("use", lexicon.glue),
        ("said", lexicon.plain),
    ):
        if token in members:
            return role
    if _SCRIPT.match(token):
        return token if _PARTICLE.match(token) else "script"
    return "Word" if spelled[0].isupper() else "enter" if cues else "word"


@cache
def _joined() -> dict[str, list[tuple[str, int]]]:
    """Returns the words of languages without blanks with their cues, by their first two characters."""
    phrases: dict[str, list[tuple[str, int]]] = {}
    for phrase, cue in words().cues.joined:
        if len(phrase) > 1:
            phrases.setdefault(phrase[:2], []).append((phrase, cue))
    return phrases


def _joined_cue(text: str, start: int, pair: str) -> int:
    """Returns the cues of the words that begin with a pair of signs at a place."""
    cue = 0
    for phrase, cues in _joined().get(pair, ()):
        if text.startswith(phrase, start):
            cue |= cues
    return cue


def _places(hashes: Hashes, place: int, look: int) -> Numbers:
    """Returns the places of weights of hashes that stand at a place beside a value. `look`: 0 for any value."""
    return (((hashes ^ np.uint64(look)) * _SPREAD[place]) >> _SHIFT).astype(np.int64)


class Context:
    """The tokens of a text, read once."""

    def __init__(self, text: str) -> None:
        matches = list(_TOKEN.finditer(text))
        numbers = dict[str, int]()
        tokens = np.array([numbers.setdefault(match[0], len(numbers)) for match in matches], np.int64)
        of_tokens = list(map(_token, numbers))
        hashes, parts, signs, ends, roles, cues = zip(*of_tokens, strict=True) if of_tokens else ((),) * 6
        parts_of_tokens = [parts[token] for token in tokens.tolist()]
        cues_of_tokens = np.array(cues, np.int64)[tokens]
        last = ""
        last_two = ""
        follows = -1
        for place in np.flatnonzero(np.array(signs, bool)[tokens]).tolist():
            if place != follows:
                last = last_two = ""
            sign = signs[tokens[place]]
            pairs = [last + sign, last_two + sign] if last_two else [last + sign]
            cues_of_pair = _joined_cue(text, matches[place].start() - len(last), last + sign) if last else 0
            cues_of_tokens[place] |= cues_of_pair
            parts_of_tokens[place] = (*map(_hash, pairs), *_cue_parts(cues_of_pair))
            last_two = last + sign if last else ""
            last = sign
            follows = place + 1
        edge = np.full(4, _hash(""), np.uint64)
        self._roles = np.concatenate([edge, np.array(roles, np.uint64)[tokens], edge])
        self._cues = cues_of_tokens
        self._length = len(text)
        self._starts = np.array([match.start() for match in matches], np.int64)
        self._near = np.concatenate([edge, np.array(hashes, np.uint64)[tokens], edge])
        self._parts = np.fromiter(chain.from_iterable(parts_of_tokens), np.uint64)
        #: number of parts before each token
        self._counts = np.cumsum([0, *map(len, parts_of_tokens)])
        #: number of sentences that ended before each token
        self._sentences = np.concatenate([[0], np.cumsum(np.array(ends, np.int64)[tokens])])

    def has_cues(self) -> bool:
        """Returns whether a word of the text speaks of a secret, of what one opens or of signing in."""
        return bool(np.any(self._cues & _TELLING))

    def passages(self) -> Iterator[Range]:
        """Yields the runs of sentences that may tell a secret: those with a word for one, for what one opens or for
        signing in, and the sentences beside them; of a short text all."""
        if not len(self._starts):
            return
        if self._length <= SHORT:
            yield 0, self._length
            return
        sentences = self._sentences[:-1]
        first = np.flatnonzero(np.diff(sentences, prepend=-1))
        cues = np.bitwise_or.reduceat(self._cues, first)
        nearby = cues & _TELLING_BESIDE != 0
        telling = cues & _TELLING != 0
        telling[1:] |= nearby[:-1]
        telling[2:] |= nearby[:-2]
        telling[:-1] |= nearby[1:]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], telling, [False]]).astype(np.int8)))
        starts = [*self._starts[first].tolist(), self._length]
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            yield starts[start], starts[stop]

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
        roles = [self._roles[first + 3 - number] for number in range(4)]
        later = [self._roles[last + 4 + number] for number in range(2)]
        two = roles[0] * three + roles[1]
        run = two * nine + roles[2]
        both += [*roles, *later, two, run, run * nine + roles[3], roles[0] * four + later[0], two * four + later[0]]
        both += [later[0] * three + later[1], run * four + later[0]]
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
            look, own = _look(text[slice(*span)], text[max(0, span[0] - 1) : span[0]])
            bounds = [(place, int(start[number]), int(stop[number])) for place, start, stop in stretches]
            hashes = np.concatenate(
                [
                    [hashes[number] for hashes in neighbours],
                    *(self._parts[start:stop] for _, start, stop in bounds),
                ]
            ).astype(np.uint64)
            spreads = [*_SPREAD[_NEXT : _NEXT + len(neighbours)], *(_SPREAD[place] for place, _, _ in bounds)]
            spread = np.repeat(spreads, [1] * len(neighbours) + [stop - start for _, start, stop in bounds])
            places = ((np.stack([hashes, hashes ^ np.uint64(look)]) * spread) >> _SHIFT).astype(np.int64)
            yield np.concatenate([np.array(own, np.int64), places.ravel()])

    def scores(self, text: str, ranges: Sequence[Range], table: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the logarithm of the odds of each range."""
        neighbours, stretches = self.beside(ranges)
        looks, own = zip(
            *(_look(text[start:stop], text[max(0, start - 1) : start]) for start, stop in ranges), strict=True
        )
        starts = np.cumsum([0, *map(len, own)])[:-1]
        total = np.add.reduceat(table[np.fromiter(chain.from_iterable(own), np.int64)], starts, dtype=np.float64)
        groups = np.array(looks, np.uint64)
        adjacent = np.stack(neighbours)
        spread = _SPREADS[_NEXT : _NEXT + len(neighbours), None]
        total += table[(adjacent * spread) >> _SHIFT].sum(0, dtype=np.float64)
        total += table[((adjacent ^ groups) * spread) >> _SHIFT].sum(0, dtype=np.float64)
        numbers = np.array([place for place, _, _ in stretches])
        begins = np.stack([start for _, start, _ in stretches])
        lengths = np.stack([stop for _, _, stop in stretches]) - begins
        different = np.unique(groups).tolist()
        if 2 * int(lengths.sum()) < (1 + len(different)) * len(stretches) * len(self._parts):
            return total + self._beside_each(begins, lengths, numbers, groups, table)
        for look in (0, *different):
            chosen = np.flatnonzero(groups == look) if look else np.arange(len(ranges))
            for place, start, length in zip(numbers.tolist(), begins, lengths, strict=True):
                places = _places(self._parts, place, look)
                sums = np.concatenate([[0.0], np.cumsum(table[places], dtype=np.float64)])
                total[chosen] += sums[start[chosen] + length[chosen]] - sums[start[chosen]]
        return total

    def _beside_each(
        self, begins: Numbers, lengths: Numbers, places: Numbers, looks: Hashes, table: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Returns the sums of weights of the parts beside each range, read range by range. Shape of `begins` and
        `lengths`: (places, ranges)."""
        flat = lengths.ravel()
        ends = np.cumsum(flat)
        parts = self._parts[np.repeat(begins.ravel() - ends + flat, flat) + np.arange(ends[-1])]
        spread = np.repeat(np.repeat(_SPREADS[places], len(looks)), flat)
        crossed = parts ^ np.repeat(np.tile(looks, len(places)), flat)
        weights = table[(parts * spread) >> _SHIFT] + table[(crossed * spread) >> _SHIFT]
        owner = np.repeat(np.tile(np.arange(len(looks)), len(places)), flat)
        sums: NDArray[np.float64] = np.bincount(owner, weights, len(looks)).astype(np.float64, copy=False)
        return sums


@lru_cache(8192)
def _look(value: str, before: str) -> tuple[int, tuple[int, ...]]:
    """Returns the hashed class of a value, and the features that it has by itself. `before`: the character before."""
    look = _class(value)
    joint = "" if not before or before.isspace() else "quoted" if before in _QUOTES else "joined"
    pattern = _pattern(value)
    lower = value.lower()
    signs = "".join(sorted(set(_SIGN.findall(value))))[:4]
    digits = min(sum(map(str.isdigit, value)), 9)
    first, last = ("" if end.isalnum() else end for end in (value[0], value[-1]))
    features = [
        "bias",
        f"class {look}",
        f"class {look} {joint}",
        f"joint {joint}",
        f"pattern {pattern}",
        f"pattern {pattern} {min(len(value), 24) // 4}",
    ]
    features += [f"length {min(len(value) // 2, 20)}", f"word {_wordlike(value)}", f"signs {signs}", f"digits {digits}"]
    features += [f"distinct {min(len(set(value)), 12)}", f"last {last}", f"first {first}"]
    words = {token[:8].lower() for token in _TOKEN.findall(value[:60]) if len(token) > 1 and not token.isdigit()}
    features += [f"part {word}" for word in sorted(words)]
    if _WORD.fullmatch(value):
        features.append(f"value {lower[:10]}")
    coarse = look if look[0] in "NSM" else look[:1]
    return _hash(f"look {coarse} {joint}"), tuple(_hash(feature) & ((1 << BITS) - 1) for feature in features)


def _class(value: str) -> str:
    """Returns the class of a value: its shape, and what else matters of one of this shape."""
    if " " in value or _SCRIPT.search(value):
        return "phrase" if any(map(str.isalpha, value)) else "groups"
    if value.isalpha() and len(value) < 24 and (value[1:].islower() or value.isupper()):
        return "P" if value.lower() in words().plain else "W"
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


def ranges_of(text: str, context: "Context") -> list[Range]:
    """Returns the ranges of a text that are scored, in order."""
    return sorted({*spans(text), *sentence_words(text, context.passages())})


def scored(
    text: str,
    matches: Sequence[RuleMatch],
    proposed: Sequence[RuleMatch],
    check: Callable[[], object],
    order: int,
) -> Iterator[RuleMatch]:
    """Yields the ranges of a text that are likely secrets: of those that rules propose all but what is unlikely, and
    others that overlap neither these nor one another. `matches`: what was found already, which stays; `check`: called
    now and then, to raise an exception if time is up; `order`: see `RuleMatch`."""
    context = Context(text)
    check()
    ranges = ranges_of(text, context)
    check()
    places = [(match.start, match.stop) for match in proposed]
    scores = context.scores(text, [*ranges, *places], _weights()) if ranges or places else np.empty(0)
    likely = [match for match, score in zip(proposed, scores[len(ranges) :], strict=True) if score > UNLIKELY]
    yield from likely
    occupied = [(match.start, match.stop) for match in without_overlaps([*matches, *likely])]
    joined = _SCRIPT.search(text) is not None
    threshold = THRESHOLD if joined or context.has_cues() else THRESHOLD_WITHOUT_CUES
    for number in np.argsort(-scores[: len(ranges)], kind="stable"):
        if scores[number] <= threshold:
            return
        start, stop = ranges[number]
        place = bisect_left(occupied, (start, stop))
        if (place and occupied[place - 1][1] > start) or (place < len(occupied) and occupied[place][0] < stop):
            continue
        occupied.insert(place, (start, stop))
        yield RuleMatch(start, stop, "secret", "secrets", order)
