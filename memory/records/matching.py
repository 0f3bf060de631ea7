"""Search of records: conditions on their values, and words in them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from foxing.memory.index.bm25 import K1, B, inverse_frequency
from foxing.memory.storage.repositories.records import RecordRow
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.records import Condition


class RecordMatch(NamedTuple):
    """A record that holds words of a query."""

    record_id: int
    score: float


def meets(value: JsonValue, conditions: Sequence[Condition]) -> bool:
    """Returns True if all conditions hold for the value of a record."""
    members: Mapping[str, JsonValue] = value if isinstance(value, dict) else {}
    return all(_holds(members.get(condition.member), condition) for condition in conditions)


def _holds(stored: JsonValue, condition: Condition) -> bool:
    wanted = condition.value
    if condition.op in ("eq", "ne"):
        return same(stored, wanted) == (condition.op == "eq")
    if _is_number(stored) and _is_number(wanted):
        below, above = stored < wanted, stored > wanted  # type: ignore[operator]
    elif isinstance(stored, str) and isinstance(wanted, str):
        below, above = stored < wanted, stored > wanted
    else:
        return False
    return {"gt": above, "gte": not below, "lt": below, "lte": not above}[condition.op]


def same(one: JsonValue, other: JsonValue) -> bool:
    """Returns True if two JSON values are equal; true and 1 are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def ranked(rows: Iterable[RecordRow], query: str) -> list[RecordMatch]:
    """Returns the records that hold words of `query`, best first, by BM25 over the given records."""
    wanted = query_terms(query)
    stored: list[tuple[int, Counter[str], int]] = []
    lengths = 0
    for row in rows:
        counts = terms(searchable(row))
        length = counts.total()
        lengths += length
        stored.append((row.id, Counter({term: counts[term] for term in wanted if term in counts}), length))
    containing = Counter(term for _, counts, _ in stored for term in counts)
    weights = {term: wanted[term] * inverse_frequency(len(stored), number) for term, number in containing.items()}
    mean = lengths / len(stored) if stored else 1.0
    matches = [
        RecordMatch(record_id, _score(counts, weights, length / (mean or 1))) for record_id, counts, length in stored
    ]
    return sorted((match for match in matches if match.score > 0), key=lambda match: (-match.score, match.record_id))


def _score(counts: Counter[str], weights: Mapping[str, float], relative_length: float) -> float:
    saturation = K1 * (1 - B + B * relative_length)
    return sum(weights[term] * count * (K1 + 1) / (count + saturation) for term, count in counts.items())


def searchable(row: RecordRow) -> str:
    """Returns the text that a search by words covers."""
    return "\n".join(_strings(json.loads(row.value))) if row.text is None else row.text


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _strings(child)
