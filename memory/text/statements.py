"""Statements: sentences of messages, compared to find those that replace each other.

A statement replaces another if both have the same subject and a different value: “the trip is in June” and “the trip
moved to August”. What counts as a subject or a value, and which words announce a change, is data, one TOML file per
language. Nothing is understood beyond words, so the rules would rather miss a replacement than invent one.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from foxing.renderer.fading.languages import AMBIGUOUS_MONTHS, DAYS, LANGUAGES, MONTHS, language_by_script

WORDINGS_PATH = Path(__file__).parent / "data" / "statements"
_BY_WORDS = ("en", "de", "fr")
#: Languages with a wording.
CODES = (*_BY_WORDS, "ko", "ja", "zh")
#: Languages without spaces between words, and those in which the subject comes first.
_UNSPACED, _SUBJECT_FIRST = ("ja", "zh"), _BY_WORDS
#: Longest text that is compared, in characters: a longer one is more than a statement.
LONGEST = 2_000
MOST_SENTENCES = 24  # of a text, from its beginning
MOST_WORDS = 60  # of a sentence
#: Share of its words that a statement must have in common with the one it replaces, where it announces a change and
#: where it does not.
SHARED_WITH_CHANGE, SHARED = 0.6, 0.75
MOST_VALUE_WORDS = 3
MOST_DENIED_WORDS = 4
MOST_SUBJECT_WORDS = 3  # of “the trip is”
MOST_THINGS_OF_SHORT = 5  # things in a sentence that may have only one in common with another one
MOST_THINGS_ANNOUNCING = 2  # things in “Change of plans!”, which announces that the next sentence replaces another
#: Texts, sentences and words whose analysis is cached: at most 20 MB.
_CACHED_TEXTS, _CACHED_SENTENCES, _CACHED_WORDS = 2048, 1024, 1 << 14

_TOKEN = re.compile(
    r"[A-Za-z]+(?:['’-][A-Za-z]+)*(?![^\W\d_])"  # most words, tried first
    r"|[\"“„«「『][^\"“”„«»「」『』\n]{1,60}[\"”»」』]"  # a title
    r"|\d+(?:[.,:/]\d+)*|[\u30a1-\u30fa\u30fc-\u30ff]+|[\u3041-\u309f]+|[\u2e80-\u2fd5\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff]"
    r"|[\uac00-\ud7a3]+|[^\W\d_\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]+(?:['’-][^\W\d_]+)*|[,;:–—(，；：、（]"
)
_QUOTES = frozenset('"“„«「『')
_BREAKS = frozenset(",;:–—(，；：、（")
_SENTENCE = re.compile(r"(?<=[.!?…⋯])(?<!\b\d\.)(?<!\b\d\d\.)[\"'”’)\]]?\s+|(?<=[。！？])|\n+")
_ENDS = ".!?…。！？\"'”’)] "
_QUESTION_CHARS = 8  # at the end of a sentence, where its question mark is
_ENDS_QUESTION = re.compile(r"[?？][\"'”’)\]]*\s*$")
#: Particles of Korean.
_PARTICLE = re.compile(
    r"(?<=[가-힣])(?:은|는|이|가|을|를|에|에서|의|로|으로|도|와|과|이야|야|예요|이에요|입니다|이다)$"
)
_POSSESSIVE = "'s"
#: Endings of English; the stemmer of the index takes longer than the rest of the analysis.
_ENDING = re.compile(r"(?<=\w\w)(?:ing|ed|es|s|e)$")


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


class Token(NamedTuple):
    """A word of a statement."""

    #: Normalised form, which is compared.
    form: str
    kind: int


_BREAK = Token("", 0)  # between two parts of a sentence


class Role(Enum):
    """Role of a phrase in a statement."""

    CHANGE = "announces that it replaces another one"
    SAME = "stands for other words"
    DENIES_AFTER = "denies the value after it"
    DENIES_BEFORE = "denies the value before it"
    DENIES_BETWEEN = "denies the value up to another word"
    EXCLUSIVE = "holds of one thing at a time"
    FORMER = "says what was so before"
    NEUTRAL = "says nothing of the statement"


_DENIALS = (Role.DENIES_AFTER, Role.DENIES_BEFORE, Role.DENIES_BETWEEN)
_ANNOUNCING = (Role.CHANGE, *_DENIALS)
#: Removes the marks around words.
_NO_MARKS = {ord(mark): " " for mark in ',;:–—(),.!?"“”…⋯[]'}


class Phrase(NamedTuple):
    """A phrase with a role."""

    words: tuple[str, ...]
    role: Role
    #: The words that it stands for, or those that end what it denies.
    other: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its words, joined by blanks."""
        return " ".join(self.words)


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
        found = present & self.words
        if not present.isdisjoint(self.longer.keys()):
            found |= {
                phrase for word in present & self.longer.keys() for phrase in self.longer[word] if phrase in sentence
            }
        if self.beginnings:
            found |= {word for word in present if word.startswith(self.beginnings)}
        return found

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
    #: Words in “'s” that are no possessives.
    contractions: frozenset[str]
    #: Phrases that announce a change and are also said without one.
    weak: frozenset[str]
    #: Pronouns that may stand for the subject of the sentence before.
    pronouns: frozenset[str]
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
        found = [Phrase(_words(line, code), Role.CHANGE) for line in data["changes"]]
        found += [
            Phrase(_words(line, code), Role.SAME, _words(to, code))
            for to, lines in data["same"].items()
            for line in lines
        ]
        found += [Phrase(_words(line, code), Role.DENIES_AFTER) for line in contrasts.get("after", ())]
        found += [Phrase(_words(line, code), Role.DENIES_BEFORE) for line in contrasts.get("before", ())]
        found += [
            Phrase(_words(start, code), Role.DENIES_BETWEEN, _words(stop, code)) for start, stop in contrasts["between"]
        ]
        found += [Phrase(_words(line, code), Role.EXCLUSIVE) for line in words["exclusive"]]
        found += [Phrase(_words(line, code), Role.FORMER) for line in words.get("former", ())]
        found += [Phrase(_words(line, code), Role.NEUTRAL) for line in words.get("neutral", ())]
        phrases: dict[str, list[Phrase]] = {}
        for phrase in sorted(found, key=lambda phrase: -len(phrase.words)):
            phrases.setdefault(phrase.words[0], []).append(phrase)
        kinds: dict[str, int] = {}
        for name, kind in _LISTS.items():
            for word in words[name]:
                kinds[word] = kinds.get(word, 0) | kind
        whole = "|".join(data["questions"]["past"])
        return cls(
            code,
            phrases,
            {phrase.words[0][:-1]: phrase for phrase in found if phrase.words[0].endswith("*")},
            kinds,
            PhraseSet.of([phrase.text for phrase in found if phrase.role in _ANNOUNCING]),
            PhraseSet.of([phrase.text for phrase in found if phrase.role is Role.EXCLUSIVE]),
            PhraseSet.of([phrase.text for phrase in found if phrase.role is Role.SAME]),
            {phrase.text: phrase.other for phrase in found if phrase.role is Role.SAME},
            frozenset(words["stops"]),
            frozenset(words["clauses"]),
            frozenset(words["contractions"]),
            frozenset(words["weak"]),
            frozenset(words["pronouns"]),
            re.compile(rf"(?<!\w)(?:{whole})(?!\w)" if code in _BY_WORDS else whole, re.IGNORECASE),
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
    "persons": Kind.PERSON | Kind.THING,
    "events": Kind.EVENT | Kind.THING,
}


