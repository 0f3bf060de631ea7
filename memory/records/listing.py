"""Records in lists: in order, by conditions, by similarity to a query, page by page."""

import hashlib
import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from foxing.memory.cursors import MAX_INTEGER, decode_cursor, encode_cursor
from foxing.memory.errors import InvalidCursor
from foxing.memory.storage.repositories import records
from foxing.memory.storage.repositories.records import RecordFilter, RecordRow
from foxing.memory.values.base import INVALID_CURSOR, check_limit
from foxing.memory.values.records import Namespaces, Record, Records, RecordSearch

from .matching import RecordMatch, meets, nearest, ranked
from .vectors import QueryVector

_SCANNED = 500  # records read at once to find those that meet conditions


def record_of(row: RecordRow, score: float | None = None) -> Record:
    """A record as callers see it."""
    return Record(
        namespace=list(row.namespace),
        key=row.key,
        value=json.loads(row.value),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        score=score,
    )


def search_records(
    connection: Connection, scope: RecordFilter, search: RecordSearch, question: QueryVector | None
) -> tuple[list[RecordRow], Records]:
    """The rows found, and the answer. `question`: the vector of the search. Raises `InvalidCursor`."""
    name = _fingerprint(scope, search)
    place = None if search.cursor is None else decode_cursor(search.cursor, name)
    if search.vector is not None or (search.query is not None and search.query.strip()):
        start = search.offset if place is None else _integer(place)
        return _by_query(connection, scope, search, question, start)
    position = None if place is None else _text(place) if search.order == "last_key" else _integer(place)
    rows = _in_order(connection, scope, search, position)
    listed = rows[: search.limit]
    following = None
    if len(rows) > search.limit:
        following = encode_cursor(name, [_position(listed[-1], search.order)])
    return listed, Records(records=[record_of(row) for row in listed], next_cursor=following)


def _position(row: RecordRow, order: str) -> int | str:
    return row.key if order == "last_key" else row.version if order == "updated" else row.ordinal


def _in_order(
    connection: Connection, scope: RecordFilter, search: RecordSearch, after: int | str | None
) -> list[RecordRow]:
    """The rows of one answer, and one more if there are more."""
    size = search.limit + 1
    passed_over = 0 if after is not None else search.offset
    matches: list[RecordRow] = []
    while len(matches) < size:
        scanned = _SCANNED if search.filter or passed_over else min(_SCANNED, size - len(matches))
        rows = records.ordered(connection, scope, search.order, after, scanned)
        for row in rows:
            if search.filter and not meets(json.loads(row.value), search.filter):
                continue
            if passed_over:
                passed_over -= 1
            else:
                matches.append(row)
        if len(rows) < scanned:
            break
        after = _position(rows[-1], search.order)
    return matches[:size]


def _by_query(
    connection: Connection, scope: RecordFilter, search: RecordSearch, question: QueryVector | None, start: int
) -> tuple[list[RecordRow], Records]:
    """Ranks the records anew for every answer, from the `start`-th on."""
    conditions = search.filter
    embedder = None if question is None else question.embedder_id(connection)
    stored = records.every(connection, scope, embedder)
    rows = ((row, packed) for row, packed in stored if not conditions or meets(json.loads(row.value), conditions))
    if search.vector is not None:
        matches = [] if question is None else nearest(rows, question)
    else:
        matches = ranked(rows, search.query or "", None if embedder is None else question)
    stop = start + search.limit
    answer: list[RecordMatch] = list(islice(matches, start, stop))
    by_id = records.by_ids(connection, [match.record_id for match in answer])
    following = encode_cursor(_fingerprint(scope, search), [stop]) if len(matches) > stop else None
    listed = [record_of(by_id[match.record_id], round(match.score, 4)) for match in answer]
    return list(by_id.values()), Records(records=listed, next_cursor=following)


def list_namespaces(connection: Connection, scope: RecordFilter, limit: int, cursor: str | None) -> Namespaces:
    """See `RecordStore.namespaces`."""
    check_limit(limit)
    name = f"namespaces:{scope.bank_id}:{records.encoded(scope.namespace)}"
    after: str | None = None
    if cursor is not None:
        after = decode_cursor(cursor, name)[0]
        if not isinstance(after, str):
            raise InvalidCursor(INVALID_CURSOR)
    names = records.namespaces(connection, scope, after, limit + 1)
    listed = names[:limit]
    following = encode_cursor(name, [listed[-1]]) if len(names) > limit else None
    return Namespaces(namespaces=[list(records.decoded(text)) for text in listed], next_cursor=following)


def _fingerprint(scope: RecordFilter, search: RecordSearch) -> str:
    """The same for all pages of a list of one bank."""
    fields = search.model_dump(mode="json", exclude={"limit", "offset", "cursor", "refresh_ttl"})
    return "records:" + hashlib.sha256(json.dumps([scope.bank_id, fields]).encode()).hexdigest()[:16]


def _text(position: Sequence[Any]) -> str:
    if not isinstance(position[0], str):
        raise InvalidCursor(INVALID_CURSOR)
    return position[0]


def _integer(position: Sequence[Any]) -> int:
    value = position[0]
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise InvalidCursor(INVALID_CURSOR)
    return value
