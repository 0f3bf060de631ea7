"""Words and phrases of statements by language: what they announce, deny and say of a word. They are data, one TOML file
per language."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from foxing.renderer.fading.languages import language_by_script

from .words import raw_words

WORDINGS_PATH = Path(__file__).parents[1] / "data" / "statements"
BY_WORDS = ("en", "de", "fr")
#: Languages with a wording.
CODES = (*BY_WORDS, "ko", "ja", "zh")
_CACHED_WORDS = 1 << 13  # words whose phrases are cached
_PAST_STEM = 8  # letters that the forms of a word share: “original”, “originally”
#: Languages without spaces between words.
_UNSPACED = ("ja", "zh")


class Kind:
    """Role of a word in a statement, as bits of an integer; 0 for a word that says nothing by itself."""

    THING = 1
    QUANTITY = 2
    #: A capitalised word.
    NAME = 4
    #: Kin, an animal or a role.
    PERSON = 8
    COPULA = 16
    #: Refers to the speaker, and to the listener.
    OWN = 32
    OTHERS = 64
    #: Says that a statement adds to another, and that something happened.
    ADDITION = 128
    EVENT = 256
    POSSESSIVE = 512
    DEFINITE = 1024
    #: Ends what a statement is about, as a copula does.
    PREDICATE = 2048
    #: A day that comes again, such as “Mondays”: what holds on it, rather than when something happens.
    RECURRING = 4096
    #: A state, which is the value of one thing: “open”, “paid”.
    STATUS = 8192
    #: Begins words that say of what, or when, those after them hold.
    SETTING = 16384
    #: Says what one person does for others, who may hand it over: “leads”.
    ROLE = 32768
    #: Announces a change.
    CHANGE = 65536
    #: A verb of a language whose verbs come last.
    VERB = 131072
    #: Says of a thing what holds of several at a time: “allergic”.
    SEVERAL = 262144
    #: Stands between a thing and its number: “number”.
    NUMBER = 524288
    #: Says which thing is meant.
    IDENTIFYING = QUANTITY | NAME | PERSON


class Role(Enum):
    """Role of a phrase in a statement."""

    CHANGE = "announces that it replaces another one"
    CHANGES_OBJECT = "announces that its object has another value, after a word"
    SAME = "stands for other words"
    DENIES_AFTER = "denies the value after it"
    DENIES_BEFORE = "denies the value before it"
    DENIES_BETWEEN = "denies the value up to another word"
    EXCLUSIVE = "holds of one thing at a time"
    FORMER = "says what was so before"
    NEUTRAL = "says nothing of the statement"


DENIALS = (Role.DENIES_AFTER, Role.DENIES_BEFORE, Role.DENIES_BETWEEN)
ANNOUNCING = (Role.CHANGE, Role.CHANGES_OBJECT, *DENIALS)


class Phrase(NamedTuple):
    """A phrase with a role."""

    #: As it is written.
    text: str
    words: tuple[str, ...]
    role: Role
    #: The words that it stands for, or those that end what it denies.
    other: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, code: str, role: Role, other: str = "") -> Self:
        """Returns a phrase of a language."""
        return cls(text, _words(text, code), role, _words(other, code) if other else ())


@dataclass(frozen=True)
class PhraseSet:
    """Phrases that are looked for in many sentences."""

    #: Phrases of one word, and beginnings of words.
    words: frozenset[str]
    beginnings: tuple[str, ...]
    #: A word of each longer phrase → phrases.
    longer: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, phrases: Sequence[str]) -> Self:
        """Returns the set of these phrases."""
        longer: dict[str, list[str]] = {}
        for phrase in phrases:
            if " " in phrase:
                longer.setdefault(max(reversed(phrase.split()), key=len), []).append(phrase)
        words = frozenset(phrase for phrase in phrases if " " not in phrase and not phrase.endswith("*"))
        return cls(words, tuple(phrase[:-1] for phrase in phrases if phrase.endswith("*")), longer)

    def found_in(self, sentence: str, present: frozenset[str] | None) -> frozenset[str]:
        """Returns the phrases in a sentence in lower case. `present`: its words; None without spaces between them."""
        if present is None:
            phrases = (phrase for phrases in self.longer.values() for phrase in phrases)
            return frozenset(phrase for phrase in (*self.words, *phrases) if phrase in sentence)
        phrases_in = present & self.words
        if not present.isdisjoint(self.longer.keys()):
            phrases_in |= {
                phrase for word in present & self.longer.keys() for phrase in self.longer[word] if phrase in sentence
            }
        if self.beginnings:
            phrases_in |= {word for word in present if word.startswith(self.beginnings)}
        return phrases_in

    def is_in(self, sentence: str, present: frozenset[str] | None) -> bool:
        """Returns True if one of the phrases is in a sentence in lower case."""
        return bool(self.found_in(sentence, present))


@dataclass(frozen=True)
class Wording:
    """Words and phrases of statements in one language."""

    code: str
    #: First word → phrases, longest first.
    phrases: Mapping[str, Sequence[Phrase]]
    #: Beginnings of words with a role.
    beginnings: Mapping[str, Phrase]
    #: Word → its kind, for words of the lists.
    kinds: Mapping[str, int]
    #: Phrases that announce a change or deny something; predicates that hold of one thing; phrases that stand for
    #: others, and these.
    announcing: "PhraseSet"
    exclusive: "PhraseSet"
    replaced: "PhraseSet"
    same: Mapping[str, Sequence[str]]
    #: Words that end what a contrast denies, and those that begin another part of a sentence.
    stops: frozenset[str]
    clauses: frozenset[str]
    #: Of these, those that also join two things.
    joins: frozenset[str]
    #: Words before or after the time since which something holds, and words of times of a day, which are none.
    since: frozenset[str]
    clock: frozenset[str]
    #: Words in “'s” that are no possessives.
    contractions: frozenset[str]
    #: Phrases that announce a change and are also said without one.
    weak: frozenset[str]
    #: Pronouns that may stand for the subject of the sentence before.
    pronouns: frozenset[str]
    #: Matches words at the beginning of a sentence that say that an earlier one was wrong: “No, …”.
    opener: re.Pattern[str]
    #: Match questions about what was replaced.
    past: re.Pattern[str]

    @property
    def spaced(self) -> bool:
        """True if words are written with spaces between them."""
        return self.code not in _UNSPACED

    @classmethod
    def parse(cls, code: str, data: Mapping[str, Any]) -> Self:
        """Returns the wording in a document of a file."""
        words, contrasts = data["words"], data["contrasts"]
        phrases_in = [Phrase.of(start, code, Role.DENIES_BETWEEN, stop) for start, stop in contrasts["between"]]
        phrases_in += [
            Phrase.of(line, code, Role.CHANGES_OBJECT, stop)
            for stop, lines in data.get("objects", {}).items()
            for line in lines
        ]
        phrases_in += [Phrase.of(line, code, Role.SAME, to) for to, lines in data["same"].items() for line in lines]
        listed = (
            (Role.CHANGE, data["changes"]),
            (Role.DENIES_AFTER, contrasts.get("after", ())),
            (Role.DENIES_BEFORE, contrasts.get("before", ())),
            (Role.EXCLUSIVE, words["exclusive"]),
            (Role.FORMER, words.get("former", ())),
            (Role.NEUTRAL, words.get("neutral", ())),
        )
        phrases_in += [Phrase.of(line, code, role) for role, lines in listed for line in lines]
        phrases: dict[str, list[Phrase]] = {}
        for phrase in sorted(phrases_in, key=lambda phrase: -len(phrase.words)):
            phrases.setdefault(phrase.words[0], []).append(phrase)
        kinds: dict[str, int] = {}
        for name, kind in _LISTS.items():
            for word in words.get(name, ()):
                kinds[word] = kinds.get(word, 0) | kind
        whole = "|".join(data["questions"]["past"])
        return cls(
            code,
            phrases,
            {phrase.words[0][:-1]: phrase for phrase in phrases_in if phrase.words[0].endswith("*")},
            kinds,
            PhraseSet.of([phrase.text for phrase in phrases_in if phrase.role in ANNOUNCING]),
            PhraseSet.of([phrase.text for phrase in phrases_in if phrase.role is Role.EXCLUSIVE]),
            PhraseSet.of([phrase.text for phrase in phrases_in if phrase.role is Role.SAME]),
            {phrase.text: phrase.other for phrase in phrases_in if phrase.role is Role.SAME},
            frozenset(words["stops"]),
            frozenset(words["clauses"]),
            frozenset(words.get("joins", ())),
            frozenset(words.get("since", ())),
            frozenset(words.get("clock", ())),
            frozenset(words["contractions"]),
            frozenset(words["weak"]),
            frozenset(words["pronouns"]),
            _opener(words["openers"], words.get("interjections", ())),
            re.compile(rf"(?<!\w)(?:{whole})(?!\w)" if code in BY_WORDS else whole, re.IGNORECASE),
        )


#: Lists of words by the kind that they give a word. Events are things as well, and so are persons.
_LISTS = {
    "fillers": 0,
    "copulas": Kind.COPULA,
    "own": Kind.OWN,
    "others": Kind.OTHERS,
    "definites": Kind.DEFINITE,
    "additions": Kind.ADDITION,
    "quantities": Kind.QUANTITY,
    "recurring": Kind.QUANTITY | Kind.RECURRING,
    "persons": Kind.PERSON | Kind.THING,
    "events": Kind.EVENT | Kind.THING,
    "predicates": Kind.PREDICATE | Kind.THING,
    "subjects": Kind.PREDICATE,
    "settings": Kind.SETTING,
    "roles": Kind.ROLE | Kind.PREDICATE | Kind.THING,
    "statuses": Kind.STATUS | Kind.THING,
    "several": Kind.SEVERAL | Kind.THING,
    "numbers": Kind.NUMBER | Kind.THING,
}


def _opener(openers: Sequence[str], interjections: Sequence[str]) -> re.Pattern[str]:
    """Returns a pattern of words that take something back, after others that say nothing: “oh, no, …”."""
    before = rf"(?:(?:{'|'.join(interjections)})[\s,.!…、。-]+)*" if interjections else ""
    return re.compile(rf"{before}(?:{'|'.join(openers)})(?:\s*[,.:;!、，。…–—-]+\s*|$)", re.IGNORECASE)


def _words(line: str, code: str) -> tuple[str, ...]:
    if code in _UNSPACED or line.endswith("*"):
        return (line,)
    return tuple(raw_words(line, code)) if code in ("ko", "fr") else tuple(line.split())


@cache
def wording(code: str) -> Wording:
    """Returns the wording of a language, loaded once per process."""
    text = (WORDINGS_PATH / f"{code}.toml").read_text(encoding="utf-8")
    return Wording.parse(code, tomllib.loads(text.replace("ß", "ss")))  # as texts are compared


class WordPhrases(NamedTuple):
    """Phrases that begin with a word."""

    #: Second word → phrases that may go on with it, longest first; "" for any other second word.
    by_second: Mapping[str, Sequence[Phrase]]
    #: The first phrase that is a beginning of the word, if any.
    beginning: Sequence[Phrase]


@lru_cache(maxsize=_CACHED_WORDS)
def phrases_from(word: str, code: str) -> WordPhrases | None:
    """Returns the phrases that begin with a word; None if there are none."""
    words = wording(code)
    candidates = words.phrases.get(word, ())
    beginnings = [phrase for start, phrase in words.beginnings.items() if word.startswith(start)]
    if not candidates and not beginnings:
        return None
    seconds = {"", *(phrase.words[1] for phrase in candidates if len(phrase.words) > 1)}
    by_second = {
        second: [phrase for phrase in candidates if len(phrase.words) == 1 or phrase.words[1] == second]
        for second in seconds
    }
    return WordPhrases(by_second, beginnings[:1])


def asks_for_the_past(question: str, answer: str = "") -> bool:
    """Returns True if a question asks for what was replaced: “before”, “used to”, “originally”. `answer`: a text whose
    words say of what is asked: “the original broadcaster” may have changed."""
    code = language_by_script(question)
    codes = BY_WORDS if code is None else (code,)
    lower = answer.casefold()
    words = (match[0].casefold() for code_of in codes for match in wording(code_of).past.finditer(question))
    return any(len(word) < _PAST_STEM or word[:_PAST_STEM] not in lower for word in words)