def _words(line: str, code: str) -> tuple[str, ...]:
    return tuple(line.split()) if code not in _UNSPACED else (line,)


@cache
def wording(code: str) -> Wording:
    """Returns the wording of a language, loaded once per process."""
    return Wording.parse(code, tomllib.loads((WORDINGS_PATH / f"{code}.toml").read_text(encoding="utf-8")))


def asks_for_the_past(question: str) -> bool:
    """Returns True if a question asks for what was replaced: “before”, “used to”, “originally”."""
    code = language_by_script(question)
    codes = _BY_WORDS if code is None else (code,)
    return any(wording(each).past.search(question) is not None for each in codes)


@dataclass(frozen=True)
class Statement:
    """A sentence, or a part of one, without what it denies."""

    code: str
    #: Its words, and those that say something by themselves.
    all_tokens: tuple[Token, ...]
    tokens: tuple[Token, ...]
    #: Words of its subject and predicate and values that are no quantities; times and numbers.
    things: frozenset[str]
    quantities: frozenset[str]
    names: frozenset[str]
    persons: frozenset[str]
    #: Whose something is, other than the speaker's or the listener's.
    possessors: frozenset[str]
    #: Predicates and subjects that have one value at a time.
    exclusive: frozenset[str]
    #: Words of a value that its sentence denies.
    denials: frozenset[str]
    #: All that its sentence denies, as a title would be.
    denied_title: str
    #: Whether its sentence, or the one before it, announces a change.
    changed: bool
    #: Whether it, or the one before it, says that an earlier statement was wrong or is no longer so.
    corrected: bool
    #: Whether its sentence says what was so before.
    former: bool
    #: Whether its sentence refers to the speaker.
    own: bool
    #: Kinds of its words together.
    kinds: int


