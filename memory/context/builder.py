"""Builds context: recalled messages, as text or page images, whichever show more per billed token, followed by the last
messages verbatim."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from foxing.memory.errors import NotFound
from foxing.memory.facts import StandingFacts
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.lifecycle.recall_weights import RecallWeights
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.message_images import MessageImages
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.pages.reader_pages import ReaderPages
from foxing.memory.recall.answer import Enough
from foxing.memory.recall.banks import by_bank
from foxing.memory.recall.search import Recaller
from foxing.memory.recall.transcript import Style, TranscriptLine
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, expiries, messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.text.zones import zone_of
from foxing.memory.values.base import MAX_LIMIT
from foxing.memory.values.context import ContextRequest, ContextResult
from foxing.memory.values.facts import Facts
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import RecallQuery
from foxing.renderer import PageLayout
from foxing.renderer.readers import ProofReader, Reader, Readers, cells_per_token

from .composed import IN_USE, TEXT_CELLS, Composer
from .headings import FACTS, heading_tokens, recalled_heading
from .matches import Matches, given_keys
from .message_images import offers, with_images
from .prompt_images import PromptImage
from .recent import FIRST_FETCHED, MOST_FETCHED, READ_AT_ONCE, RecentMessages, first_given, reserved_tokens
from .result import context_result
from .selection import select, select_composed

#: Recall returns up to `MATCHES` messages, plus one per `TOKENS_PER_MATCH` tokens of the budget.
MATCHES, TOKENS_PER_MATCH = 40, 32
#: Matches are read until they take this share of the budget, since shorter ones may fit where a long one does not.
SPARE = 1.1
#: Matches that stand before any standing fact: so many at least, and those of such a relevance.
FIRST_MATCHES = 8
ANSWERS = 0.5
#: Standing facts that are weighed beside matches.
MOST_NEAR = 64
#: Maximum number of pages to lay out as images.
PAGES = 24
NOTHING_RELEVANT = "nothing was recalled: no match has a relevance of at least {floor:g}"
NOTHING_ASKED = "nothing was recalled, since no user message of the prompt has text; give a query to recall something"


class ContextBuilder:
    """Builds context for readers. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        recaller: Recaller,
        assembler: MessageAssembler,
        readers: Readers,
        recall_weights: RecallWeights,
        facts: Callable[[], StandingFacts],
        proofs: ProofReader | None = None,
    ) -> None:
        """`facts`: the standing facts; `proofs`: see `ReaderPages`."""
        self.database = database
        self.recaller = recaller
        self.assembler = assembler
        self.readers = readers
        self.recall_weights = recall_weights
        self._facts = facts
        self._reader_pages = ReaderPages(database, assembler.decoder, PromptImage.of, proofs=proofs)
        self._images = MessageImages(database)
        self._composer = Composer(self._reader_pages.proofs)

    def build(self, bank: str, request: ContextRequest, now: datetime, *, weighs: bool = True) -> ContextResult:
        """See `Memory.context`. `now`: the time that relative expressions refer to; `weighs`: whether it counts as a
        recall of the messages given."""
        reader = self.readers[request.reader]
        style = Style(self.recaller.gap_mark, zone_of(request.timezone), refs=request.refs)
        recent = self._recent(bank, request, style, now)
        room = request.budget - reserved_tokens(recent.lines, request.budget, style)
        facts = self._standing(bank, request, room, now)
        room -= facts.text_tokens + heading_tokens(FACTS) if facts is not None else 0
        head = heading_tokens(recalled_heading(request, style))
        taken = {message.message_id for message in recent.messages}
        stated = facts.facts if facts is not None else ()
        recalled = self._recall(bank, request, reader, now, taken, room - head, style, [f.message_id for f in stated])
        if reader.note is not None:
            recalled.notes.append(reader.note)
        own = by_bank(recalled.spans, bank).get(bank, [])
        images = offers(self._images, bank, request, reader, own, recent.messages)
        left = room - head
        left = max(min(left, 0), left - sum(image.tokens for image in images))
        plan = select(recalled, left, request, reader, style)
        if request.show != "text" and reader.accepts_images and not request.cached_tokens:
            recalled, plan = select_composed(recalled, plan, left, request, reader, style, self._composer)
        while True:
            result = context_result(request, reader, recalled, plan, recent.lines, style, facts)
            result = with_images(result, images, request, reader)
            if not (plan.texts or plan.images) and result.billed_tokens > request.budget:
                return context_result(request, reader, recalled, plan, recent.lines, style, facts)
            if result.billed_tokens <= request.budget or not (plan.texts or plan.images):
                if weighs:
                    self._record(bank, given_keys(recalled, plan), recalled, now)
                return result
            # the token count of the whole may exceed the sum of its lines: drop the last match, or image
            if plan.texts:
                plan = replace(plan, texts=plan.texts - {max(plan.texts)})
            else:
                plan = replace(plan, images=plan.images - {max(plan.images)})

    def _standing(self, bank: str, request: ContextRequest, room: int, now: datetime) -> Facts | None:
        """Returns the standing facts with which the content begins, the newest last; None without any."""
        tokens = min(request.facts, room) - heading_tokens(FACTS)
        if tokens < 1:
            return None
        try:
            facts = self._facts().standing(bank, now, max_tokens=tokens, newest_last=True)
        except NotFound:
            return None
        return facts if facts.facts else None

    def _recent(self, bank_name: str, request: ContextRequest, style: Style, now: datetime) -> RecentMessages:
        """Returns the last messages of the thread, or of the bank, that are included verbatim, without those already in
        the prompt. Raises `InvalidInput` if the budget is too small for the last one."""
        for most in (FIRST_FETCHED, MOST_FETCHED):
            with self.database.read() as connection:
                bank = banks.find(connection, bank_name)
                if bank is None:
                    return RecentMessages()
                bank_id, thread_id = bank.id, None
                if request.thread is not None:
                    thread_id = banks.find_thread(connection, bank_id, request.thread)
                    if thread_id is None:
                        return RecentMessages()
                condition = MessageFilter(thread_id=thread_id, without=expiries.expired(connection, bank, now))
                found = messages.latest(connection, bank_id, condition, most)
                stored = StoredMessages.fetch(connection, bank_id, found)
            recent, lines = dict[int, RecalledMessage](), list[TranscriptLine]()
            for stop in range(len(found), 0, -READ_AT_ONCE):
                part = self._recalled(found[max(0, stop - READ_AT_ONCE) : stop], stored)
                new = {i: message for i, message in part.items() if _is_new(message, request)}
                recent, lines = new | recent, [*(TranscriptLine(message, style) for message in new.values()), *lines]
                start = first_given(list(recent), lines, request)
                if start:  # the budget is exhausted
                    return RecentMessages(list(recent.values())[start:], lines[start:])
            if len(found) < most:
                break
        return RecentMessages(list(recent.values()), lines)

    def _recall(
        self,
        bank: str,
        request: ContextRequest,
        reader: Reader,
        now: datetime,
        taken: set[str],
        room_for_text: int,
        style: Style,
        stated: Sequence[str],
    ) -> Matches:
        """Returns the recalled messages, without those whose ids are in `taken`. `room_for_text`: text tokens that they
        may take; `stated`: ids of the messages of standing facts that are shown."""
        question = request.question
        if question is None:
            return Matches(notes=[*self._missing(bank), *([NOTHING_ASKED] if request.messages else [])])
        cells = 0 if request.show == "text" else int(request.budget * cells_per_token(reader))
        room = max(request.budget, int(cells / TEXT_CELLS))
        limit = min(MAX_LIMIT, MATCHES + room // TOKENS_PER_MATCH)
        query = RecallQuery(
            query=question,
            timezone=request.timezone,
            limit=limit,
            min_relevance=request.min_relevance,
            shape=request.shape,
            banks=request.banks,
        )
        enough = Enough(int(request.budget * SPARE), int(cells * IN_USE * SPARE), max(0, room_for_text))
        answer = self.recaller.recall(bank, query, now, enough)
        if not answer.spans and request.min_relevance and not answer.notes:
            notes = [*answer.notes, NOTHING_RELEVANT.format(floor=request.min_relevance)]
            return Matches(notes=notes)
        if not answer.spans:
            return Matches(notes=list(answer.notes))
        spans = [
            span
            for span in answer.spans
            if (span.message_id not in taken or span.bank not in (None, bank)) and _is_new(span, request)
        ]
        if request.facts and not request.banks:
            spans = self._weighed(bank, question, now, spans, {*taken, *stated, *request.omit})
        recalled = Matches(spans, [TranscriptLine(span, style) for span in spans], notes=list(answer.notes))
        own = [span.message_id for span in by_bank(spans, bank).get(bank, []) if span.page_ids]
        if reader.accepts_images and own:  # pages of other banks are not shown
            with self.database.read() as connection:
                bank_id = banks.get(connection, bank).id
                numbers = messages.ids_of(connection, bank_id, own)
                parts = pages.spans_of_messages(connection, bank_id, list(numbers.values()))
                ids = [numbers[span.message_id] for span in spans if span.message_id in numbers]
                on_pages = [part for i in dict.fromkeys(ids) for part in parts.get(i, ())]
                wanted = list(dict.fromkeys(part.page_id for part in on_pages))
                if request.show == "best" and not request.cached_tokens:
                    wanted = _worth_it(pages.by_ids(connection, wanted), on_pages, reader)
            wanted = wanted[:PAGES]
            recalled.images = self._reader_pages.images(wanted, reader)
            of_spans = [numbers.get(span.message_id) if span.bank in (None, bank) else None for span in spans]
            recalled.shown_by = [_shown_by(number, parts, wanted, recalled.images) for number in of_spans]
            matching = set(ids)
            recalled.beside = [_others(image, matching) for image in recalled.images]
            in_part = {number for image in recalled.images for number in image.placed.in_part}
            with self.database.read() as connection:
                known = messages.by_ids(connection, bank_id, in_part)
                stored = StoredMessages.fetch(connection, bank_id, list(known.values()))
            recalled.whole = {
                number: message
                for number, message in self._recalled(stored.messages, stored).items()
                if message.message_id not in taken and _is_new(message, request)
            }
        return recalled

    def _weighed(
        self, bank: str, question: str, now: datetime, spans: Sequence[RecalledMessage], omitted: Collection[str]
    ) -> list[RecalledMessage]:
        """Returns matches with standing facts beside those that hardly answer, where the words of the question alone
        find little: each fact before a match that it is worth as much as. `omitted`: ids of other messages."""
        sure = sum(span.relevance is None or span.relevance >= ANSWERS for span in spans)
        first = max(FIRST_MATCHES, sure)
        weighed = list(spans[:first])
        ids = {*omitted, *(span.message_id for span in weighed)}
        others = iter(spans[first:])
        for fact in self._facts().near(bank, question, now, without=frozenset(ids), limit=MOST_NEAR):
            match = next(others, None)
            score = weighed[-1].score if match is None else match.score
            weighed.append(fact.model_copy(update={"score": score}))
            ids.add(fact.message_id)
            if match is not None and match.message_id not in ids:
                weighed.append(match)
        return [*weighed, *(span for span in others if span.message_id not in ids)]

    def _record(self, bank: str, keys: Iterable[str], recalled: Matches, now: datetime) -> None:
        """Counts messages as recalled, each in its bank."""
        others = {name: spans for name, spans in by_bank(recalled.spans, bank).items() if name != bank}
        of_others = {span.message_id: name for name, spans in others.items() for span in spans}
        given = list(keys)
        for name in (bank, *others):
            self.recall_weights.record_keys(name, [key for key in given if of_others.get(key, bank) == name], now)

    def _missing(self, bank: str) -> list[str]:
        """Returns a note if there is no such bank yet."""
        with self.database.read() as connection:
            try:
                banks.get(connection, bank)
            except NotFound as missing:
                check_bank_name(bank)
                return [str(missing)]
        return []

    def _recalled(self, found: Sequence[Message], stored: StoredMessages) -> dict[int, RecalledMessage]:
        """Returns row id → message, in the order of `found`. `stored`: of these and others."""
        remembered = self.assembler.assemble(stored, messages=found)
        mark = self.recaller.gap_mark
        return {message.id: recalled_message(message, remembered[message.id]).with_gap_mark(mark) for message in found}


def _is_new(message: RecalledMessage, request: ContextRequest) -> bool:
    """Returns True if a message has text, and the prompt neither contains it already nor is to be without it."""
    return bool(message.text) and message.text not in request.given and message.message_id not in request.omit


def _shown_by(
    number: int | None,
    parts: Mapping[int, Sequence[pages.SpanRow]],
    wanted: Sequence[int],
    images: Sequence[PromptImage],
) -> frozenset[int]:
    """Returns the indexes of the images that together show a message; empty if one of its pages has no image."""
    if number is None or not parts.get(number) or any(part.page_id not in wanted for part in parts[number]):
        return frozenset()
    return frozenset(place for place, image in enumerate(images) if number in image.placed.shares)


def _worth_it(rows: Mapping[int, pages.PageRow], on_pages: Iterable[pages.SpanRow], reader: Reader) -> list[int]:
    """Returns the ids of the pages of `on_pages`, in order, whose images may cost less than their matches as text. An
    image costs more if it takes more tokens than these have cells, since a token of text is rarely below one cell."""
    cells: dict[int, int] = {}
    for part in on_pages:
        cells[part.page_id] = cells.get(part.page_id, 0) + part.stop - part.header_start
    return [
        i for i, of_matches in cells.items() if i in rows and of_matches >= _cells(rows[i]) / cells_per_token(reader)
    ]


def _cells(row: pages.PageRow) -> int:
    return PageLayout.from_dict(row.layout).columns * row.rows_used


def _others(image: PromptImage, matching: Container[int]) -> float:
    """Returns the number of messages on a page image that are not in `matching`; a partial one counts its share."""
    return sum(share for number, share in image.placed.shares.items() if number not in matching)
