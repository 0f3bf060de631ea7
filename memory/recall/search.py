"""Recall as text: the spans that answer a query, within a token budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.errors import NotFound
from foxing.memory.models import LeftOut, LeftOutReason, RecalledMessage, RecallResult
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, pages

from .assemble import MessageAssembler, StoredMessages
from .candidates import Candidate, Candidates, candidates
from .query import MAX_LIMIT, RecallQuery, ResolvedQuery, resolve
from .search_index import SearchIndex

READ_AHEAD = 16  # messages decoded together


@dataclass
class _Found:
    """The matches of a page of the answer, and all that is stored of them, from one state of the memory."""

    query: ResolvedQuery
    candidates: Candidates
    stored: StoredMessages
    matches: list[Candidate]
    #: matches whose exact text is not kept, though it was asked for
    inexact: list[Candidate]
    #: whether there are more matches
    more: bool


@dataclass
class _Answer:
    """Spans collected within a token budget."""

    max_tokens: int | None
    spans: list[RecalledMessage] = field(default_factory=list)
    text_tokens: int = 0
    #: message id → match that did not fit, in the order of the answer
    waiting: dict[int, Candidate] = field(default_factory=dict)
    #: the first span that did not fit
    oversized: RecalledMessage | None = None
    unreadable: list[Candidate] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return self.max_tokens is not None and self.text_tokens >= self.max_tokens

    def add(self, candidate: Candidate, span: RecalledMessage) -> None:
        """Appends `span` if it fits the budget, or else lets it wait."""
        cost = count_text_tokens(span.text)
        if self.max_tokens is None or self.text_tokens + cost <= self.max_tokens:
            self.spans.append(span)
            self.text_tokens += cost
            return
        self.waiting[candidate.message.id] = candidate
        if self.oversized is None:
            self.oversized = span

    def cut_if_empty(self) -> None:
        """If nothing fits, the answer is the beginning of the first match."""
        if self.spans or self.oversized is None or self.max_tokens is None:
            return
        del self.waiting[next(iter(self.waiting))]
        self.spans = [_cut(self.oversized, self.max_tokens)]
        self.text_tokens = count_text_tokens(self.spans[0].text)


class Recaller:
    """Answers recall queries with text."""

    def __init__(self, database: Database, index: SearchIndex, assembler: MessageAssembler) -> None:
        self.database = database
        self.index = index
        self.assembler = assembler

    def recall(self, bank_name: str, query: RecallQuery, now: datetime) -> RecallResult:
        """See `Memory.recall`. `now`: the time that words are relative to."""
        with self.database.read() as connection:
            found = self._find(connection, bank_name, query, now)
        if found is None:
            return RecallResult(spans=[], text_tokens=0, left_out=[], next_cursor=None)
        answer = _Answer(query.max_tokens)
        for start in range(0, len(found.matches), READ_AHEAD):
            part = found.matches[start : start + READ_AHEAD]
            if answer.full:  # nothing more is decoded
                answer.waiting |= {candidate.message.id: candidate for candidate in part}
                continue
            remembered = self.assembler.assemble(found.stored, messages=[c.message for c in part])
            for candidate in part:
                span = recalled_message(candidate.message, remembered[candidate.message.id], candidate.score)
                if query.verbatim and span.source == "decoded":  # its text is kept, but cannot be read
                    answer.unreadable.append(candidate)
                else:
                    answer.add(candidate, span)
        answer.cut_if_empty()
        return _result(found, answer, query.limit)

    def message(self, bank_name: str, key: str) -> RecalledMessage:
        """See `Memory.message`."""
        with self.database.read() as connection:
            found = messages.by_keys(connection, banks.get(connection, bank_name).id, [key])
            stored = StoredMessages.fetch(connection, list(found.values()))
        if key not in found:
            raise NotFound(f"there is no message '{key}' in bank '{bank_name}'")
        message = found[key]
        return recalled_message(message, self.assembler.assemble(stored)[message.id])

    def _find(self, connection: Connection, bank_name: str, query: RecallQuery, now: datetime) -> _Found | None:
        """The first `query.limit` matches; None if the query names a thread that does not exist. A verbatim query skips
        messages without exact text."""
        bank = banks.get(connection, bank_name)
        resolved = resolve(connection, bank, query, now, self.index)
        if resolved is None:
            return None
        listed = candidates(connection, self.index, bank.id, resolved)
        matches: list[Candidate] = []
        inexact: list[Candidate] = []
        more = False
        for candidate, eligible in _checked(connection, listed, query):
            if not eligible:
                inexact.append(candidate)
            elif len(matches) == query.limit:
                more = True
                break
            else:
                matches.append(candidate)
        stored = StoredMessages.fetch(connection, [candidate.message for candidate in matches])
        return _Found(resolved, listed, stored, matches, inexact, more)


def _checked(connection: Connection, listed: Candidates, query: RecallQuery) -> Iterator[tuple[Candidate, bool]]:
    """All candidates, each with whether its text is exact if the query demands that."""
    for batch in listed.batches(MAX_LIMIT if query.verbatim else query.limit + 1):
        if not query.verbatim:
            yield from ((candidate, True) for candidate in batch)
            continue
        exact = pages.kept_exactly(connection, [candidate.message.id for candidate in batch])
        yield from ((c, c.message.open or c.message.id in exact) for c in batch)


def _result(found: _Found, answer: _Answer, limit: int) -> RecallResult:
    left_out = [
        *_left_out(list(answer.waiting.values()), "max_tokens"),
        *_left_out(answer.unreadable, "unreadable"),
        *_left_out(found.inexact, "not_verbatim"),
    ]
    next_cursor = None
    if found.more or answer.waiting:
        examined = [*found.matches, *found.inexact]
        next_cursor = found.query.cursor(found.candidates.after(examined, answer.waiting))
    return RecallResult(
        spans=answer.spans, text_tokens=answer.text_tokens, left_out=left_out[:limit], next_cursor=next_cursor
    )


def _left_out(left: Sequence[Candidate], reason: LeftOutReason) -> list[LeftOut]:
    return [LeftOut(message_id=candidate.message.key, reason=reason) for candidate in left]


def _cut(span: RecalledMessage, max_tokens: int) -> RecalledMessage:
    """The beginning of a span, within `max_tokens` text tokens; it is no longer in parts."""
    text = cut_to_tokens(span.text, max_tokens)
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    gaps = [place for place in span.gaps if place < len(text)]
    return span.model_copy(update={"text": text, "parts": None, "uncertain": runs, "gaps": gaps})