class Sentence(NamedTuple):
    """A sentence of a message, with what is needed to see that it cannot replace, or be replaced by, another one."""

    text: str
    code: str
    #: Whether the sentence before it announces a change and says nothing else.
    announced: bool
    #: Its words that may be things.
    things: frozenset[str]
    #: Whether it may announce a change.
    changed: bool
    #: Words of predicates that hold of one thing at a time; a definite subject with a copula counts as one.
    exclusive: frozenset[str]
    #: Whether it refers to the speaker, and to the listener.
    own: bool
    addressed: bool

    @property
    def statements(self) -> Sequence["Statement"]:
        """The sentence as a statement, and its parts."""
        return _statements(self.text, self.code, announced=self.announced)


_DEFINITE_SUBJECT = "the … is"


@lru_cache(maxsize=_CACHED_TEXTS)
def sentences(text: str) -> Sequence[Sentence]:
    """Returns the sentences of a text that state something; none for a text that is too long."""
    if len(text) > LONGEST:
        return ()
    code = _language_of(text)
    words = wording(code)
    found: list[Sentence] = []
    announced = False
    before = ""
    for sentence in _SENTENCE.split(text)[:MOST_SENTENCES]:
        alone = sentence
        if sentence and before and _begins_with(words.pronouns, sentence):
            sentence = f"{before.rstrip(_ENDS)} {sentence}"
        before = sentence or before
        if not sentence or _ENDS_QUESTION.search(sentence, max(0, len(sentence) - _QUESTION_CHARS)):
            continue
        tokens = [_token(word, code) for word in _TOKEN.findall(sentence)[:MOST_WORDS]]
        kinds = _kinds(tokens)
        of_alone = kinds if sentence is alone else _kinds([_token(word, code) for word in _TOKEN.findall(alone)])
        things = frozenset([token.form for token in tokens if token.kind & Kind.THING])
        lower = sentence.casefold().replace("’", "'")
        present = frozenset(lower.translate(_NO_MARKS).split()) if words.spaced else None
        changed = words.announcing.is_in(lower, present)
        exclusive = words.exclusive.found_in(lower, present)
        if kinds & Kind.DEFINITE and kinds & Kind.COPULA:
            exclusive |= {_DEFINITE_SUBJECT}
        for phrase in words.replaced.found_in(lower, present):
            others = [_token(word, code) for word in words.same[phrase]]
            things |= {token.form for token in others if token.kind & Kind.THING}
            exclusive |= {_DEFINITE_SUBJECT, *words.exclusive.found_in(" ".join(words.same[phrase]), None)}
            changed = True
        own, addressed = bool(of_alone & Kind.OWN), bool(of_alone & Kind.OTHERS)
        found.append(Sentence(sentence, code, announced, things, changed or announced, exclusive, own, addressed))
        announced = changed and len(things) <= MOST_THINGS_ANNOUNCING and _Reading(sentence, words).changed
    return tuple(found)


