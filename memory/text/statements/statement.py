"""Statements: what a sentence, or a part of one, says of which thing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from .tokens import Token, forms_of, kinds_of
from .wording import Kind

#: Particles that end what a sentence is about where no other one does, and those of objects, which do so where none of
#: these does.
_WEAK, OBJECT = frozenset({"が", "이", "가"}), frozenset({"を", "을", "를"})
#: Languages with such particles, whose predicates come last.
TOPIC_FIRST = ("ja", "ko")
MOST_SUBJECT_WORDS = 4  # of “the trip is”
INFORMATIVE = Kind.THING | Kind.QUANTITY
_ENDS_TOPIC = Kind.COPULA | Kind.PREDICATE | Kind.CHANGE


@dataclass(frozen=True)
class SentenceFrame:
    """Words and announcements of a sentence that hold for all statements in it."""

    code: str
    #: Predicates that hold of one thing at a time.
    exclusive: frozenset[str]
    #: Words of a value that the sentence denies, and all that it denies, as a title would be.
    denials: frozenset[str]
    denied_title: str
    #: Whether all of its parts announce a change, as words before it do.
    changed: bool
    #: Whether it, or the one before it, says that an earlier statement was wrong or is no longer so.
    corrected: bool
    #: Whether the sentence says what was so before.
    former: bool
    #: Whether the sentence refers to the speaker.
    own: bool


@dataclass(frozen=True)
class Statement:
    """A sentence, or a part of one, without what it denies. What is derived from its words is computed once it is asked
    for, since most pairs of statements differ at first sight."""

    frame: SentenceFrame
    #: Its words.
    all_tokens: tuple[Token, ...]
    #: The parts of its sentence before it.
    lead_tokens: tuple[Token, ...] = ()
    #: Whether it says since when it holds.
    since: bool = False

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Those of its words that say something by themselves."""
        return tuple([token for token in self.all_tokens if token.kind & INFORMATIVE])

    @cached_property
    def kinds(self) -> int:
        """Kinds of its words together."""
        kinds = kinds_of(self.all_tokens)
        if kinds & Kind.EVENT and not any(_is_event(self.all_tokens, place) for place in range(len(self.all_tokens))):
            kinds &= ~Kind.EVENT
        return kinds

    @cached_property
    def topic_end(self) -> int:
        """Number of `all_tokens` that come before the predicate: which thing the statement is about."""
        return topic_end(self.all_tokens)

    @cached_property
    def topic(self) -> int:
        """The same of `tokens`."""
        return sum([bool(token.kind & INFORMATIVE) for token in self.all_tokens[: self.topic_end]])

    @cached_property
    def topic_forms(self) -> frozenset[str]:
        """Words of what it is about."""
        return forms_of(self.tokens[: self.topic])

    @cached_property
    def things(self) -> frozenset[str]:
        """Words of its subject and predicate and values that are no quantities."""
        return _forms(self.tokens, Kind.THING)

    @cached_property
    def quantities(self) -> frozenset[str]:
        """Times and numbers."""
        return _forms(self.tokens, self.kinds & Kind.QUANTITY)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names in it."""
        return _forms(self.tokens, self.kinds & Kind.NAME)

    @cached_property
    def persons(self) -> frozenset[str]:
        """Kin, animals and roles."""
        return _forms(self.tokens, self.kinds & Kind.PERSON)

    @cached_property
    def possessors(self) -> frozenset[str]:
        """Whose something is, other than the speaker's or the listener's."""
        return _forms(self.tokens, self.kinds & Kind.POSSESSIVE)

    @cached_property
    def exclusive(self) -> frozenset[str]:
        """Predicates and subjects that have one value at a time."""
        exclusive = set(self.frame.exclusive)
        if self.kinds & Kind.DEFINITE:
            exclusive |= set(_definite(self.all_tokens))
        if self.frame.code in TOPIC_FIRST and self.topic and not any(token.form in OBJECT for token in self.all_tokens):
            exclusive.add(f"{' '.join(token.form for token in self.tokens[: self.topic])} は")
        return frozenset(exclusive)

    @cached_property
    def lead(self) -> frozenset[str]:
        """Things in the parts of its sentence before it."""
        return _forms(self.lead_tokens, Kind.THING)

    @cached_property
    def changed(self) -> bool:
        """True if it announces a change, as its sentence may, or says since when it holds."""
        announces = (self.kinds | kinds_of(self.lead_tokens)) & Kind.CHANGE
        return self.since or self.frame.changed or bool(announces)

    @cached_property
    def units(self) -> Sequence[tuple[Token, ...]]:
        """Its words as they are compared: times and numbers that stand together as one, apart at the predicate."""
        return [*self._units_of_topic, *_units(self.all_tokens[self.topic_end :])]

    @cached_property
    def unit_forms(self) -> Sequence[tuple[str, ...]]:
        """The forms of `units`."""
        return [tuple([token.form for token in unit]) for unit in self.units]

    @cached_property
    def places(self) -> Mapping[tuple[str, ...], int]:
        """Form of a unit → the places where it stands, as bits."""
        places: dict[tuple[str, ...], int] = {}
        for place, form in enumerate(self.unit_forms):
            places[form] = places.get(form, 0) | 1 << place
        return places

    @property
    def units_of_topic(self) -> int:
        """Number of `units` that come before the predicate."""
        return len(self._units_of_topic)

    @cached_property
    def _units_of_topic(self) -> Sequence[tuple[Token, ...]]:
        return list(_units(self.all_tokens[: self.topic_end]))

    @cached_property
    def numbered_thing(self) -> tuple[str, str] | None:
        """The word of a thing and its number, if the statement is about one: “zebra number 5”."""
        topic = [token for token in self.tokens[: self.topic] if not token.kind & Kind.NUMBER]
        pairs = ((a, b) for a, b in pairwise(topic) if a.kind & Kind.THING and b.kind & Kind.QUANTITY)
        return next(((a.form, b.form) for a, b in pairs), None)

    @cached_property
    def predicates(self) -> frozenset[str]:
        """Words of its predicate."""
        return frozenset([token.form for token in self.tokens if token.kind & Kind.PREDICATE])

    @cached_property
    def verbs(self) -> frozenset[str]:
        """Its verbs that come last."""
        return frozenset([token.form for token in self.tokens if token.kind & Kind.VERB])

    @cached_property
    def is_of_role(self) -> bool:
        """True if it says what one person does for others: “leads”, “is the coach”."""
        pairs = pairwise(self.all_tokens)
        return bool(self.kinds & Kind.ROLE) or any(a.kind & Kind.COPULA and b.kind & Kind.DEFINITE for a, b in pairs)


def _forms(tokens: Sequence[Token], kind: int) -> frozenset[str]:
    """Returns the words of a kind, 0 for none."""
    return frozenset([token.form for token in tokens if token.kind & kind]) if kind else frozenset()


def topic_end(part: Sequence[Token]) -> int:
    """Returns the place of the predicate, before which a part says what it is about. Without a predicate that is known,
    this is a noun and its number at the beginning: “room 204”, “zebra number 5”."""
    for weak in (frozenset[str](), _WEAK):
        count = 0
        for place, token in enumerate(part):
            if token.kind & _ENDS_TOPIC and (count or token.kind & Kind.PREDICATE) and token.form not in _WEAK - weak:
                return place
            count += bool(token.kind & INFORMATIVE)
    for place, token in enumerate(part):
        if token.form in OBJECT and sum(bool(after.kind & INFORMATIVE) for after in part[place:]) > 1:
            return place
    places = [place for place, token in enumerate(part) if token.kind][:3]
    if len(places) == 3 and part[places[1]].kind & Kind.NUMBER:
        del places[1]
    places = places[:2]
    if len(places) == 2 and part[places[0]].kind & Kind.THING and part[places[1]].kind & Kind.QUANTITY:
        return places[1] + 1
    return places[0] + 1 if places and part[places[0]].kind & Kind.QUANTITY else 0


def _is_event(part: Sequence[Token], place: int) -> bool:
    """Returns True if a word says that something happened, rather than how something is: “was signed”."""
    kind = part[place].kind
    return bool(kind & Kind.EVENT) and not (kind & Kind.STATUS and place and part[place - 1].kind & Kind.COPULA)


def _definite(part: Sequence[Token]) -> Iterator[str]:
    """Yields subjects that are one thing: “the trip is”."""
    for place, token in enumerate(part):
        if token.kind & (Kind.DEFINITE | Kind.POSSESSIVE):
            start = place + bool(token.kind & Kind.DEFINITE)
            ahead = part[start : start + 1 + MOST_SUBJECT_WORDS]
            stop = next((number for number, after in enumerate(ahead) if after.kind & Kind.COPULA), 0)
            if stop:
                yield f"the {' '.join(after.form for after in ahead[:stop] if after.kind & Kind.THING)}"


def _units(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Yields informative words: times and numbers with those beside them, unless words announce a change between
    them."""
    words = (token for token in tokens if token.kind & (INFORMATIVE | Kind.CHANGE))
    for kind, run in groupby(words, lambda token: token.kind & (Kind.QUANTITY | Kind.CHANGE)):
        if kind == Kind.QUANTITY:
            yield tuple(run)
        elif not kind:
            yield from ((token,) for token in run)
