"""Words for secrets in five languages, and what stands between such a word and its value: `data/secret_words`."""

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import normalize

import regex

WORDS = Path(__file__).parents[1] / "data" / "secret_words"
#: Kinds of words by what their values look like. A word that two languages have is of the first of their kinds.
KINDS = ("other", "codes", "phrase", "code", "pair", "word", "password", "key", "vault", "placed")
_HEADERS = {"authorization": "header", "proxy authorization": "header", "cookie": "cookie", "set cookie": "cookie"}
#: Scripts whose words are not separated by blanks, or bear particles, and the same with their signs.
SCRIPTS = r"\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}"
JOINED_SIGNS = rf"{SCRIPTS}、。，．！？：；「」『』（）【】・"
JOINED = regex.compile(rf"[{SCRIPTS}]")
LETTER = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}]")
#: Units that are particles or other words as well.
_NO_UNITS = frozenset({"of", "von", "sur", "token", "code", "이", "입", "로", "에", "일"})
_CUT = regex.compile(r"(?!(?:s|e|n|es|en)(?!\p{Latin}))\p{Latin}")
_WORD = regex.compile(r"[\p{Latin}\p{N}]+(?:['’-][\p{Latin}\p{N}]+)*")
_PARTS = regex.compile("['’-]")
_WITHOUT_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_BLANKS = regex.compile(r"[ _\-\u00a0\u3000]")
#: A blank of a word in a text.
_BLANK = r"[ _\-\u00a0\u3000]?"


class Cue:
    """Kinds of what a sentence says, the bits of a number."""

    #: a word for a secret that a person chooses or enters
    SECRET = 1
    #: a word for a secret that a machine makes
    KEY = 2
    #: what a password opens
    THING = 4
    #: what a number opens
    OPENED = 8
    #: that something is entered or changed
    ENTERING = 16
    CARD = 32
    #: something whose numbers are no secrets
    OTHER = 64
    #: the back of a card
    BACK = 128
    #: that a secret has several words
    PHRASE = 256
    #: a checksum, a public key
    HASH = 512
    #: that a dial is turned
    TURNED = 1024
    #: a question that is answered to show who one is
    QUESTION = 2048
    #: that somebody signs in, or is refused
    SIGNING = 4096


#: Cue → the lists of its words.
CUES = {
    Cue.SECRET: ("password", "word", "code", "codes", "phrase", "hints"),
    Cue.KEY: ("key", "keys"),
    Cue.THING: ("pair", "networks", "things"),
    Cue.OPENED: ("opened", "code", "codes"),
    Cue.ENTERING: ("entering",),
    Cue.CARD: ("cards",),
    Cue.OTHER: ("unlike",),
    Cue.BACK: ("back",),
    Cue.PHRASE: ("worded",),
    Cue.HASH: ("hashes",),
    Cue.TURNED: ("turned",),
    Cue.QUESTION: ("questions",),
    Cue.SIGNING: ("signing",),
}
#: Ends of compounds that are words for secrets as well.
_COMPOUNDS = (
    "passwort",
    "kennwort",
    "passwörter",
    "password",
    "passphrase",
    "code",
    "codes",
    "pin",
    "schlüssel",
    "token",
)