def _kinds(tokens: Sequence[Token]) -> int:
    kinds = 0
    for token in tokens:
        kinds |= token.kind
    return kinds


def _begins_with(pronouns: frozenset[str], sentence: str) -> bool:
    """Returns True if a sentence begins with a pronoun, which stands for something in the sentence before it."""
    first = _TOKEN.match(sentence)
    return first is not None and first[0].casefold().replace("’", "'") in pronouns


@lru_cache(maxsize=_CACHED_SENTENCES)
def _statements(sentence: str, code: str, *, announced: bool) -> tuple[Statement, ...]:
    found = _Reading(sentence, wording(code)).statements(announced=announced)
    return tuple(statement for statement in found if statement.things)


def _language_of(text: str) -> str:
    code = None if text.isascii() else language_by_script(text)
    if code is not None:
        return code
    lower = text.casefold()
    if not _GERMAN_OR_FRENCH.search(lower):
        return "en"
    counts = Counter(_TOKEN.findall(lower))
    scores = {code: sum(counts[word] for word in LANGUAGES[code].function_words) for code in _BY_WORDS}
    return max(scores, key=lambda code: scores[code])


#: Words of which a text in German or French hardly does without all.
_GERMAN_OR_FRENCH = re.compile(r"\b(?:der|die|das|ich|ist|wir|und|le|la|les|je|est|et|un|une|du|au)\b")


