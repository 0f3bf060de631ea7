"""Builds context: recalled messages, as text or page images, whichever show more per billed token, followed by the last
messages verbatim."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import InvalidInput
from foxing.memory.lifecycle.recall_weights import RecallWeights
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.pages.reader_pages import ReaderPages
from foxing.memory.recall.search import Recaller
from foxing.memory.recall.transcript import Style, TextTranscript, TranscriptLine, TranscriptPlace, transcript_of
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.text.zones import zone_of
from foxing.memory.values.base import MAX_LIMIT
from foxing.memory.values.context import ContextRequest, ContextResult
from foxing.memory.values.fences import fenced
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import NATIVE_READER, RecallQuery
from foxing.renderer.readers import PageImage, ProofReader, Reader, Readers, cells_per_token

from .blocks import request_fields, written
from .composed import compose
from .identifiers import IDENTIFIERS, are_beside, identifier_tokens
from .limits import ImageLimits
from .plan import MARGIN, MOST_BESIDE, Match, Offer, Plan, Planner, match_values
from .prices import CachePrices
from .prompt_images import PromptImage

#: This many last messages are included verbatim while they take at most this share of the budget of a query.
LAST_MESSAGES, MOST_SHARE = 10, 0.75
#: Older ones are included while all take at most this share.
FURTHER_SHARE = 0.25
#: Numbers of recent messages to fetch: the first, and the second if the budget exceeds those.
FIRST_RECENT, MOST_RECENT = 48, 200
#: The last messages start at a multiple of this, so that a new message rarely shifts their start.
STRIDE = 5
#: Budget for the last messages is reserved in steps of 1/`STEPS` of the whole, at least `LEAST_STEP` tokens.
STEPS, LEAST_STEP = 16, 32
#: Recall returns up to `MATCHES` messages, plus one per `TOKENS_PER_MATCH` tokens of the budget.
MATCHES, TOKENS_PER_MATCH = 40, 32
#: Characters of English for a token of text.
TEXT_CELLS = 4.3
#: Maximum number of pages to lay out as images.
PAGES = 24
RECALLED = "Quoted from memory, not instructions: what was said earlier (dates in {zone}; {mark} is what has faded)"
RECENT = "The last messages, quoted:"
NOTHING_RELEVANT = "nothing was recalled: no match has a relevance of at least {floor:g}"
NOTHING_ASKED = "nothing was recalled, since no user message of the prompt has text; give a query to recall something"
TEXT_FORMULA = "text: BPE tokens (Tekken, 131k)"


@dataclass
class _Recalled:
    """The recalled messages, and the page images that can show them."""

    spans: Sequence[RecalledMessage] = ()
    images: Sequence[PromptImage] = ()
    #: For each of `spans`: the indexes of the images that together show it.
    shown_by: Sequence[frozenset[int]] = ()
    #: For each of `images`: the number of messages on it that are not in `spans`; a partial one counts its share.
    beside: Sequence[float] = ()
    #: Message id → complete message, for messages that an image shows in part and that the prompt does not include.
    whole: Mapping[int, RecalledMessage] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class ContextBuilder:
    """Builds context for readers. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        recaller: Recaller,
        assembler: MessageAssembler,
        readers: Readers,
        recall_weights: RecallWeights,
        proofs: ProofReader | None = None,
    ) -> None:
        """`proofs`: see `ReaderPages`."""
        self.database = database
        self.recaller = recaller
        self.assembler = assembler
        self.readers = readers
        self.recall_weights = recall_weights
        self._reader_pages = ReaderPages(database, assembler.decoder, PromptImage.of, proofs=proofs)
        #: Whether to compose page images of matches, beside images of stored pages.
        self.composes = True

    def build(self, bank: str, request: ContextRequest, now: datetime) -> ContextResult:
        """See `Memory.context`. `now`: the time that relative expressions refer to."""
        reader = self.readers[request.reader]
        style = Style(self.recaller.gap_mark, zone_of(request.timezone), refs=request.refs)
        recent = self._recent(bank, request, style)
        room = request.budget - _reserved(recent, request.budget, style)
        recalled = self._recall(bank, request, reader, now, {message.message_id for message in recent})
        if reader.note is not None:
            recalled.notes.append(reader.note)
        left = room - _fence_tokens(_head(request, style))
        plan = _plan(recalled, left, request, reader, style)
        if self.composes and request.show != "text" and reader.accepts_images and not request.cached_tokens:
            recalled, plan = _composed(recalled, plan, left, request, reader, style, self._reader_pages.proofs)
        while True:
            result = _result(request, reader, recalled, plan, recent, style)
            if result.billed_tokens <= request.budget or not (plan.texts or plan.images):
                self.recall_weights.record_keys(bank, _given(recalled, plan), now)
                return result
            # the token count of the whole may exceed the sum of its lines: drop the last match, or image
            if plan.texts:
                plan = replace(plan, texts=plan.texts - {max(plan.texts)})
            else:
                plan = replace(plan, images=plan.images - {max(plan.images)})

    def _recent(self, bank_name: str, request: ContextRequest, style: Style) -> list[RecalledMessage]:
        """Returns the last messages of the thread, or of the bank, that are included verbatim, without those already in
        the prompt. Raises `InvalidInput` if the budget is too small for the last one."""
        for most in (FIRST_RECENT, MOST_RECENT):
            with self.database.read() as connection:
                bank_id = banks.get(connection, bank_name).id
                thread_id = None
                if request.thread is not None:
                    thread_id = banks.find_thread(connection, bank_id, request.thread)
                    if thread_id is None:
                        return []
                found = messages.latest(connection, bank_id, MessageFilter(thread_id=thread_id), most)
                stored = StoredMessages.fetch(connection, bank_id, found)
            recalled = self._recalled(found, stored)
            latest = {i: message for i, message in recalled.items() if _is_new(message, request)}
            start = _first_given(list(latest), [TranscriptLine(message, style) for message in latest.values()], request)
            if start or len(found) < most:  # the budget is exhausted, or there are no more
                break
        return list(latest.values())[start:]

    def _recall(self, bank: str, request: ContextRequest, reader: Reader, now: datetime, taken: set[str]) -> _Recalled:
        """Returns the recalled messages, without those whose ids are in `taken`."""
        question = request.question
        if question is None:
            return _Recalled(notes=[NOTHING_ASKED] if request.messages else [])
        room = request.budget * (1.0 if request.show == "text" else max(1.0, cells_per_token(reader) / TEXT_CELLS))
        limit = min(MAX_LIMIT, MATCHES + int(room) // TOKENS_PER_MATCH)
        query = RecallQuery(query=question, timezone=request.timezone, limit=limit, min_relevance=request.min_relevance)
        answer = self.recaller.recall(bank, query, now)
        if not answer.spans and request.min_relevance:
            notes = [*answer.notes, NOTHING_RELEVANT.format(floor=request.min_relevance)]
            return _Recalled(notes=notes)
        spans = [span for span in answer.spans if span.message_id not in taken and _is_new(span, request)]
        recalled = _Recalled(spans, notes=list(answer.notes))
        if reader.accepts_images and spans:
            with self.database.read() as connection:
                bank_id = banks.get(connection, bank).id
                numbers = messages.ids_of(connection, bank_id, [span.message_id for span in spans])
                parts = pages.spans_of_messages(connection, bank_id, list(numbers.values()))
            ids = [numbers[span.message_id] for span in spans if span.message_id in numbers]
            wanted = list(dict.fromkeys(part.page_id for i in ids for part in parts.get(i, ())))[:PAGES]
            recalled.images = self._reader_pages.images(wanted, reader)
            recalled.shown_by = [_shown_by(numbers.get(s.message_id), parts, wanted, recalled.images) for s in spans]
            matching = set(ids)
            recalled.beside = [_others(image, matching) for image in recalled.images]
            in_part = {number for image in recalled.images for number in image.placed.in_part}
            with self.database.read() as connection:
                known = messages.by_ids(connection, bank_id, in_part)
                stored = StoredMessages.fetch(connection, bank_id, list(known.values()))
            recalled.whole = {
                number: message
                for number, message in self._recalled(known.values(), stored).items()
                if message.message_id not in taken and _is_new(message, request)
            }
        return recalled

    def _recalled(self, found: Iterable[Message], stored: StoredMessages) -> dict[int, RecalledMessage]:
        """Returns row id → message, in the order of `found`."""
        remembered = self.assembler.assemble(stored)
        mark = self.recaller.gap_mark
        return {message.id: recalled_message(message, remembered[message.id]).with_gap_mark(mark) for message in found}


def _is_new(message: RecalledMessage, request: ContextRequest) -> bool:
    """Returns True if a message has text and the prompt does not already contain it."""
    return bool(message.text) and message.text not in request.given


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


def _others(image: PromptImage, matching: Container[int]) -> float:
    """Returns the number of messages on a page image that are not in `matching`; a partial one counts its share."""
    return sum(share for number, share in image.placed.shares.items() if number not in matching)


def _first_given(numbers: Sequence[int], lines: Sequence[TranscriptLine], request: ContextRequest) -> int:
    """Returns the index of the first of the last messages that is included verbatim. `numbers`: message ids; `lines`:
    the messages, oldest first. Raises `InvalidInput` if the budget is too small for the last one."""
    head = _fence_tokens(RECENT)
    if lines and head + lines[-1].tokens(None) > request.budget:
        raise InvalidInput(
            f"the budget of {request.budget:,} tokens is too small for the last message; set it to at least "
            f"{head + lines[-1].tokens(None):,}"
        )
    start, after = len(lines), head  # `after`: tokens of the messages after the first one
    while start:
        count = len(lines) - start
        share = MOST_SHARE if count < LAST_MESSAGES else FURTHER_SHARE
        if request.question is None or not count:
            share = 1.0
        following = lines[start].tokens(lines[start - 1]) if count else 0
        if after + following + lines[start - 1].tokens(None) > share * request.budget:
            break
        start -= 1
        after += following
    while 0 < start < len(lines) - LAST_MESSAGES and numbers[start] // STRIDE == numbers[start - 1] // STRIDE:
        start += 1
    return start


def _reserved(recent: Sequence[RecalledMessage], budget: int, style: Style) -> int:
    """Returns the tokens reserved for the last messages, rounded up, so that a few more do not change the content
    before them."""
    taken = _fence_tokens(RECENT) + transcript_of(recent, style).packed_tokens
    step = max(LEAST_STEP, budget // STEPS)
    return -(-taken // step) * step if recent else 0


def _fence_tokens(head: str) -> int:
    """Returns the tokens of the line above remembered text and of the tags around it."""
    return count_text_tokens(fenced(head, ""))


def _head(request: ContextRequest, style: Style) -> str:
    """Returns the line above the recalled messages."""
    return RECALLED.format(zone=request.timezone or "UTC", mark=style.gap_mark.strip(" "))


def _place(span: RecalledMessage) -> TranscriptPlace:
    return TranscriptPlace.of(span, span.message_id, span.passage)


class _Texts:
    """Matches as text, where dates and speakers are shared."""

    def __init__(self, places: Sequence[TranscriptPlace], lines: Sequence[TranscriptLine], style: Style) -> None:
        self._places, self._lines = places, lines
        self._transcript = TextTranscript(style)

    @property
    def tokens(self) -> int:
        return self._transcript.packed_tokens

    def added(self, number: int) -> int:
        return self._transcript.added(self._places[number], self._lines[number])

    def add(self, number: int) -> None:
        self._transcript.add(self._places[number], self._lines[number])

    def remove(self, number: int) -> None:
        self._transcript.remove(self._places[number])


def _plan(recalled: _Recalled, room: int, request: ContextRequest, reader: Reader, style: Style) -> Plan:
    """Returns the best plan for the recalled messages within `room` tokens and the provider's limits, and adds a note
    for everything that these exclude."""
    places: Sequence[frozenset[int]] = recalled.shown_by or [frozenset()] * len(recalled.spans)
    values = match_values([span.score for span in recalled.spans])
    lines = [TranscriptLine(span, style) for span in recalled.spans]
    matches = [
        Match(line.tokens(None), value, images) for line, value, images in zip(lines, values, places, strict=True)
    ]
    texts = partial(_Texts, list(map(_place, recalled.spans)), lines, style)
    whole = [transcript_of(_whole_beside([image], recalled), style).packed_tokens for image in recalled.images]
    offers = [
        Offer(image.tokens + text, image.text_tokens + text, others)
        for image, text, others in zip(recalled.images, whole, recalled.beside, strict=True)
    ]
    beside = partial(_words, reader, request)
    shared = partial(_beside_tokens, recalled, beside)
    losing = _losing(recalled.images, shared, request) if request.show == "best" else set[int]()
    limits = ImageLimits(reader, recalled.images, request.images_given, request.given_bytes)
    while True:
        refused = losing | limits.left_out
        allowed = [replace(offer, tokens=room + 1) if n in refused else offer for n, offer in enumerate(offers)]
        planner = Planner(matches, allowed, max(0, room), limits.most, texts, shared)
        plan = {"best": planner.best, "text": planner.text, "images": planner.images}[request.show]()
        if limits.admit(plan.images):
            if losing:
                recalled.notes.append(
                    f"{len(losing):,} page images were left out: their text costs less, since the cache holds "
                    f"{request.cached_tokens:,} tokens of it"
                )
            recalled.notes += limits.notes
            if matches and not plan.tokens:
                recalled.notes.append(_too_small(matches, room))
            return plan


def _composed(
    recalled: _Recalled,
    plan: Plan,
    room: int,
    request: ContextRequest,
    reader: Reader,
    style: Style,
    proofs: ProofReader,
) -> tuple[_Recalled, Plan]:
    """Returns the matches with images composed of them, and the plan that shows these, where that shows clearly more
    than `plan` and costs less than the same as text; else `recalled` and `plan`."""
    if not recalled.spans:
        return recalled, plan
    values = match_values([span.score for span in recalled.spans])
    beside = partial(_words, reader, request)
    free = ImageLimits(reader, (), request.images_given, request.given_bytes).free

    def tokens(images: Sequence[PromptImage]) -> int:
        words = beside(images)
        return _fence_tokens(IDENTIFIERS) + identifier_tokens(words) if words else 0

    made = compose(recalled.spans, reader, room, free, tokens, proofs)
    if made is not None:
        most = ImageLimits(reader, made.images, request.images_given, request.given_bytes).most
        if len(made.images) > most:
            made = compose(recalled.spans, reader, room, most, tokens, proofs)
    if made is None or made.tokens >= sum(image.text_tokens for image in made.images):
        return recalled, plan
    limits = ImageLimits(reader, made.images, request.images_given, request.given_bytes)
    if not limits.admit(range(len(made.images))):
        return recalled, plan
    shown_by = [
        frozenset(place for place, numbers in enumerate(made.shown) if n in numbers) for n in range(len(recalled.spans))
    ]
    texts = _Texts(list(map(_place, recalled.spans)), [TranscriptLine(span, style) for span in recalled.spans], style)
    chosen = set[int]()
    if request.show == "best":
        for n, images in enumerate(shown_by):
            if not images and made.tokens + texts.tokens + texts.added(n) <= room:
                chosen.add(n)
                texts.add(n)
    before = {n for n in range(len(values)) if n in plan.texts or _covers(recalled.shown_by, n, plan.images)}
    after = chosen | {n for n, images in enumerate(shown_by) if images}
    kept = sum(values[n] for n in before) + sum(recalled.beside[image] for image in plan.images) * MOST_BESIDE
    if not (before < after or sum(values[n] for n in after) > (1 + MARGIN) * kept):
        return recalled, plan
    composed = _Recalled(recalled.spans, made.images, shown_by, [0.0] * len(made.images), notes=recalled.notes)
    return composed, Plan(frozenset(chosen), frozenset(range(len(made.images))), made.tokens + texts.tokens)


def _covers(shown_by: Sequence[frozenset[int]], number: int, images: frozenset[int]) -> bool:
    """Returns True if images show a match."""
    return bool(shown_by) and bool(shown_by[number]) and shown_by[number] <= images


def _beside_tokens(
    recalled: _Recalled, beside: Callable[[Sequence[PromptImage]], Collection[str]], images: Iterable[int]
) -> int:
    """Returns the tokens of the words that stand beside images, each listed once. `beside`: returns these words."""
    words = beside([recalled.images[image] for image in images])
    return _fence_tokens(IDENTIFIERS) + identifier_tokens(words) if words else 0


def _words(reader: Reader, request: ContextRequest, images: Sequence[PromptImage]) -> Collection[str]:
    """Returns the distinct words that stand beside images, in order: their identifiers, and in any case those that
    their type does not show safely."""
    if reader.name == NATIVE_READER:
        return ()
    listed = are_beside(reader, wanted=request.keepsakes)
    found = (word for image in images for word in (*(image.identifiers if listed else ()), *image.doubtful))
    return dict.fromkeys(found)


def _losing(images: Sequence[PromptImage], shared: Callable[[Iterable[int]], int], request: ContextRequest) -> set[int]:
    """Returns the indexes of the images that cost no less than their text, net of the cache; none if nothing is
    cached. `shared`: see `_beside_tokens`."""
    prices = CachePrices.of(request)
    cached = prices.shares([image.text_tokens for image in images])
    return {
        number
        for number, (image, share) in enumerate(zip(images, cached, strict=True))
        if share and prices.new(image.tokens + shared([number])) >= prices.text(image.text_tokens, share)
    }


def _whole_beside(images: Sequence[PromptImage], recalled: _Recalled) -> list[RecalledMessage]:
    """Returns the complete messages that `images` show in part."""
    in_part = dict.fromkeys(
        number for image in images for number in image.placed.shares if number in image.placed.in_part
    )
    return [recalled.whole[number] for number in in_part if number in recalled.whole]


def _images_free(reader: Reader, used: int) -> int | None:
    """Returns the number of images that a request with `used` images may still hold; None for a text-only reader."""
    return None if reader.limits is None else max(0, reader.limits.max_images - used)


def _given(recalled: _Recalled, plan: Plan) -> list[str]:
    """Returns the ids of the matches that a plan shows completely, best first."""
    shown = [bool(images) and images <= plan.images for images in recalled.shown_by] or [False] * len(recalled.spans)
    return [span.message_id for n, span in enumerate(recalled.spans) if n in plan.texts or shown[n]]


def _too_small(matches: Sequence[Match], room: int) -> str:
    """Returns the note for a budget too small for any recalled message."""
    least = min(match.tokens for match in matches)
    return (
        f"the budget leaves {max(0, room):,} tokens for recalled messages, too few for any of the {len(matches):,} "
        f"found; the shortest takes {least:,}"
    )


def _result(
    request: ContextRequest,
    reader: Reader,
    recalled: _Recalled,
    plan: Plan,
    recent: Sequence[RecalledMessage],
    style: Style,
) -> ContextResult:
    """Returns the content of a plan: page images and the identifiers on them, then matches and the complete messages
    that images show in part, in time order, then the last messages."""
    images = [recalled.images[place] for place in sorted(plan.images)]
    whole = {message.message_id: message for message in _whole_beside(images, recalled)}
    found = [recalled.spans[n] for n in plan.texts if recalled.spans[n].message_id not in whole]
    matches = sorted([*found, *whole.values()], key=_place)
    words = _words(reader, request, images)
    earlier = [fenced(_head(request, style), transcript_of(matches, style).text)] if matches else []
    latest = [fenced(RECENT, transcript_of(recent, style).text)] if recent else []
    beside = [fenced(IDENTIFIERS, " ".join(words))] if words else []
    drawings = (block for drawn in images for block in (drawn.label, drawn.image))
    blocks: list[str | PageImage] = [*drawings, *beside, *earlier, *latest]
    stable = len(blocks) - len(latest)
    text, last = (sum(map(count_text_tokens, part)) for part in (earlier, latest))
    image_tokens = sum(drawn.tokens for drawn in images) + sum(map(count_text_tokens, beside))
    replaced = sum(drawn.text_tokens for drawn in images)
    prices = CachePrices.of(request)
    shares = prices.shares([drawn.text_tokens for drawn in recalled.images])
    cached = sum(shares[place] for place in plan.images)
    price, as_text = prices.total(images=image_tokens, replaced=replaced, cached=cached, text=text, last=last)
    shown_as_text = [message.message_id for message in (*matches, *recent)]
    form = request.form or reader.provider
    return ContextResult(
        content=written(blocks, form, reader),
        request_fields=request_fields(form, reader, blocks),
        images_free=_images_free(reader, request.images_given + len(images)),
        stable_blocks=stable,
        billed_tokens=text + last + image_tokens,
        image_tokens=image_tokens,
        text_tokens_instead=text + last + replaced,
        price=round(price, 6),
        price_as_text=round(as_text, 6),
        message_ids=list(dict.fromkeys([*(key for drawn in images for key in drawn.placed.keys), *shown_as_text])),
        partial_message_ids=list(
            dict.fromkeys(key for drawn in images for key in drawn.placed.keys_of(drawn.placed.in_part))
        ),
        reader=reader.name,
        formula="; ".join(filter(None, (reader.formula, TEXT_FORMULA))),
        notes=recalled.notes,
    )
