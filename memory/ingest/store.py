"""Storing of messages: all messages of a call are validated, then written in one transaction. Nothing is encoded."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from secrets import token_hex
from threading import Lock
from typing import Any

from cachetools import LRUCache
from pydantic import JsonValue
from sqlalchemy import Connection

from foxing.memory.access import Access, tenant_of
from foxing.memory.audit import AuditCall, log_of
from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import is_turn_id
from foxing.memory.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    MemoryFault,
    NotFound,
    QuotaReached,
    StorageError,
)
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import MessageCodes, joined, spoken
from foxing.memory.limits import StoreLimits, TenantLimits
from foxing.memory.storage.database import Database
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import (
    banks,
    expiries,
    idempotency,
    images,
    messages,
    quarantine,
    schedule,
    usage,
)
from foxing.memory.storage.repositories.images import NewImage
from foxing.memory.storage.repositories.quarantine import QuarantineRow
from foxing.memory.storage.repositories.sealed import keys
from foxing.memory.storage.secrets import DIGEST_BYTES, digest_key, keyed_digest, message_digest
from foxing.memory.telemetry import OperationInContext
from foxing.memory.text.passages import Passage, split_passages
from foxing.memory.text.planted import planted_form
from foxing.memory.text.speakers import index_terms
from foxing.memory.values.messages import NewMessage, StoreResult
from foxing.memory.values.parts import ImagePart, Part, ToolResult
from foxing.memory.values.policy import Age, Policy, default_fields, stored_policy
from foxing.memory.values.trust import DATA_CLASSES, own_trust
from foxing.renderer.clock import later

from .calls import StoreCall
from .group_commit import GroupCommit
from .images import prepare_images
from .redaction import Redaction
from .rules import BankRules
from .unsettled import UnsettledCalls
from .validate import check_bank_name, check_idempotency_key, list_messages, validate_message

DEFAULT_THREAD = "main"
GROUP_MESSAGES = 500  # cap for several calls written in one transaction
LONG_PASSAGES = 64  # a message of more, about 40 kB, is embedded after the call: that takes seconds for each 100 kB
MANY_IDS = 20  # ids of a call from which on those that are stored are found first
MAX_MARK_CHARS = 80  # of what stands in an excerpt in place of what is left out
BANKS = 10_000  # banks whose rules of redaction are remembered


@dataclass(frozen=True, eq=False)
class AcceptedMessage:
    """A valid message, without what the rules of its bank redact."""

    message: NewMessage
    #: Its content as text, with parts rendered.
    text: str
    #: Its thread; None if neither the message nor the call names one.
    thread: str | None
    #: Secret key of its digest.
    digest_key: bytes = field(repr=False)
    #: Its passages.
    passages: Sequence[Passage]
    #: Its images.
    images: Sequence[NewImage] = ()
    #: Its embedding; None if a job computes it later.
    code: MessageCodes | None = None
    #: Whether rules recognise instructions in it, though it is data.
    suspicious: bool = False
    #: Name of the rule for which it is quarantined; None if it is not.
    quarantine_rule: str | None = None

    @property
    def key(self) -> str | None:
        """The id chosen by the caller, if any."""
        return self.message.id

    @cached_property
    def quarantine_key(self) -> str:
        """Its id in quarantine, the same at every attempt to write it."""
        return self.key or f"quarantined-{token_hex(10)}"

    def quarantine_row(self, now: datetime) -> QuarantineRow:
        """Returns its row in quarantine. `now`: time of the call."""
        at = self.message.arrived_at or now
        place = {"id": self.quarantine_key, "thread": self.thread or DEFAULT_THREAD, "arrived_at": at}
        message = self.message.model_copy(update={**place, "created_at": self.message.created_at or at})
        return QuarantineRow.of(message, self.quarantine_rule or "", self.digest)

    @cached_property
    def digest(self) -> bytes:
        """Keyed digest of role, name, content and metadata, ignoring id, time, thread and the order of JSON keys. It is
        keyed because a short text could be found by brute force."""
        message = self.message
        identity = [message.role, message.name, self.text]
        if message.parts is not None:
            identity[2] = compact_json(_identities(message.parts, self.images), sort_keys=True)
            identity.append("parts")
        return message_digest(self.digest_key, identity, message.metadata)

    @classmethod
    def of(
        cls,
        message: NewMessage,
        thread: str | None,
        digest_key: bytes,
        images: Sequence[NewImage] = (),
        quarantine: Collection[str] = (),
    ) -> "AcceptedMessage":
        """Returns the message in its own thread, or else in `thread`. `quarantine`: classes to quarantine if rules
        recognise instructions."""
        text = message.text
        trust = message.trust_class
        form = planted_form(text) if trust in DATA_CLASSES or trust in quarantine else None
        return cls(
            message,
            text,
            message.thread or thread,
            digest_key,
            split_passages(text),
            images,
            suspicious=form is not None and trust in DATA_CLASSES,
            quarantine_rule=form if trust in quarantine else None,
        )

    @cached_property
    def terms(self) -> Sequence[Counter[str]]:
        """Index terms of each passage, with counts."""
        return index_terms(self.text, self.message.name, self.passages)

    @property
    def is_long(self) -> bool:
        """True if nobody waits for its embedding."""
        return len(self.passages) > LONG_PASSAGES

    @cached_property
    def size(self) -> int:
        """Bytes of its text and its images."""
        images = sum(len(image.file.content) for image in self.images)
        return len(self.text.encode("utf-8", "surrogatepass")) + images

    @property
    def speech(self) -> list[str]:
        """Text to embed for each passage."""
        return _speech(self.text, self.message.name, self.passages)


@dataclass(frozen=True)
class StoreRules:
    """Conditions under which a message can be stored."""

    bank: str
    #: time of the call
    now: datetime
    #: cap on the bytes of a message's text
    max_bytes: int
    #: the rules of the bank
    bank_rules: BankRules
    #: secret key of digests
    digest_key: bytes = field(repr=False)

    def accept(
        self,
        item: NewMessage | Mapping[str, Any],
        number: int,
        redacted: Counter[str],
        thread: str | None = None,
    ) -> AcceptedMessage:
        """Returns a message as it would be stored. `number`: its position in the call; `redacted`: counts what is
        replaced, by rule; `thread`: see `StoreCall`. Raises `InvalidInput` or a subclass."""
        message = validate_message(item, number, self.now, self.max_bytes)
        rules = self.bank_rules
        if message.trust_class in rules.refuse:
            raise InvalidInput(
                f"the policy of bank '{self.bank}' refuses messages of the trust class '{message.trust_class}' "
                "(refuse_trust); leave the message out, or change the policy",
                index=number,
            )
        if rules.redaction:
            message = rules.redaction.message(message, redacted)
        images_of_message = prepare_images(message, number, self.bank) if message.images else ()
        return AcceptedMessage.of(message, thread, self.digest_key, images_of_message, rules.quarantine)


@dataclass(frozen=True)
class _Request:
    """A validated call of `store`."""

    bank: str
    messages: Sequence[AcceptedMessage]
    #: Digest of the call. An idempotency key cannot be reused for another digest.
    digest: bytes
    idempotency_key: str | None
    now: datetime
    #: The rules that were applied to the messages.
    rules: BankRules
    #: Name of a rule → number of matches that it replaced.
    redacted: Mapping[str, int]
    #: Id of the key of the caller; None without one.
    key_id: str | None = None
    #: See `StoreCall.bank_id`.
    bank_id: int | None = None
    #: Ids that an earlier attempt at the call had reserved for its messages, see `UnsettledCalls`.
    reserved: Sequence[int | None] = ()
    #: Record of the call in the audit log; None if there is none.
    audit: AuditCall | None = None
    #: True if it releases its messages from quarantine.
    releases: bool = False

    @cached_property
    def given(self) -> list[str]:
        """Ids chosen by the caller."""
        return [item.key for item in self.messages if item.key is not None]

    @property
    def may_double(self) -> bool:
        """True if nothing tells a second attempt at the call from another call."""
        return self.idempotency_key is None and any(item.key is None for item in self.messages)

    @cached_property
    def signature(self) -> bytes:
        """Digest of the call as it was given."""
        identity = [(item.key, item.thread, str(item.message.created_at), item.digest) for item in self.messages]
        return hashlib.sha256(repr((self.bank, identity)).encode("utf-8", "surrogatepass")).digest()

    @cached_property
    def claims(self) -> set[tuple[str, bool, str]]:
        """Keys that two calls in one transaction must not share, because the second must see what the first stored."""
        keys = () if self.idempotency_key is None else (self.idempotency_key,)
        return {(self.bank, True, key) for key in self.given} | {(self.bank, False, key) for key in keys}


class _OtherRules(MemoryFault):
    """The rules of the bank are others than those that were applied; the call is prepared again."""


class PreparedCall:
    """A call of which everything is done that needs no transaction."""

    def __init__(self, store: "MessageStore", call: StoreCall, request: _Request) -> None:
        self._store = store
        self._call = call
        self._request = request

    def store(self) -> StoreResult:
        """Writes the messages. Raises the errors of `Memory.store`."""
        return self._store.write_prepared(self._call, self._request)


class MessageStore:
    """Stores messages of at most `max_bytes` bytes of UTF-8 each. Concurrent calls share a transaction."""

    def __init__(
        self,
        database: Database,
        search: HybridSearch,
        max_bytes: int,
        embed_soon: Callable[[str], None],
        limits: TenantLimits,
    ) -> None:
        """`embed_soon`: embeds what has been stored in a bank without embeddings, without waiting for it."""
        self.database = database
        self.limits = limits
        self._embed_soon = embed_soon
        self.index = search.index
        self.vectors = search.vectors
        self.max_bytes = max_bytes
        self._group: GroupCommit[_Request, StoreResult] = GroupCommit(self._write_all, _how_many)
        #: Bank → its rules as last seen. A transaction that finds others has the call prepared again.
        self._rules: LRUCache[str, BankRules] = LRUCache(BANKS)
        self._rules_lock = Lock()
        self._unsettled = UnsettledCalls()

    @cached_property
    def _digest_key(self) -> bytes:
        with self.database.read() as connection:
            return digest_key(connection)

    def store(self, call: StoreCall, now: datetime) -> StoreResult:
        """Implements `Memory.store`."""
        [answer] = self.store_each([call], now)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def prepare(self, call: StoreCall, now: datetime) -> PreparedCall:
        """Implements `Operations.prepare`."""
        self.database.check_process()
        [request] = self._encoded([self._request(call, now)], in_background=True)
        return PreparedCall(self, call, request)

    def write_prepared(self, call: StoreCall, request: _Request) -> StoreResult:
        """Implements `PreparedCall.store`."""
        self.database.check_process()
        step = OperationInContext(call.context, "store", bank=request.bank, messages=len(request.messages))
        try:
            result = self._group.submit(request)
        except _OtherRules:
            step.end()
            return self.prepare(call, request.now).store()
        except BaseException as error:
            step.end(error)
            raise
        step.taken.note(stored=result.stored)
        step.end()
        return result

    def store_each(self, calls: Sequence[StoreCall], now: datetime) -> list[StoreResult | BaseException]:
        """Implements `Operations.store_each`."""
        self.database.check_process()  # a forked process would wait for a thread that does not exist
        answers: dict[int, StoreResult | BaseException] = {}
        requests: dict[int, _Request] = {}
        for number, call in enumerate(calls):
            try:
                requests[number] = self._request(call, now)
            except Exception as error:
                answers[number] = error
        steps = [
            OperationInContext(calls[number].context, "store", bank=request.bank, messages=len(request.messages))
            for number, request in requests.items()
        ]
        try:
            stored = self._submitted(calls, requests, now)
        except BaseException as error:
            for step in steps:
                step.end(error)
            raise
        for number, step, answer in zip(requests, steps, stored, strict=True):
            if isinstance(answer, BaseException):
                step.end(answer)
            else:
                step.taken.note(stored=answer.stored)
                step.end()
            answers[number] = answer
        if self.vectors.immediate:
            for bank in {entry.bank for entry in requests.values() if any(item.is_long for item in entry.messages)}:
                self._embed_soon(bank)
        return [answers[number] for number in range(len(calls))]

    def _submitted(
        self, calls: Sequence[StoreCall], requests: Mapping[int, _Request], now: datetime
    ) -> list[StoreResult | BaseException]:
        """Returns the answers to `requests`, by number of the call. Calls are prepared again while the rules of their
        bank change."""
        numbers = list(requests)
        answers = dict(zip(numbers, self._group.submit_all(self._encoded(list(requests.values()))), strict=True))
        for number in numbers:
            while isinstance(answers[number], _OtherRules):
                try:
                    [request] = self._encoded([self._request(calls[number], now)])
                except MemoryFault as error:
                    answers[number] = error
                else:
                    [answers[number]] = self._group.submit_all([request])
        return [answers[number] for number in numbers]

    def redaction_of(self, bank: str) -> Redaction:
        """Returns the rules of redaction of a bank, which may have changed since they were read."""
        return self._rules_of(bank).redaction

    def refused_classes(self, bank: str) -> Collection[str]:
        """Returns the trust classes that the policy of a bank refuses now."""
        return self._read_rules(bank).refuse

    def _rules_of(self, bank: str) -> BankRules:
        """Returns the rules of a bank, which may have changed since they were read."""
        bank = Access.current().full_name(bank)
        with self._rules_lock:
            rules = self._rules.get(bank)
        if rules is None or rules.refuse:  # no transaction would see that a policy no longer refuses a class
            return self._read_rules(bank)
        return rules

    def _read_rules(self, bank: str) -> BankRules:
        bank = Access.current().full_name(bank)
        with self.database.read() as connection:
            row = banks.find(connection, bank)
        rules = BankRules.of(row.policy if row is not None else {})
        self.note_rules(bank, rules)
        return rules

    def note_rules(self, bank: str, rules: BankRules) -> None:
        """Notes the rules of a bank."""
        with self._rules_lock:
            self._rules[bank] = rules

    def release(self, bank: str, bank_id: int, message: NewMessage, now: datetime) -> StoreResult:
        """Implements `Quarantine.release`."""
        while True:
            rules = replace(self._rules_of(bank), refuse=frozenset(), quarantine=frozenset())
            redacted = Counter[str]()
            accept = StoreRules(bank, now, self.max_bytes, rules, self._digest_key).accept
            accepted = [accept(message, 0, redacted)]
            request = _Request(bank, accepted, b"", None, now, rules, redacted, bank_id=bank_id, releases=True)
            [encoded] = self._encoded([request])
            try:
                return self._group.submit(encoded)
            except _OtherRules:
                continue

    def _request(self, call: StoreCall, now: datetime) -> _Request:
        """Validates a call. Raises `InvalidInput` or a subclass."""
        bank = check_bank_name(call.bank)
        if not Access.current().sees(bank):
            raise Access.current().no_bank(bank)
        items = list_messages(call.messages)
        thread = call.thread
        key = call.idempotency_key
        check_idempotency_key(key)
        rules = self.rules(bank, now)
        redacted = Counter[str]()
        if thread is not None and not 1 <= len(thread) <= 200:
            raise InvalidInput("a thread's name must have 1 to 200 characters")
        accepted = [rules.accept(item, number, redacted, thread) for number, item in enumerate(items)]
        keyed = _with_codes(accepted, call.codes if not redacted else None)  # made from the texts as given
        valid = [item.message for item in accepted]
        digest = b"" if key is None else keyed_digest(self._digest_key, _request_digest(valid, thread))
        key_id = Access.in_context(call.context).key_id
        request = _Request(bank, keyed, digest, key, now, rules.bank_rules, redacted, key_id, call.bank_id)
        audit = log_of(self.database)
        if audit is not None:
            request = replace(request, audit=audit.store_call(call.context, bank, len(valid)))
        if self._unsettled and request.may_double:
            return replace(request, reserved=self._unsettled.take(request.signature))
        return request

    def rules(self, bank: str, now: datetime) -> StoreRules:
        """Returns the conditions of a bank, which need not exist."""
        return StoreRules(bank, now, self.max_bytes, self._rules_of(bank), self._digest_key)

    def embed(self, items: Sequence[NewMessage]) -> MessageCodes | None:
        """Returns the embeddings of messages to store; None if they are computed later, or never."""
        return self.vectors.encode_now([_speech(item.text, item.name, split_passages(item.text)) for item in items])

    def _encoded(self, requests: Sequence[_Request], *, in_background: bool = False) -> list[_Request]:
        """Returns the calls with the terms of their messages, and the embeddings if they are computed now, see
        `MessageVectors.encode_now`. Messages of large calls that are stored already have neither, and long ones have no
        embedding unless they are stored `in_background`."""
        stored = {item for request in requests if len(request.given) >= MANY_IDS for item in self._known(request)}
        unembedded = (
            item
            for request in requests
            for item in request.messages
            if item.code is None and item not in stored and item.quarantine_rule is None
        )
        plain = [item for item in unembedded if in_background or not item.is_long]
        speech = [item.speech for item in plain]
        coded = _with_codes(plain, self.vectors.encode_now(speech, in_background=in_background))
        ready = dict(zip(plain, coded, strict=True))
        encoded = [
            replace(request, messages=[ready.get(item, item) for item in request.messages]) for request in requests
        ]
        for item in (item for request in encoded for item in request.messages if item not in stored):
            _ = item.terms  # computed here, before the transaction
        return encoded

    def _known(self, request: _Request) -> list[AcceptedMessage]:
        """Returns the messages of a large call whose ids are stored."""
        with self.database.read() as connection:
            bank = banks.find(connection, request.bank)
            stored = {} if bank is None else messages.ids_of(connection, bank.id, request.given)
        return [item for item in request.messages if item.key in stored]

    def _write_all(self, requests: Sequence[_Request]) -> list[StoreResult | MemoryFault]:
        """Writes calls in one transaction. Returns an answer or an error for each. If the connection is lost during the
        commit, the first attempt may have succeeded; its answers are used where the second one stores nothing new."""
        attempts: list[list[StoreResult | MemoryFault]] = []
        ids: _Ids = {}

        def write(connection: Connection) -> list[StoreResult | MemoryFault]:
            attempts.append(self._write_once(connection, requests, ids))
            return attempts[-1]

        for request in requests:
            ids |= {item: id for item, id in zip(request.messages, request.reserved, strict=False) if id is not None}
        try:
            with Access().limiting():  # they were checked, and may be calls of several callers
                answers = self.database.repeatable(write)
        except StorageError:
            if self.database.dialect.has_server:  # else another message may have got the id
                for request in filter(lambda entry: entry.may_double, requests):
                    self._unsettled.add(request.signature, [ids.get(item) for item in request.messages])
            raise
        return [_first_success(results) for results in zip(*attempts, strict=True)] if len(attempts) > 1 else answers

    def _write_once(
        self, connection: Connection, requests: Sequence[_Request], ids: "_Ids"
    ) -> list[StoreResult | MemoryFault]:
        """Writes calls once. `ids`: ids reserved by an earlier attempt, whose messages may be stored already."""
        answers: dict[int, StoreResult | MemoryFault] = {}
        limits: dict[str, StoreLimits] = {}
        by_bank: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            by_bank.setdefault(request.bank, []).append(number)
        for name in sorted(by_bank):  # same lock order in all processes
            numbers = by_bank[name]
            if any(requests[number].bank_id is not None for number in numbers):
                numbers, erased = self._of_erased(connection, name, numbers, requests)
                answers |= dict.fromkeys(erased, NotFound(banks.ERASED))
            if not numbers:
                continue
            try:
                part = _BankWriter(self, connection, [requests[number] for number in numbers], ids, limits)
            except Conflict as error:  # another owner's bank
                answers |= dict.fromkeys(numbers, error)
                continue
            answers |= dict(zip(numbers, part.write(), strict=True))
        usage.add(connection, {key: counts for part in limits.values() for key, counts in part.counts.items()})
        self._record(connection, requests, answers)
        return [answers[number] for number in range(len(requests))]

    def _record(
        self,
        connection: Connection,
        requests: Sequence[_Request],
        answers: Mapping[int, StoreResult | MemoryFault],
    ) -> None:
        """Records the calls in the audit log: those that are written, with them."""
        audit = log_of(self.database)
        if audit is None:
            return
        calls = []
        for number, request in enumerate(requests):
            answer = answers[number]
            if request.audit is None or request.audit.recorded or request.audit.row.action != "store":
                continue
            if not isinstance(answer, MemoryFault):
                calls.append(request.audit)
            elif not isinstance(answer, _OtherRules):
                audit.fail(request.audit, answer)
        if calls:
            audit.insert(connection, calls)

    @staticmethod
    def _of_erased(
        connection: Connection, name: str, numbers: Sequence[int], requests: Sequence[_Request]
    ) -> tuple[list[int], list[int]]:
        """Returns the numbers of the calls that can be written, and of those whose bank was erased."""
        bank = banks.find_locked(connection, name)
        bank_ids = (None,) if bank is None else (None, bank.id)
        of_bank = [number for number in numbers if requests[number].bank_id in bank_ids]
        return of_bank, [number for number in numbers if number not in of_bank]


#: Ids reserved for messages.
_Ids = dict[AcceptedMessage, int]


class _BankWriter:
    """Writes calls into one bank, which it locks, and creates if necessary."""

    def __init__(
        self,
        store: MessageStore,
        connection: Connection,
        requests: Sequence[_Request],
        ids: _Ids,
        limits: dict[str, StoreLimits],
    ) -> None:
        """`limits`: tenant → its limits in the transaction."""
        self._store = store
        self._connection = connection
        self._requests = requests
        name = requests[0].bank
        now = requests[0].now
        bank = banks.find_locked(connection, name)  # most calls are for a bank that exists
        self._bank = bank or banks.get_or_create(connection, name, now, default_fields())
        self._rules = BankRules.of(self._bank.policy)
        tenant = tenant_of(self._bank.name) or ""
        if tenant not in limits:
            limits[tenant] = store.limits.in_transaction(connection, tenant, now.date())
        self._limits = limits[tenant]
        self._new: list[tuple[AcceptedMessage, datetime]] = []
        #: Messages without an id of their own that an earlier attempt has stored → generated id.
        self._stored: dict[AcceptedMessage, str] = {}
        #: Id of an open message → a more complete version of it.
        self._whole: dict[int, tuple[messages.Message, AcceptedMessage]] = {}
        #: ids of turns that were erased
        self._erased: set[str] = set()
        #: Id → message in quarantine, for the ids of the calls.
        self._quarantine: dict[str, QuarantineRow] = {}
        self._new_quarantine: list[QuarantineRow] = []
        self._released: list[str] = []
        self._ids = ids

    def write(self) -> list[StoreResult | MemoryFault]:
        self._store.note_rules(self._bank.name, self._rules)
        items = [item for request in self._requests for item in request.messages]
        keys = [item.key for item in items if item.key is not None]
        if self._ids:
            self._find_stored([item for item in items if item.key is None and item in self._ids])
        unknown = [item for item in items if item not in self._stored]
        reserved = dialect_of(self._connection).reserve_message_ids(self._connection, len(unknown))
        self._ids |= dict(zip(unknown, reserved, strict=True))
        stored = messages.by_keys(self._connection, self._bank.id, keys) if keys else {}
        if keys:
            self._erased = messages.erased_turns(self._connection, self._bank.id, keys)
        keys += [item.quarantine_key for item in items if item.quarantine_rule and item.key is None]
        if keys:
            self._quarantine = quarantine.by_keys(self._connection, self._bank.id, keys)
        answers = [self._answer(request, stored) for request in self._requests]
        if self._new:
            self._insert()
        if self._whole:
            self._complete()
        if self._new_quarantine:
            quarantine.insert(self._connection, self._bank.id, self._new_quarantine)
        if self._released:
            quarantine.delete(self._connection, self._bank.id, self._released)
        return answers

    def _find_stored(self, items: Sequence[AcceptedMessage]) -> None:
        """Finds the messages that an earlier attempt has stored. If that attempt was rolled back, another message may
        have taken the id."""
        rows = messages.by_ids(self._connection, self._bank.id, [self._ids[item] for item in items])
        for item in items:
            message = rows.get(self._ids[item])
            if message is not None and _is_same(message, item):
                self._stored[item] = message.key

    def _answer(self, request: _Request, stored: Mapping[str, messages.Message]) -> StoreResult | MemoryFault:
        """Returns the answer to a call, and collects its new messages."""
        rules = (
            self._rules if not request.releases else replace(self._rules, refuse=frozenset(), quarantine=frozenset())
        )
        if request.rules != rules:
            return _OtherRules("the rules of the bank have changed")
        try:
            if request.idempotency_key is None:
                return self._note_new(request, stored)
            use = idempotency.Use(request.idempotency_key, request.digest, request.now)
            answer = partial(self._note_new, request, stored)
            return idempotency.answered_once(self._connection, self._bank.id, use, StoreResult, answer)
        except (Conflict, LimitReached, NotFound, QuotaReached) as error:
            return error

    def _note_new(self, request: _Request, stored: Mapping[str, messages.Message]) -> StoreResult:
        """Collects the messages whose ids are new, and those to quarantine. Raises `Conflict` if an id belongs to
        another message, `NotFound` if a message to release has been erased, and `LimitReached` or `QuotaReached` if the
        limits of the tenant allow no more."""
        new: dict[str, AcceptedMessage] = {}
        ids = []
        released: list[str] = []
        for item in request.messages:
            key = item.key or self._stored.get(item)
            if key is None:
                is_free = item.quarantine_rule is None
                key = keys.generated(self._connection, self._ids[item]) if is_free else item.quarantine_key
            ids.append(key)
            if item in self._stored or key in self._erased:
                continue
            if key in self._quarantine and request.releases:
                new[key] = item
                released.append(key)
            elif key in self._quarantine:
                check_same(self._quarantine[key].as_stored, item)
            elif key in stored:
                self._compare(stored[key], item)
            elif request.releases:
                raise NotFound(f"the message '{key}' is not in quarantine any more")
            elif key not in new:
                new[key] = item
            elif not same_in_call(new[key], item):
                raise occurs_twice(key)
        size = sum(item.size for item in new.values())
        self._limits.check(self._bank.id, len(new), size, request.now, request.key_id)
        plain = [item for item in new.values() if item.quarantine_rule is None]
        self._released += released
        self._new += [(item, request.now) for item in plain]
        self._new_quarantine += [
            item.quarantine_row(request.now) for item in new.values() if item.quarantine_rule is not None
        ]
        oldest = min((self._age(item, request.now) for item in plain), default=None)
        ageing = None if oldest is None else self._policy.forecast(oldest, {})  # of all tiers that there are
        return StoreResult(
            ids=ids,
            stored=len(plain),
            duplicates=len(ids) - len(new),
            quarantined=len(new) - len(plain),
            ageing=ageing,
            redacted=dict(request.redacted),
        )

    def _compare(self, stored: messages.Message, item: AcceptedMessage) -> None:
        """Notes a version of an open turn that says more of a tool's result. Raises `Conflict`, see `check_same`."""
        check_same(stored, item)
        whole = self._whole.get(stored.id)
        text = stored.content if whole is None else whole[1].text
        first, *_ = item.message.parts or (None,)
        is_result = isinstance(first, ToolResult) and is_turn_id(stored.key)
        if text is None or stored.sealed_chars or not is_result or item.quarantine_rule is not None:
            return
        if is_excerpt(text, item.text):
            self._whole[stored.id] = stored, item

    def _complete(self) -> None:
        """Replaces open turns by their more complete versions."""
        connection = self._connection
        bank = self._bank
        banks.advance_seal_version(connection, bank)  # what is being sealed is typeset again
        for row, item in self._whole.values():
            parts = len(item.message.parts or ())
            passages = len(item.passages)
            messages.replace_content(connection, bank.id, row, item.text, parts, passages, item.digest)
            if self._policy.images != "never":
                images.delete_of(connection, bank.id, [row.id])
                images.insert(connection, bank.id, {row.id: item.images})
        items = {message_id: item for message_id, (_, item) in self._whole.items()}
        self._store.index.replace(connection, bank.id, {i: item.terms for i, item in items.items()})
        codes = [item.code for item in items.values()]
        self._store.vectors.replace(connection, bank.id, list(items), None if None in codes else joined(codes))
        added = sum(len(item.text) - row.chars for row, item in self._whole.values())
        oldest = min(
            self._policy.age_of_message(row.created_at, row.arrived_at or row.created_at)
            for row, _ in self._whole.values()
        )
        schedule.note_stored(connection, bank.id, added, oldest.when(self._policy.seal_after))

    @cached_property
    def _policy(self) -> Policy:
        return stored_policy(self._bank.policy)

    def _age(self, item: AcceptedMessage, now: datetime) -> Age:
        message = item.message
        return self._policy.age_of_message(message.created_at or now, message.arrived_at or now)

    def _insert(self) -> None:
        """Inserts the new messages with their terms and codes."""
        connection = self._connection
        bank = self._bank
        items = [item for item, _ in self._new]
        ids = [self._ids[item] for item in items]
        messages.insert(connection, _rows(connection, bank.id, self._new, ids), bank.id)
        pictures = {i: item.images for i, item in zip(ids, items, strict=True) if item.images}
        if pictures and self._policy.images != "never":
            images.insert(connection, bank.id, pictures)
        self._store.index.add(connection, bank.id, {i: item.terms for i, item in zip(ids, items, strict=True)})
        coded = {i: item.code for i, item in zip(ids, items, strict=True) if item.code is not None}
        if coded:
            self._store.vectors.add(connection, bank.id, list(coded), joined(list(coded.values())))
        if len(coded) < len(ids):
            self._store.vectors.add(connection, bank.id, [i for i in ids if i not in coded], None)
        seal_at = min(self._age(item, now) for item, now in self._new).when(self._policy.seal_after)
        schedule.note_stored(connection, bank.id, sum(len(item.text) for item in items), seal_at)
        expiring = {i: at for i, (item, now) in zip(ids, self._new, strict=True) if (at := item.message.expiry(now))}
        if expiring:
            expiries.add(connection, bank, expiring)
        if self._policy.erase:
            oldest = min(item.message.created_at or now for item, now in self._new)
            due_at = min(later(oldest, rule.after + rule.slack) for rule in self._policy.erase)
            schedule.bring_forward(connection, bank.id, "erase", due_at)


