"""Pairs of messages for training, made from sentences written by hand, one file for each language.

A file has groups of lines: `c` names the sort of the things of a group, `s` lists things, `v` values, `b` sentences
that state a value of a thing, `q` questions for it, `u` sentences that tell that it has changed, and `n` others that
speak of the thing. In them {s} is a thing, {v} a value and {w} the old one; a capital letter stands for one at the
beginning. `k` lists words that tell two things of one name apart; `r` and `x` are what may come before a sentence, of
which `r` says that something has changed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from foxing.memory.text.statements import sentences
from foxing.memory.text.statements.scorer import PairFeatures, pair_features
from foxing.memory.text.statements.tokens import tokens_in

HERE = Path(__file__).parent
LANGUAGES = ("en", "de", "fr", "ja", "ko")
BEFORE_ITS_NOUN = ("ja", "ko")  # languages in which words that tell things apart come first
#: Consonants at the end of a syllable of Hangul, among 28.
_FINALS, _RIEUL = 28, 8
_PARTICLES = re.compile(r"(\S)(은\(는\)|이\(가\)|을\(를\)|\(으\)로|\(이\))")
_FORMS = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "(으)로": ("으로", "로"),
    "(이)": ("이", ""),
}
_DIGITS_WITH_FINAL = "01367 8"

#: What other compounds of a word end in.
_TAILS = {"ja": "票表者費品場書", "ko": "기장표비자실서"}

Group = Mapping[str, Sequence[str]]


class Pair(NamedTuple):
    """An earlier message and a later one, beside a question."""

    before: str
    after: str
    ask: str
    #: Whether the later one replaces the earlier one.
    follows: bool
    #: How much it counts.
    weight: float = 1.0


def examples_of(pair: Pair) -> Iterator[tuple[PairFeatures, bool, float]]:
    """Yields the features of a pair, if its messages are short, of one language, and share a word of the question."""
    before, after = sentences(pair.before), sentences(pair.after)
    if len(before) == 1 and 0 < len(after) <= 2 and before[0].code == after[0].code:
        features = pair_features(tokens_in(pair.ask, before[0].code), after, before[0])
        if features.numbers[2]:
            yield features, pair.follows, pair.weight


def groups_of(code: str) -> list[Group]:
    """Returns the groups of a language, the common one last."""
    groups: list[dict[str, Sequence[str]]] = []
    common: dict[str, Sequence[str]] = {}
    for line in (HERE / f"{code}.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("["):
            groups.append({})
        elif line and not line.startswith("#"):
            key, _, rest = line.partition(": ")
            (common if key in "krx" else groups[-1])[key] = [each.strip() for each in rest.split(" | ")]
    return [*(group for group in groups if group), common]


def written_pairs(number: int, seed: int = 0, codes: Sequence[str] = LANGUAGES) -> list[Pair]:
    """Returns pairs, as many in each language."""
    pairs = []
    for code in codes:
        maker = _Maker(code, Random(f"{code} {seed}"))
        pairs += [maker.pair() for _ in range(number)]
    return pairs


class _Maker:
    """Makes pairs of one language."""

    def __init__(self, code: str, random: Random) -> None:
        *self.groups, self.common = groups_of(code)
        self.code, self.random = code, random
        self._sorts = (
            (self._change, 30),
            (self._plain_change, 16),
            (self._chain, 8),
            (self._sibling, 30),
            (self._other_thing, 7),
            (self._remark, 20),
            (self._other_relation, 7),
            (self._after_remark, 4),
            (self._same_value, 3),
            (self._unrelated, 16),
        )

    def pair(self) -> Pair:
        """Returns a pair of any sort."""
        make = self.random.choices([each for each, _ in self._sorts], [share for _, share in self._sorts])[0]
        return make(self.random.choice(self.groups))

    def _change(self, group: Group) -> Pair:
        thing = self._thing(group, 0.3)
        new, old = self._values(group)
        later, asked = self._other_name(thing), self._other_name(thing)
        return Pair(
            self._of(group, "b", thing, old), self._after(group, "u", later, new, old), self._ask(group, asked), True
        )

    def _plain_change(self, group: Group) -> Pair:
        thing = self._thing(group, 0.3)
        new, old = self._values(group)
        after = self._of(group, "b", thing, new)
        if self.random.random() < 0.6:
            after = self._join(self.random.choice(self.common["r"]), after)
        return Pair(self._of(group, "b", thing, old), after, self._ask(group, thing), True)

    def _chain(self, group: Group) -> Pair:
        thing = self._thing(group, 0.2)
        newest, new = self._values(group)
        old = self.random.choice(group["v"])
        before = self._of(group, "u", thing, new, old)
        return Pair(before, self._after(group, "u", thing, newest, new), self._ask(group, thing), True)

    def _sibling(self, group: Group) -> Pair:
        thing = self.random.choice(group["s"])
        one, other = (self._joined(thing, word) for word in self.random.sample(self.common["k"], 2))
        new, old = self._values(group)
        if self.random.random() < 0.3:  # made alike
            form = self.random.choice(group["b"])
            before, after = self._filled(form, one, old), self._filled(form, other, new)
        else:
            before = self._of(group, self.random.choice("bbu"), one, old, self.random.choice(group["v"]))
            after = self._after(group, self.random.choice("bbu"), other, new, self.random.choice(group["v"]))
        return Pair(before, after, self._ask(group, self.random.choice((one, other))), False, 1.5)

    def _other_thing(self, group: Group) -> Pair:
        one, other = self.random.sample(group["s"], 2)
        new, old = self._values(group)
        after = self._after(group, self.random.choice("bu"), other, new, old)
        return Pair(self._of(group, "b", one, old), after, self._ask(group, one), False)

    def _remark(self, group: Group) -> Pair:
        thing = self._thing(group, 0.15)
        new, old = self._values(group)
        after = self._after(group, "n", thing, new, old)
        return Pair(self._of(group, self.random.choice("bbbu"), thing, old, new), after, self._ask(group, thing), False)

    def _other_relation(self, group: Group) -> Pair:
        others = [each for each in self.groups if each is not group and each["c"] == group["c"]]
        others += [each for each in self.groups if each is not group and set(each["s"]) & set(group["s"])]
        other = self.random.choice(others or [each for each in self.groups if each is not group])
        thing = self.random.choice(sorted(set(other["s"]) & set(group["s"])) or group["s"])
        after = self._after(other, self.random.choice("buu"), thing, *self._values(other))
        return Pair(self._of(group, "b", thing, self.random.choice(group["v"])), after, self._ask(group, thing), False)

    def _after_remark(self, group: Group) -> Pair:
        thing = self._thing(group, 0.1)
        new, old = self._values(group)
        before = self._of(group, "n", thing, old, new)
        return Pair(before, self._after(group, "u", thing, new, old), self._ask(group, thing), False)

    def _unrelated(self, group: Group) -> Pair:
        other = self.random.choice([each for each in self.groups if each is not group])
        thing = self._thing(group, 0.2)
        after = self._after(other, self.random.choice("bun"), self._thing(other, 0.2), *self._values(other))
        return Pair(self._of(group, "b", thing, self.random.choice(group["v"])), after, self._ask(group, thing), False)

    def _same_value(self, group: Group) -> Pair:
        thing, value = self._thing(group, 0.2), self.random.choice(group["v"])
        one, other = self.random.sample(group["b"], 2)
        return Pair(self._filled(one, thing, value), self._filled(other, thing, value), self._ask(group, thing), False)

    def _thing(self, group: Group, share: float) -> str:
        """Returns a thing; a share of them are told apart from others."""
        thing = self.random.choice(group["s"])
        return self._joined(thing, self.random.choice(self.common["k"])) if self.random.random() < share else thing

    def _other_name(self, thing: str) -> str:
        """Returns a thing as one may call it later: by fewer words, or by another compound of its last one."""
        words, drawn = thing.split(), self.random.random()
        if drawn < 0.2 and len(words) > 1 and not any(map(str.isdigit, thing)):
            dropped = self.random.randrange(len(words))
            return " ".join(word for place, word in enumerate(words) if place != dropped or len(word) < 4)
        if drawn < 0.35:
            tail = "".join(self.random.choices(_TAILS.get(self.code, "aeinrst"), k=2))
            keep = max(2, len(words[-1]) * 2 // 3)
            return " ".join([*words[:-1], words[-1][:keep] + tail])
        return thing

    def _joined(self, thing: str, word: str) -> str:
        if self.code == "ja":
            return word + thing
        return f"{word} {thing}" if self.code in BEFORE_ITS_NOUN else f"{thing} {word}"

    def _values(self, group: Group) -> tuple[str, str]:
        new, old = self.random.sample(group["v"], 2)
        return new, old

    def _ask(self, group: Group, thing: str) -> str:
        return self._filled(self.random.choice(group["q"]), thing, self.random.choice(group["v"]))

    def _of(self, group: Group, key: str, thing: str, value: str, old: str = "") -> str:
        return self._filled(self.random.choice(group[key]), thing, value, old or value)

    def _after(self, group: Group, key: str, thing: str, value: str, old: str) -> str:
        text = self._of(group, key, thing, value, old)
        drawn = self.random.random()
        before = "r" if drawn < 0.15 else "x" if drawn < 0.3 else ""
        return self._join(self.random.choice(self.common[before]), text) if before else text

    def _join(self, before: str, text: str) -> str:
        return f"{before}{text}" if self.code == "ja" else f"{before} {text}"

    def _filled(self, form: str, thing: str, value: str, old: str = "") -> str:
        words = {"s": thing, "v": value, "w": old}
        words |= {key.upper(): word[:1].upper() + word[1:] for key, word in words.items()}
        text = form.format(**words)
        return _PARTICLES.sub(_particle, text) if self.code == "ko" else text


def _particle(match: re.Match[str]) -> str:
    """Returns the form of a particle of Korean that fits the sound before it."""
    last, particle = match.groups()
    final = (
        (ord(last) - ord("가")) % _FINALS
        if "가" <= last <= "힣"
        else int(last.lower() in f"{_DIGITS_WITH_FINAL}bcdfgklmnpqt")
    )
    if particle == "(으)로" and (final == _RIEUL or last.lower() in "178lr"):
        final = 0
    return last + _FORMS[particle][0 if final else 1]
