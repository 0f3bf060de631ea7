"""The index: how often each message contains each term, and BM25 search over it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import log
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Float, and_, bindparam, case, cast, func, literal, or_, select, text

from foxing.memory.storage import schema

from .batches import batched
from .messages import MessageFilter

_c = schema.postings.c

#: The usual constants of BM25: how soon repetitions of a term saturate, and how much long messages are penalized.
K1 = 1.2
B = 0.75

POSTING_BYTES = 16  # of a row besides its term, with its entry in the index

LEAST_WEIGHT = 0.005  # of the weight of a query's rarest term; below that, some 95 % of the messages contain a term
_ROWS_AT_ONCE = 5_000  # that are inserted: a megabyte of text has a third of a million terms, and a row takes 500 bytes

MAX_TERMS = 256  # of a query that are searched for, the rarest ones; a pasted text has thousands


def add(connection: Connection, bank_id: int, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Adds the terms of messages that are not indexed: message id → term → count."""
    rows = _rows(counts)
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        if connection.dialect.name == "sqlite":
            columns = ("message_id", "term", "count", "length")
            values = [{"bank_id": bank_id, **dict(zip(columns, row, strict=True))} for row in some]
            connection.execute(schema.postings.insert(), values)
        else:
            ids, terms, numbers, lengths = (list(column) for column in zip(*some, strict=True))
            columns_of = {"bank": bank_id, "ids": ids, "terms": terms, "counts": numbers, "lengths": lengths}
            connection.execute(_ADD_COLUMNS, columns_of)


#: One statement for any number of rows; with a statement for each, the server takes twice as long.
_ADD_COLUMNS = text(
    "INSERT INTO postings (bank_id, message_id, term, count, length) SELECT :bank, * FROM unnest("
    "CAST(:ids AS bigint[]), CAST(:terms AS text[]), CAST(:counts AS integer[]), CAST(:lengths AS integer[]))"
)


def _rows(counts: Mapping[int, Mapping[str, int]]) -> Iterator[tuple[int, str, int, int]]:
    """Message id, term, how often the message contains it, and how many terms the message has."""
    for message_id, terms in counts.items():
        length = sum(terms.values())
        for term, count in terms.items():
            yield message_id, term, count, length


