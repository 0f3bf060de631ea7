"""Recall queries: as asked at a given time, and resolved against the index of a bank."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.errors import InvalidTime
from foxing.memory.index.vectors import MessageVectors, QueryEmbedding
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, expiries, messages
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.text.speakers import asked_speakers
from foxing.memory.text.terms import query_terms
from foxing.memory.text.times.window import Window, parse_since, parse_until, split_query
from foxing.memory.text.zones import zone_of
from foxing.memory.values.recall import RecallQuery

from ..cursors import Position, decode_cursor, encode_cursor, window_bounds
from .ending import Ending, ending_of
from .ranking import TimePreference

#: A date in ISO 8601.
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True)
class Question:
    """A recall query at a given time, split into its words and the time that it mentions, with its embedding."""

    query: RecallQuery
    #: the time that relative expressions refer to
    now: datetime
    #: the text of the query without its time expression
    words: str
    #: the time window that the query mentions, if any
    said: Window | None
    #: empty if the query has no words
    embedding: QueryEmbedding


def ask(vectors: MessageVectors, query: RecallQuery, now: datetime) -> Question:
    """Returns `query` asked at `now`. A query that is only a time is not embedded. Call it outside transactions: it may
    wait for the embedder. Raises `InvalidTime`."""
    words, said = split_query(query.query, now, query.timezone) if query.query else ("", None)
    embedding = vectors.question(query.query or "") if words.strip() else QueryEmbedding()
    return Question(query, now, words, said, embedding)


@dataclass(frozen=True)
class ResolvedQuery:
    """A `RecallQuery` resolved against the index of one bank."""

    #: index term → its count in the query; empty to list the time window
    terms: dict[str, int]
    #: restricts the messages of the answer
    filter: MessageFilter
    #: identifies the bank and the query; cursors with another fingerprint are rejected
    fingerprint: str
    #: see `RecallQuery.min_relevance`; 0 admits all
    min_relevance: float = 0.0
    #: where the answer ends; None for all matches
    ending: Ending | None = None
    #: terms of the speakers that the query may name
    speakers: frozenset[str] = frozenset()
    #: time that the query mentions, if it also has words
    preference: TimePreference | None = None
    #: where the answer continues; None for its first page
    position: Position | None = None

    def cursor(self, position: Position) -> str:
        """Returns a cursor for `position`. It stores the time window and the preference, so that the following pages do
        not shift with the clock."""
        preferred = Window(None, None) if self.preference is None else self.preference.window
        bounds = (self.filter.since, self.filter.until, preferred.since, preferred.until)
        return encode_cursor(self.fingerprint, [*(b and b.isoformat() for b in bounds), *position])


def resolve(connection: Connection, bank: Bank, question: Question) -> ResolvedQuery | None:
    """Returns the query resolved against `bank`, or None if it names a thread that does not exist. Raises
    `InvalidTime`, `InvalidCursor`."""
    query, said = question.query, question.said
    within = _filter(connection, bank, query, question.now)
    if within is None:
        return None
    terms = dict(query_terms(question.words)) if question.words.strip() else {}
    fingerprint = _fingerprint(bank, query)
    position = None
    if query.cursor:
        position = decode_cursor(query.cursor, fingerprint)
        (since, until), preferred = window_bounds(position), Window(*window_bounds(position[2:]))
        position = position[4:]
        within = replace(within, since=since, until=until)
        said = None if preferred == Window(None, None) else preferred
        if said is not None and not terms:
            terms = dict(query_terms(query.query or ""))
    elif said is not None and not terms:  # a time alone lists the messages of that time
        listed = narrowed(within, said)
        if _DATE.search(query.query or "") and not messages.window(connection, bank.id, listed, after=None, limit=1):
            terms = dict(query_terms(query.query or ""))  # or, if there are none, finds messages that mention the date
        else:
            within, said = listed, None
    preference = None if said is None else TimePreference(said)
    speakers = asked_speakers(question.words) if terms else frozenset()
    floor = query.min_relevance or 0.0
    ending = None if query.min_relevance == 0 else ending_of(query.query or "")
    return ResolvedQuery(terms, within, fingerprint, floor, ending, speakers, preference, position)


def _filter(connection: Connection, bank: Bank, query: RecallQuery, now: datetime) -> MessageFilter | None:
    """Returns the filter that the fields of `query` describe, or None if it names a thread that does not exist. Raises
    `InvalidTime`."""
    zone_of(query.timezone)
    since = parse_since(query.since, now, query.timezone) if query.since is not None else None
    until = parse_until(query.until, now, query.timezone) if query.until is not None else None
    if since is not None and until is not None and since >= until:
        raise InvalidTime("since must be before until; the time window is empty")
    thread_id = None
    if query.thread is not None:
        thread_id = banks.find_thread(connection, bank.id, query.thread)
        if thread_id is None:
            return None
    roles = frozenset(query.roles or ())
    trust = frozenset(query.trust or ())
    expired = expiries.expired(connection, bank, now)
    return MessageFilter(since, until, thread_id, query.metadata or {}, roles, trust, expired)


def narrowed(within: MessageFilter, window: Window) -> MessageFilter:
    """Returns `within`, restricted to `window`."""
    since = max(filter(None, (within.since, window.since)), default=None)
    until = min(filter(None, (within.until, window.until)), default=None)
    return replace(within, since=since, until=until)


def _fingerprint(bank: Bank, query: RecallQuery) -> str:
    """Returns 12 hexadecimal digits of a hash of the bank and the fields that select messages."""
    wanted = sorted((query.metadata or {}).items())
    fields: list[object] = [bank.id, query.query, str(query.since), str(query.until), query.thread, wanted]
    if query.roles:
        fields.append({"roles": sorted(query.roles)})
    if query.trust:
        fields.append({"trust": sorted(query.trust)})
    if query.min_relevance is not None:
        fields.append({"min_relevance": query.min_relevance})
    if query.shape != "auto":
        fields.append({"shape": query.shape})
    plain = json.dumps(fields, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:12]
