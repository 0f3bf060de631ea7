"""Excerpts of messages: the sentences and lines that stay when the folded part has to fade.

In a fold, what the user typed stays longest, word for word, then open plans, decisions of the model, what the latest
turn refers to, facts that users and the model state, and what each tool was called with. What else they said and what
tools state comes next, and last the rest of what tools returned. A message of which nothing is left leaves its
reference.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import Literal, NamedTuple

from foxing.memory.values.part_text import CALL_MARK, image_labels
from foxing.memory.values.speakers import speaker_on_page
from foxing.renderer.fading import FactFinder
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.sentences import CLAUSE_MARKS, is_statement, sentence_ends

from .images import NO_IMAGE

#: Longest unit in characters: a line without a sentence, and a sentence. Longer ones are divided.
MAX_UNIT = 240
MAX_SENTENCE = 480
#: Shortest excerpt of a message in characters, headers included, that is worth its place.
_OVERHEAD = 12
_ROLES = {"user": 6.0, "assistant": 2.0}
#: Ranks: what the user typed, plans, decisions of the model, what the latest turn refers to, facts that users and the
#: model state, what a tool was called with, what else is said and what tools state, and the rest of the latter.
_TYPED, _PLAN, _DECIDED, _REFERRED, _FACT, _CALL, _SAID, _REST = range(7, -1, -1)
#: Longest text in characters that counts as typed; of a longer one, its paragraphs up to half as many at either end.
TYPED_CHARS = 2_000
#: Sentences by which the model decides something.
_DECISION = re.compile(
    r"\b(?:decid(?:e|ed|ing)|decision|agreed|instead of|rather than|go(?:ing)? with|chose|chosen|settled on|must not|"
    r"will (?:use|keep)|entschied\w*|beschlossen|stattdessen|décid\w+|plutôt que|decidi\w+|en lugar de)\b"
    r"|决定|決定|決め|改用|결정|하기로",
    re.IGNORECASE,
)
#: Lines of tools that say how something went.
_OUTCOME = re.compile(
    r"\b(?:errors?|fail(?:ed|ure|ures|s)?|exception|traceback|warning|passed|not found|denied|refused|"
    r"exit (?:code|status))\b",
    re.IGNORECASE,
)
_OUTCOME_WEIGHT = 3.0
_WORD = re.compile(r"\w[\w./:@-]{2,}\w")
#: A word that more of the units have than this share, and number, refers to none of them.
_COMMON = 1 / 200
_FEW = 3
#: Share of the characters for references to messages of which nothing else is left, and those of each.
_REFERENCES = 0.25
_REFERENCE_CHARS = 8
_FIRST = 1.6
_LAST = 1.2
#: Weight of a unit that a later one repeats, and its shortest length in characters.
_SAID_AGAIN = 0.1
_SHORT = 20
#: Characters behind which a unit that is too long is divided if it has no clauses, those of the first kind rather.
_SEPARATORS = (CLAUSE_MARKS, " \t")
_MOST_FACTS = 5
#: Weight of a statement in prose, which outlasts code and listings.
_PROSE_WEIGHT = 2.5
#: Weight of the label of an image, and of what stands in place of one: a few words stand for all of it.
_LABEL_WEIGHT = 6.0


#: What a message of a fold is, if it is more than what someone or a tool said: words of the user, or an open plan.
Kind = Literal["", "typed", "plan"]


@dataclass(frozen=True)
class FoldedMessage:
    """Message of the folded part, as far as it is left."""

    ref: str
    role: str
    #: Time in RFC 3339.
    at: str
    text: str
    #: Offsets of the gap marks in the text.
    gaps: tuple[int, ...] = ()
    kind: Kind = ""
    #: What stands after its role; see `trust.page_marks`.
    marks: tuple[str, ...] = ()

    @property
    def speaker(self) -> str:
        """Its role, and its trust class where its words are data and the role does not say so."""
        return speaker_on_page(self.role, None, self.marks)

    @property
    def is_reference(self) -> bool:
        """True if nothing but its reference is left."""
        return self.text == GAP_MARK


@dataclass(frozen=True)
class Keeping:
    """Rules of what stays of a fold whatever it is worth."""

    #: Most characters of what the user typed; the oldest gives way.
    typed_chars: int
    #: Words of the latest turn, in lower case.
    latest_words: Collection[str] = ()


def words_in(text: str) -> set[str]:
    """Returns the words of a text by which it may refer to another, in lower case."""
    return set(map(str.lower, _WORD.findall(text)))


class _Unit(NamedTuple):
    """A sentence or a line of a message."""

    message: int
    start: int
    stop: int
    #: Number of the run of text between gaps.
    run: int
    #: Units of a lower rank fade first, then those of less value for each character.
    rank: int
    density: float


class FadingMessages:
    """Messages of which excerpts of any length can be taken."""

    def __init__(self, messages: Sequence[FoldedMessage], keeping: Keeping | None = None) -> None:
        """`keeping`: that of a fold; None for messages of which nothing stays as it is."""
        self._messages = messages
        self._keeping = keeping

    def within(self, chars: int) -> list[FoldedMessage]:
        """Returns excerpts in at most about `chars` characters, with a gap mark wherever something is left out.
        Messages of which nothing is left are omitted, and a mark in the one before them, or after, says so; in a fold,
        a mark alone stands for each, the oldest excepted if they are many. If nothing is left of any, there is only a
        mark. The result depends on the messages and `chars` alone."""
        if sum(len(message.text) + _OVERHEAD for message in self._messages) <= chars:
            return list(self._messages)
        number = len(self._messages)
        references = min(int(chars * _REFERENCES) // _REFERENCE_CHARS, number) if self._keeping is not None else 0
        units = self._kept(chars - references * _REFERENCE_CHARS)
        omitted = [number for number in range(number) if number not in units]
        numbers = {*units, *(omitted[-references:] if references else ())}
        if not numbers:
            return [replace(self._messages[-1], text=GAP_MARK, gaps=(0,))]
        order = sorted(numbers)
        following = [*order[1:], number]
        return [
            _excerpt(
                self._messages[number],
                units[number],
                before=number > 0 and number == order[0],
                after=next_number > number + 1,
            )
            if number in units
            else replace(self._messages[number], text=GAP_MARK, gaps=(0,))
            for number, next_number in zip(order, following, strict=True)
        ]

    def _kept(self, chars: int) -> dict[int, list[_Unit]]:
        """Returns number of a message → the units that stay of it, in order."""
        by_message: dict[int, list[_Unit]] = {}
        room = chars
        typed = self._keeping.typed_chars if self._keeping is not None else 0
        for unit in self._ranked:
            cost = unit.stop - unit.start + 2 + (0 if unit.message in by_message else _OVERHEAD)
            if unit.rank == _TYPED:
                if cost > typed:
                    continue
                typed -= cost
            if cost <= room:
                room -= cost
                by_message.setdefault(unit.message, []).append(unit)
            elif room < _OVERHEAD:
                break
        return {number: sorted(units, key=lambda unit: unit.start) for number, units in by_message.items()}

    @cached_property
    def _ranked(self) -> list[_Unit]:
        in_fold = self._keeping is not None
        units = [unit for number, message in enumerate(self._messages) for unit in _units(number, message, in_fold)]
        seen = set[str]()
        for place in range(len(units) - 1, -1, -1):  # the latest of those that say the same keeps its value
            unit = units[place]
            text = self._messages[unit.message].text[unit.start : unit.stop].strip()
            if unit.rank < _PLAN and len(text) >= _SHORT and text in seen and not _is_label(text):
                units[place] = unit._replace(rank=_REST, density=unit.density * _SAID_AGAIN)
            seen.add(text)
        if self._keeping is not None and self._keeping.latest_words:
            units = self._with_referred(units, self._keeping.latest_words)
        return sorted(units, key=lambda unit: (-unit.rank, -unit.density))

    def _with_referred(self, units: Sequence[_Unit], references: Collection[str]) -> list[_Unit]:
        """Returns units with the rank of those that share a rare word with the latest turn."""
        shared = [
            words_in(self._messages[unit.message].text[unit.start : unit.stop]) & set(references) for unit in units
        ]
        frequency = Counter(word for words in shared for word in words)
        limit = max(_FEW, int(len(units) * _COMMON))
        return [
            unit._replace(rank=_REFERRED)
            if unit.rank < _REFERRED and any(frequency[word] <= limit for word in words)
            else unit
            for unit, words in zip(units, shared, strict=True)
        ]


def statements_of(text: str) -> str:
    """Returns the lines of a text that are statements in prose."""
    return "\n".join(line for line in text.split("\n") if is_statement(line.strip()))


def _divided(text: str, start: int, stop: int, facts: FactFinder) -> Iterator[tuple[int, int]]:
    """Yields the range of each sentence or line in a part of a text, and those of the parts of long ones."""
    while start < stop:
        newline = text.find("\n", start, stop)
        end = stop if newline < 0 else newline
        ends = [*sentence_ends(text, start, end), end]
        # marks by themselves, such as “! !”, go with what is before
        inner = [last for last, after in pairwise(ends) if _has_words(text[last:after])]
        complete = len(inner) < len(ends) - 1
        for last in (*inner, end) if start < end else ():
            yield from _parts(text, start, last, MAX_SENTENCE if last < end or complete else MAX_UNIT, facts)
            start = last
        start = end + 1


def _has_words(text: str) -> bool:
    return any(map(str.isalnum, text))


def _parts(text: str, start: int, stop: int, longest: int, facts: FactFinder) -> Iterator[tuple[int, int]]:
    """Yields the range of a unit, or those of its parts if it is longer than `longest`."""
    while stop - start > longest + 1:
        cut = _cut(text, start, longest, facts)
        yield start, cut
        start = cut
    yield start, stop


def _cut(text: str, start: int, longest: int, facts: FactFinder) -> int:
    """Returns where a unit that begins at `start` and is too long ends."""
    clauses = () if facts.rules is None else facts.rules.clause.finditer(text, start + 1, start + longest + 1)
    if (behind := max((clause.end() for clause in clauses), default=start)) > start:
        return behind
    for marks in _SEPARATORS:
        behind = max(text.rfind(mark, start + 1, start + longest + 1) for mark in marks)
        if behind > start:
            return behind + 1
    return start + longest


def _units(number: int, message: FoldedMessage, in_fold: bool) -> Iterator[_Unit]:
    """Yields the units of a message. `in_fold`: whether what the user typed, and the like, stays."""
    facts = FactFinder.of(message.text)
    places: list[tuple[int, int, int]] = []
    typed = set[tuple[int, int, int]]()
    calls = in_fold and message.text.startswith(CALL_MARK)
    # what is pasted, or given to a tool, is not said
    role = "tool" if calls or (in_fold and message.kind == "typed") else message.role
    starts = [0, *(gap + 1 for gap in message.gaps)]
    for run, (start, stop) in enumerate(zip(starts, [*message.gaps, len(message.text)], strict=True)):
        if not (in_fold and message.kind == "typed") or 0 < run < len(message.gaps):
            places += ((*place, run) for place in _divided(message.text, start, stop, facts))
            continue
        for is_typed, first, last in _typed(message.text, start, stop):
            inner = [(first, last)] if is_typed else _divided(message.text, first, last, facts)
            ranges = [(*place, run) for place in inner]
            places += ranges
            typed |= set(ranges) if is_typed else set()
    for order, place in enumerate(places):
        start, stop, run = place
        clause = message.text[start:stop].strip()
        if not clause:
            continue
        if place in typed:
            yield _Unit(number, start, stop, run, _TYPED, number)
        elif in_fold and message.kind == "plan":
            yield _Unit(number, start, stop, run, _PLAN, number - order / len(places))
        elif calls and order == 0:
            yield _Unit(number, start, stop, run, _CALL, number)
        else:
            rank, value = _worth(clause, role, facts)
            if in_fold and role == "assistant" and _DECISION.search(clause):
                rank = _DECIDED
            elif in_fold and _is_label(clause):
                rank = _FACT
            if role == "tool" and _OUTCOME.search(clause):
                value *= _OUTCOME_WEIGHT
            value *= _FIRST if order == 0 else _LAST if order == len(places) - 1 else 1.0
            yield _Unit(number, start, stop, run, rank, value * 60 / (60 + len(clause)))


def _typed(text: str, start: int, stop: int) -> Iterator[tuple[bool, int, int]]:
    """Yields the ranges of a part of what a user sent, in order, and whether it was typed: all that is no longer than
    `TYPED_CHARS`, else the paragraphs at either end, and what is pasted between them was not."""
    if stop - start <= TYPED_CHARS:
        yield True, start, stop
        return
    half = TYPED_CHARS // 2
    head = max(text.rfind("\n\n", start, start + half), start)
    tail = text.find("\n\n", stop - half, stop)
    tail = stop if tail < 0 else tail + 2
    if head > start:
        yield True, start, head
    yield False, head, tail
    if tail < stop:
        yield True, tail, stop


def _worth(clause: str, role: str, facts: FactFinder) -> tuple[int, float]:
    """Returns the rank of a unit, and its value."""
    stated = is_statement(clause)
    label = _is_label(clause)
    count = sum(1 for _ in islice(facts.words(clause), _MOST_FACTS))
    if stated and not count:
        count += facts.has_phrase(clause)
    rank = (_FACT if role in _ROLES else _SAID) if stated and count else _SAID if role in _ROLES or label else _REST
    value = _PROSE_WEIGHT * (1 + count) if stated else 1 + count / 2
    return rank, value * _ROLES.get(role, 1.0) * (_LABEL_WEIGHT if label else 1.0)


def _is_label(line: str) -> bool:
    return line.startswith(NO_IMAGE) or bool(image_labels(line))


def _excerpt(message: FoldedMessage, units: Sequence[_Unit], *, before: bool, after: bool) -> FoldedMessage:
    """Returns a message with only these units, in order. `before`, `after`: whether nothing is left of the messages
    beside it."""
    text, gaps = _with_gap("", []) if before and units[0].start == 0 else ("", list[int]())
    place = (0, 0)
    for unit in units:
        end, run = place
        between = message.text[end : unit.start]
        if run == unit.run and not between.strip():
            text += between if text and not text.endswith(f"{GAP_MARK} ") else ""
        else:
            text, gaps = _with_gap(text, gaps)
        text += message.text[unit.start : unit.stop]
        place = (unit.stop, unit.run)
    end, run = place
    if after or run < len(message.gaps) or message.text[end:].strip():
        text, gaps = _with_gap(text, gaps)
    return replace(message, text=text.rstrip(" \n"), gaps=tuple(gaps))


def _with_gap(text: str, gaps: list[int]) -> tuple[str, list[int]]:
    """Returns text that goes on after a gap."""
    text = text.rstrip()
    text = f"{text} " if text else ""
    return f"{text}{GAP_MARK} ", [*gaps, len(text)]