class _Reading:
    """A sentence being read."""

    def __init__(self, text: str, words: Wording) -> None:
        self.words = words
        self.changed = self.corrected = self.former = False
        self.exclusive: set[str] = set()
        self.denied: set[str] = set()
        self.title = ""
        self.tokens: list[Token] = []
        raw = _TOKEN.findall(text if words.spaced else self._marked(text))[:MOST_WORDS]
        if words.spaced:
            self._read(raw)
        else:
            self.tokens += [_token(word, words.code) for word in raw]

    def statements(self, *, announced: bool) -> Iterator[Statement]:
        """Yields the sentence, followed by its parts if it has several."""
        parts: list[list[Token]] = [[]]
        for token in self.tokens:
            if token is _BREAK:
                parts.append([])
            else:
                parts[-1].append(token)
        parts = [part for part in parts if part]
        whole = [token for part in parts for token in part]
        kinds = _kinds(whole)
        for part in (whole, *(parts if len(parts) > 1 else ())):
            yield self._statement(part, kinds, changed=announced or self.changed)

    def _statement(self, part: Sequence[Token], of_sentence: int, *, changed: bool) -> Statement:
        informative = tuple(token for token in part if token.kind & _INFORMATIVE)
        kinds = _kinds(part)

        def forms(kind: int) -> frozenset[str]:
            return frozenset(token.form for token in part if token.kind & kind) if kinds & kind else frozenset()

        return Statement(
            self.words.code,
            tuple(part),
            informative,
            forms(Kind.THING),
            forms(Kind.QUANTITY),
            forms(Kind.NAME),
            forms(Kind.PERSON),
            forms(Kind.POSSESSIVE),
            frozenset(self.exclusive.union(_definite(part) if kinds & Kind.DEFINITE else ())),
            frozenset(self.denied),
            self.title,
            changed,
            self.corrected or (changed and not self.changed),
            self.former,
            bool(of_sentence & Kind.OWN),
            kinds,
        )

    def _read(self, raw: Sequence[str]) -> None:
        """Reads the words of a language with spaces."""
        lower = [word.casefold().replace("’", "'") for word in raw]
        code, known = self.words.code, self.words.phrases
        place = 0
        while place < len(raw):
            word = lower[place]
            phrase = self._phrase(lower, place) if word in known or self.words.beginnings else None
            if word in _BREAKS or (word in self.words.clauses and phrase is None):
                self.tokens.append(_BREAK)
                place += 1
            elif phrase is None or not self._apply(phrase, raw, lower, place):
                self.tokens.append(_token(raw[place], code))
                place += 1
            else:
                place = self._next

    def _phrase(self, lower: Sequence[str], place: int) -> Phrase | None:
        for phrase in self.words.phrases.get(lower[place], ()):
            if tuple(lower[place : place + len(phrase.words)]) == phrase.words:
                return phrase
        return next((phrase for start, phrase in self.words.beginnings.items() if lower[place].startswith(start)), None)

    def _apply(self, phrase: Phrase, raw: Sequence[str], lower: Sequence[str], place: int) -> bool:
        """Applies a phrase, and returns True if its words are read; `_next` is the place after it then."""
        after = self._next = place + len(phrase.words)
        if phrase.role is Role.CHANGE:
            self.changed = True
            self.corrected = self.corrected or phrase.text not in self.words.weak
        elif phrase.role is Role.FORMER:
            self.former = True
        elif phrase.role is Role.NEUTRAL:
            pass
        elif phrase.role is Role.SAME:
            self.tokens += [_token(word, self.words.code) for word in phrase.other]
            self.exclusive.update(
                _token(word, self.words.code).form for word in phrase.other if self._is_exclusive(word)
            )
        elif phrase.role is Role.EXCLUSIVE:
            self.exclusive.add(_token(phrase.words[0], self.words.code).form)
            return False
        elif phrase.role is Role.DENIES_BEFORE:
            if self.tokens and self.tokens[-1].kind & _INFORMATIVE:
                self.denied.add(self.tokens.pop().form)
        elif phrase.role is Role.DENIES_AFTER:
            stop = after
            while stop < len(raw) and stop - after < MOST_DENIED_WORDS and not self._stops(lower[stop]):
                stop += 1
            self._deny(raw[after:stop])
            self._next = stop
        else:
            within = lower[after : after + MOST_DENIED_WORDS + 1]
            if not within or phrase.other[0] not in within[1:]:
                return False
            self._next = after + within.index(phrase.other[0], 1)
            self._deny(raw[after : self._next])
        return True

    def _stops(self, word: str) -> bool:
        return word in _BREAKS or word in self.words.stops

    def _is_exclusive(self, word: str) -> bool:
        return any(phrase.role is Role.EXCLUSIVE for phrase in self.words.phrases.get(word, ()))

    def _deny(self, raw: Sequence[str]) -> None:
        forms = (_token(word, self.words.code) for word in raw)
        self.denied |= {form for form, kind in forms if kind & _INFORMATIVE}
        self.title = " ".join(raw).casefold()

    def _marked(self, text: str) -> str:
        """Returns a text without spaces, without what its phrases announce or deny."""
        every = [phrase for phrases in self.words.phrases.values() for phrase in phrases]
        for phrase in sorted(every, key=lambda phrase: phrase.role not in _DENIALS):
            marker = phrase.words[0]
            if marker not in text:
                continue
            if phrase.role is Role.CHANGE:
                self.changed, text = True, text.replace(marker, " ")
                self.corrected = self.corrected or marker not in self.words.weak
            elif phrase.role is Role.FORMER:
                self.former = True
            elif phrase.role is Role.SAME:
                text = text.replace(marker, phrase.other[0])
            elif phrase.role is Role.EXCLUSIVE:
                self.exclusive.add(marker)
            elif phrase.role is Role.DENIES_BEFORE:
                before, _, after = text.partition(marker)
                start = max(map(before.rfind, _BREAKS)) + 1
                topic = before.find("は", start) + 1 or start
                self._deny(_TOKEN.findall(before[topic:]))
                text = before[:topic] + after
            elif phrase.role is Role.DENIES_BETWEEN:
                before, _, after = text.partition(marker)
                denied, there, rest = after.partition(phrase.other[0])
                if there:
                    self._deny(_TOKEN.findall(denied))
                    text = before + phrase.other[0].lstrip("，") + rest
        for word, kind in self.words.kinds.items():
            if kind & (Kind.ADDITION | Kind.EVENT) and word in text:
                self.tokens.append(Token(word, kind & (Kind.ADDITION | Kind.EVENT)))
        return text


