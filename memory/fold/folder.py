"""Folds conversations: applies the fold that the bank holds, or makes a new one where the plan asks for it."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from threading import Lock
from typing import Any

import zstandard
from cachetools import LRUCache
from pydantic import JsonValue
from sqlalchemy import Connection

from foxing.encoder.text_tokens import PROMPT_FORMULA, count_prompt_tokens
from foxing.memory.compact_json import compact_json
from foxing.memory.context.blocks import request_fields, written
from foxing.memory.context.limits import FOR_TEXT
from foxing.memory.conversation import FORMATS
from foxing.memory.errors import Conflict, InvalidInput, StorageError
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.ingest.redaction import Redaction
from foxing.memory.ingest.store import MessageStore
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, folds, images, messages
from foxing.memory.storage.repositories.folds import FoldRow
from foxing.memory.values.fold import FoldRequest, FoldResult
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.policy import Policy
from foxing.renderer.readers import ProofReader, Reader, Readers

from .conversation import (
    BOUND_LOOP,
    DIGEST_BYTES,
    Conversation,
    ConversationItem,
    message_of,
    parse_conversation,
    stored_turns,
)
from .drawing import GIVEN, Drawn, FoldDrawer, Room, size_for, uses_images
from .excerpts import FoldedMessage, words_in
from .images import image_tokens, with_read_text, with_sound_images
from .kinds import chars_for, kinds_of, latest_plans, without_call_id
from .layout import folded_conversation, kept_digests, kept_instructions, stripped_until
from .plan import KEPT_CALLS, TEXT_SIZE, Standing, Step, Terms, TooSmall, plan_fold
from .shown_images import FoldedImage, PlannedImage, planned_images, planned_tokens, shown_images

#: Most tokens of a message of the user that are taken for typed when a fold is planned.
TYPED_TOKENS = 500
#: Tokens of the frame of a message.
ITEM_TOKENS = 4
#: Number of items whose tokens are remembered, and bytes of contents of folds.
COUNTED_ITEMS = 100_000
CONTENT_BYTES = 64 << 20
#: Attempts at a fold while other processes fold the same conversation.
ATTEMPTS = 5
STORED_AT_ONCE = 5_000
#: Reason where the bank has a message whose images were too large to be stored with it.
NOT_STORED = "it was too large to be stored"
_LEVEL = 3  # of compression


@dataclass(frozen=True)
class _Content:
    """Content of a fold."""

    blocks: Sequence[dict[str, JsonValue]]
    messages: Sequence[FoldedMessage]
    identifiers: Mapping[str, int]
    #: Length of its JSON in bytes.
    size: int

    @classmethod
    def parse(cls, packed: bytes) -> "_Content":
        """Returns the content of a row. Raises `StorageError` if it is damaged."""
        try:
            text = zstandard.decompress(packed)
            value = json.loads(text)
            messages = [
                FoldedMessage(ref, role, at, words, tuple(gaps), kind, tuple(marks))
                for ref, role, at, words, gaps, kind, marks in value["messages"]
            ]
            return cls(value["blocks"], messages, value["identifiers"], len(text))
        except (zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
            raise StorageError("the database is damaged: a fold cannot be read; restore a backup") from error


def _packed(drawn: Drawn) -> bytes:
    value: Any = {
        "blocks": drawn.blocks,
        "messages": [astuple(message) for message in drawn.messages],
        "identifiers": drawn.identifiers,
    }
    return zstandard.compress(compact_json(value).encode(errors="surrogatepass"), _LEVEL)


@dataclass(frozen=True)
class _State:
    """Folds that the bank holds of a conversation."""

    bank_id: int | None
    key: bytes
    #: Newest fold of the conversation, and the one that applies.
    newest: FoldRow | None = None
    row: FoldRow | None = None
    #: Marks that the provider has refused the folds before them, newest first.
    refusals: Sequence[FoldRow] = ()
    #: Contents of the fold that applies, in the order of its blocks.
    chain: Sequence[_Content] = ()
    redaction: Redaction | None = None


@dataclass(frozen=True)
class _Remembered:
    """Folded messages as the bank has them."""

    bank_id: int
    messages: list[FoldedMessage] = field(default_factory=list)
    images: list[FoldedImage] = field(default_factory=list)


#: Content of a row that is not a fold.
_NOTHING = _packed(Drawn([], 0, 0, [], {}))


class Folder:
    """Folds conversations for readers. Safe to share between threads."""

    def __init__(self, database: Database, store: MessageStore, readers: Readers, proofs: ProofReader) -> None:
        """`store`: stores the folded messages; `proofs`: proof-reads page images."""
        self.database = database
        self.readers = readers
        self._store = store
        self._drawer = FoldDrawer(proofs)
        self._lock = Lock()
        #: Digest of an item → its tokens, and those of its thinking.
        self._tokens: LRUCache[bytes, tuple[int, int]] = LRUCache(COUNTED_ITEMS)
        self._beside: LRUCache[bytes, int] = LRUCache(1_000)
        self._contents: LRUCache[tuple[int, bytes, int, datetime], _Content] = LRUCache(
            CONTENT_BYTES, getsizeof=lambda content: content.size
        )

    def fold(self, bank: str, request: FoldRequest, now: datetime) -> FoldResult:
        """Implements `Memory.fold`."""
        check_bank_name(bank)
        reader = self.readers[request.reader]
        conversation = parse_conversation(request.wire, request.messages)
        for _ in range(ATTEMPTS):
            state = self._state(bank, request, reader, conversation)
            if request.refused is not None and state.row is not None and state.row.number == request.refused:
                self._insert(bank, state, _refusal(state, request.session, conversation, now), _NOTHING)
                continue
            call = _Call(self, request, reader, conversation, state)
            step = call.plan(now)
            if step is None:
                return call.result(None, call.edited)
            fold = self._make(bank, call, step, now)
            if fold is not None:
                return _Call(self, request, reader, conversation, fold).result(step, call.edited)
        raise StorageError("other processes keep folding this conversation; try again")

    def tokens(self, item: ConversationItem) -> tuple[int, int]:
        """Returns the tokens of an item without its images, and those of its thinking."""
        with self._lock:
            counts = self._tokens.get(item.digest)
        if counts is None:
            counts = count_prompt_tokens(item.text) + ITEM_TOKENS, count_prompt_tokens(item.thinking)
            with self._lock:
                self._tokens[item.digest] = counts
        return counts

    def tokens_beside(self, request: FoldRequest) -> int:
        """Returns the tokens of `system` and `tools`."""
        values = [value for value in (request.system, request.tools) if value]
        if not values:
            return 0
        text = "\n".join(value if isinstance(value, str) else compact_json(value) for value in values)
        key = blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
        with self._lock:
            count = self._beside.get(key)
        if count is None:
            count = count_prompt_tokens(text)
            with self._lock:
                self._beside[key] = count
        return count

    def _state(self, bank: str, request: FoldRequest, reader: Reader, conversation: Conversation) -> _State:
        named = [request.session, request.wire, reader.name, conversation.first_question.hex()]
        key = blake2b(json.dumps(named).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
        with self.database.read() as connection:
            bank_row = banks.find(connection, bank)
            if bank_row is None:
                return _State(None, key)
            rows = folds.of_conversation(connection, bank_row.id, key)
            row = next((row for row in rows if row.is_refusal or _applies(row, conversation)), None)
            if row is not None and row.is_refusal:
                row = None
            chain = () if row is None else self._chain(connection, bank_row.id, key, row, rows)
        refusals = [row for row in rows if row.is_refusal]
        return _State(bank_row.id, key, rows[0] if rows else None, row, refusals, chain, Redaction.of(bank_row.policy))

    def _chain(
        self, connection: Connection, bank_id: int, key: bytes, row: FoldRow, rows: Sequence[FoldRow]
    ) -> Sequence[_Content]:
        """Returns the contents of a fold and of those that it continues, first ones first."""
        by_number = {fold.number: fold for fold in rows}
        chain = [row]
        while chain[-1].base is not None:
            chain.append(by_number[chain[-1].base])
        with self._lock:
            contents: dict[int, _Content | None] = {
                fold.number: self._contents.get((bank_id, key, fold.number, fold.created_at)) for fold in chain
            }
        missing = [number for number, content in contents.items() if content is None]
        for number, packed in folds.contents(connection, bank_id, key, missing).items() if missing else ():
            content = _Content.parse(packed)
            contents[number] = content
            with self._lock:
                if content.size <= CONTENT_BYTES:
                    self._contents[bank_id, key, number, by_number[number].created_at] = content
        return [part for fold in reversed(chain) if (part := contents[fold.number]) is not None]

    def _make(self, bank: str, call: "_Call", step: Step, now: datetime) -> _State | None:
        """Makes a fold, and returns what the bank then holds. Returns None if another process has made one
        meanwhile."""
        state = call.state
        conversation = call.conversation
        first = call.first
        remembered = self._remember(bank, call, range(first, step.cut), now)
        folded = remembered.messages
        old = [message for content in state.chain for message in content.messages] if step.rewrites else []
        words = {word: mentions for content in state.chain for word, mentions in content.identifiers.items()}
        familiar = set() if step.rewrites else {word for word, mentions in words.items() if mentions & GIVEN}
        before = 0 if step.rewrites or state.row is None else state.row.tokens
        images_before = 0 if step.rewrites or state.row is None else state.row.images
        remainder = [item for item in conversation.items[step.cut :]] + list(conversation.items[: conversation.start])
        share = 1.0 if uses_images(call.reader) else TEXT_SIZE.ratio
        chars = sum(chars_for(message, share) for message in folded)
        room = Room(
            tokens=step.room - before,
            chars=int(chars) + 1_000 + sum(len(message.text) for message in old),
            typed=call.request.limit // 2,
            latest_words=words_in(conversation.latest_words),
            images_used=images_before + sum(len(item.images) for item in remainder),
            bytes_used=sum(len(json.dumps(item.raw)) for item in remainder)
            + (0 if step.rewrites else sum(content.size for content in state.chain)),
        )
        carried = words if step.rewrites else {}
        planned = planned_images(remembered.images, call.reader, room.tokens, room.images_used)
        beside_images = replace(
            room, tokens=room.tokens - planned_tokens(planned), images_used=room.images_used + len(planned)
        )
        folded = latest_plans([*old, *folded], [turn for item in remainder for turn in item.turns])
        drawn = self._drawer.draw(folded, familiar, call.reader, call.request.wire, beside_images, carried)
        drawn = self._with_images(drawn, planned, bank, remembered.bank_id, call, room.bytes_used)
        gone = (n for n in range(conversation.start, step.cut) if not conversation.items[n].is_instruction)
        raw = sum(call.item_tokens[number] for number in gone)
        stripped = call.strippable
        row = FoldRow(
            number=(state.newest.number if state.newest else 0) + 1,
            base=None if step.rewrites or state.row is None else state.row.number,
            thread=call.request.session,
            folded_items=step.cut,
            digest=conversation.prefix_digest(step.cut),
            until=len(conversation.items) + call.request.ahead,
            kept=kept_digests(conversation.items[step.cut : stripped]),
            tokens=before + drawn.tokens,
            raw_tokens=raw,
            images=images_before + drawn.images,
            cost=step.balance,
            created_at=now,
        )
        packed = _packed(drawn)
        bank_id = self._insert(bank, state, row, packed)
        if bank_id is None:
            return None
        chain = [*(() if step.rewrites else state.chain), _Content.parse(packed)]
        return _State(bank_id, state.key, row, row, state.refusals, chain, state.redaction)

    def _insert(self, bank: str, state: _State, row: FoldRow, packed: bytes) -> int | None:
        """Inserts a row after the newest of `state`, and returns the id of the bank. Returns None if another process
        has inserted one meanwhile, or if there is no bank."""

        def write(connection: Connection) -> int | None:
            bank_row = banks.find(connection, bank)
            if bank_row is None:
                return None
            banks.lock(connection, bank_row.id)
            if folds.newest(connection, bank_row.id, state.key) != row.number - 1:
                return None
            folds.insert(connection, bank_row.id, state.key, row, packed)
            return bank_row.id

        return self.database.repeatable(write)

    def _with_images(
        self,
        drawn: Drawn,
        planned: Sequence[PlannedImage],
        bank: str,
        bank_id: int,
        call: "_Call",
        bytes_used: int,
    ) -> Drawn:
        """Returns the folded part with images before its other blocks: the last of these may have to bear a cache
        mark, which not every provider takes on an image."""
        limits = call.reader.limits
        if not planned or limits is None:
            return drawn
        with self.database.read() as connection:
            contents = images.contents(connection, bank_id, [plan.image.placed.image.id for plan in planned])
        free_bytes = limits.max_request_bytes - FOR_TEXT - bytes_used - len(json.dumps(drawn.blocks))
        parts = shown_images(planned, contents, call.reader, free_bytes, bank)
        blocks = written(parts.blocks, call.request.wire, call.reader)
        return replace(
            drawn,
            blocks=[*blocks, *drawn.blocks],
            tokens=drawn.tokens + parts.tokens,
            images=drawn.images + parts.images,
        )

    def _remember(self, bank: str, call: "_Call", places: range, now: datetime) -> "_Remembered":
        """Stores the turns of items as messages of the session's thread, each once, and returns them with their
        references, as the bank's rules of redaction leave them."""
        session = call.request.session
        all_turns = stored_turns(session, call.conversation.items)
        turns = all_turns[places.start : places.stop]
        kinds = kinds_of([turn for pairs in all_turns for turn, _ in pairs])
        kind = {name: kinds.get(id(turn), "") for pairs in turns for turn, name in pairs}
        by_name = {name: message_of(turn, name, session) for pairs in turns for turn, name in pairs}
        names = list(by_name)
        earlier = self._known(bank, names)
        by_name |= self._stored_new(bank, [message for name, message in by_name.items() if name not in earlier], now)
        with self.database.read() as connection:
            bank_row = banks.get(connection, bank)
            stored = messages.by_keys(connection, bank_row.id, names)
            with_images = [row.id for name, row in stored.items() if by_name[name].images]
            placed = images.of_messages(connection, bank_row.id, with_images) if with_images else []
        keeps = Policy.parse(bank_row.policy).images != "never"
        redaction = Redaction.of(bank_row.policy)
        counts = Counter[str]()
        folded = _Remembered(bank_row.id)
        for name, message in by_name.items():
            row = stored.get(name)
            if row is None:
                continue
            of_message = [image for image in placed if image.message_id == row.id]
            if keeps and len(of_message) < sum(image.data is not None for image in message.images):
                message = _sound(message, None if of_message else NOT_STORED)  # some were refused when it was stored
            text = without_call_id(with_read_text(_text(message, redaction, counts), of_message))
            at = row.created_at.isoformat()
            folded.messages.append(
                FoldedMessage(row.ref, message.role, at, text, kind=kind[name], marks=row.page_marks)
            )
            folded.images.extend(FoldedImage(row.ref, image) for image in of_message)
        return folded

    def _known(self, bank: str, names: Sequence[str]) -> Collection[str]:
        """Returns those of the ids that the bank has: their messages, and images, need not be read again."""
        with self.database.read() as connection:
            row = banks.find(connection, bank)
            return () if row is None else messages.ids_of(connection, row.id, names)

    def _stored_new(self, bank: str, new: Sequence[NewMessage], now: datetime) -> dict[str, NewMessage]:
        """Stores messages, without images that turn out to be damaged when they are decoded, and returns them by id."""
        stored: dict[str, NewMessage] = {}
        refused = self._store.refused_classes(bank) if new else ()
        new = [message for message in new if message.trust_class not in refused]
        for start in range(0, len(new), STORED_AT_ONCE):
            part = new[start : start + STORED_AT_ONCE]
            try:
                self._store.store(StoreCall(bank, part), now)
            except InvalidInput:
                if not any(message.images for message in part):
                    raise
                part = [_sound(message) for message in part]
                self._store.store(StoreCall(bank, part), now)
            except Conflict:  # the proxy has stored one meanwhile, without an image that was too large for it
                for message in part:
                    with suppress(Conflict):
                        self._store.store(StoreCall(bank, [message]), now)
            stored |= {message.id: message for message in part if message.id is not None}
        return stored