def _identities(parts: Sequence[Part], images: Sequence[NewImage]) -> list[JsonValue]:
    """Returns what tells the parts of a message from others: of an image the digest of its file."""
    digests = {image.number: image.digest.hex() for image in images}
    number = 0
    identities = list[JsonValue]()
    for part in parts:
        if isinstance(part, ImagePart):
            number += 1
            fields = part.model_dump(include={"type", "url", "name", "alt"})
            identities.append(fields | {"file": digests.get(number)})
        else:
            identities.append(part.model_dump())
    return identities


def _speech(text: str, name: str | None, passages: Sequence[Passage]) -> list[str]:
    return [spoken(text[start:stop], name) for start, stop in passages]


def _with_codes(keyed: Sequence[AcceptedMessage], codes: MessageCodes | None) -> list[AcceptedMessage]:
    if codes is None:
        return list(keyed)
    return [replace(item, code=replace(codes, codes=[code])) for item, code in zip(keyed, codes.codes, strict=True)]


def _how_many(waiting: Sequence[_Request]) -> int:
    """Returns how many of the waiting calls to write together."""
    total = 0
    claims = set[tuple[str, bool, str]]()
    for number, request in enumerate(waiting):
        total += len(request.messages)
        if number and (total > GROUP_MESSAGES or not claims.isdisjoint(request.claims)):
            return number
        claims |= request.claims
    return len(waiting)


