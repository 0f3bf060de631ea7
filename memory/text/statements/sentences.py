"""Sentences of messages, with what is needed to see which of them may replace each other."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .parse import MOST_WORDS, Parse
from .parts import MOST_THINGS_ANNOUNCING
from .statement import INFORMATIVE, TOPIC_FIRST, Statement
from .tokens import BREAK, Token, kinds_of, language_of, token_of, tokens_in
from .wording import BY_WORDS, Kind, Wording, wording
from .words import WORD

#: Longest text that is compared, in characters: a longer one is more than a statement.
LONGEST = 2_000
MOST_SENTENCES = 24  # of a text, from its beginning
#: Texts whose analysis is cached: with that of words, at most 20 MB.
_CACHED_TEXTS = 1536

#: Ends of sentences, other than the points of ordinals, initials and abbreviations.
_SENTENCE = re.compile(
    r"(?<=[.!?…⋯])(?<!\b\d\.)(?<!\b\d\d\.)(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|St|Nr|No|Mt|Hr|Fr|vs)\.)(?<!\b(?:Mrs|Tel|Str)\.)"
    r"(?<!\bProf\.)(?:(?<!\b(?:Jr|Sr|Co)\.)(?<!\b(?:Inc|Ltd)\.)(?<!\b(?:Bros|Corp)\.)|(?!\s+[a-z]))[\"'”’)\]]?\s+|(?<=[。！？])|\n+"
)
_ENDS = ".!?…。！？\"'”’)] "
_QUESTION_CHARS = 8  # at the end of a sentence, where its question mark is
_ENDS_QUESTION = re.compile(r"[?？][\"'”’)\]]*\s*$")
#: Numbers of statements in a list: “12. The trip is …”. In German, where “12.” may be an ordinal, two of them.
_ITEM = re.compile(r"(?:^|(?<=\n)|(?<=[.!?。]\s))[(\[#]?\d{1,6}[.):\]]+\s+(?=\S)")
_ITEMS = re.compile(rf"{_ITEM.pattern}[^\n]*\s{_ITEM.pattern}")
#: Removes the marks around words.
_NO_MARKS = {ord(mark): " " for mark in ',;:–—(),.!?"“”…⋯[]'}


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence of a message, with what is needed to see that it cannot replace, or be replaced by, another one. What
    it states is read once it is asked for."""

    text: str
    code: str
    #: Whether the sentence before it announces a change and says nothing else.
    announced: bool
    #: Whether it begins with a word that takes something back, or follows such a word: “No, …”.
    opened: bool
    tokens: Sequence[Token]
    #: Its words that say something by themselves, and those that may be things.
    words: frozenset[str]
    things: frozenset[str]
    #: Whether its own words may announce a change, and whether they or those before it may.
    announces: bool
    changed: bool
    #: Words of predicates that hold of one thing at a time; a definite subject with a copula counts as one.
    exclusive: frozenset[str]
    #: Kinds of its words, without those of the sentence before it, which its pronoun stands for.
    kinds: int
    #: Whether it has a time or a number.
    valued: bool
    #: Whether it may have several parts.
    has_parts: bool

    @property
    def own(self) -> bool:
        """True if it refers to the speaker."""
        return bool(self.kinds & Kind.OWN)

    @property
    def addressed(self) -> bool:
        """True if it refers to the listener."""
        return bool(self.kinds & Kind.OTHERS)

    @property
    def may_replace(self) -> bool:
        """True if it announces a change, has a value of a kind that a thing has once at a time, or several parts."""
        return self.changed or bool(self.exclusive) or self.valued or self.has_parts

    @cached_property
    def statements(self) -> Sequence[Statement]:
        """The sentence as a statement, and its parts."""
        return tuple(self._statements)

    @cached_property
    def topic(self) -> frozenset[str]:
        """Words of what it is about."""
        return next((statement.topic_forms for statement in self._statements), frozenset())

    @property
    def _statements(self) -> Iterator[Statement]:
        read = self.parse.statements(announced=self.announced, opened=self.opened)
        return (statement for statement in read if statement.things)

    @cached_property
    def parse(self) -> Parse:
        """The sentence read word by word."""
        return Parse(self.text, wording(self.code))


