"""Recall as text: the spans that answer a query, within a token budget."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, islice

from sqlalchemy import Connection

from foxing.memory.errors import NotFound
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import QueryEmbedding
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.storage.database import Database
from foxing.memory.storage.fair_semaphore import FairSemaphore
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.sealed.neighbours import around as messages_around
from foxing.memory.telemetry import Value, bank_operation, operation
from foxing.memory.values.base import MAX_LIMIT
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import LeftOut, LeftOutReason, RecallQuery, RecallResult

from .answer import Answer, header
from .candidates import Candidate, Candidates, candidates
from .query import ResolvedQuery, resolve
from .reranking.source import CANDIDATES, RerankerSource
from .spans import Shown, SpanReader

READ_AHEAD = 16  # messages decoded together where a budget may end the answer before the others
ANSWER_CHARS = 4 << 20  # of the messages, or passages, of an answer; the others come with the next one
READ_CHARS = 16 << 20  # of the messages that these are passages of
#: Queries that search, or put together what they found, at once. Both compute: more at once are no faster, and stores
#: would wait for the interpreter's lock behind each of them. Decoding is not counted.
SEARCHES = 2


@dataclass
class _Found:
    """The matches of a page of the answer, and all that is stored of them, from one state of the memory."""

    bank_id: int
    query: ResolvedQuery
    candidates: Candidates
    stored: StoredMessages
    matches: list[Candidate]
    #: document of a match → messages around it that are not matches themselves, in the order of their thread
    neighbours: Mapping[int, Sequence[Candidate]]
    #: whether these are shown, not named
    neighbour_text: bool
    #: matches whose exact text is not kept, though it was asked for
    inexact: list[Candidate]
    #: whether there are more matches
    more: bool
    #: what the answer went without
    notes: Sequence[str]

    @property
    def shown(self) -> list[Shown]:
        """The matches, each with the neighbours that are shown."""
        around = self.neighbours if self.neighbour_text else {}
        return [Shown(match, around.get(match.document, ())) for match in self.matches]

    def neighbour_ids(self, match: Candidate) -> list[str]:
        """Of the neighbours of a match that are named."""
        return [] if self.neighbour_text else [near.message.key for near in self.neighbours.get(match.document, ())]


def _figures(result: RecallResult) -> dict[str, Value]:
    return {"spans": len(result.spans), "pages": sorted({i for span in result.spans for i in span.page_ids})}


class Recaller:
    """Answers recall queries with text."""

    def __init__(
        self, database: Database, search: HybridSearch, assembler: MessageAssembler, reranker: RerankerSource
    ) -> None:
        self.database = database
        self.search = search
        self.assembler = assembler
        self.reranker = reranker
        self._semaphore = FairSemaphore(SEARCHES)

    @bank_operation("recall", _figures)
    def recall(self, bank_name: str, query: RecallQuery, now: datetime) -> RecallResult:
        """See `Memory.recall`. `now`: the time that words are relative to."""
        with operation("embed", messages=0):
            question = self.search.embed_query(query.query or "", now, query.timezone)
        wide = query
        if self.reranker.enabled:
            wide = query.model_copy(update={"limit": max(query.limit, CANDIDATES), "neighbours": 0})
        with operation("search"), self._semaphore, self.database.read() as connection:
            found = self._find(connection, bank_name, wide, now, question)
        if found is None:
            return RecallResult(spans=[], text_tokens=0, left_out=[], next_cursor=None)
        if self.reranker.enabled:
            found = self._reranked(found, query)
        answer = Answer(query.max_tokens, query.gap_mark)
        reader = SpanReader(self.assembler, found.stored, found.matches, self._semaphore, query.gap_mark)
        for part in reader.parts(found.shown, READ_AHEAD if query.max_tokens is not None else MAX_LIMIT):
            if answer.full:  # nothing more is decoded
                answer.waiting |= {item.match.document: item.match for item in part}
                continue
            reader.read(part)
            for item in part:
                _add(answer, item, reader, found.neighbour_ids(item.match), verbatim=query.verbatim)
        answer.cut_if_empty()
        return _result(found, answer, query.limit)

    def _reranked(self, found: _Found, query: RecallQuery) -> _Found:
        """The first `query.limit` matches, after the best `CANDIDATES` were put into the order of the reranker."""
        matches, notes = found.matches, found.notes
        if found.query.terms:
            best = [Shown(match, ()) for match in matches[:CANDIDATES]]
            reader = SpanReader(self.assembler, found.stored, matches[:CANDIDATES], self._semaphore)
            spans = []
            for part in reader.parts(best, CANDIDATES):
                reader.read(part)
                spans += [reader.take(item.match) for item in part]
            said = [header(span.name or span.role, span.created_at) + span.text for span in spans]
            order = self.reranker.order(query.query or "", said)
            matches = [*(matches[number] for number in order.numbers), *matches[CANDIDATES:]]
            notes = [*notes, *filter(None, [order.note])]
        more, matches = found.more or len(matches) > query.limit, matches[: query.limit]
        found = replace(found, matches=matches, more=more, notes=notes)
        if not query.neighbours or not found.query.terms:
            return found
        with self.database.read() as connection:
            there = messages.by_ids(connection, found.bank_id, {match.message.id for match in matches})
            matches = [match for match in matches if match.message.id in there]  # others were erased meanwhile
            neighbours = _neighbours(connection, found.bank_id, matches, (query, found.query.filter))
            stored = _stored(connection, found.bank_id, matches, neighbours if query.neighbour_text else {})
            return replace(found, matches=matches, neighbours=neighbours, stored=stored)

    def message(self, bank_name: str, key: str) -> RecalledMessage:
        """See `Memory.message`."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
            found = messages.by_keys(connection, bank_id, [key])
            stored = StoredMessages.fetch(connection, bank_id, list(found.values()))
        if key not in found:
            raise NotFound(f"there is no message '{key}' in bank '{bank_name}'")
        message = found[key]
        return recalled_message(message, self.assembler.assemble(stored)[message.id])

    def _find(
        self, connection: Connection, bank_name: str, query: RecallQuery, now: datetime, question: QueryEmbedding
    ) -> _Found | None:
        """The first `query.limit` matches; None if the query names a thread that does not exist. A verbatim query skips
        messages without exact text."""
        bank = banks.get(connection, bank_name)
        resolved = resolve(connection, bank, query, now)
        if resolved is None:
            return None
        listed = candidates(connection, self.search, bank.id, resolved, question)
        matches: list[Candidate] = []
        inexact: list[Candidate] = []
        more, limits = False, AnswerLimits()
        for candidate, eligible in _checked(connection, bank.id, listed, query):
            if not eligible:
                inexact.append(candidate)
            elif len(matches) == query.limit or not limits.admits(candidate):
                more = True
                break
            else:
                matches.append(candidate)
        neighbours: Mapping[int, Sequence[Candidate]] = {}
        if query.neighbours and resolved.terms:
            neighbours = _neighbours(connection, bank.id, matches, (query, resolved.filter))
        stored = _stored(connection, bank.id, matches, neighbours if query.neighbour_text else {})
        note = self.search.vectors.note(connection, bank.id, question)
        notes = [] if note is None else [note]
        shown = query.neighbour_text
        return _Found(bank.id, resolved, listed, stored, matches, neighbours, shown, inexact, more, notes)