def _sound(message: NewMessage, refused: str | None = None) -> NewMessage:
    """Returns a message without the images that cannot be decoded. `refused`: a reason to keep none of the others."""
    if not message.images:
        return message
    fields = with_sound_images(message.model_dump(mode="json", exclude_none=True))
    return NewMessage.from_fields(fields if refused is None else with_sound_images(fields, refused))


def _text(message: NewMessage, redaction: Redaction, counts: Counter[str]) -> str:
    return (redaction.message(message, counts) if redaction else message).text


def _refusal(state: _State, session: str, conversation: Conversation, now: datetime) -> FoldRow:
    """Returns the row after which no fold before it applies."""
    number = (state.newest.number if state.newest else 0) + 1
    until = len(conversation.items)
    return FoldRow(number, None, session, 0, conversation.prefix_digest(0), until, b"", 0, 0, 0, 0.0, now)


def _applies(row: FoldRow, conversation: Conversation) -> bool:
    """Returns True if a conversation begins with what a fold contains, and is no shorter than when it was made."""
    return row.until <= len(conversation.items) and conversation.prefix_digest(row.folded_items) == row.digest


class _Call:
    """A call of `fold`, with what the bank holds."""

    def __init__(
        self, folder: Folder, request: FoldRequest, reader: Reader, conversation: Conversation, state: _State
    ) -> None:
        self.request = request
        self.reader = reader
        self.conversation = conversation
        self.state = state
        self.beside = folder.tokens_beside(request)
        row = state.row
        #: Index of the first item that is not folded.
        self.first = conversation.start if row is None else row.folded_items
        #: Index of the first item whose thinking stays.
        self.stripped = self.first if row is None else stripped_until(conversation.items, row.folded_items, row.kept)
        counts = [folder.tokens(item) for item in conversation.items]
        #: Tokens of each item with its images as they came, without thinking.
        self.item_tokens = [
            text + image_tokens(item.images, reader.billing)
            for item, (text, _) in zip(conversation.items, counts, strict=True)
        ]
        self._raw = sum(self.item_tokens) + sum(thinking for _, thinking in counts) + self.beside
        self._tokens = [
            tokens + (0 if self.first <= number < self.stripped else thinking)
            for number, (tokens, (_, thinking)) in enumerate(zip(self.item_tokens, counts, strict=True))
        ]

    @property
    def strippable(self) -> int:
        """Index of the first item whose thinking must stay if the conversation is folded now; 0 if all must."""
        conversation = self.conversation
        if not FORMATS[conversation.wire].strips:
            return 0
        return conversation.latest_turn if conversation.answers_tools else len(conversation.items)

    @property
    def may_fold(self) -> bool:
        """False while a tool call is open, or one of a turn whose thinking the model would refuse is answered."""
        conversation = self.conversation
        return conversation.closed[-1] and conversation.items[-1].role != "assistant" and not self.is_bound

    @property
    def is_bound(self) -> bool:
        """True while a tool call is answered of a turn whose thinking the model would refuse after a fold."""
        return self.request.binds and self.conversation.thinks_on

    @property
    def _rests(self) -> bool:
        """True if the provider has refused a fold and the conversation has not grown enough for another."""
        refusals = self.state.refusals
        if not refusals:
            return False
        grown = sum(call >= refusals[0].until for call in self.conversation.calls)
        return grown < KEPT_CALLS << (len(refusals) - 1)

    @property
    def edited(self) -> bool:
        """True if the newest fold no longer applies although the conversation has not become shorter."""
        newest = self.state.newest
        return (
            newest is not None
            and not newest.is_refusal
            and self.state.row is not newest
            and newest.until <= len(self.conversation.items)
            and not _applies(newest, self.conversation)
        )

    @property
    def sent_tokens(self) -> int:
        """Tokens to send with the fold that applies."""
        row = self.state.row
        start = self.conversation.start
        items = sum(self._tokens[:start]) + self._instructions + sum(self._tokens[self.first :])
        return self.beside + items + (0 if row is None else row.tokens)

    @property
    def _instructions(self) -> int:
        """Tokens of the instructions among the folded items, which stay."""
        places = kept_instructions(self.conversation, self.first)
        return sum(self._tokens[number] for number in places)

    def plan(self, now: datetime) -> Step | None:
        """Returns the fold to make now, if any. Raises `InvalidInput` if the budget is too small."""
        if not self.may_fold or self._rests:
            return None
        conversation = self.conversation
        row = self.state.row
        items = conversation.items
        terms = Terms(
            budget=self.request.limit,
            prices=self.request.token_prices,
            cold=self.request.is_cold(now) or self.edited,
            beside=self.beside,
            instructions=self._instructions,
            size=size_for(self.reader),
            beside_stays=self.request.terms.caches_beginnings or conversation.begins_marked,
            ahead=self.request.ahead,
            typed=sum(
                min(tokens, TYPED_TOKENS)
                for item, tokens in zip(
                    items[conversation.start :], self.item_tokens[conversation.start :], strict=True
                )
                if item.is_question
            ),
        )
        standing = Standing()
        if row is not None:
            standing = Standing(row.folded_items, row.tokens, row.raw_tokens, row.until, row.cost)
        costs = conversation.costs(self._tokens, binds=self.request.binds)
        step = plan_fold(costs, conversation.start, standing, terms)
        if isinstance(step, TooSmall):
            raise InvalidInput(
                f"the budget of {self.request.limit:,} tokens is too small: what must stay of the conversation takes "
                f"{step.needed:,}; raise it, or start a new conversation. Nothing was stored"
            )
        return step

    def result(self, step: Step | None, edited: bool) -> FoldResult:
        """Returns the conversation with the fold that applies. `step`: the fold that this call made; `edited`: see
        `FoldResult`."""
        row = self.state.row
        conversation = self.conversation
        request = self.request
        sent: list[dict[str, JsonValue]] = list(request.messages)
        if row is not None:
            blocks = [block for content in self.state.chain for block in content.blocks]
            sent = folded_conversation(conversation, blocks, self.first, self.stripped)
        tokens = self.sent_tokens
        return FoldResult(
            messages=sent,
            fold=0 if row is None else row.number,
            reason=None if step is None else step.reason,
            folded=0 if row is None else row.folded_items - conversation.start,
            folded_at=None if row is None else conversation.start,
            edited=edited,
            over_budget=tokens > request.limit,
            sent_tokens=tokens,
            unfolded_tokens=self._raw,
            folded_tokens=0 if row is None else row.tokens,
            images=0 if row is None else row.images,
            request_fields=request_fields(request.wire, self.reader, images=row is not None and row.images > 0),
            reader=self.reader.name,
            formula="; ".join(filter(None, (self.reader.formula, PROMPT_FORMULA))),
            notes=self._notes(tokens),
        )

    def _notes(self, tokens: int) -> list[str]:
        notes = [] if self.reader.note is None else [self.reader.note]
        gone = sum(len(item.images) for item in self.conversation.items[self.conversation.start : self.first])
        if gone:
            notes.append(
                f"{gone:,} images in folded messages are labels there, the latest also shown smaller if the model "
                "takes images: fetch returns them by the references of their messages"
            )
        given_way = sum(
            message.kind == "typed" and message.is_reference for part in self.state.chain for message in part.messages
        )
        if given_way:
            notes.append(
                f"what the user typed takes more than half of the budget: of {given_way:,} messages, the oldest, only "
                "references are left, which fetch takes; raise the budget to keep them"
            )
        if self._rests:
            notes.append("the conversation is not folded for some calls, because the provider has refused a fold of it")
        elif tokens > self.request.limit:
            over = f"the conversation exceeds the budget of {self.request.limit:,} tokens"
            if self.is_bound:
                notes.append(f"{over}, and {BOUND_LOOP}")
            else:
                notes.append(f"{over} and cannot be folded before the open tool call is answered")
        return notes