def replace(connection: Connection, bank_id: int, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Replaces the terms of messages: message id → term → count."""
    if not counts:
        return
    _delete(connection, counts)
    add(connection, bank_id, counts)
    _set_lengths(connection, {message_id: sum(terms.values()) for message_id, terms in counts.items()})


def remove(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Removes the terms of messages of a bank."""
    if message_ids:
        _delete(connection, message_ids)
        _set_lengths(connection, dict.fromkeys(message_ids, 0))


def _delete(connection: Connection, message_ids: Collection[int]) -> None:
    for ids in batched(list(message_ids)):
        connection.execute(schema.postings.delete().where(_c.message_id.in_(ids)))


def _set_lengths(connection: Connection, lengths: Mapping[int, int]) -> None:
    update = schema.messages.update().where(schema.messages.c.id == bindparam("key_id"))
    values = [{"key_id": message_id, "term_count": length} for message_id, length in lengths.items()]
    connection.execute(update.values(terms=bindparam("term_count")), values)


@dataclass(frozen=True)
class IndexQuery:
    """What to search the index for."""

    bank_id: int
    #: Term → how often the query contains it.
    terms: Mapping[str, int]
    #: Which messages may be returned; scores do not depend on it.
    within: MessageFilter = field(default_factory=MessageFilter)
    #: The highest message id that counts, None for all. Later messages do not shift the pages of a list.
    newest: int | None = None


class Hit(NamedTuple):
    """A message that a search found."""

    message_id: int
    score: float


class IndexStatistics(NamedTuple):
    """What an index holds of a bank."""

    #: messages with at least one term
    messages: int
    #: entries: a term of a message counts once
    entries: int
    #: estimated size with everything that belongs to it
    bytes: int


def statistics(connection: Connection, bank_id: int) -> IndexStatistics:
    """The table holds each term, and its index once more."""
    size = func.coalesce(func.sum(2 * schema.octet_length(_c.term) + POSTING_BYTES), 0)
    query = select(func.count(func.distinct(_c.message_id)), func.count(), size).where(_c.bank_id == bank_id)
    messages, entries, total = connection.execute(query).one()
    return IndexStatistics(int(messages), int(entries), int(total))


def search(connection: Connection, query: IndexQuery, *, after: Hit | None = None, limit: int) -> list[Hit]:
    """The messages with the highest BM25 scores; of equal scores the newest first.
    `after`: continues after this hit."""
    if not query.terms:
        return []
    messages = schema.messages.c
    corpus = select(func.count(), func.coalesce(func.sum(messages.terms), 0)).where(messages.bank_id == query.bank_id)
    if query.newest is not None:
        corpus = corpus.where(messages.id <= query.newest)
    documents, total = connection.execute(corpus).one()
    if not documents:
        return []
    weights = _weights(connection, query, documents)
    if not weights:
        return []
    score = _score(weights, mean_length=max(1.0, float(total) / documents))
    statement = (
        select(_c.message_id, score.label("score"))
        .where(_c.bank_id == query.bank_id, _c.term.in_(list(weights)))
        .group_by(_c.message_id)
        .order_by(score.desc(), _c.message_id.desc())
        .limit(limit)
    )
    if after is not None:
        same_or_lower = or_(score < after.score, and_(score == after.score, _c.message_id < after.message_id))
        statement = statement.having(same_or_lower)
    if query.newest is not None:
        statement = statement.where(_c.message_id <= query.newest)
    if conditions := query.within.conditions():
        statement = statement.join_from(schema.postings, schema.messages, messages.id == _c.message_id)
        statement = statement.where(*conditions)
    return [Hit(message_id, float(value)) for message_id, value in connection.execute(statement)]


def _weights(connection: Connection, query: IndexQuery, documents: int) -> dict[str, float]:
    """Term → weight, for the `MAX_TERMS` rarest of the query's terms that any message contains. A term that nearly all
    messages contain is left out beside a rarer one: it decides nothing, and takes longest."""
    frequencies = document_frequencies(connection, query.bank_id, query.terms, query.newest)
    weights = {term: query.terms[term] * inverse_frequency(documents, n) for term, n in frequencies.items()}
    least = LEAST_WEIGHT * max(weights.values(), default=0.0)
    telling = {term: weight for term, weight in weights.items() if weight >= least}
    return dict(sorted(telling.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS])


def _score(weights: Mapping[str, float], mean_length: float) -> ColumnElement[Any]:
    """BM25 over the postings of a message."""
    weight = case(dict(weights), value=_c.term, else_=literal(0.0))
    tf = cast(_c.count, Float)
    saturation = K1 * (1 - B + B * cast(_c.length, Float) / mean_length)
    return func.sum(weight * tf * (K1 + 1) / (tf + saturation))


def inverse_frequency(documents: int, containing: int) -> float:
    """BM25's weight of a term that `containing` of `documents` messages contain; never negative."""
    return log(1 + (documents - containing + 0.5) / (containing + 0.5))


def document_frequencies(
    connection: Connection, bank_id: int, terms: Collection[str], newest: int | None = None
) -> dict[str, int]:
    """Term → how many messages of a bank contain it, for those that any does. `newest`: see `IndexQuery`."""
    result: dict[str, int] = {}
    for part in batched(list(terms)):
        statement = select(_c.term, func.count()).where(_c.bank_id == bank_id, _c.term.in_(part))
        if newest is not None:
            statement = statement.where(_c.message_id <= newest)
        result |= {term: count for term, count in connection.execute(statement.group_by(_c.term))}
    return result
