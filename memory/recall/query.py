"""A recall request, validated, with its times resolved."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.errors import InvalidInput, InvalidTime
from foxing.memory.storage.repositories import banks, index
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.index import IndexQuery
from foxing.memory.storage.repositories.messages import MessageFilter
from foxing.memory.text.terms import query_terms
from foxing.memory.text.times.window import parse_since, parse_until, split_query, zone_of

MAX_LIMIT = 500


MAX_QUERY_CHARS = 10_000


@dataclass(frozen=True)
class Question:
    """A recall, with its times resolved."""

    terms: dict[str, int]
    since: datetime | None
    until: datetime | None
    thread_id: int | None
    #: names the question, so that a cursor of another one is refused
    fingerprint: str


def ask(
    connection: Connection,
    bank: Bank,
    query: str | None,
    since: str | datetime | None,
    until: str | datetime | None,
    now: datetime,
    timezone: str | None,
    thread: str | None,
) -> Question | None:
    """The question in terms of the index; None when it names a thread that does not exist."""
    if query is not None and len(query) > MAX_QUERY_CHARS:
        raise InvalidInput(f"a query has at most {MAX_QUERY_CHARS:,} characters")
    zone_of(timezone)
    start = parse_since(since, now, timezone) if since is not None else None
    stop = parse_until(until, now, timezone) if until is not None else None
    words, said = split_query(query, now, timezone) if query else ("", None)
    if since is not None and until is not None and start is not None and stop is not None and start >= stop:
        raise InvalidTime("since is not before until; there is no time between them")
    thread_id = None
    if thread is not None:
        thread_id = banks.find_thread(connection, bank.id, thread)
        if thread_id is None:
            return None
    terms = dict(query_terms(words)) if words.strip() else {}
    if said is not None:
        first = max(filter(None, (start, said.since)), default=None)
        last = min(filter(None, (stop, said.until)), default=None)
        # a time in a question may also be what was talked about; without any answer in that time it does not narrow
        within = MessageFilter(first, last, thread_id)
        if not terms or index.search(connection, IndexQuery(bank.id, terms, within), limit=1):
            start, stop = first, last
    plain = json.dumps([query, str(since), str(until), thread], ensure_ascii=False)
    fingerprint = hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:12]
    return Question(terms, start, stop, thread_id, fingerprint)


def check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}, not {limit}")
