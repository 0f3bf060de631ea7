"""Excerpts of messages: the sentences and lines that stay when the folded part has to fade. Facts that users and the
model state stay longest, then what else they said and what tools state, then the rest of what tools returned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import NamedTuple

from foxing.memory.values.part_text import image_labels
from foxing.renderer.fading import FactFinder
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.sentences import CLAUSE_MARKS, is_statement, sentence_ends

from .images import NO_IMAGE

#: Longest unit in characters: a line without a sentence, and a sentence. Longer ones are divided.
MAX_UNIT, MAX_SENTENCE = 240, 480
#: Shortest excerpt of a message in characters, headers included, that is worth its place.
_OVERHEAD = 12
_ROLES = {"user": 6.0, "assistant": 2.0}
#: Ranks: facts that users and the model state, what else they say and what tools state, and the rest of the latter.
_FACT, _SAID, _REST = 2, 1, 0
_FIRST, _LAST = 1.6, 1.2
#: Weight of a unit that a later one repeats, and its shortest length in characters.
_SAID_AGAIN, _SHORT = 0.1, 20
#: Characters behind which a unit that is too long is divided if it has no clauses, those of the first kind rather.
_SEPARATORS = (CLAUSE_MARKS, " \t")
_MOST_FACTS = 5
#: Weight of a statement in prose, which outlasts code and listings.
_PROSE_WEIGHT = 2.5
#: Weight of the label of an image, and of what stands in place of one: a few words stand for all of it.
_LABEL_WEIGHT = 6.0


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

    def __init__(self, messages: Sequence[FoldedMessage]) -> None:
        self._messages = messages

    def within(self, chars: int) -> list[FoldedMessage]:
        """Returns excerpts in at most about `chars` characters, with a gap mark wherever something is left out.
        Messages of which nothing is left are omitted, and a mark in the one before them, or after, says so; if nothing
        is left of any, there is only a mark. The result depends on the messages and `chars` alone."""
        if sum(len(message.text) + _OVERHEAD for message in self._messages) <= chars:
            return list(self._messages)
        kept: dict[int, list[_Unit]] = {}
        left = chars
        for unit in self._ranked:
            cost = unit.stop - unit.start + 2 + (0 if unit.message in kept else _OVERHEAD)
            if cost <= left:
                left -= cost
                kept.setdefault(unit.message, []).append(unit)
            elif left < _OVERHEAD:
                break
        if not kept:
            return [replace(self._messages[-1], text=GAP_MARK, gaps=(0,))]
        left_of = {number: sorted(units, key=lambda unit: unit.start) for number, units in sorted(kept.items())}
        following = [*list(left_of)[1:], len(self._messages)]
        return [
            _excerpt(
                self._messages[number],
                units,
                before=number > 0 and number == min(left_of),
                after=next_number > number + 1,
            )
            for (number, units), next_number in zip(left_of.items(), following, strict=True)
        ]

    @cached_property
    def _ranked(self) -> list[_Unit]:
        units = [unit for number, message in enumerate(self._messages) for unit in _units(number, message)]
        seen = set[str]()
        for place in range(len(units) - 1, -1, -1):  # the latest of those that say the same keeps its value
            unit = units[place]
            text = self._messages[unit.message].text[unit.start : unit.stop].strip()
            if len(text) >= _SHORT and text in seen and not _is_label(text):
                units[place] = unit._replace(rank=_REST, density=unit.density * _SAID_AGAIN)
            seen.add(text)
        return sorted(units, key=lambda unit: (-unit.rank, -unit.density))


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


def _units(number: int, message: FoldedMessage) -> Iterator[_Unit]:
    facts = FactFinder.of(message.text)
    places: list[tuple[int, int, int]] = []
    starts = [0, *(gap + 1 for gap in message.gaps)]
    for run, (start, stop) in enumerate(zip(starts, [*message.gaps, len(message.text)], strict=True)):
        places += ((*place, run) for place in _divided(message.text, start, stop, facts))
    for place, (start, stop, run) in enumerate(places):
        said = message.text[start:stop].strip()
        if said:
            rank, value = _worth(said, message.role, facts)
            value *= _FIRST if place == 0 else _LAST if place == len(places) - 1 else 1.0
            yield _Unit(number, start, stop, run, rank, value * 60 / (60 + len(said)))


def _worth(said: str, role: str, facts: FactFinder) -> tuple[int, float]:
    """Returns the rank of a unit, and its value."""
    stated, label = is_statement(said), _is_label(said)
    found = sum(1 for _ in islice(facts.words(said), _MOST_FACTS))
    if stated and not found:
        found += facts.has_phrase(said)
    rank = (_FACT if role in _ROLES else _SAID) if stated and found else _SAID if role in _ROLES or label else _REST
    value = _PROSE_WEIGHT * (1 + found) if stated else 1 + found / 2
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
