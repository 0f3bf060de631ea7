"""Recall as text: the spans that answer a query, within a token budget."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from foxing.memory.access import Access
from foxing.memory.errors import NotFound
from foxing.memory.fair_semaphore import FairSemaphore
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.message_images import MessageImages, may_have_images
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.references import message_id_of
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, expiries, messages, pages
from foxing.memory.telemetry import Value, bank_operation, operation
from foxing.memory.text.questions import value_asked
from foxing.memory.text.statements import asks_for_the_past
from foxing.memory.text.zones import zone_of
from foxing.memory.values.base import MAX_LIMIT
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import LeftOut, LeftOutReason, MatchScore, RecallQuery, RecallResult

from .answer import Answer, Enough
from .banks import recall_banks
from .candidates import Candidate, RankedCandidates, find_candidates
from .episode_answer import EpisodeAnswer, EpisodeSpans, answer_by_episodes
from .episode_search import FoundEpisodes, find_episodes
from .episodes import CONSIDERED
from .matches import AnswerMatches, find_matches
from .query import Question, ask
from .replacements import COMPARED, LEAST_COMPARED, SaidAt, Statements, asked_apart, ordered
from .selection import asked_excerpt
from .spans import Shown, SpanReader
from .transcript import Style

READ_AHEAD = 16  # messages decoded per batch where the answer may be full before the rest
#: Maximum number of queries that are answered at the same time. That is CPU-bound: a higher limit is no faster, and
#: makes stores wait longer for the GIL. Embedding and decoding do not count.
SEARCHES = 2
#: Matches of a question among which a word of one message identifies it.
ENOUGH_TO_BE_RARE = 10
#: Tokens of the excerpt of a match: this share of the budget, at least so many that one of 512 holds three.
EXCERPT_SHARE, LEAST_EXCERPT = 0.068, 140


def _figures(result: RecallResult) -> dict[str, Value]:
    return {"spans": len(result.spans), "pages": sorted({i for span in result.spans for i in span.page_ids})}


class Recaller:
    """Answers recall queries with text."""

    def __init__(
        self,
        database: Database,
        search: HybridSearch,
        assembler: MessageAssembler,
        gap_mark: str = TEXT_GAP_MARK,
    ) -> None:
        """`gap_mark`: the gap mark of answers to queries that choose none."""
        self.database = database
        self.search = search
        self.assembler = assembler
        self.gap_mark = gap_mark
        self._semaphore = FairSemaphore(SEARCHES)

    @property
    def waiting(self) -> int:
        """Number of recalls that wait for others."""
        return self._semaphore.waiting

    @bank_operation("recall", _figures)
    def recall(self, bank_name: str, query: RecallQuery, now: datetime, enough: Enough | None = None) -> RecallResult:
        """See `Memory.recall`. `now`: the time that relative expressions refer to; `enough`: no more matches are read
        once there is as much, by default as many as the query asks for."""
        style = Style(query.gap_mark or self.gap_mark, zone_of(query.timezone), query.ids, query.refs)
        if query.banks is not None:
            return recall_banks(lambda name, alone: self.recall(name, alone, now, enough), bank_name, query, style)
        with operation("embed", messages=0):
            question = ask(self.search.vectors, query, now)
        with self._semaphore.turn(Access.current().tenant or ""):
            return self._answer(bank_name, question, style, enough)

    def _answer(self, bank_name: str, question: Question, style: Style, enough: Enough | None) -> RecallResult:
        query = question.query
        most = max(query.limit, LEAST_COMPARED if query.shape == "messages" else CONSIDERED)
        with operation("search"), self.database.read() as connection:
            try:
                candidates = find_candidates(connection, self.search, bank_name, question)
            except NotFound as missing:  # a bank comes into being with its first message
                check_bank_name(bank_name)
                return _nothing(query, str(missing))
            if candidates is None:
                return _nothing(query)
            found = find_matches(connection, candidates, query, most)
            best = [item.match for item in found.shown]
            episodes = find_episodes(connection, candidates, query, best, _room(query, enough))
        if episodes is not None:
            result = self._by_episodes(found, episodes, question, style, _room(query, enough))
            if result.spans:
                return result
        answer = Answer(query.max_tokens, style, enough)
        longest = _longest(query)
        asked = found.candidates.query.terms if longest else ()
        reader = self._reader(found, found.stored, found.shown, style)
        found, replaced = self._newest_first(found, reader, question)
        found = found.first(query.limit)
        for part in reader.parts(READ_AHEAD if answer.bounded else MAX_LIMIT, found.shown):
            if answer.full:  # the rest is not decoded
                answer.waiting |= {item.match.document: item.match for item in part}
                continue
            reader.read(part)
            pictured = self._pictured(found.candidates.bank_id, part, reader)
            for item in part:
                _add(answer, item, reader, replaced, pictured, asked, longest, verbatim=query.verbatim)
        answer.finish()
        if not (answer.spans or found.shown or found.inexact or query.cursor):
            answer.state_nothing_found()
        next_cursor = None
        if found.more or answer.waiting:
            examined = [*(item.match for item in found.shown), *found.inexact, *answer.given]
            next_cursor = found.candidates.next_cursor(examined, answer.waiting)
        left_out: list[tuple[LeftOutReason, Iterable[str]]] = [
            ("max_tokens", map(_key, answer.waiting.values())),
            ("unreadable", map(_key, answer.unreadable)),
            ("not_verbatim", map(_key, found.inexact)),
        ]
        return _result(answer, left_out, query, found.notes, next_cursor)

    def _reader(self, found: AnswerMatches, stored: StoredMessages, shown: Sequence[Shown], style: Style) -> SpanReader:
        terms_found = partial(self._terms_found, replace(found, shown=shown))
        return SpanReader(self.assembler, stored, shown, self._semaphore, style.gap_mark, terms_found)

    def _by_episodes(
        self, found: AnswerMatches, episodes: FoundEpisodes, question: Question, style: Style, room: int | None
    ) -> RecallResult:
        """Returns the answer by episodes, without spans if not one fits."""
        query = question.query
        reader = self._reader(found, episodes.stored, episodes.shown, style)
        for part in (*reader.parts(MAX_LIMIT), *reader.parts(MAX_LIMIT, list(map(Shown, episodes.compared)))):
            reader.read(part)
        marks = self._marks(found, episodes, reader, question)
        spans = {
            item.match.message.id: reader.take(item.match).model_copy(update=marks.get(item.match.document, {}))
            for item in episodes.shown
        }
        given = [
            EpisodeSpans(each.first.key, each.weight, [spans[m.id] for m in each.messages if spans[m.id].text])
            for each in episodes.episodes
        ]
        asked = found.candidates.query.terms
        answer = answer_by_episodes([each for each in given if each.spans], asked, room, query.limit, style)
        shown = {span.message_id for span in answer.spans}
        waiting = {
            each.first.id: [m.id for m in each.messages if m.key not in shown and spans[m.id].text]
            for each in episodes.episodes
        }
        waiting = {first: ids for first, ids in waiting.items() if ids}
        others = found.more or any(item.match.message.id not in episodes.ids for item in found.shown)
        next_cursor = None
        if (waiting or others) and isinstance(found.candidates, RankedCandidates):
            rows = (item.match.message for item in episodes.shown)
            next_cursor = found.candidates.episode_cursor((m for m in rows if m.key in shown), waiting)
        keys = (span.message_id for span in answer.left_out)
        return _result(answer, [("max_tokens", keys)], query, found.notes, next_cursor)

    def _marks(
        self, found: AnswerMatches, episodes: FoundEpisodes, reader: SpanReader, question: Question
    ) -> dict[int, dict[str, Any]]:
        """Returns document → marks of the messages of episodes that later ones replace."""
        spans = [reader.peek(match) for match in episodes.compared]
        with operation("compare", matches=len(spans)):
            statements = Statements(spans, list(map(_said_at, episodes.compared)), question.query.query or "")
            near = None if question.query.verbatim else found.candidates.near(episodes.compared)
            documents = [match.document for match in episodes.compared]
            replaced = statements.replaced(near)
        replaced = self._without_those_asked_for(found, replaced, spans)
        return {documents[older]: _mark(spans[newest]) for older, newest in replaced.items()}

    def scores(self, bank_name: str, query: RecallQuery, now: datetime) -> list[MatchScore]:
        """Returns the parts of the scores of the best matches, at most `limit`; see `RecallResult.scores`."""
        question = ask(self.search.vectors, query, now)
        with self._semaphore.turn(Access.current().tenant or ""), self.database.read() as connection:
            candidates = find_candidates(connection, self.search, bank_name, question)
            if not isinstance(candidates, RankedCandidates):
                return []
            return candidates.parts(next(candidates.batches(query.limit), []))

    def message(self, bank_name: str, key: str, now: datetime) -> RecalledMessage:
        """See `Memory.message`."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            found = messages.by_keys(connection, bank.id, [key])
            stored = StoredMessages.fetch(connection, bank.id, list(found.values()))
            expired = expiries.expired(connection, bank, now)
        if key not in found or found[key].id in expired:
            raise NotFound(f"there is no message '{key}' in bank '{bank_name}'")
        message = found[key]
        remembered = self.assembler.assemble(stored)[message.id]
        return recalled_message(message, remembered).with_gap_mark(self.gap_mark)

    def with_expiries(self, bank_name: str, spans: Sequence[RecalledMessage]) -> list[RecalledMessage]:
        """Returns complete messages of a bank with the times at which they expire."""
        ids = {span.ref: number for span in spans if (number := message_id_of(span.ref)) is not None}
        with self.database.read() as connection:
            times = expiries.times(connection, banks.get(connection, bank_name), set(ids.values()))
        return [
            span.model_copy(update={"expires_at": times[ids[span.ref]]}) if ids.get(span.ref) in times else span
            for span in spans
        ]

    def keepsakes(self, bank_name: str, key: str) -> list[str]:
        """Returns the keepsakes of a message in text order; none for an unknown message."""
        with self.database.read() as connection:
            bank_id = banks.get(connection, bank_name).id
            ids = [message.id for message in messages.by_keys(connection, bank_id, [key]).values()]
            spans = [span for of_one in pages.spans_of_messages(connection, bank_id, ids).values() for span in of_one]
            held = pages.keepsakes_of(connection, sorted({span.page_id for span in spans}))
        return [
            row.text
            for span in spans
            for row in held.get(span.page_id, [])
            if row.message_id in ids and span.start <= row.start < span.stop
        ]

    def _pictured(self, bank_id: int, part: Sequence[Shown], reader: SpanReader) -> dict[int, RecalledMessage]:
        """Returns document → span with the text that a machine read in its images, for spans with such text."""
        spans = {one.document: reader.peek(one) for item in part for one in item.candidates}
        if not any(map(may_have_images, spans.values())):
            return {}
        with self.database.read() as connection:
            shown = MessageImages.with_texts(connection, bank_id, list(spans.values()))
        return {document: one for (document, span), one in zip(spans.items(), shown, strict=True) if one is not span}

    def _terms_found(self, found: AnswerMatches) -> Mapping[int, Collection[str]]:
        """Returns message id → terms of the query that the index has for the match."""
        candidates = found.candidates
        if not candidates.query.terms:
            return {}
        with self.database.read() as connection:
            ids = {item.match.message.id for item in found.shown}
            return self.search.index.terms_of(connection, candidates.bank_id, ids, candidates.query.terms)

    def _newest_first(
        self, found: AnswerMatches, reader: SpanReader, question: Question
    ) -> tuple[AnswerMatches, dict[int, RecalledMessage]]:
        """Returns the matches in the order in which the answer gives them, and document → the newest message that
        replaces it. See `replacements`."""
        query, compared = found.candidates.query, found.shown[:COMPARED]
        if not query.terms:
            return found, {}
        for part in reader.parts(MAX_LIMIT, [Shown(item.match) for item in compared]):
            reader.read(part)
        spans = [reader.peek(item.match) for item in compared]
        asks = question.query.query or ""
        until = None if query.preference is None else query.preference.window.until
        with operation("compare", matches=len(spans)):
            statements = Statements(spans, [_said_at(item.match) for item in compared], asks)
            oldest_first = bool(spans) and asks_for_the_past(asks, spans[statements.whole_first[0]].text)
            has_value = None
            if (value := value_asked(asks)) is not None:
                has_value = [value.is_in(reader.whole_text(item.match)) for item in compared]
            best = statements.best_first(newest=not oldest_first and query.preference is None, has_value=has_value)
            near = None if question.query.verbatim else found.candidates.near([item.match for item in compared])
            replaced = statements.replaced(near)
        replaced = self._without_those_asked_for(found, replaced, spans)
        shown = [*_moved(compared, best), *found.shown[COMPARED:]]
        places = {index: place for place, index in enumerate(best)}
        order = ordered(
            [_said_at(item.match) for item in shown],
            {places[older]: places[newest] for older, newest in replaced.items()},
            oldest_first=oldest_first,
            until=until,
        )
        moved = [_with_score_of(shown[index], shown[order.places.get(index, index)]) for index in order.indexes]
        newest = {compared[older].match.document: spans[by] for older, by in replaced.items()}
        return replace(found, shown=moved), newest

    def _without_those_asked_for(
        self, found: AnswerMatches, replaced: Mapping[int, int], spans: Sequence[RecalledMessage]
    ) -> dict[int, int]:
        """Returns `replaced` without the spans that the question identifies, by a number or by a word that no other
        message has: who asks for the order 5999 means that one, and not the newest."""
        candidates = found.candidates
        apart = asked_apart(replaced, spans, candidates.query.terms)
        words = {term for lacking in apart.values() for term in lacking}
        single = {term for term in words if any(map(str.isdigit, term))}
        if words - single and candidates.ranked >= ENOUGH_TO_BE_RARE:
            with self.database.read() as connection:
                frequencies = self.search.index.document_frequencies(connection, candidates.bank_id, words - single)
            single |= {term for term, frequency in frequencies.items() if frequency == 1}
        return {older: newest for older, newest in replaced.items() if single.isdisjoint(apart.get(older, ()))}


