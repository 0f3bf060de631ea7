"""Recall: query and time window → candidate messages from the index → pages → spans, within a token budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.errors import InvalidInput
from foxing.memory.models import RecalledMessage, RecallResult
from foxing.memory.pages.message_parts import recalled
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, index, messages, pages
from foxing.memory.storage.repositories.index import IndexQuery
from foxing.memory.storage.repositories.messages import Message, MessageFilter

from .assemble import MessageAssembler
from .cursors import _whole, decode_cursor, encode_cursor, time_cursor
from .query import MAX_LIMIT, Question, ask, check_limit

READ_AHEAD = 16  # messages decoded together


@dataclass(frozen=True)
class Candidate:
    message: Message
    score: float | None
    #: where the next page of answers begins after this one
    position: list[Any]


class Recaller:
    """Answers recalls."""

    def __init__(self, database: Database, assembler: MessageAssembler) -> None:
        self.database = database
        self.assembler = assembler

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
    ) -> RecallResult:
        """See `Memory.recall`."""
        check_limit(limit)
        if max_tokens is not None and max_tokens < 1:
            raise InvalidInput("max_tokens is at least 1")
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            question = ask(connection, bank, query, since, until, now, timezone, thread)
            if question is None:
                return RecallResult(spans=[], text_tokens=0, next_cursor=None)
            spans: list[RecalledMessage] = []
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
        return RecallResult(spans=spans, text_tokens=total, next_cursor=next_cursor)

    def candidates(
        self, connection: Connection, bank_id: int, question: Question, position: list[Any] | None, ahead: int
    ) -> Iterator[list[Candidate]]:
        """Messages that answer, best first, or without words in time order; in batches, without end."""
        within = MessageFilter(question.since, question.until, question.thread_id)
        if question.terms:
            offset, newest = (0, None) if position is None else (_whole(position[0]), _whole(position[-1]))
            bound = messages.newest_id(connection) if newest is None else newest
            while True:
                asked = IndexQuery(bank_id, question.terms, within, newest)
                hits = index.search(connection, asked, limit=ahead, offset=offset)
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
                rows = messages.window(connection, bank_id, within, after=after, limit=ahead)
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
    ) -> Iterator[tuple[Candidate, RecalledMessage | None]]:
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
                remembered = self.assembler.messages(connection, [c.message for c in part])
                for candidate in part:
                    item = remembered[candidate.message.id]
                    yield candidate, recalled(candidate.message, item, candidate.score)
                start += len(part)
                given += len(part)


def _cut(span: RecalledMessage, max_tokens: int) -> RecalledMessage:
    """The beginning of a span that alone is over the budget."""
    text = cut_to_tokens(span.text, max_tokens)
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    return span.model_copy(update={"text": text, "uncertain": runs})