@dataclass(frozen=True)
class Cues:
    """Words that show what a sentence says."""

    #: word in a language with blanks → its cues
    single: Mapping[str, int]
    #: first word of several → those words with their cues
    several: Mapping[str, Sequence[tuple[str, int]]]
    #: words in languages without blanks
    joined: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, lists: Mapping[int, Sequence[str]]) -> "Cues":
        """Returns the words of lists."""
        single: dict[str, int] = {}
        several: dict[str, dict[str, int]] = {}
        joined: dict[str, int] = {}
        for cue, spelled in lists.items():
            for word in spelled:
                if JOINED.search(word):
                    joined[word] = joined.get(word, 0) | cue
                elif len(pieces := _WORD.findall(word)) == 1:
                    single[word] = single.get(word, 0) | cue
                elif pieces:
                    phrases = several.setdefault(pieces[0], {})
                    phrases[word] = phrases.get(word, 0) | cue
        return cls(single, {first: tuple(phrases.items()) for first, phrases in several.items()}, tuple(joined.items()))

    def said(self, lower: str) -> int:
        """Returns the cues of a sentence in lower case."""
        cue = 0
        for word in _WORD.findall(lower):
            cue |= self.single.get(word, 0)
            for phrase, value in self.several.get(word, ()):
                if phrase in lower:
                    cue |= value
            if not word.isalnum():
                for piece in _PARTS.split(word):
                    cue |= self.single.get(piece, 0)
            elif len(word) > 6 and word.endswith(_COMPOUNDS):
                cue |= Cue.SECRET
        if JOINED.search(lower):
            for phrase, value in self.joined:
                if phrase in lower:
                    cue |= value
        return cue


@dataclass(frozen=True)
class Words:
    """Words of all languages."""

    #: first characters of words of `kinds` → finds those words in a text in lower case, the longest at each place
    labels: Mapping[str, "regex.Pattern[str]"]
    #: word without blanks → its kind
    kinds: Mapping[str, str]
    #: begins with what joins a word with its value: “is”, “lautet”, “は”
    connectors: "regex.Pattern[str]"
    glue: Collection[str]
    scopes: Collection[str]
    before: Collection[str]
    #: of `before`, those that say that the value is the word's
    verbs: Collection[str]
    #: what may stand between a value and a word in languages without blanks
    joined_before: tuple[str, ...]
    plain: Collection[str]
    #: begins with what a number counts, so that it is no value
    units: "regex.Pattern[str]"
    places: "regex.Pattern[str]"
    networks: "regex.Pattern[str]"
    #: what sentences say of values that no word introduces
    cues: "Cues"
    #: of `connectors`, the words
    connected: Collection[str]
    #: adjectives and participles by their endings
    predicates: "regex.Pattern[str]"
    #: the same, anywhere in a word of a language without blanks
    joined_predicates: "regex.Pattern[str]"
    #: words before a value that is no secret
    others: Collection[str]
    #: of `others`, those of languages without blanks
    joined_others: tuple[str, ...]
    #: numbers that are spelled digit by digit: “five five oh nine”
    spelled: "regex.Pattern[str]"

    def kind_of(self, spelled: str) -> str | None:
        """Returns the kind of a word as a text spells it in lower case, with blanks or without."""
        return self.kinds.get(spelled) or self.kinds.get(bare(spelled))

    def places_of(self, lower: str) -> list[tuple[int, int]]:
        """Returns the ranges of the words of `kinds` in a text in lower case, in order and without overlaps."""
        places = [
            match.span() for first, words in self.labels.items() if first in lower for match in words.finditer(lower)
        ]
        places.sort(key=lambda span: (span[0], -span[1]))
        ranges = []
        end = 0
        for start, stop in places:
            if start >= end:
                ranges.append((start, stop))
                end = stop
        return ranges

    def counts(self, lower: str, end: int) -> bool:
        """True if a number that ends at a place of a text in lower case is one of something: “12 characters”. What
        looks like a unit may be only the beginning of a word, or a particle."""
        unit = self.units.match(lower, end)
        word = unit[0].strip(" -") if unit is not None else ""
        cut = word.isascii() and word.isalpha() and unit is not None and _CUT.match(lower, unit.end()) is not None
        return bool(word) and word not in _NO_UNITS and not cut

    def begins(self, lower: str, at: int) -> bool:
        """True if a word of `kinds` begins at a place of a text in lower case."""
        return any(words.match(lower, at) for first, words in self.labels.items() if lower.startswith(first, at))


def bare(word: str) -> str:
    """Returns a word without what may be a blank in it."""
    return _BLANKS.sub("", word)


