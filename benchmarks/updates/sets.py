"""Sets of written pairs, scored through recall: siblings, which say the same of another thing, and updates.

A folder has `siblings.jsonl` and `updates.jsonl`, one pair a line: {"id", "lang", "first", "second", "ask", "answer"},
with `answer` "first" or "second", the message that answers `ask`. Each pair is stored and asked for twice: its messages
side by side, and with others between them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.command_line import Advance
from foxing.memory import Memory
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import RecalledMessage

SIBLINGS, UPDATES = "siblings.jsonl", "updates.jsonl"
#: Messages between those of a pair: the first messages of pairs of the other sort in the same language.
BETWEEN = 10
START, DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC), timedelta(days=1)
_FIELDS = ("id", "lang", "first", "second", "ask", "answer")


class WrittenPair(NamedTuple):
    """Two messages and a question that one of them answers."""

    id: str
    lang: str
    first: str
    second: str
    ask: str
    #: "first" or "second"
    answer: str


@dataclass(frozen=True)
class SetsRow:
    """Pairs of one language, or of all, with one embedder. Counts are of answers, two for each pair."""

    embedder: str
    language: str
    siblings: int
    #: Share of the siblings of which a message is said to be replaced.
    siblings_replaced: float
    #: Number of the siblings of which the message that answers is not before the other one.
    siblings_wrong_first: int
    updates: int
    #: Share of the updates whose newer message is before the older one.
    newest_first: float
    #: Share of the updates whose older message names the newer one.
    linked: float


class AnsweredPair(NamedTuple):
    """Answer to the question of a pair."""

    pair: WrittenPair
    is_update: bool
    #: Whether the message that answers comes before the other one.
    right_first: bool
    #: Whether a message of the pair is said to be replaced, and the older one by the newer one.
    replaced: bool
    linked: bool


def read_pairs(file: Path) -> list[WrittenPair]:
    """Returns the pairs of a file. Raises `InvalidInput` for a file that has none or a line that is not a pair."""
    pairs = []
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read ({error.strerror}); give a folder with {SIBLINGS} and {UPDATES}"
        ) from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                data = json.loads(line)
                pairs.append(WrittenPair(*(str(data[field]) for field in _FIELDS)))
            except (ValueError, KeyError, TypeError):
                raise InvalidInput(f"{file}, line {number}: a pair needs {', '.join(_FIELDS)}") from None
    if not pairs:
        raise InvalidInput(f"{file} has no pairs")
    return pairs


def ask_pairs(memory: Memory, folder: Path, progress: Advance | None = None) -> list[AnsweredPair]:
    """Stores each pair of a folder twice, in a bank of its own, and asks for it."""
    siblings, updates = read_pairs(folder / SIBLINGS), read_pairs(folder / UPDATES)
    asked = []
    every = [*((pair, updates) for pair in siblings), *((pair, siblings) for pair in updates)]
    for number, (pair, others) in enumerate(every):
        between = [other.first for other in others if other.lang == pair.lang]
        between = [between[(number + step) % len(between)] for step in range(BETWEEN)] if between else []
        asked += [_ask(memory, pair, texts, is_update=others is siblings) for texts in ((), between)]
        if progress is not None:
            progress(number + 1, len(every))
    return asked


def rows_of(asked: Sequence[AnsweredPair], embedder: str) -> Iterator[SetsRow]:
    """Yields the figures of each language, followed by those of all."""
    languages = list(dict.fromkeys(each.pair.lang for each in asked))
    for language in (*languages, "all"):
        of_language = [each for each in asked if language in (each.pair.lang, "all")]
        siblings = [each for each in of_language if not each.is_update]
        updates = [each for each in of_language if each.is_update]
        yield SetsRow(
            embedder=embedder,
            language=language,
            siblings=len(siblings),
            siblings_replaced=_share([sibling.replaced for sibling in siblings]),
            siblings_wrong_first=sum(not sibling.right_first for sibling in siblings),
            updates=len(updates),
            newest_first=_share([update.right_first for update in updates]),
            linked=_share([update.linked for update in updates]),
        )


def _ask(memory: Memory, pair: WrittenPair, between: Sequence[str], *, is_update: bool) -> AnsweredPair:
    bank = f"{pair.id}-{len(between)}"
    texts = (pair.first, *between, pair.second)
    memory.store(
        bank,
        [
            {"id": f"m{place}", "role": "user", "content": text, "created_at": START + 3 * place * DAY}
            for place, text in enumerate(texts)
        ],
    )
    spans = memory.recall(bank, pair.ask).spans
    first, second = "m0", f"m{len(texts) - 1}"
    right, wrong = (first, second) if pair.answer == "first" else (second, first)
    given = [span.message_id for span in spans]
    replaced_by = {span.message_id: span.superseded_by for span in spans}
    return AnsweredPair(
        pair,
        is_update,
        right in given and wrong not in given[: given.index(right)],
        _is_replaced(spans, (first, second)),
        replaced_by.get(first) == second,
    )


def _is_replaced(spans: Sequence[RecalledMessage], ids: Sequence[str]) -> bool:
    return any(span.message_id in ids and span.superseded_by is not None for span in spans)


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