def _longest(query: RecallQuery) -> float | None:
    """Returns the tokens of a match beyond which an excerpt of it is given; None for no excerpts."""
    if query.max_tokens is None or query.verbatim:
        return None
    return max(LEAST_EXCERPT, EXCERPT_SHARE * query.max_tokens)


def _room(query: RecallQuery, enough: Enough | None) -> int | None:
    """Returns the maximum number of text tokens of episodes; None if there is no limit."""
    return query.max_tokens if enough is None else enough.room


def _nothing(query: RecallQuery, *notes: str) -> RecallResult:
    """Returns the answer to a query that no message can match. `notes`: why, where it is not plain."""
    answer = Answer(query.max_tokens)
    answer.state_nothing_found()
    return _result(answer, (), query, notes, None)


def _said_at(match: Candidate) -> SaidAt:
    return SaidAt(match.message.created_at, match.message.id, match.passage or 0)


def _moved(shown: Sequence[Shown], order: Sequence[int]) -> Sequence[Shown]:
    """Returns matches in another order, each with the score of its place."""
    return [_with_score_of(shown[index], shown[place]) for place, index in enumerate(order)]


def _with_score_of(item: Shown, other: Shown) -> Shown:
    if item is other:
        return item
    return item._replace(match=replace(item.match, score=other.match.score))