class AnswerLimits:
    """What an answer has room for, so that one of few messages of great length takes little memory."""

    def __init__(self) -> None:
        self._shown = self._read = 0
        self._messages: set[int] = set()

    def admits(self, candidate: Candidate) -> bool:
        """Whether there is room for a match, which is then taken; there always is for the first one."""
        new = candidate.message.id not in self._messages
        shown, read = self._shown + candidate.chars, self._read + candidate.message.chars * new
        if self._messages and (shown > ANSWER_CHARS or read > READ_CHARS):
            return False
        self._shown, self._read = shown, read
        self._messages.add(candidate.message.id)
        return True


def _stored(
    connection: Connection,
    bank_id: int,
    matches: Sequence[Candidate],
    neighbours: Mapping[int, Sequence[Candidate]],
) -> StoredMessages:
    """What is stored of matches and their neighbours."""
    shown = [*matches, *(near for around in neighbours.values() for near in around)]
    wanted = {candidate.message.id: candidate.message for candidate in shown}
    return StoredMessages.fetch(connection, bank_id, list(wanted.values()))


def _neighbours(
    connection: Connection, bank_id: int, matches: Sequence[Candidate], wanted: tuple[RecallQuery, MessageFilter]
) -> dict[int, list[Candidate]]:
    """Document of a match → the messages around it that the query lets through, each beside the first match that it is
    near, as far as there is room for them."""
    query, within = wanted
    around = messages_around(connection, bank_id, {match.message.id for match in matches}, query.neighbours).of
    near = list(dict.fromkeys(i for match in matches for side in around[match.message.id] for i in side))
    near = _with_room(connection, bank_id, matches, near)
    found = messages.by_ids(connection, bank_id, messages.filter_ids(connection, bank_id, near, within))
    if query.verbatim:
        exact = _exact(connection, bank_id, found.values())
        found = {i: message for i, message in found.items() if i in exact}
    taken = {match.message.id for match in matches}
    result: dict[int, list[Candidate]] = {}
    for match in matches:
        before, after = around[match.message.id]
        new = [i for i in (*reversed(before), *after) if i in found and i not in taken]
        taken.update(new)
        result[match.document] = [Candidate(found[i], neighbour_of=match.message.key) for i in new]
    return result


