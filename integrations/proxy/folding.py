"""Folding of what passes: which requests are folded, and when the bank is asked.

The bank decides about folds and holds them. Between two folds, the proxy repeats what the bank has answered: it needs
neither the bank nor its time. It asks where a fold may be due, and where it does not know what was sent before: for a
conversation that it has not seen, or that has grown by more than one call.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from foxing.memory import FoldRequest, FoldResult, InvalidInput, TokenPrices
from foxing.memory.conversation import parse, render
from foxing.memory.conversation.changes import MARKS, is_thinking, settled, without_thinking
from foxing.memory.conversation.models import model_terms
from foxing.memory.fold.conversation import (
    BOUND_LOOP,
    Conversation,
    make_conversation,
    thread_key,
)
from foxing.memory.fold.layout import folded_conversation
from foxing.memory.fold.plan import LEAST_KEPT_CALLS, Standing, Step, Terms, plan_fold
from foxing.memory.values.context import MAX_BUDGET

from .bank import BankFailed, BankLink, FoldRefused
from .body import CHARS_A_TOKEN, RequestBody, json_text
from .calibration import offer_calibration
from .options import ProxyOptions
from .scale import TokenScale

log = logging.getLogger(__name__)

#: Conversations that are remembered.
CONVERSATIONS = 1_000
#: Growth after which the bank is asked again although it made no fold: as a share of the budget near the limit, and in
#: tokens where a fold may pay.
_NEAR_LIMIT, _MAY_PAY = 1 / 64, 4_000
#: Conversations whose state is reported.
_REPORTED = 20
#: Balance of the folds of a conversation that has one: what they have saved is for the bank to say.
_HAS_SAVED = -1e12


@dataclass(frozen=True)
class _Fold:
    """A fold of a conversation, as the bank has answered it."""

    number: int
    #: Number of items folded, and the digest of these.
    items: int
    digest: bytes
    #: Number of items whose thinking was decided about, and their digest.
    stripped: int
    stripped_digest: bytes
    #: Number of items of the conversation when it was answered.
    until: int
    #: Index of the folded message, and its content without a cache mark.
    at: int
    blocks: Sequence[dict[str, Any]]
    tokens: int
    raw_tokens: int
    request_fields: Mapping[str, Any]

    @cached_property
    def texts(self) -> Sequence[str]:
        """The blocks as JSON."""
        return [json_text(block) for block in self.blocks]

    def text_of(self, message: Mapping[str, Any]) -> str:
        """Returns the folded message as JSON. The last block may have a cache mark."""
        beside = "".join(f"{json_text(key)}:{json_text(value)}," for key, value in message.items() if key != "content")
        return f'{{{beside}"content":[{",".join([*self.texts[:-1], json_text(message["content"][-1])])}]}}'

    def applies(self, conversation: Conversation) -> bool:
        """Returns True if the conversation continues the one that was answered."""
        return (
            self.until <= len(conversation.items)
            and conversation.start == self.at
            and conversation.prefix_digest(self.items) == self.digest
            and conversation.prefix_digest(self.stripped) == self.stripped_digest
        )


@dataclass
class _Known:
    """Knowledge of a conversation between its calls."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Number of items in its last call, and their digest.
    items: int = 0
    digest: bytes = b""
    fold: _Fold | None = None
    #: Estimated tokens when the bank was last asked, and what the budget then left.
    asked_tokens: float = -1e9
    left: float = 0.0
    #: Whether the bank may hold a fold that was not applied.
    unsure: bool = False
    #: Folds that the bank was asked for and still makes.
    late: Sequence[asyncio.Future[FoldResult]] = ()
    #: The call after which the bank was asked for a fold, and its answer, which is for the calls that follow.
    ahead: "tuple[FoldedCall, asyncio.Future[FoldResult]] | None" = None
    #: Number of items whose thinking is left out, since the model has refused it.
    refused: int = 0
    #: Number of the fold that the provider has refused, and whether the bank has still to be told.
    dropped: int = 0
    tells: bool = False
    last_call_at: datetime | None = None
    #: Why it is not folded, as the log has been told.
    reason: str | None = None
    #: What `FoldResult.notes` said last.
    notes: Sequence[str] = ()
    #: What `Folding.report` has of it.
    state: dict[str, Any] = field(default_factory=dict)