def _add(
    answer: Answer,
    item: Shown,
    reader: SpanReader,
    replaced: Mapping[int, RecalledMessage],
    pictured: Mapping[int, RecalledMessage],
    asked: Collection[str],
    longest: float | None,
    *,
    verbatim: bool,
) -> None:
    """Adds a match, followed by its neighbours, to `answer`. `replaced`: document → the newest message that replaces
    it; `pictured`: document → span with the text in its images. `asked`, `longest`: terms of the question, and the
    tokens of a match beyond which an excerpt is given; None for no excerpts."""
    whole = reader.whole(item.match) if longest is not None and asked else None
    if whole is not None and any(each.message.id == item.match.message.id for each in answer.given):
        return  # another passage of a message of which all was considered
    found: dict[str, Any] = {"score": item.match.score, "relevance": item.match.relevance}
    newest = replaced.get(item.match.document)
    if newest is not None:
        found |= _mark(newest)
    if item.neighbour_ids:
        found["neighbour_ids"] = item.neighbour_ids
    span = reader.take(item.match)
    if longest is not None and asked:
        span = asked_excerpt(whole or span, asked, longest)
    span = span.model_copy(update=found)
    shown = pictured.get(item.match.document)
    neighbours = [(near, reader.take(near)) for near in item.neighbours]
    if verbatim and span.source == "decoded":  # the kept text cannot be read
        answer.unreadable.append(item.match)
    elif (span.message_id, span.passage) in answer.places:
        return  # several passages of a faded message may have one passage left
    elif answer.add(item.match, span, None if shown is None else shown.model_copy(update=found)):
        for near, neighbour in neighbours:
            if not verbatim or neighbour.source != "decoded":
                beside = neighbour.model_copy(update={"neighbour_of": near.neighbour_of})
                answer.add(near, beside, pictured.get(near.document))


def _mark(newest: RecalledMessage) -> dict[str, Any]:
    """Returns the fields of a span that `newest` replaces."""
    return {"superseded_by": newest.message_id, "superseded_at": newest.created_at}


def _key(match: Candidate) -> str:
    return match.message.key


def _result(
    answer: Answer | EpisodeAnswer,
    left_out: Iterable[tuple[LeftOutReason, Iterable[str]]],
    query: RecallQuery,
    notes: Iterable[str],
    next_cursor: str | None,
) -> RecallResult:
    """Returns the result of a query. `left_out`: keys of messages by the reason why they are not in the answer."""
    keys = [(key, reason) for reason, of_one in left_out for key in dict.fromkeys(of_one)]
    return RecallResult(
        spans=answer.spans,
        rendered=answer.rendered,
        text_tokens=answer.text_tokens,
        left_out=[LeftOut(message_id=key, reason=reason) for key, reason in keys[: query.limit]],
        notes=list(notes),
        next_cursor=next_cursor,
    )