@cache
def words() -> Words:
    """Returns the words, read once."""
    languages = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(WORDS.glob("*.toml"))]

    def all_of(name: str) -> list[str]:
        return [word for language in languages for word in language.get(name, ())]

    kinds: dict[str, str] = {}
    spelled = list(_HEADERS)
    for kind in KINDS:
        for word in all_of(kind):
            for spelling in _spellings(word):
                kinds.setdefault(bare(spelling), kind)
                spelled.append(spelling)
    kinds |= {bare(word): kind for word, kind in _HEADERS.items()}
    before = all_of("before")
    others = frozenset([*all_of("other"), *all_of("unlike"), *all_of("numbered")])
    plain = frozenset(word for language in languages for word in language["plain"].split())
    return Words(
        _by_first(spelled),
        kinds,
        regex.compile(rf"(?:{_any_of(all_of('connectors'))})(?:(?<![a-zà-ÿ])|(?![a-zà-ÿ]))"),
        frozenset(all_of("glue")),
        frozenset(all_of("scopes")),
        frozenset(before),
        frozenset(all_of("verbs")),
        tuple(sorted((word for word in before if JOINED.search(word)), key=len, reverse=True)),
        plain,
        regex.compile(rf"[ \-]?(?:{_any_of(all_of('units'))})"),
        regex.compile(
            rf"(?<![a-zà-ÿ_.])(?:{_any_of(all_of('places'))})(?:(?<![a-zà-ÿ])|(?:e?s|en|n|schloss)?(?![a-zà-ÿ0-9_(]))"
        ),
        regex.compile(rf"(?<![a-zà-ÿ])(?:{_any_of(all_of('networks'))})"),
        Cues.of({name: [word for kind in kinds_of for word in all_of(kind)] for name, kinds_of in CUES.items()}),
        frozenset(all_of("connectors")),
        regex.compile(rf"\w+(?:{'|'.join(all_of('endings'))})|(?:{'|'.join(all_of('beginnings'))})\w+(?:t|en)"),
        regex.compile("|".join([*all_of("predicates"), *(word for word in plain if JOINED.match(word))])),
        others,
        tuple(word for word in others if JOINED.search(word)),
        _spelled(_any_of(all_of("digits"))),
    )


def _spellings(word: str) -> Collection[str]:
    """Returns a word and how it is written without accents: “cle”, “schluessel”."""
    plain = "".join(c for c in normalize("NFD", word.translate(_WITHOUT_UMLAUTS)) if not "\u0300" <= c <= "\u036f")
    other = word if JOINED.search(word) or len(plain) <= 6 else plain  # “acces” begins other words
    return dict.fromkeys((word, other))


def _spelled(digit: str) -> "regex.Pattern[str]":
    return regex.compile(rf"(?<!\p{{Latin}})(?:{digit}[ ,.-]{{1,2}}){{3,11}}{digit}(?: \p{{Latin}})?(?!\p{{Latin}})")


def _by_first(spelled: Iterable[str]) -> Mapping[str, "regex.Pattern[str]"]:
    """Returns the words by their first three characters, or those before a blank."""
    groups: dict[str, list[str]] = {}
    for word in spelled:
        groups.setdefault(regex.split(r"[ -]", word[:3])[0], []).append(word)
    return {first: regex.compile(_any_of(group, _BLANK)) for first, group in groups.items()}


def _any_of(spelled: Iterable[str], blank: str = " ") -> str:
    """Returns a pattern of words that goes through each of their characters once."""
    tree: dict[str, dict] = {}  # type: ignore[type-arg]
    for word in spelled:
        at = tree
        for character in word.replace("-", " ") if blank != " " else word:
            at = at.setdefault(character, {})
        at[""] = {}
    return _pattern_of(tree, blank)


def _pattern_of(tree: dict[str, dict], blank: str) -> str:  # type: ignore[type-arg]
    branches = [
        (blank if character == " " else regex.escape(character)) + _pattern_of(below, blank)
        for character, below in tree.items()
        if character
    ]
    if not branches:
        return ""
    pattern = branches[0] if len(branches) == 1 and "" not in tree else f"(?:{'|'.join(branches)})"
    return f"{pattern}?" if "" in tree else pattern