def _first_success(answers: Sequence[StoreResult | MemoryFault]) -> StoreResult | MemoryFault:
    """Returns the answer to a call over several attempts."""
    last = answers[-1]
    if isinstance(last, StoreResult) and not last.stored:
        return next(answer for answer in answers if isinstance(answer, StoreResult))
    return last


def _rows(
    connection: Connection, bank_id: int, new: Sequence[tuple[AcceptedMessage, datetime]], ids: Sequence[int]
) -> list[messages.NewRow]:
    """Returns rows of messages, each with the time of its call as default."""
    threads = [item.thread or DEFAULT_THREAD for item, _ in new]
    thread_ids = banks.thread_ids(connection, bank_id, threads)
    return [
        {
            "id": message_id,
            "bank_id": bank_id,
            "key": item.key,
            "thread_id": thread_ids[thread],
            "role": item.message.role,
            "name": item.message.name,
            "created_at": item.message.created_at or now,
            "arrived_at": item.message.arrived_at or now,
            "content": item.text,
            "parts": len(item.message.parts or ()),
            "metadata": item.message.metadata or None,
            "digest": item.digest,
            "chars": len(item.text),
            "passages": len(item.passages),
            "trust": own_trust(item.message.role, item.message.trust_class),
            "suspicious": item.suspicious,
        }
        for (item, now), thread, message_id in zip(new, threads, ids, strict=True)
    ]


