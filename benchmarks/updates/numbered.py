"""Numbered statements of which the newer hold: short sentences in one bank, one a message or many a message, as public
sets of conflicting facts have them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from benchmarks.command_line import Advance
from foxing.memory import Memory
from foxing.memory.values.messages import RecalledMessage

from .relations import RELATIONS, Part, Relation, thing

SIZES, QUESTIONS, SEED = (455, 2310), 100, 11
#: Statements of a message where it has many.
MANY = 40
#: Share of the facts that have one, two and three values after each other.
_CHAINS = (0.5, 0.38, 0.12)
FIRST_SPANS = 3
START, STEP = datetime(2026, 1, 5, 9, 0, tzinfo=UTC), timedelta(minutes=5)


class Fact(NamedTuple):
    """Statements about one thing, the newest last."""

    relation: Relation
    question: str
    statements: Sequence[str]


@dataclass(frozen=True)
class NumberedRow:
    """Questions about one half of the relations, of one size and layout. Shares are of the questions, chains of those
    with three statements."""

    embedder: str
    relations: Part
    statements: int
    each_message: int
    questions: int
    #: Share whose newest statement comes before all that it replaces, and that has it in the first three spans.
    newest_first: float
    in_first_three: float
    #: Share whose older statements are all among the spans and marked as replaced.
    marked: float
    chains: int
    #: Share of the chains whose statements come newest first, the others marked.
    chains_right: float


class _Answer(NamedTuple):
    fact: Fact
    #: Place of each statement, the oldest first; None if it is not there.
    places: Sequence[int | None]
    #: Whether the older ones are marked.
    marked: bool

    @property
    def newest_first(self) -> bool:
        *older, newest = self.places
        return newest is not None and all(place is None or place >= newest for place in older)

    @property
    def in_order(self) -> bool:
        known = [place for place in self.places if place is not None]
        return len(known) == len(self.places) and known == sorted(known, reverse=True)


def make_facts(count: int, part: Part, generator: Random) -> list[Fact]:
    """Returns facts with `count` statements together."""
    facts: list[Fact] = []
    taken: set[tuple[str, str]] = set()
    relations = [relation for relation in RELATIONS if relation.part == part]
    left = count
    while left:
        relation = generator.choice(relations)
        subject = thing(relation.subject, generator)
        if (relation.statement, subject) in taken:
            continue
        taken.add((relation.statement, subject))
        [length] = generator.choices((1, 2, 3), _CHAINS)
        values: list[str] = []
        while len(values) < min(length, left):
            value = thing(relation.value, generator)
            if value not in (*values, subject):
                values.append(value)
        left -= len(values)
        statements = [relation.statement.format(s=subject, v=value) + "." for value in values]
        facts.append(Fact(relation, generator.choice(relation.questions).format(s=subject), statements))
    return facts


def ask_numbered(
    memory: Memory, embedder: str, sizes: Sequence[int] = SIZES, progress: Advance | None = None
) -> Iterator[NumberedRow]:
    """Yields the figures of each half, size and layout."""
    parts: Sequence[Part] = ("open", "held out")
    for part in parts:
        for size in sizes:
            generator = Random(f"{SEED} {part} {size}")
            facts = make_facts(size, part, generator)
            order = [number for number, fact in enumerate(facts) for _ in fact.statements]
            generator.shuffle(order)
            asked = [fact for fact in facts if len(fact.statements) > 1]
            asked = generator.sample(asked, min(QUESTIONS, len(asked)))
            waiting = [list(fact.statements) for fact in facts]
            statements = [f"{place}. {waiting[number].pop(0)}" for place, number in enumerate(order)]
            for each_message in (1, MANY):
                bank = f"{part.replace(' ', '-')}-{size}-{each_message}"
                _store(memory, bank, statements, each_message)
                answers = []
                for number, fact in enumerate(asked):
                    answers.append(_ask(memory, bank, fact))
                    if progress is not None:
                        progress(number + 1, len(asked))
                yield _row(answers, embedder, part, size, each_message)


def _store(memory: Memory, bank: str, statements: Sequence[str], each_message: int) -> None:
    texts = ["\n".join(statements[at : at + each_message]) for at in range(0, len(statements), each_message)]
    memory.store(
        bank,
        [
            {"role": "user", "content": text, "created_at": START + place * each_message * STEP}
            for place, text in enumerate(texts)
        ],
    )


def _ask(memory: Memory, bank: str, fact: Fact) -> _Answer:
    spans = memory.recall(bank, fact.question).spans
    holding = [[place for place, span in enumerate(spans) if says in span.text] for says in fact.statements]
    places = [next(iter(found), None) for found in holding]
    newest = set(holding[-1])
    return _Answer(fact, places, all(map(lambda found: _is_marked(spans, found, newest), holding[:-1])))


def _is_marked(spans: Sequence[RecalledMessage], found: Sequence[int], newest: set[int]) -> bool:
    """Returns True if an older statement is in spans that are marked, or that have the newest one as well."""
    return bool(found) and all(place in newest or spans[place].superseded_by is not None for place in found)


def _row(answers: Sequence[_Answer], embedder: str, part: Part, size: int, each_message: int) -> NumberedRow:
    chains = [answer for answer in answers if len(answer.places) > 2]
    return NumberedRow(
        embedder=embedder,
        relations=part,
        statements=size,
        each_message=each_message,
        questions=len(answers),
        newest_first=_share([answer.newest_first for answer in answers]),
        in_first_three=_share(
            [answer.places[-1] is not None and answer.places[-1] < FIRST_SPANS for answer in answers]
        ),
        marked=_share([answer.marked for answer in answers]),
        chains=len(chains),
        chains_right=_share([answer.in_order and answer.marked for answer in chains]),
    )


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