#: Stand for definite subjects and for states among the predicates of a sentence.
_DEFINITE_SUBJECT, _STATE = "the … is", "a state"


@lru_cache(maxsize=_CACHED_TEXTS)
def sentences(text: str) -> Sequence[Sentence]:
    """Returns the sentences of a text that state something; none for a text that is too long."""
    return () if len(text) > LONGEST else tuple(_sentences(text, wording(language_of(text))))


def _sentences(text: str, words: Wording) -> Iterator[Sentence]:
    announced = opened = False
    before = ""
    if words.code != "de" or _ITEMS.search(text) is not None:
        text = _ITEM.sub("", text)
    for whole in _SENTENCE.split(text)[:MOST_SENTENCES]:
        sentence = whole
        while (opener := words.opener.match(sentence)) is not None:
            opened, sentence = True, sentence[opener.end() :]
        resumed = f"{before.rstrip(_ENDS)} " if sentence and _begins_with(words.pronouns, sentence) else ""
        if resumed:
            sentence = sentence[0].lower() + sentence[1:]
        before = before if resumed else sentence or before
        if not sentence or _ENDS_QUESTION.search(sentence, max(0, len(sentence) - _QUESTION_CHARS)):
            continue
        one = _sentence(resumed + sentence, sentence, words, announced=announced, opened=opened)
        yield one
        opened = False
        announced = one.announces and len(one.things) <= MOST_THINGS_ANNOUNCING and one.parse.changed


def _sentence(text: str, alone: str, words: Wording, *, announced: bool, opened: bool) -> Sentence:
    """Returns a sentence. `alone`: without the sentence before it."""
    tokens = tokens_in(text, words.code)[:MOST_WORDS]
    kinds = kinds_of(tokens)
    things = frozenset([token.form for token in tokens if token.kind & Kind.THING])
    lower = text.casefold().replace("’", "'")
    present = frozenset(lower.translate(_NO_MARKS).split()) if words.spaced else None
    exclusive = words.exclusive.found_in(lower, present)
    if kinds & Kind.COPULA and (kinds & (Kind.DEFINITE | Kind.POSSESSIVE) or words.code in TOPIC_FIRST):
        exclusive |= {_DEFINITE_SUBJECT}
    if kinds & Kind.STATUS:
        exclusive |= {_STATE}
    same = words.replaced.found_in(lower, present)
    for phrase in same:
        others = [token_of(word, words.code) for word in words.same[phrase]]
        things |= {token.form for token in others if token.kind & Kind.THING}
        exclusive |= {_DEFINITE_SUBJECT, *words.exclusive.found_in(" ".join(words.same[phrase]), None)}
    announces = bool(same) or words.announcing.is_in(lower, present) or _has_beginning(lower, present, words)
    return Sentence(
        text,
        words.code,
        announced,
        opened,
        tokens,
        frozenset([token.form for token in tokens if token.kind & INFORMATIVE]),
        things,
        announces,
        announces or announced or opened,
        exclusive,
        kinds if text is alone else kinds_of(tokens_in(alone, words.code)),
        bool(kinds & Kind.QUANTITY),
        BREAK in tokens or words.code in TOPIC_FIRST or not words.clauses.isdisjoint(present or ()),
    )


def _has_beginning(lower: str, present: frozenset[str] | None, words: Wording) -> bool:
    """Returns True if a sentence may say since when something holds."""
    if words.code in BY_WORDS and present is not None:
        return not words.since.isdisjoint(present)
    return any(word in lower for word in words.since)


def _begins_with(pronouns: frozenset[str], sentence: str) -> bool:
    """Returns True if a sentence begins with a pronoun, which stands for something in the sentence before it."""
    first = WORD.match(sentence)
    return first is not None and first[0].casefold().replace("’", "'") in pronouns
