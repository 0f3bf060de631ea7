"""Search of records: conditions on their values, and their similarity to a query."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import JsonValue

from foxing.memory.index.bm25 import K1, B, inverse_frequency
from foxing.memory.storage.repositories.records import RecordRow
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.records import Condition

from .vectors import QueryVector, searchable_json

#: Weight of the share of words, relative to that of the cosine similarity. On 19 questions about 15 facts, 0.5 ranks 18
#: right first, 0.25 and less 16: identifiers need their words.
WORDS = 0.5


class RecordMatch(NamedTuple):
    """A record that a query finds."""

    record_id: int
    score: float


def meets(value: JsonValue, conditions: Sequence[Condition]) -> bool:
    """Returns True if all conditions hold for the value of a record."""
    return all(_holds(member_at(value, condition.member), condition) for condition in conditions)


def member_at(value: JsonValue, path: str) -> JsonValue:
    """Returns the member of an object; null if it is missing. A path with dots that is not itself the name of a member
    leads through nested objects."""
    while isinstance(value, dict):
        if path in value:
            return value[path]
        name, dot, path = path.partition(".")
        if not dot:
            return None
        value = value.get(name)
    return None


def _holds(stored: JsonValue, condition: Condition) -> bool:
    operand = condition.value
    if condition.op in ("eq", "ne"):
        return same(stored, operand) == (condition.op == "eq")
    numbers = _is_number(stored) and _is_number(operand)
    if not numbers and not (isinstance(stored, str) and isinstance(operand, str)):
        return False
    value: Any = stored  # two numbers or two texts
    below: bool = value < operand
    above: bool = value > operand
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


def nearest(rows: Iterable[tuple[RecordRow, bytes | None]], question: QueryVector) -> list[RecordMatch]:
    """Returns the records that have vectors, most similar first, scored by cosine similarity."""
    similar = ((row.id, question.similarity(packed)) for row, packed in rows if packed is not None)
    return _best_first(RecordMatch(record_id, score) for record_id, score in similar if score is not None)


def ranked(
    rows: Iterable[tuple[RecordRow, bytes | None]], query: str, question: QueryVector | None
) -> list[RecordMatch]:
    """Returns the records that match `query`, best first: without a question, those that hold its words, by BM25 over
    the given records; else also all that have vectors, by the weighted mean of the cosine similarity and of the share
    of the query's words that they hold, rare words counting more; 0 to 1."""
    query_words = query_terms(query)
    stored: list[tuple[int, Counter[str], int, float | None]] = []
    lengths = 0
    for row, packed in rows:
        counts = terms(searchable_json(row.value, row.text))
        length = counts.total()
        lengths += length
        term_counts = Counter({term: counts[term] for term in query_words if term in counts})
        similarity = None if question is None or packed is None else question.similarity(packed)
        stored.append((row.id, term_counts, length, similarity))
    containing = Counter(term for _, counts, _, _ in stored for term in counts)
    weights = {term: query_words[term] * inverse_frequency(len(stored), containing[term]) for term in query_words}
    if question is not None:
        return _best_first(
            RecordMatch(record_id, (max(0.0, similarity or 0.0) + WORDS * _share(counts, weights)) / (1 + WORDS))
            for record_id, counts, _, similarity in stored
            if counts or similarity is not None
        )
    mean = lengths / len(stored) if stored else 1.0
    return _best_first(
        RecordMatch(record_id, _score(counts, weights, length / (mean or 1)))
        for record_id, counts, length, _ in stored
        if counts
    )


def _best_first(matches: Iterable[RecordMatch]) -> list[RecordMatch]:
    return sorted(matches, key=lambda match: (-match.score, match.record_id))


def _share(counts: Counter[str], weights: Mapping[str, float]) -> float:
    """Returns the share of the query's weight that a record's words have, 0 to 1."""
    total = sum(weights.values())
    return sum(weights[term] for term in counts) / total if total > 0 else 0.0


def _score(counts: Counter[str], weights: Mapping[str, float], relative_length: float) -> float:
    saturation = K1 * (1 - B + B * relative_length)
    return sum(weights[term] * count * (K1 + 1) / (count + saturation) for term, count in counts.items())