def is_excerpt(excerpt: str, whole: str) -> bool:
    """True if a text is the beginning of a longer one, or its beginning and its end, but for a short mark of what is
    left out."""
    if len(excerpt) >= len(whole):
        return False
    start = _common_chars(excerpt, whole)
    end = _common_chars(excerpt[start:][::-1], whole[start:][::-1])
    return len(excerpt) - start - end <= MAX_MARK_CHARS


def _common_chars(one: str, other: str) -> int:
    """Returns the number of characters with which both begin."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def occurs_twice(key: str) -> Conflict:
    """Returns the error for an id that a call, or a file, gives to different messages."""
    return Conflict(f"the id '{key}' occurs twice in this call, with different messages; use another id")


def same_in_call(one: AcceptedMessage, other: AcceptedMessage) -> bool:
    """True if two messages of a call with one id are the same."""
    if one.key is not None and is_turn_id(one.key):
        return one.message.role == other.message.role
    times = one.message.created_at == other.message.created_at
    return times and one.thread == other.thread and one.digest == other.digest


def check_same(stored: messages.Message, item: AcceptedMessage) -> None:
    """Raises `Conflict` unless both are the same message. A time or thread that is not given is not compared, nor is
    more than the role where the id says that both are the same turn, perhaps as two ways in have seen it."""
    expected = (item.message.created_at or stored.created_at, item.thread or stored.thread)
    same = _is_same(stored, item) and expected == (stored.created_at, stored.thread)
    if not (same or (is_turn_id(stored.key) and item.message.role == stored.role)):
        raise Conflict(
            f"the id '{stored.key}' belongs to another message; messages cannot be changed, store it under a new id"
        )


def _is_same(stored: messages.Message, item: AcceptedMessage) -> bool:
    """True if a stored message has the same text, role and name. If the text has been forgotten, only its length is
    compared."""
    message = item.message
    signature = (len(item.text), message.role, message.name)
    return signature == (stored.chars, stored.role, stored.name) and item.digest.startswith(stored.digest)


def _request_digest(accepted: Sequence[NewMessage], thread: str | None) -> bytes:
    content = json.dumps([thread, [message.model_dump(mode="json") for message in accepted]])
    return hashlib.sha256(content.encode()).digest()[:DIGEST_BYTES]