_INFORMATIVE = Kind.THING | Kind.QUANTITY


def _definite(part: Sequence[Token]) -> Iterator[str]:
    """Yields subjects that are one thing: “the trip is”."""
    for place, token in enumerate(part):
        if token.kind & Kind.DEFINITE:
            ahead = part[place + 1 : place + 2 + MOST_SUBJECT_WORDS]
            stop = next((number for number, after in enumerate(ahead) if after.kind & Kind.COPULA), 0)
            if stop:
                yield f"the {' '.join(after.form for after in ahead[:stop] if after.kind & Kind.THING)}"


@lru_cache(maxsize=_CACHED_WORDS)
def _token(word: str, code: str) -> Token:
    if word in _BREAKS:
        return _BREAK
    if word[0] in _QUOTES:
        return Token(word[1:-1].casefold(), Kind.THING | Kind.NAME)
    lower = word.casefold().replace("’", "'")
    words, language = wording(code), LANGUAGES[code]
    if code == "ko":
        lower = _PARTICLE.sub("", lower)
    if (
        lower[0].isdigit()
        or (lower in MONTHS and (lower not in AMBIGUOUS_MONTHS or word[0].isupper()))
        or lower in DAYS
    ):
        return Token(lower, Kind.QUANTITY)
    kind = words.kinds.get(lower)
    if kind is None:
        kind = Kind.THING
        if lower in language.function_words:
            kind = 0
        elif lower.endswith(_POSSESSIVE) and lower not in words.contractions:
            kind |= Kind.POSSESSIVE
    if kind & Kind.THING and word[0].isupper() and word[0].lower() != word[0] and not language.capital_nouns:
        kind |= Kind.NAME
    if code == "ja" and kind & Kind.THING and lower[0] in _HIRAGANA and len(lower) < _INFORMATIVE_HIRAGANA:
        kind = 0  # particles and endings
    if code == "en" and kind & Kind.THING:
        return Token(_ENDING.sub("", lower.removesuffix(_POSSESSIVE)), kind)
    return Token(lower, kind)


_HIRAGANA = frozenset(map(chr, range(0x3041, 0x30A0)))
_INFORMATIVE_HIRAGANA = 3  # characters


def replaces(new: Sequence[Sentence], old: Sequence[Sentence], *, same_speaker: bool, to_each_other: bool) -> bool:
    """Returns True if a sentence of a later message replaces one of an earlier message. `same_speaker`: whether both
    have one speaker; `to_each_other`: whether each speaks to the other."""
    for after in new:
        if not (after.changed or after.exclusive):
            continue
        for before in old:
            if (
                (after.changed or not after.exclusive.isdisjoint(before.exclusive))
                and _may_share_a_subject(after, before)
                and _of_one_person(after, before, same_speaker=same_speaker, to_each_other=to_each_other)
                and any(_replaces(a, b) for a in after.statements for b in before.statements)
            ):
                return True
    return False


def _may_share_a_subject(after: Sentence, before: Sentence) -> bool:
    """Returns False if the sentences have too few words in common to be about the same."""
    shared = len(after.things & before.things)
    few = len(after.things) <= MOST_THINGS_OF_SHORT or not after.exclusive.isdisjoint(before.exclusive)
    return shared >= (1 if few else 2) and after.code == before.code


def _of_one_person(after: Sentence, before: Sentence, *, same_speaker: bool, to_each_other: bool) -> bool:
    """Returns False if the statements are about different speakers."""
    mine, yours = (after.own, after.addressed), (before.own, before.addressed)
    if same_speaker:
        return {mine, yours} != {(True, False), (False, True)}
    if to_each_other and (after.own or before.own):
        return (mine, yours) in (((True, False), (False, True)), ((False, True), (True, False)))
    return not (after.own or before.own)


