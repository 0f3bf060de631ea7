"""Selection: what of the messages of an episode an answer gives, within its tokens and spans.

What was asked and decided comes first, the newest steps before earlier ones. Of long results, the pieces that share
words with what was said and hold identifiers that it needs or that later steps use; each of these once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import fsum, inf, log

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.text.passages import Passage
from foxing.memory.text.pieces import split_pieces
from foxing.memory.text.terms import terms
from foxing.memory.values.messages import RecalledMessage

from .excerpts import estimated_tokens, excerpt, identifiers_of
from .mentions import Mentions

#: Share of the tokens that the words of people take before the results of tools are looked at.
TALK_TOKENS = 0.45
#: Last words of people that are given however many messages an episode has.
LAST = 4
#: Messages of people up to this length are given whole or not at all, in characters.
WHOLE_CHARS = 400
#: Value of an identifier, in rarities of a word; and what is left of a value once it was given.
IDENTIFIER, AGAIN = 1.5, 0.2
#: Value of a word of the question, relative to one that was said.
ASKED = 1.5
#: Share of its value that a piece lends to those beside it.
BESIDE_SHARE = 0.4
#: Tokens of a message beside its text: its speaker, and the marks of an excerpt.
BESIDE = 6.0


@dataclass(frozen=True)
class _Piece:
    """A piece of a message."""

    message: int
    range: Passage
    text: str
    tokens: float
    #: Terms of the question and of what people said.
    words: frozenset[str]
    identifiers: frozenset[str]
    is_talk: bool


def asked_excerpt(span: RecalledMessage, asked: Collection[str], tokens: float) -> RecalledMessage:
    """Returns the pieces of a long message around what was asked, within about `tokens` text tokens; itself if it is
    short. `asked`: terms of the question."""
    if len(span.text) <= 2 * tokens or (taken := count_text_tokens(span.text)) <= tokens:
        return span
    tokens *= estimated_tokens(span.text) / taken
    ranges = split_pieces(span.text)
    words = [frozenset(term for term in terms(span.text[a:b]) if term in asked) for a, b in ranges]
    frequencies = Counter(word for of_piece in words for word in of_piece)
    worth = {word: log(1 + len(ranges) / frequency) for word, frequency in frequencies.items()}
    own = [fsum(worth[word] for word in of_piece) for of_piece in words]
    values = [value + BESIDE_SHARE * max(own[max(0, n - 1) : n + 2]) for n, value in enumerate(own)]
    chosen: list[int] = []
    left = tokens
    for number in sorted(range(len(ranges)), key=lambda n: (-values[n], n)):
        cost = estimated_tokens(span.text[slice(*ranges[number])]) + 1
        if cost <= left:
            chosen.append(number)
            left -= cost
    return excerpt(span, [ranges[number] for number in sorted(chosen)])


class EpisodePieces:
    """The pieces of the messages of an episode, of which some are chosen for a number of tokens."""

    def __init__(self, spans: Sequence[RecalledMessage], asked: Collection[str]) -> None:
        """`spans`: in order; `asked`: terms of the question."""
        self._asked = asked
        # which messages have something left to tell, and which of these people or the model say
        telling = [_tells(span) for span in spans]
        self._talk = [tells and _is_talk(span) for tells, span in zip(telling, spans, strict=True)]
        self._telling = sum(telling)
        texts = [span.text for span, is_talk in zip(spans, self._talk, strict=True) if is_talk]
        said = {*asked, *(term for text in texts for term in terms(text))}
        self._pieces = [
            piece
            for number, tells in enumerate(telling)
            if tells
            for piece in _pieces(number, spans[number], said, is_talk=self._talk[number])
        ]
        self._mentions = Mentions([*texts, " ".join(asked)])
        self._best = _best(spans)
        of_user = (piece.message for piece in self._pieces if piece.is_talk and spans[piece.message].role == "user")
        # those of people that come first: what the user asked for, and the best match.
        self._first = {next(of_user, -1)} | self._best

    def chosen(self, tokens: float, limit: int) -> dict[int, list[Passage]]:
        """Returns the index of each message that is given → its pieces, ascending. `tokens`, `limit`: maximum number
        of text tokens and of messages."""
        chosen = _Choice(self._pieces, self._asked, tokens, self._mentions)
        if self._telling > limit:
            last = [number for number, is_talk in enumerate(self._talk) if is_talk][-LAST:]
            chosen.restrict({*last, *self._best}, limit)
        of_talk = [number for number, piece in enumerate(self._pieces) if piece.is_talk]
        for number in sorted(of_talk, key=lambda n: (self._pieces[n].message not in self._first, -n)):
            cost = chosen.cost(self._pieces[number])
            if chosen.tokens + cost <= TALK_TOKENS * tokens and chosen.admits(self._pieces[number]):
                chosen.add(number)
        chosen.fill()
        return chosen.by_message


def _best(spans: Sequence[RecalledMessage]) -> set[int]:
    """Returns the index of the best match; of none if there is none."""
    scores = [span.score or 0.0 for span in spans]
    return {scores.index(max(scores))} if any(scores) else set()


def _tells(span: RecalledMessage) -> bool:
    """Returns False if all that a message said has faded."""
    return not span.gaps or any(map(str.isalnum, span.text))


def _is_talk(span: RecalledMessage) -> bool:
    """Returns True if a person or the model says something, rather than calls a tool or gets its result."""
    return span.role != "tool" and not span.text.startswith(("△", "▽")) and len(split_pieces(span.text)) < 12


def _pieces(number: int, span: RecalledMessage, said: Collection[str], *, is_talk: bool) -> Iterable[_Piece]:
    whole = is_talk and len(span.text) <= WHOLE_CHARS
    ranges = [Passage(0, len(span.text))] if whole else split_pieces(span.text)
    for piece in ranges:
        text = span.text[piece.start : piece.stop]
        words = frozenset(term for term in terms(text) if term in said)
        yield _Piece(number, piece, text.strip(), estimated_tokens(text) + 2, words, identifiers_of(text), is_talk)


@dataclass
class _Given:
    """Contents of the chosen pieces."""

    texts: set[str] = field(default_factory=set)
    #: Words and identifiers.
    names: set[str] = field(default_factory=set)
    #: Places of the words of people that they explain, see `Mentions`.
    places: set[int] = field(default_factory=set)


class _Choice:
    """The pieces that are chosen."""

    def __init__(self, pieces: Sequence[_Piece], asked: Collection[str], tokens: float, mentions: Mentions) -> None:
        self._pieces = pieces
        self._mentions = mentions
        self._most = tokens
        #: messages that may be given; None for all
        self._admitted: set[int] | None = None
        frequencies = Counter(word for piece in pieces for word in piece.words)
        total = len(pieces)
        self._worth = {
            word: log(1 + total / (1 + frequency)) * (ASKED if word in asked else 1.0)
            for word, frequency in frequencies.items()
        }
        self._identifier = IDENTIFIER * log(1 + total / 2)
        uses = Counter(each for piece in pieces for each in piece.identifiers)
        self._shared = {each for each, count in uses.items() if count > 1}
        self._chosen: set[int] = set()
        self.tokens = 0.0
        self.messages: set[int] = set()

    @property
    def by_message(self) -> dict[int, list[Passage]]:
        """Message → its pieces, ascending."""
        found: dict[int, list[Passage]] = {}
        for number in sorted(self._chosen):
            piece = self._pieces[number]
            found.setdefault(piece.message, []).append(piece.range)
        return found

    def cost(self, piece: _Piece) -> float:
        """Returns the tokens that a piece adds."""
        return piece.tokens + (0.0 if piece.message in self.messages else BESIDE)

    def add(self, number: int) -> None:
        """Chooses a piece. `number`: its index."""
        piece = self._pieces[number]
        self._chosen.add(number)
        self.tokens += self.cost(piece)
        self.messages.add(piece.message)

    def fill(self) -> None:
        """Chooses further pieces by value for each token, as many as fit. What results already hold is worth less."""
        given = _Given()
        waiting = [self._entry(n, given) for n in range(len(self._pieces)) if n not in self._chosen]
        heapify(waiting)
        while waiting:
            density, order = heappop(waiting)
            piece = self._pieces[-order]
            if not self._fits(piece):
                continue
            entry = self._entry(-order, given)
            if entry[0] > density + 1e-9 and waiting and entry > waiting[0]:
                heappush(waiting, entry)
                continue
            self.add(-order)
            given.texts.add(piece.text)
            given.names |= piece.words | piece.identifiers
            if not piece.is_talk:
                given.places.update(self._mentions.value(piece.words, self._worth, given.places).places)

    def _entry(self, number: int, given: "_Given") -> tuple[float, int]:
        piece = self._pieces[number]
        return -self._value(piece, given) / self.cost(piece), -number

    def restrict(self, first: Collection[int], most: int) -> None:
        """Admits `most` messages: `first`, then those with the highest values beside what others hold."""
        by_message: dict[int, list[_Piece]] = {}
        for piece in self._pieces:
            by_message.setdefault(piece.message, []).append(piece)
        admitted: set[int] = set()
        given: set[str] = set()
        waiting = [(0.0 if number not in first else -inf, -number) for number in by_message]
        waiting = [(entry[0] or -self._total(by_message[-entry[1]], given), entry[1]) for entry in waiting]
        heapify(waiting)
        while waiting and len(admitted) < most:
            value, order = heappop(waiting)
            entry = (value if value == -inf else -self._total(by_message[-order], given), order)
            if waiting and entry > waiting[0]:
                heappush(waiting, entry)
                continue
            admitted.add(-order)
            for piece in by_message[-order]:
                given |= piece.words | piece.identifiers
        self._admitted = admitted

    def _total(self, pieces: Sequence[_Piece], given: Collection[str]) -> float:
        """Returns the value of the pieces of a message, each word and identifier once."""
        words = frozenset().union(*(piece.words for piece in pieces))
        identifiers = frozenset().union(*(piece.identifiers for piece in pieces))
        return self._worth_of(words, identifiers, given)

    def admits(self, piece: _Piece) -> bool:
        """Returns True if the message of a piece may be given."""
        return self._admitted is None or piece.message in self._admitted

    def _fits(self, piece: _Piece) -> bool:
        return self.admits(piece) and self.tokens + self.cost(piece) <= self._most

    def _value(self, piece: _Piece, given: "_Given") -> float:
        """Returns the value of a piece beside what is already given."""
        if piece.text in given.texts:
            return 0.0
        if piece.is_talk:
            return self._worth_of(piece.words, piece.identifiers, given.names)
        named = self._worth_of((), piece.identifiers, given.names)
        return named + self._mentions.value(piece.words, self._worth, given.places).value

    def _worth_of(self, words: Collection[str], identifiers: Collection[str], given: Collection[str]) -> float:
        said = fsum(self._worth.get(word, 0.0) * (AGAIN if word in given else 1.0) for word in words)
        named = fsum(
            self._identifier * (1.0 if each in self._shared else 0.5) * (AGAIN if each in given else 1.0)
            for each in identifiers
        )
        return said + named + 0.01
