"""Recall: query and time window → candidate messages from the index → pages → spans, within a token budget."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.errors import InvalidCursor, InvalidInput, InvalidTime
from foxing.memory.models import Recall, Recalled
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, index, messages, pages
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.text.terms import query_terms
from foxing.memory.text.times.window import parse_since, parse_until, split_query, zone_of

from .assemble import Rememberer, recalled

MAX_LIMIT = 500
READ_AHEAD = 16  # messages decoded together
MAX_QUERY_CHARS = 10_000
MAX_CURSOR_CHARS = 2_000
_UNREADABLE = "this cursor cannot be read; pass next_cursor as you got it, or none"
_LARGEST = (1 << 63) - 1  # of the database's whole numbers


@dataclass(frozen=True)
class Question:
    """A recall, with its times resolved."""

    terms: dict[str, int]
    since: datetime | None
    until: datetime | None
    thread_id: int | None
    #: names the question, so that a cursor of another one is refused
    fingerprint: str


@dataclass(frozen=True)
class Candidate:
    message: Message
    score: float | None
    #: where the next page of answers begins after this one
    position: list[Any]


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
        if not terms or index.search(
            connection, bank.id, terms, since=first, until=last, thread_id=thread_id, limit=1, offset=0
        ):
            start, stop = first, last
    plain = json.dumps([query, str(since), str(until), thread], ensure_ascii=False)
    fingerprint = hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:12]
    return Question(terms, start, stop, thread_id, fingerprint)


def encode_cursor(fingerprint: str, position: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([fingerprint, *position]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, fingerprint: str) -> list[Any]:
    """Raises `InvalidCursor` for one that was made up or belongs to another question."""
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(fields, list) or len(fields) < 2:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor(_UNREADABLE) from error
    if fields[0] != fingerprint:
        raise InvalidCursor("this cursor belongs to another question; ask the same again, or pass none")
    return fields[1:]


def time_cursor(position: Sequence[Any]) -> tuple[datetime, int]:
    """(time, id) out of a cursor's position. Raises `InvalidCursor`."""
    try:
        at, message_id = datetime.fromisoformat(position[0]), position[1]
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise InvalidCursor(_UNREADABLE) from error
    return at, _whole(message_id)


def _whole(number: Any) -> int:
    if type(number) is not int or not 0 <= number <= _LARGEST:
        raise InvalidCursor(_UNREADABLE)
    return number


class Recaller:
    """Answers recalls."""

    def __init__(self, database: Database, rememberer: Rememberer) -> None:
        self.database = database
        self.rememberer = rememberer

    def recall(
        self,
        bank_name: str,
        query: str | None = None,
        *,
        since: str | datetime | None,
        until: str | datetime | None,
        now: datetime,
        timezone: str | None,
        thread: str | None,
        limit: int,
        cursor: str | None,
        max_tokens: int | None,
        verbatim: bool,
    ) -> Recall:
        """See `Memory.recall`."""
        check_limit(limit)
        if max_tokens is not None and max_tokens < 1:
            raise InvalidInput("max_tokens is at least 1")
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            question = ask(connection, bank, query, since, until, now, timezone, thread)
            if question is None:
                return Recall(spans=[], text_tokens=0, next_cursor=None)
            spans: list[Recalled] = []
            total = 0
            last: list[Any] | None = decode_cursor(cursor, question.fingerprint) if cursor else None
            more = False
            for candidate, span in self._spans(connection, bank.id, question, last, limit, verbatim):
                if span is None:
                    more = True
                    break
                if verbatim and span.source == "decoded":  # its text is kept, but damaged
                    last = candidate.position
                    continue
                cost = count_text_tokens(span.text)
                if max_tokens is not None and total + cost > max_tokens:
                    if spans:
                        more = True
                        break
                    span = _cut(span, max_tokens)
                    cost = count_text_tokens(span.text)
                spans.append(span)
                total += cost
                last = candidate.position
        next_cursor = encode_cursor(question.fingerprint, last) if more and last is not None else None
        return Recall(spans=spans, text_tokens=total, next_cursor=next_cursor)

    def candidates(
        self, connection: Connection, bank_id: int, question: Question, position: list[Any] | None, ahead: int
    ) -> Iterator[list[Candidate]]:
        """Messages that answer, best first, or without words in time order; in batches, without end."""
        if question.terms:
            offset, newest = (0, None) if position is None else (_whole(position[0]), _whole(position[-1]))
            bound = messages.newest_id(connection) if newest is None else newest
            while True:
                hits = index.search(
                    connection,
                    bank_id,
                    question.terms,
                    since=question.since,
                    until=question.until,
                    thread_id=question.thread_id,
                    limit=ahead,
                    offset=offset,
                    newest=newest,
                )
                found = messages.by_ids(connection, [hit.message_id for hit in hits])
                batch = [
                    Candidate(found[hit.message_id], round(hit.score, 4), [offset + number + 1, bound])
                    for number, hit in enumerate(hits)
                ]
                if not batch:
                    return
                yield batch
                offset += len(batch)
        else:
            after = time_cursor(position) if position is not None else None
            while True:
                rows = messages.window(
                    connection,
                    bank_id,
                    since=question.since,
                    until=question.until,
                    thread_id=question.thread_id,
                    after=after,
                    limit=ahead,
                )
                if not rows:
                    return
                yield [Candidate(m, None, [m.created_at.isoformat(), m.id]) for m in rows]
                after = rows[-1].created_at, rows[-1].id

    def _spans(
        self,
        connection: Connection,
        bank_id: int,
        question: Question,
        position: list[Any] | None,
        limit: int,
        verbatim: bool,
    ) -> Iterator[tuple[Candidate, Recalled | None]]:
        """`limit` messages that answer, and the one after them unread. With `verbatim` those without exact text are
        passed over, and not decoded for it."""
        given = 0
        for batch in self.candidates(connection, bank_id, question, position, MAX_LIMIT if verbatim else limit + 1):
            if verbatim:
                exact = pages.kept_exactly(connection, [c.message.id for c in batch])
                batch = [c for c in batch if c.message.open or c.message.id in exact]
            start = 0
            while start < len(batch):
                if given == limit:
                    yield batch[start], None
                    return
                part = batch[start : start + min(READ_AHEAD, limit - given)]
                remembered = self.rememberer.messages(connection, [c.message for c in part])
                for candidate in part:
                    item = remembered[candidate.message.id]
                    yield candidate, recalled(candidate.message, item, candidate.score)
                start += len(part)
                given += len(part)


def check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}, not {limit}")


def _cut(span: Recalled, max_tokens: int) -> Recalled:
    """The beginning of a span that alone is over the budget."""
    text = cut_to_tokens(span.text, max_tokens)
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    return span.model_copy(update={"text": text, "uncertain": runs})