@dataclass
class FoldedCall:
    """A request of a conversation, with what is sent in its place."""

    body: RequestBody
    session: str
    conversation: Conversation | None = None
    #: Body to send; None for the one that came.
    content: bytes | None = None
    #: Whether the older history is folded.
    folded: bool = False
    #: Whether a breakpoint of the cache is added, from which a fold will be read.
    marked: bool = False
    #: Estimated tokens of what is sent, without thinking.
    sent_tokens: float = 0.0
    #: Why the bank made a fold for this call, if it did.
    reason: str | None = None
    #: Whether what is folded has changed since the call before.
    new_fold: bool = False
    #: Why the request goes out unfolded although it might be folded.
    failure: str | None = None
    #: Whether a fold would pay that can be made after the answer, for the calls that follow.
    pays_later: bool = False
    #: Tokens of what is sent as the bank counts them; None if it was not asked.
    counted_tokens: int | None = None
    _known: _Known | None = None
    _fold: _Fold | None = None

    @cached_property
    def original_tokens(self) -> float:
        """Estimated tokens of what came, without thinking."""
        return sum(self.sizes) + _beside(self.body) if self.conversation is not None else 0.0

    @cached_property
    def thinking_tokens(self) -> float:
        """Estimated tokens of the thinking in what came."""
        items = self.conversation.items if self.conversation is not None else ()
        return sum(len(item.thinking) for item in items) / CHARS_A_TOKEN

    @property
    def all_tokens(self) -> float:
        """Estimated tokens of what came."""
        return self.original_tokens + self.thinking_tokens

    @cached_property
    def sizes(self) -> Sequence[float]:
        """Estimated tokens of each message, without its thinking."""
        texts = (message.tokens for message in self.body.messages)
        return [text + images for text, images in zip(texts, self.body.image_tokens, strict=True)]

    def unfold(self, reason: str) -> None:
        """Notes that the conversation goes out as it came."""
        self.content, self.new_fold = None, False
        if self.folded:
            self.folded, self.failure = False, reason
        self.sent_tokens = self.original_tokens

    def refused(self) -> None:
        """Notes that the model has refused the thinking of this conversation, which is left out from now on."""
        if self._known is not None and self.conversation is not None:
            self._known.refused = len(self.conversation.items)