def _with_room(connection: Connection, bank_id: int, matches: Sequence[Candidate], near: Sequence[int]) -> list[int]:
    """The first of the messages around `matches`, as many as an answer has room for."""
    lengths = messages.lengths(connection, bank_id, near)
    total = sum(match.chars for match in matches)
    totals = accumulate((lengths.get(message_id, 0) for message_id in near), initial=total)
    return [
        message_id for message_id, chars in zip(near, islice(totals, 1, None), strict=True) if chars <= ANSWER_CHARS
    ]


def _add(answer: Answer, item: Shown, reader: SpanReader, neighbour_ids: Sequence[str], *, verbatim: bool) -> None:
    """Adds a match, followed by its neighbours, to the answer."""
    span = reader.take(item.match)
    if neighbour_ids:
        span = span.model_copy(update={"neighbour_ids": neighbour_ids})
    neighbours = [(near, reader.take(near)) for near in item.neighbours]
    if verbatim and span.source == "decoded":  # its text is kept, but cannot be read
        answer.unreadable.append(item.match)
    elif answer.add(item.match, span):
        for near, neighbour in neighbours:
            if not verbatim or neighbour.source != "decoded":
                answer.add(near, neighbour.model_copy(update={"neighbour_of": near.neighbour_of}))


def _exact(connection: Connection, bank_id: int, found: Iterable[Message]) -> set[int]:
    """Ids of the messages whose exact text is kept."""
    held = list(found)
    kept = pages.kept_exactly(connection, bank_id, [message.id for message in held])
    return {message.id for message in held if message.open or message.id in kept}


def _checked(
    connection: Connection, bank_id: int, listed: Candidates, query: RecallQuery
) -> Iterator[tuple[Candidate, bool]]:
    """All candidates, each with whether its text is exact if the query demands that."""
    for batch in listed.batches(MAX_LIMIT if query.verbatim else query.limit + 1):
        if not query.verbatim:
            yield from ((candidate, True) for candidate in batch)
            continue
        exact = _exact(connection, bank_id, [candidate.message for candidate in batch])
        yield from ((candidate, candidate.message.id in exact) for candidate in batch)


def _result(found: _Found, answer: Answer, limit: int) -> RecallResult:
    left_out = [
        *_left_out(list(answer.waiting.values()), "max_tokens"),
        *_left_out(answer.unreadable, "unreadable"),
        *_left_out(found.inexact, "not_verbatim"),
    ]
    next_cursor = None
    if found.more or answer.waiting:
        examined = [*found.matches, *found.inexact, *answer.given]
        next_cursor = found.query.cursor(found.candidates.after(examined, answer.waiting))
    return RecallResult(
        spans=answer.spans,
        text_tokens=answer.text_tokens,
        left_out=left_out[:limit],
        notes=list(found.notes),
        next_cursor=next_cursor,
    )


def _left_out(left: Sequence[Candidate], reason: LeftOutReason) -> list[LeftOut]:
    keys = dict.fromkeys(candidate.message.key for candidate in left)
    return [LeftOut(message_id=key, reason=reason) for key in keys]
