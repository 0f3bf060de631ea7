"""The index: which message holds which word how often, and BM25 over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any

from sqlalchemy import Connection, Float, bindparam, case, cast, func, literal, select

from foxing.memory.storage import schema

_t = schema.postings.c
_IN = 500

#: BM25's usual constants: how soon repeated words stop counting, and how much long messages are held back.
K1 = 1.2
B = 0.75

MAX_TERMS = 256  # of a question that are looked for, the rarest ones; a pasted text has thousands

POSTING_BYTES = 16  # of a posting besides its word, which the table holds and its index once more


def add(connection: Connection, bank_id: int, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Adds the words of messages: id → word → how often."""
    rows: list[dict[str, Any]] = []
    for message_id, words in counts.items():
        length = sum(words.values())
        rows += [
            {"bank_id": bank_id, "term": term, "message_id": message_id, "count": count, "length": length}
            for term, count in words.items()
        ]
    if rows:
        connection.execute(schema.postings.insert(), rows)


def replace(connection: Connection, bank_id: int, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Puts these words in the place of those that the messages had."""
    ids = list(counts)
    if not ids:
        return
    for start in range(0, len(ids), _IN):
        connection.execute(schema.postings.delete().where(_t.message_id.in_(ids[start : start + _IN])))
    add(connection, bank_id, counts)
    lengths = [{"key_id": i, "term_count": sum(words.values())} for i, words in counts.items()]
    update = schema.messages.update().where(schema.messages.c.id == bindparam("key_id"))
    connection.execute(update.values(terms=bindparam("term_count")), lengths)


@dataclass(frozen=True)
class Hit:
    message_id: int
    score: float


def search(
    connection: Connection,
    bank_id: int,
    terms: Mapping[str, int],
    *,
    since: datetime | None,
    until: datetime | None,
    thread_id: int | None,
    limit: int,
    offset: int,
    newest: int | None = None,
) -> list[Hit]:
    """The messages that answer best, by BM25; equal scores newest first. `newest`: as if the messages with a higher id
    did not exist, so that those that come in between two pages of a list do not shift it."""
    messages = schema.messages.c
    corpus = select(func.count(), func.coalesce(func.sum(messages.terms), 0)).where(messages.bank_id == bank_id)
    if newest is not None:
        corpus = corpus.where(messages.id <= newest)
    documents, total = connection.execute(corpus).one()
    if not documents or not terms:
        return []
    mean_length = max(1.0, float(total) / documents)
    frequencies = _document_frequencies(connection, bank_id, list(terms), newest)
    if not frequencies:
        return []
    weights = {term: terms[term] * inverse_frequency(documents, n) for term, n in frequencies.items()}
    weights = dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS])
    weight = case(weights, value=_t.term, else_=literal(0.0))
    tf = cast(_t.count, Float)
    held_back = K1 * (1 - B + B * cast(_t.length, Float) / mean_length)
    score = func.sum(weight * tf * (K1 + 1) / (tf + held_back)).label("score")
    query = (
        select(_t.message_id, score)
        .where(_t.bank_id == bank_id, _t.term.in_(list(weights)))
        .group_by(_t.message_id)
        .order_by(score.desc(), _t.message_id.desc())
        .limit(limit)
        .offset(offset)
    )
    if newest is not None:
        query = query.where(_t.message_id <= newest)
    conditions: list[Any] = []
    if since is not None:
        conditions.append(messages.created_at >= since)
    if until is not None:
        conditions.append(messages.created_at < until)
    if thread_id is not None:
        conditions.append(messages.thread_id == thread_id)
    if conditions:
        query = query.join_from(schema.postings, schema.messages, messages.id == _t.message_id).where(*conditions)
    return [Hit(message_id, float(value)) for message_id, value in connection.execute(query)]


def inverse_frequency(documents: int, containing: int) -> float:
    """BM25's weight of a word that `containing` of `documents` messages hold; never negative."""
    return log(1 + (documents - containing + 0.5) / (containing + 0.5))


def _document_frequencies(
    connection: Connection, bank_id: int, terms: Sequence[str], newest: int | None
) -> dict[str, int]:
    result: dict[str, int] = {}
    for start in range(0, len(terms), _IN):
        query = select(_t.term, func.count()).where(_t.bank_id == bank_id, _t.term.in_(terms[start : start + _IN]))
        if newest is not None:
            query = query.where(_t.message_id <= newest)
        result |= {term: count for term, count in connection.execute(query.group_by(_t.term))}
    return result


def size_bytes(connection: Connection, bank_id: int) -> int:
    query = select(func.coalesce(func.sum(2 * schema.octet_length(_t.term) + POSTING_BYTES), 0)).where(
        _t.bank_id == bank_id
    )
    return int(connection.execute(query).scalar_one())