class Folding:
    """Folds requests."""

    def __init__(self, bank: BankLink, options: ProxyOptions) -> None:
        self._bank = bank
        self._options = options
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        #: Counts of folds, and of calls that went out unfolded because the bank failed.
        self.counts: Counter[str] = Counter()
        #: Scales of what is estimated here, and of what the bank counts.
        self._estimates, self._bank_counts = TokenScale(), TokenScale()
        #: Models whose provider has refused a breakpoint.
        self._without_breakpoints = set[str]()

    def budget(self, body: RequestBody) -> int:
        """Returns the most tokens to send, as the provider counts them."""
        return self._options.budget or model_terms(body.model).budget

    def _limit(self, call: FoldedCall) -> int:
        """Returns the most tokens to send, as the bank counts them."""
        return max(1, min(MAX_BUDGET, round(self.budget(call.body) / self._bank_counts.of(call.body.model))))

    def _estimated_limit(self, call: FoldedCall) -> int:
        """Returns the most tokens to send, as they are estimated here."""
        return max(1, round(self.budget(call.body) / self._estimates.of(call.body.model)))

    def learn(self, call: FoldedCall, billed: int) -> None:
        """Notes what the provider billed for the input of a call that went out as it was decided here."""
        if call.conversation is None:
            return
        thinking = 0.0 if call.folded else call.thinking_tokens
        self._estimates.learn(call.body.model, call.sent_tokens + thinking, billed)
        if call.counted_tokens is not None:
            self._bank_counts.learn(call.body.model, call.counted_tokens, billed)

    def report(self) -> dict[str, Any]:
        """Returns the state of the latest conversations, newest first, the number of folds that are made for calls to
        come, and the scales of tokens."""
        latest = [record.state for record in reversed(self._known.values()) if record.state][:_REPORTED]
        ahead = [record.ahead for record in list(self._known.values()) if record.ahead is not None]
        making = sum(not answer.done() for _, answer in ahead)
        return {"conversations": latest, "folds_in_progress": making, "token_scale": self._bank_counts.report()}

    async def fold(self, body: RequestBody, session: str, *, counting: bool = False) -> FoldedCall:
        """Returns what is sent in place of a request. `counting`: whether it only counts tokens, so that no fold is
        made."""
        call = FoldedCall(body, session)
        if not body.messages:
            return call
        try:
            call.conversation = conversation = make_conversation(body.wire.name, body.items)
        except InvalidInput as error:
            call.failure = str(error)
            return call
        if not counting:
            conversation = self._mark(call, conversation)
        record = call._known = self._of(call, conversation)
        async with record.lock:
            before = record.fold.number if record.fold is not None else 0
            await self._ask_if_due(call, conversation, record, counting)
            self._apply(call, conversation, record)
            if not counting:
                self._tell(call, conversation, record)
                record.items = len(conversation.items)
                record.digest = conversation.prefix_digest(record.items)
                record.last_call_at = datetime.now(UTC)
            call.new_fold = record.fold is not None and record.fold.number != before
        return call

    def _tell(self, call: FoldedCall, conversation: Conversation, record: _Known) -> None:
        """Says in the log, once, that a conversation is folded, or that folding does not help it."""
        binds = conversation.wire == "anthropic" and model_terms(call.body.model).binds_thinking
        if call.failure is None and binds and conversation.thinks_on and call.all_tokens > self._estimated_limit(call):
            call.failure = BOUND_LOOP
        name = f"the conversation {call.session} with {call.body.model}"
        if call.failure is not None and record.reason is None:
            log.warning("%s (about %s tokens) is not folded: %s", name, f"{call.sent_tokens:,.0f}", call.failure)
            self.counts["not folded"] += 1
        elif record.fold is not None and record.fold.number == 1 and call.reason is not None:
            log.warning(
                "%s is folded from here on: about %s of %s tokens are sent; %s shows the state of all",
                *(name, f"{call.sent_tokens:,.0f}", f"{call.original_tokens:,.0f}", "/foxing/status"),
            )
            if self._options.reader is None and self._bank.lacks_profile(call.body.model, record.notes):
                offer_calibration(call.body.model, self._options)
        if call.failure is not None or call.folded:
            record.reason = call.failure
        scale = self._estimates.of(call.body.model)
        record.state = {
            "session": call.session,
            "model": call.body.model,
            "called_at": datetime.now(UTC).isoformat(),
            "budget": self.budget(call.body),
            "sent_tokens": round(call.sent_tokens * scale),
            "original_tokens": round(call.all_tokens * scale),
            "fold": record.fold.number if record.fold is not None else 0,
            "not_folded": record.reason,
            "notes": list(record.notes),
        }

    async def fold_ahead(self, call: FoldedCall) -> None:
        """Asks the bank for the fold that a call has left to those that follow, and returns once it has answered. The
        next call takes the answer."""
        record = call._known
        if record is None or call.conversation is None or record.ahead is not None:
            return
        request = self._request(call, call.conversation, record, counting=False).model_copy(update={"ahead": True})
        answer = asyncio.ensure_future(self._bank.fold(request))
        record.ahead = call, answer
        await asyncio.wait([answer])

    async def drop(self, call: FoldedCall) -> None:
        """Notes that the provider has refused the fold of a call although it takes the conversation as it came. The
        fold is not applied again, here or by the bank."""
        if call.marked:
            self._without_breakpoints.add(call.body.model)
        record = call._known
        fold = call._fold
        if record is None or fold is None or record.fold is None or record.fold.number != fold.number:
            return
        record.fold, record.dropped, record.tells = None, fold.number, True
        self.counts["dropped"] += 1
        log.warning("a fold that the provider refuses is dropped; the conversation goes out unfolded for some calls")

    def _mark(self, call: FoldedCall, conversation: Conversation) -> Conversation:
        """Returns the conversation with a breakpoint where folds will begin, for a model whose cache holds no other
        beginnings: from the first request on, since all before it is written anew. That of a client that marks its
        requests itself stays as it came."""
        model = call.body.model
        if model_terms(model).caches_beginnings or model in self._without_breakpoints:
            return conversation
        marked = conversation.with_breakpoint()
        if marked is None:
            return conversation
        call.conversation, call.marked = marked, True
        return marked

    def _of(self, call: FoldedCall, conversation: Conversation) -> _Known:
        key = thread_key(f"{call.session} {call.body.model}", conversation.wire, conversation.first_question)
        record = self._known.get(key)
        if record is None:
            record = self._known[key] = _Known()
            if len(self._known) > CONVERSATIONS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return record

    async def _ask_if_due(self, call: FoldedCall, conversation: Conversation, record: _Known, counting: bool) -> None:
        if len(conversation.calls) <= LEAST_KEPT_CALLS:
            record.fold = None  # a shorter conversation than any that was folded
            return
        if record.ahead is not None and record.ahead[1].done():
            await self._receive_ahead(call, record)
        strange = record.tells or self._is_strange(conversation, record)
        cold = self._is_cold(call, record)
        if counting:
            if not strange:
                return
        elif not strange:
            may_wait = not cold and self._may_wait(call, conversation)
            reason = self._due(conversation, record, cold, call)
            if may_wait and reason in ("pays", None):
                call.pays_later = self._due(conversation, record, cold, call, ahead=True) is not None
                return
            if reason is None:
                return
        if record.ahead is not None:  # the bank makes one fold at a time
            await asyncio.wait([record.ahead[1]])
            await self._receive_ahead(call, record)
        answer = self._bank.fold(self._request(call, conversation, record, counting))
        await self._receive(answer, call, conversation, record, counting=counting)

    def _may_wait(self, call: FoldedCall, conversation: Conversation) -> bool:
        """Returns True if a fold may be made after the answer: a dry run measures each call, and thinking that is bound
        would be bound to what is not folded."""
        binds = conversation.wire == "anthropic" and model_terms(call.body.model).binds_thinking
        return not (binds or self._options.dry_run)

    async def _receive_ahead(self, call: FoldedCall, record: _Known) -> None:
        """Takes over what the bank has answered after an earlier call."""
        assert record.ahead is not None
        (earlier, answer), record.ahead = record.ahead, None
        assert earlier.conversation is not None
        await self._receive(answer, earlier, earlier.conversation, record)
        call.reason = earlier.reason

    async def _receive(
        self,
        answer: Awaitable[FoldResult],
        call: FoldedCall,
        conversation: Conversation,
        record: _Known,
        *,
        counting: bool = False,
    ) -> None:
        """Takes over what the bank answers, or that it fails."""
        tokens = call.sizes
        record.late = [fold for fold in record.late if not fold.done()]
        late = bool(record.late)
        try:
            result = await answer
        except BankFailed as error:
            record.unsure = record.unsure or error.made
            record.late = [*record.late, *([error.late] if error.late is not None else ())]
            call.failure = str(error)
            self.counts["unfolded"] += 1
            if record.fold is not None and not record.fold.applies(conversation):
                record.fold = None
            return
        except FoldRefused as error:
            log.info("a conversation is not folded: %s", error)
            record.tells = False
            call.failure = str(error)
            record.asked_tokens, record.left, record.fold, record.unsure = sum(tokens), 0.0, None, False
            return
        if not counting:
            record.asked_tokens = sum(tokens)
            record.left = 0.0 if result.reason is not None else self._limit(call) - result.sent_tokens
            call.counted_tokens = result.sent_tokens
            record.notes = result.notes
        self._take(result, call, conversation, record)
        if late:  # this answer may not know of them
            record.unsure = True

    def _is_strange(self, conversation: Conversation, record: _Known) -> bool:
        """Returns True if the proxy does not know what was sent of the conversation so far."""
        items = conversation.items
        if not record.items or record.unsure or record.items > len(items):
            return True
        if conversation.prefix_digest(record.items) != record.digest:
            return True
        if record.fold is not None and not record.fold.applies(conversation):
            return True
        return sum(call >= record.items for call in conversation.calls) > 1

    def _is_cold(self, call: FoldedCall, record: _Known) -> bool:
        if record.last_call_at is None:
            return False
        return datetime.now(UTC) - record.last_call_at >= timedelta(seconds=cache_ttl_s(call.body))

    def _due(
        self, conversation: Conversation, record: _Known, cold: bool, call: FoldedCall, *, ahead: bool = False
    ) -> str | None:
        """Returns why the bank may make a fold now, or say that the budget is too small: whenever it would with tokens
        counted generously. None if it would not. `ahead`: see `FoldRequest.ahead`."""
        tokens = call.sizes
        terms_of_model = model_terms(call.body.model)
        budget = self._estimated_limit(call)
        binds = conversation.wire == "anthropic" and terms_of_model.binds_thinking
        grown = sum(tokens) - record.asked_tokens
        if not cold and grown < min(_MAY_PAY, _NEAR_LIMIT * budget):
            return None
        items = conversation.items
        if not conversation.closed[-1] or items[-1].role == "assistant":
            return None
        if binds and conversation.thinks_on:
            return None
        standing = Standing()
        if record.fold is not None:
            fold = record.fold
            standing = Standing(fold.items, fold.tokens, fold.raw_tokens, fold.until, _HAS_SAVED)
        terms = Terms.generous(
            budget,
            TokenPrices(input=1.0, read=terms_of_model.read, write=terms_of_model.write),
            cold=cold,
            beside=int(_beside(call.body)),
            beside_stays=terms_of_model.caches_beginnings or conversation.begins_marked,
            ahead=ahead,
        )
        costs = conversation.costs(tokens, binds=binds)
        step = plan_fold(costs, conversation.start, standing, terms)
        if not isinstance(step, Step):
            return None if step is None else "limit"
        return None if step.reason == "pays" and grown < _MAY_PAY else step.reason

    def _request(self, call: FoldedCall, conversation: Conversation, record: _Known, counting: bool) -> FoldRequest:
        fields = call.body.fields
        wire = call.body.wire
        request = FoldRequest.model_construct(  # parsed from JSON, so that there is nothing to validate
            session=call.session,
            wire=wire.name,
            messages=tuple(render(wire.name, conversation.items)),
            system=fields.get(wire.system) if wire.system else None,
            tools=fields.get("tools"),
            reader=call.body.model or "text",
            budget=MAX_BUDGET if counting else self._limit(call),  # without a limit, nothing is folded
            model=call.body.model or None,
            cache="warm" if counting or record.last_call_at is None else None,
            last_call_at=record.last_call_at,
            cache_ttl_s=cache_ttl_s(call.body),
        )
        return request.model_copy(update={"refused": record.dropped}) if record.tells else request

    def _take(self, result: FoldResult, call: FoldedCall, conversation: Conversation, record: _Known) -> None:
        """Takes over what the bank has answered."""
        items = conversation.items
        sizes = call.sizes
        before = record.fold
        if result.reason is not None:
            self.counts[f"fold {result.reason}"] += 1
            call.reason = result.reason
        if result.edited:
            self.counts["edited"] += 1
            log.info("a conversation was edited in its folded part; it is folded anew")
        known_number = before.number if before is not None else 0
        if record.unsure and result.reason is None and result.fold != known_number:
            # The bank made this fold while a call went out without it: what the model thought then is bound to that.
            if conversation.answers_tools and any(item.thinks for item in items[conversation.latest_turn :]):
                if before is None or before.applies(conversation):
                    return
            elif record.items:
                record.refused = max(record.refused, len(items))
        record.unsure = record.tells = False
        if result.folded_at is None or result.fold == record.dropped:
            record.fold = None
            return
        first = result.folded_at + result.folded
        stripped = _stripped(conversation, result, first)
        content: Any = result.messages[result.folded_at]["content"]
        record.fold = _Fold(
            number=result.fold,
            items=first,
            digest=conversation.prefix_digest(first),
            stripped=stripped,
            stripped_digest=conversation.prefix_digest(stripped),
            until=len(items) if result.reason is not None else max(first, stripped),
            at=result.folded_at,
            blocks=[{key: value for key, value in block.items() if key not in MARKS} for block in content],
            tokens=result.folded_tokens,
            raw_tokens=int(sum(sizes[result.folded_at : first])),
            request_fields=result.request_fields,
        )

    def _apply(self, call: FoldedCall, conversation: Conversation, record: _Known) -> None:
        """Sets the body to send."""
        sizes = call.sizes
        call.sent_tokens = call.original_tokens
        fold = record.fold
        refused = record.refused if record.refused <= len(conversation.items) else 0
        if fold is None:
            if refused and any(item.thinks for item in conversation.items[:refused]):
                kept = [
                    left
                    for number, item in enumerate(conversation.items)
                    if (left := without_thinking(item) if number < refused else item) is not None
                ]
                call.content = call.body.with_messages(render(conversation.wire, settled(kept)), {})
            elif call.marked:
                call.content = call.body.with_messages(render(conversation.wire, conversation.items), {})
            return
        stripped = max(fold.stripped, refused)
        messages = folded_conversation(conversation, fold.blocks, fold.items, stripped)
        folded = messages[fold.at]
        call.content = call.body.with_messages(messages, fold.request_fields, {id(folded): fold.text_of(folded)})
        call.folded, call._fold = True, fold
        call.sent_tokens += fold.tokens - sum(sizes[fold.at : fold.items])


