"""Recall as text: the spans that answer a query, within a token budget."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.models import RecalledMessage, RecallResult
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages

from .assemble import MessageAssembler
from .candidates import Candidate, candidates
from .cursors import Position, decode_cursor, encode_cursor
from .query import MAX_LIMIT, RecallQuery, ResolvedQuery, resolve

READ_AHEAD = 16  # messages decoded together


@dataclass
class _Answer:
    """Spans collected within a token budget."""

    max_tokens: int | None
    spans: list[RecalledMessage] = field(default_factory=list)
    text_tokens: int = 0

    def add(self, span: RecalledMessage) -> bool:
        """Appends `span`, cut to the budget if it is the first; False if it does not fit."""
        cost = count_text_tokens(span.text)
        if self.max_tokens is not None and self.text_tokens + cost > self.max_tokens:
            if self.spans:
                return False
            span = _cut(span, self.max_tokens)
            cost = count_text_tokens(span.text)
        self.spans.append(span)
        self.text_tokens += cost
        return True


class Recaller:
    """Answers recall queries with text."""

    def __init__(self, database: Database, assembler: MessageAssembler) -> None:
        self.database = database
        self.assembler = assembler

    def recall(self, bank_name: str, query: RecallQuery, now: datetime) -> RecallResult:
        """See `Memory.recall`. `now`: the time that words are relative to."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            resolved = resolve(connection, bank, query, now)
            if resolved is None:
                return RecallResult(spans=[], text_tokens=0, next_cursor=None)
            position = decode_cursor(query.cursor, resolved.fingerprint) if query.cursor else None
            answer = _Answer(query.max_tokens)
            more = False
            for candidate, span in self._spans(connection, bank.id, query, resolved, position):
                if span is None:
                    more = True
                    break
                damaged = query.verbatim and span.source == "decoded"  # its text is kept, but cannot be read
                if not damaged and not answer.add(span):
                    more = True
                    break
                position = candidate.position
        next_cursor = encode_cursor(resolved.fingerprint, position) if more and position is not None else None
        return RecallResult(spans=answer.spans, text_tokens=answer.text_tokens, next_cursor=next_cursor)

    def _spans(
        self,
        connection: Connection,
        bank_id: int,
        query: RecallQuery,
        resolved: ResolvedQuery,
        position: Position | None,
    ) -> Iterator[tuple[Candidate, RecalledMessage | None]]:
        """The first `query.limit` matches, read, and the one after them, unread. A verbatim query skips messages
        without exact text, and does not decode them."""
        given = 0
        batch_size = MAX_LIMIT if query.verbatim else query.limit + 1
        for batch in candidates(connection, bank_id, resolved, position, batch_size):
            if query.verbatim:
                exact = pages.kept_exactly(connection, [c.message.id for c in batch])
                batch = [c for c in batch if c.message.open or c.message.id in exact]
            start = 0
            while start < len(batch):
                if given == query.limit:
                    yield batch[start], None
                    return
                part = batch[start : start + min(READ_AHEAD, query.limit - given)]
                remembered = self.assembler.assemble(connection, [c.message for c in part])
                for candidate in part:
                    item = remembered[candidate.message.id]
                    yield candidate, recalled_message(candidate.message, item, candidate.score)
                start += len(part)
                given += len(part)


def _cut(span: RecalledMessage, max_tokens: int) -> RecalledMessage:
    """The beginning of a span, within `max_tokens` text tokens; it is no longer in parts."""
    text = cut_to_tokens(span.text, max_tokens)
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    return span.model_copy(update={"text": text, "parts": None, "uncertain": runs})