def _replaces(after: Statement, before: Statement) -> bool:
    """Returns True if `after` has the subject of `before` and another value."""
    denied = after.denials if after.denials <= before.things | before.quantities else frozenset()
    denied |= before.things & {after.denied_title}
    changed = after.changed or bool(denied)
    exclusive = not after.exclusive.isdisjoint(before.exclusive)
    if after.former or not (changed or exclusive):
        return False
    common = after.things & before.things
    new, old = after.things - common, before.things - common
    new_quantities, old_quantities = after.quantities - before.quantities, before.quantities - after.quantities
    shared = common | (denied & (old | old_quantities)) if after.changed else common
    if not shared or _is_of_another(after, before, changed=changed):
        return False
    differing = _substitutions(before.tokens, after.tokens)
    blocks = [(a, b) for a, b in differing if _has_things(a) and _has_things(b)]
    if new_quantities and old_quantities:
        if blocks or after.names - before.names:
            return False
        return _is_same_subject(len(shared), len(new), len(old), changed=changed, exclusive=exclusive)
    if len(blocks) != 1 or not _is_value(*blocks[0], before, after):
        return False
    left = max(len(new - _things(blocks[0][1])), len(old - _things(blocks[0][0])))
    named = all(token.kind & Kind.NAME for side in blocks[0] for token in side)
    least = 1 if exclusive or (not left and (after.corrected or (changed and named))) else 2
    return len(shared) >= least and len(shared) >= SHARED * (len(shared) + left)


def _is_same_subject(shared: int, new: int, old: int, *, changed: bool, exclusive: bool) -> bool:
    """Returns True if statements of times or numbers share enough words. `new`, `old`: words of one that are not in the
    other."""
    if changed:
        return shared >= (1 if exclusive or not new else 2) and shared >= SHARED_WITH_CHANGE * (shared + new)
    return shared >= (1 if exclusive else 2) and shared >= SHARED * (shared + max(new, old))


def _is_of_another(after: Statement, before: Statement, *, changed: bool) -> bool:
    """Returns True if a statement adds to the other, tells of another event, or is about someone else."""
    if (after.kinds & Kind.ADDITION and not before.kinds & Kind.ADDITION) or not after.persons <= before.persons:
        return True
    if after.possessors - before.possessors:
        return True
    if after.own and not before.own and before.possessors - after.possessors:
        return True
    if changed:
        return False
    return bool((after.kinds | before.kinds) & Kind.EVENT) or after.persons != before.persons


def _is_value(old: Sequence[Token], new: Sequence[Token], before: Statement, after: Statement) -> bool:
    """Returns True if words that differ are a value rather than the subject."""
    if max(len(old), len(new)) > MOST_VALUE_WORDS or any(token.kind & Kind.PERSON for token in (*old, *new)):
        return False
    if after.names - before.names - {token.form for token in new}:
        return False
    return _is_object(old, before) and _is_object(new, after)


def _is_object(value: Sequence[Token], statement: Statement) -> bool:
    """Returns True if a value follows a predicate rather than being, or containing, the subject."""
    tokens = statement.all_tokens
    first, last = (next(n for n, token in enumerate(tokens) if token is end) for end in (value[0], value[-1]))
    if not first and statement.code in _SUBJECT_FIRST:
        return False
    if any(token.kind & Kind.COPULA for token in tokens[first:last]):
        return False
    return not first or not tokens[first - 1].kind & Kind.PERSON


def _things(tokens: Sequence[Token]) -> frozenset[str]:
    return frozenset(token.form for token in tokens if token.kind & Kind.THING)


def _has_things(tokens: Sequence[Token]) -> bool:
    return any(token.kind & Kind.THING for token in tokens)


def _substitutions(before: Sequence[Token], after: Sequence[Token]) -> list[tuple[Sequence[Token], Sequence[Token]]]:
    """Returns the runs of words that differ between two statements, where both have words."""
    matcher = SequenceMatcher(None, [t.form for t in before], [t.form for t in after], autojunk=False)
    return [(before[a:b], after[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag == "replace"]
