"""Sentences of messages, and the statements in them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from .tokens import BREAK, Token, forms_of, kinds_of, language_of, token_of, tokens_in
from .wording import DENIALS, Kind, Phrase, Role, Wording, wording
from .words import BREAKS, WORD, raw_words

#: Particles that end what a sentence is about where no other one does.
_WEAK = frozenset({"が", "이", "가"})
#: Languages with such a particle, and their particles of objects.
_TOPIC_FIRST, _OBJECT = ("ja", "ko"), frozenset({"を", "을", "를"})
#: Longest text that is compared, in characters: a longer one is more than a statement.
LONGEST = 2_000
MOST_SENTENCES = 24  # of a text, from its beginning
MOST_WORDS = 60  # of a sentence
MOST_DENIED_WORDS = 4
MOST_SUBJECT_WORDS = 3  # of “the trip is”
MOST_SETTING_WORDS = 4  # of “on day 2 of the trip, we …”
MOST_THINGS_ANNOUNCING = 2  # things in “Change of plans!”, which announces that the next sentence replaces another
#: Texts and sentences whose analysis is cached: with that of words, at most 20 MB.
_CACHED_TEXTS, _CACHED_SENTENCES = 2048, 1024

_SENTENCE = re.compile(r"(?<=[.!?…⋯])(?<!\b\d\.)(?<!\b\d\d\.)[\"'”’)\]]?\s+|(?<=[。！？])|\n+")
_ENDS = ".!?…。！？\"'”’)] "
_QUESTION_CHARS = 8  # at the end of a sentence, where its question mark is
_ENDS_QUESTION = re.compile(r"[?？][\"'”’)\]]*\s*$")
#: Removes the marks around words.
_NO_MARKS = {ord(mark): " " for mark in ',;:–—(),.!?"“”…⋯[]'}
_INFORMATIVE = Kind.THING | Kind.QUANTITY
_ENDS_TOPIC = Kind.COPULA | Kind.PREDICATE


@dataclass(frozen=True)
class Statement:
    """A sentence, or a part of one, without what it denies."""

    code: str
    #: Its words, and those that say something by themselves.
    all_tokens: tuple[Token, ...]
    tokens: tuple[Token, ...]
    #: Number of `tokens` that come before the predicate: which thing the statement is about.
    topic: int
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

    @property
    def is_of_role(self) -> bool:
        """True if it says what one person does for others: “leads”, “is the coach”."""
        pairs = pairwise(self.all_tokens)
        return bool(self.kinds & Kind.ROLE) or any(a.kind & Kind.COPULA and b.kind & Kind.DEFINITE for a, b in pairs)

    @property
    def topic_forms(self) -> frozenset[str]:
        """Words of what it is about."""
        return forms_of(self.tokens[: self.topic])


class Sentence(NamedTuple):
    """A sentence of a message, with what is needed to see that it cannot replace, or be replaced by, another one."""

    text: str
    code: str
    #: Whether the sentence before it announces a change and says nothing else.
    announced: bool
    #: Whether it begins with a word that takes something back, or follows such a word: “No, …”.
    opened: bool
    #: Its words that may be things.
    things: frozenset[str]
    #: Whether it may announce a change.
    changed: bool
    #: Words of predicates that hold of one thing at a time; a definite subject with a copula counts as one.
    exclusive: frozenset[str]
    #: Whether it refers to the speaker, and to the listener.
    own: bool
    addressed: bool
    #: Whether it has a time or a number.
    valued: bool

    @property
    def may_replace(self) -> bool:
        """True if it announces a change, or has a value of a kind that a thing has once at a time."""
        return self.changed or bool(self.exclusive) or self.valued

    @property
    def statements(self) -> Sequence["Statement"]:
        """The sentence as a statement, and its parts."""
        return _statements(self.text, self.code, announced=self.announced, opened=self.opened)


#: Stand for definite subjects and for states among the predicates of a sentence.
_DEFINITE_SUBJECT, _STATE = "the … is", "a state"


@lru_cache(maxsize=_CACHED_TEXTS)
def sentences(text: str) -> Sequence[Sentence]:
    """Returns the sentences of a text that state something; none for a text that is too long."""
    if len(text) > LONGEST:
        return ()
    code = language_of(text)
    words = wording(code)
    found: list[Sentence] = []
    announced = opened = False
    before = ""
    for sentence in _SENTENCE.split(text)[:MOST_SENTENCES]:
        opener = words.opener.match(sentence)
        opened = opened or opener is not None
        if opener is not None:
            sentence = sentence[opener.end() :]
        alone = sentence
        if sentence and before and _begins_with(words.pronouns, sentence):
            sentence = f"{before.rstrip(_ENDS)} {sentence}"
        before = sentence or before
        if not sentence or _ENDS_QUESTION.search(sentence, max(0, len(sentence) - _QUESTION_CHARS)):
            continue
        tokens = tokens_in(sentence, code)[:MOST_WORDS]
        kinds = kinds_of(tokens)
        of_alone = kinds if sentence is alone else kinds_of(tokens_in(alone, code))
        things = frozenset([token.form for token in tokens if token.kind & Kind.THING])
        lower = sentence.casefold().replace("’", "'")
        present = frozenset(lower.translate(_NO_MARKS).split()) if words.spaced else None
        changed = words.announcing.is_in(lower, present)
        exclusive = words.exclusive.found_in(lower, present)
        if kinds & Kind.COPULA and (kinds & Kind.DEFINITE or code in _TOPIC_FIRST):
            exclusive |= {_DEFINITE_SUBJECT}
        if kinds & Kind.STATUS:
            exclusive |= {_STATE}
        for phrase in words.replaced.found_in(lower, present):
            others = [token_of(word, code) for word in words.same[phrase]]
            things |= {token.form for token in others if token.kind & Kind.THING}
            exclusive |= {_DEFINITE_SUBJECT, *words.exclusive.found_in(" ".join(words.same[phrase]), None)}
            changed = True
        own, addressed = bool(of_alone & Kind.OWN), bool(of_alone & Kind.OTHERS)
        found.append(
            Sentence(
                sentence,
                code,
                announced,
                opened,
                things,
                changed or announced or opened,
                exclusive,
                own,
                addressed,
                bool(kinds & Kind.QUANTITY),
            )
        )
        opened = False
        announced = changed and len(things) <= MOST_THINGS_ANNOUNCING and _Reading(sentence, words).changed
    return tuple(found)


def _begins_with(pronouns: frozenset[str], sentence: str) -> bool:
    """Returns True if a sentence begins with a pronoun, which stands for something in the sentence before it."""
    first = WORD.match(sentence)
    return first is not None and first[0].casefold().replace("’", "'") in pronouns


@lru_cache(maxsize=_CACHED_SENTENCES)
def _statements(sentence: str, code: str, *, announced: bool, opened: bool) -> tuple[Statement, ...]:
    found = _Reading(sentence, wording(code)).statements(announced=announced, opened=opened)
    return tuple(statement for statement in found if statement.things)


class _Reading:
    """A sentence being read."""

    def __init__(self, text: str, words: Wording) -> None:
        self.words = words
        self.changed = self.corrected = self.former = False
        self.exclusive: set[str] = set()
        self.denied: set[str] = set()
        self.title = ""
        self.tokens: list[Token] = []
        raw = raw_words(text if words.spaced else self._marked(text), words.code)[:MOST_WORDS]
        if words.spaced:
            self._read(raw)
        else:
            self.tokens += [token_of(word, words.code) for word in raw]

    def statements(self, *, announced: bool, opened: bool) -> Iterator[Statement]:
        """Yields the sentence, followed by its parts if it has several."""
        parts: list[list[Token]] = [[]]
        for token in self.tokens:
            if token is not BREAK:
                parts[-1].append(token)
            elif not _is_setting(parts[-1]):
                parts.append([])
        parts = [part for part in parts if part]
        whole = [token for part in parts for token in part]
        kinds = kinds_of(whole)
        for part in (whole, *(parts if len(parts) > 1 else ())):
            yield self._statement(part, kinds, announced=announced, opened=opened)

    def _statement(self, part: Sequence[Token], of_sentence: int, *, announced: bool, opened: bool) -> Statement:
        informative = tuple(token for token in part if token.kind & _INFORMATIVE)
        kinds = kinds_of(part)

        def forms(kind: int) -> frozenset[str]:
            return frozenset(token.form for token in part if token.kind & kind) if kinds & kind else frozenset()

        return Statement(
            self.words.code,
            tuple(part),
            informative,
            _topic(part),
            forms(Kind.THING),
            forms(Kind.QUANTITY),
            forms(Kind.NAME),
            forms(Kind.PERSON),
            forms(Kind.POSSESSIVE),
            frozenset(self.exclusive.union(self._of_one_value(part, kinds, informative))),
            frozenset(self.denied),
            self.title,
            self.changed or announced or opened,
            self.corrected or (announced and not self.changed),
            self.former,
            bool(of_sentence & Kind.OWN),
            kinds,
        )

    def _of_one_value(self, part: Sequence[Token], kinds: int, informative: Sequence[Token]) -> Iterator[str]:
        """Yields subjects that have one value at a time: “the trip is”, 上司は."""
        if kinds & Kind.DEFINITE:
            yield from _definite(part)
        topic = _topic(part)
        if self.words.code in _TOPIC_FIRST and topic and not any(token.form in _OBJECT for token in part):
            yield f"{' '.join(token.form for token in informative[:topic])} は"

    def _read(self, raw: Sequence[str]) -> None:
        """Reads the words of a language with spaces."""
        lower = [word.casefold().replace("’", "'") for word in raw]
        code, known = self.words.code, self.words.phrases
        place = 0
        while place < len(raw):
            word = lower[place]
            phrases = self._phrases(lower, place) if word in known or self.words.beginnings else ()
            if word in BREAKS or (word in self.words.clauses and not phrases):
                self.tokens.append(BREAK)
                place += 1
            elif any(self._apply(phrase, raw, lower, place) for phrase in phrases):
                place = self._next
            else:
                self.tokens.append(token_of(raw[place], code))
                place += 1

    def _phrases(self, lower: Sequence[str], place: int) -> Sequence[Phrase]:
        """Returns the phrases that begin with a word, longest first."""
        listed = self.words.phrases.get(lower[place], ())
        found = [phrase for phrase in listed if tuple(lower[place : place + len(phrase.words)]) == phrase.words]
        begun = (phrase for start, phrase in self.words.beginnings.items() if lower[place].startswith(start))
        return found or list(begun)[:1]

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
            self.tokens += [token_of(word, self.words.code) for word in phrase.other]
            self.exclusive.update(
                token_of(word, self.words.code).form for word in phrase.other if self._is_exclusive(word)
            )
        elif phrase.role is Role.EXCLUSIVE:
            self.exclusive.add(token_of(phrase.words[0], self.words.code).form)
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
        return word in BREAKS or word in self.words.stops

    def _is_exclusive(self, word: str) -> bool:
        return any(phrase.role is Role.EXCLUSIVE for phrase in self.words.phrases.get(word, ()))

    def _deny(self, raw: Sequence[str]) -> None:
        forms = (token_of(word, self.words.code) for word in raw)
        self.denied |= {form for form, kind in forms if kind & _INFORMATIVE}
        self.title = " ".join(raw).casefold()

    def _marked(self, text: str) -> str:
        """Returns a text without spaces, without what its phrases announce or deny."""
        every = [phrase for phrases in self.words.phrases.values() for phrase in phrases]
        for phrase in sorted(every, key=lambda phrase: (phrase.role not in DENIALS, phrase.role is not Role.SAME)):
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
                start = max(map(before.rfind, BREAKS)) + 1
                topic = before.find("は", start) + 1 or start
                self._deny(raw_words(before[topic:], self.words.code))
                text = before[:topic] + after
            elif phrase.role is Role.DENIES_BETWEEN:
                before, _, after = text.partition(marker)
                denied, there, rest = after.partition(phrase.other[0])
                if there:
                    self._deny(raw_words(denied, self.words.code))
                    text = before + phrase.other[0].lstrip("，") + rest
        for word, kind in self.words.kinds.items():
            if kind & (Kind.ADDITION | Kind.EVENT) and word in text:
                self.tokens.append(Token(word, kind & (Kind.ADDITION | Kind.EVENT)))
        return text


def _is_setting(part: Sequence[Token]) -> bool:
    """Returns True if words before a comma say of what, or when, the words after it hold: “on day 2, …”."""
    things = [token for token in part if token.kind & _INFORMATIVE]
    return 0 < len(things) <= MOST_SETTING_WORDS and (
        bool(part[0].kind & Kind.SETTING) or any(token.kind & Kind.QUANTITY for token in things)
    )


def _topic(part: Sequence[Token]) -> int:
    """Returns the number of informative words before the predicate. Without a predicate that is known, these are a noun
    and its number at the beginning: “room 204”."""
    for weak in (frozenset[str](), _WEAK):
        count = 0
        for token in part:
            if token.kind & _ENDS_TOPIC and (count or token.kind & Kind.PREDICATE) and token.form not in _WEAK - weak:
                return count
            count += bool(token.kind & _INFORMATIVE)
    beginning = [token for token in part if token.kind][:2]
    named = len(beginning) == 2 and beginning[0].kind & Kind.THING and beginning[1].kind & Kind.QUANTITY
    return 2 if named else int(bool(beginning) and bool(beginning[0].kind & Kind.QUANTITY))


def _definite(part: Sequence[Token]) -> Iterator[str]:
    """Yields subjects that are one thing: “the trip is”."""
    for place, token in enumerate(part):
        if token.kind & Kind.DEFINITE:
            ahead = part[place + 1 : place + 2 + MOST_SUBJECT_WORDS]
            stop = next((number for number, after in enumerate(ahead) if after.kind & Kind.COPULA), 0)
            if stop:
                yield f"the {' '.join(after.form for after in ahead[:stop] if after.kind & Kind.THING)}"