def cache_ttl_s(body: RequestBody) -> float:
    """Returns for how long the provider's cache holds what this request sends, in seconds."""
    options = body.fields.get("prompt_cache_options")
    if isinstance(options, dict) and options.get("ttl") == "12h":
        return 43_200.0
    if body.wire.vendor == "anthropic" and '"ttl"' in body.text[: body.start] + body.text[body.end :]:
        beside = f"{body.text[: body.start]}{body.text[body.end :]}".replace(" ", "")
        if '"ttl":"1h"' in beside:
            return 3_600.0
    return body.wire.cache_ttl_s


def _stripped(conversation: Conversation, result: FoldResult, first: int) -> int:
    """Returns the number of items whose thinking a fold has decided about: all of those that it was made with, else
    those up to the last that has lost its thinking."""
    items = conversation.items
    if result.reason is not None:
        return conversation.latest_turn if conversation.answers_tools else len(items)
    sent = parse(conversation.wire, result.messages[(result.folded_at or 0) + 1 :])
    left = sum(any(map(is_thinking, message.blocks)) for message in sent)
    thinking = [number for number in range(first, len(items)) if items[number].thinks]
    lost = thinking[: len(thinking) - left]
    return lost[-1] + 1 if lost else first


def _beside(body: RequestBody) -> float:
    return (len(body.text) - (body.end - body.start)) / CHARS_A_TOKEN
