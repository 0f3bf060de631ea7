"""Storing of messages: all messages of a call are validated, then written in one transaction. Nothing is encoded."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property

from sqlalchemy import Connection

from foxing.memory.access import Access
from foxing.memory.audit import log_of
from foxing.memory.errors import (
    Conflict,
    InvalidInput,
    MemoryFault,
    NotFound,
    StorageError,
)
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import MessageCodes
from foxing.memory.limits import StoreLimits, TenantLimits
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import (
    banks,
    messages,
    usage,
)
from foxing.memory.storage.repositories.audit import AuditRow
from foxing.memory.storage.secrets import DIGEST_BYTES, digest_key, keyed_digest
from foxing.memory.telemetry import OperationInContext
from foxing.memory.text.passages import split_passages
from foxing.memory.values.messages import NewMessage, StoreResult

from .accepted_call import AcceptedCall, OtherRules
from .accepted_message import AcceptedMessage, StoreRules, speech_of, with_codes
from .bank_writer import BankWriter, MessageIds
from .calls import StoreCall
from .group_commit import GroupCommit
from .redaction import Redaction
from .rules import RulesOfBanks
from .unsettled import UnsettledCalls
from .validate import check_bank_name, check_idempotency_key, list_messages

#: Actions in the audit log that are recorded in the transaction that stores.
STORE = "store"
RELEASE = "quarantine.release"
GROUP_MESSAGES = 500  # cap for several calls written in one transaction
MANY_IDS = 20  # ids of a call from which on those that are stored are found first


class PreparedCall:
    """A call of which everything is done that needs no transaction."""

    def __init__(self, store: "MessageStore", call: StoreCall, request: AcceptedCall) -> None:
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
        self.search = search
        self.vectors = search.vectors
        self.max_bytes = max_bytes
        self._group: GroupCommit[AcceptedCall, StoreResult] = GroupCommit(self._write_all, _how_many)
        #: A transaction that finds others has the call prepared again.
        self._rules = RulesOfBanks(database)
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

    def write_prepared(self, call: StoreCall, request: AcceptedCall) -> StoreResult:
        """Implements `PreparedCall.store`."""
        self.database.check_process()
        step = OperationInContext(call.context, "store", bank=request.bank, messages=len(request.messages))
        try:
            result = self._group.submit(request)
        except OtherRules:
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
        requests: dict[int, AcceptedCall] = {}
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
        self, calls: Sequence[StoreCall], requests: Mapping[int, AcceptedCall], now: datetime
    ) -> list[StoreResult | BaseException]:
        """Returns the answers to `requests`, by number of the call. Calls are prepared again while the rules of their
        bank change."""
        numbers = list(requests)
        answers = dict(zip(numbers, self._group.submit_all(self._encoded(list(requests.values()))), strict=True))
        for number in numbers:
            while isinstance(answers[number], OtherRules):
                try:
                    [request] = self._encoded([self._request(calls[number], now)])
                except MemoryFault as error:
                    answers[number] = error
                else:
                    [answers[number]] = self._group.submit_all([request])
        return [answers[number] for number in numbers]

    def redaction_of(self, bank: str) -> Redaction:
        """Returns the rules of redaction of a bank, which may have changed since they were read."""
        return self._rules.of(bank).redaction

    def refused_classes(self, bank: str) -> Collection[str]:
        """Returns the trust classes that the policy of a bank refuses now."""
        return self._rules.read(bank).refuse

    def release(self, bank: str, bank_id: int, message: NewMessage, now: datetime) -> StoreResult:
        """Implements `Quarantine.release`."""
        while True:
            rules = self._rules.of(bank).for_release
            redacted = Counter[str]()
            accept = StoreRules(bank, now, self.max_bytes, rules, self._digest_key).accept
            accepted = [accept(message, 0, redacted)]
            request = AcceptedCall(bank, accepted, b"", None, now, rules, redacted, bank_id=bank_id, releases=True)
            if (audit := log_of(self.database)) is not None:
                request = replace(request, audit=audit.call(RELEASE, "change", bank, message.id, 1))
            [encoded] = self._encoded([request])
            try:
                return self._group.submit(encoded)
            except OtherRules:
                continue

    def _request(self, call: StoreCall, now: datetime) -> AcceptedCall:
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
        keyed = with_codes(accepted, call.codes if not redacted else None)  # made from the texts as given
        valid = [item.message for item in accepted]
        digest = b"" if key is None else keyed_digest(self._digest_key, _request_digest(valid, thread))
        key_id = Access.in_context(call.context).key_id
        audit = log_of(self.database)
        record = None if audit is None else audit.store_call(call.context, bank, len(valid))
        request = AcceptedCall(
            bank, keyed, digest, key, now, rules.bank_rules, redacted, key_id, call.bank_id, audit=record
        )
        if self._unsettled and request.may_double:
            return replace(request, reserved=self._unsettled.take(request.signature))
        return request

    def rules(self, bank: str, now: datetime) -> StoreRules:
        """Returns the conditions of a bank, which need not exist."""
        return StoreRules(bank, now, self.max_bytes, self._rules.of(bank), self._digest_key)

    def embed(self, items: Sequence[NewMessage]) -> MessageCodes | None:
        """Returns the embeddings of messages to store; None if they are computed later, or never."""
        return self.vectors.encode_now([speech_of(item.text, item.name, split_passages(item.text)) for item in items])

    def _encoded(self, requests: Sequence[AcceptedCall], *, in_background: bool = False) -> list[AcceptedCall]:
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
        coded = with_codes(plain, self.vectors.encode_now(speech, in_background=in_background))
        ready = dict(zip(plain, coded, strict=True))
        encoded = [
            replace(request, messages=[ready.get(item, item) for item in request.messages]) for request in requests
        ]
        for item in (item for request in encoded for item in request.messages if item not in stored):
            _ = item.terms, item.facts  # computed here, before the transaction
        return encoded

    def _known(self, request: AcceptedCall) -> list[AcceptedMessage]:
        """Returns the messages of a large call whose ids are stored."""
        with self.database.read() as connection:
            bank = banks.find(connection, request.bank)
            stored = {} if bank is None else messages.ids_of(connection, bank.id, request.given)
        return [item for item in request.messages if item.key in stored]

    def _write_all(self, requests: Sequence[AcceptedCall]) -> list[StoreResult | MemoryFault]:
        """Writes calls in one transaction. Returns an answer or an error for each. If the connection is lost during the
        commit, the first attempt may have succeeded; its answers are used where the second one stores nothing new."""
        attempts: list[list[StoreResult | MemoryFault]] = []
        ids: MessageIds = {}

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
        self, connection: Connection, requests: Sequence[AcceptedCall], ids: MessageIds
    ) -> list[StoreResult | MemoryFault]:
        """Writes calls once. `ids`: ids reserved by an earlier attempt, whose messages may be stored already."""
        answers: dict[int, StoreResult | MemoryFault] = {}
        limits: dict[str, StoreLimits] = {}

        def limits_of(tenant: str, day: date) -> StoreLimits:
            if tenant not in limits:
                limits[tenant] = self.limits.in_transaction(connection, tenant, day)
            return limits[tenant]

        events: list[AuditRow] = []
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
            calls = [requests[number] for number in numbers]
            try:
                part = BankWriter(connection, self.search, calls, ids, limits_of)
            except Conflict as error:  # another owner's bank
                answers |= dict.fromkeys(numbers, error)
                continue
            self._rules.note(part.bank_name, part.rules)
            answers |= dict(zip(numbers, part.write(), strict=True))
            events += part.quarantine_events
        usage.add(connection, {key: counts for part in limits.values() for key, counts in part.counts.items()})
        self._record(connection, requests, answers, events)
        return [answers[number] for number in range(len(requests))]

    def _record(
        self,
        connection: Connection,
        requests: Sequence[AcceptedCall],
        answers: Mapping[int, StoreResult | MemoryFault],
        events: list[AuditRow],
    ) -> None:
        """Records the calls in the audit log: those that are written, with them and with `events`."""
        audit = log_of(self.database)
        if audit is None:
            return
        for number, request in enumerate(requests):
            answer = answers[number]
            if request.audit is None or request.audit.recorded or request.audit.row.action not in (STORE, RELEASE):
                continue
            if not isinstance(answer, MemoryFault):
                events.append(request.audit.row)
            elif not isinstance(answer, OtherRules):
                audit.fail(request.audit, answer)
        if events:
            audit.insert(connection, events)

    @staticmethod
    def _of_erased(
        connection: Connection, name: str, numbers: Sequence[int], requests: Sequence[AcceptedCall]
    ) -> tuple[list[int], list[int]]:
        """Returns the numbers of the calls that can be written, and of those whose bank was erased."""
        bank = banks.find_locked(connection, name)
        bank_ids = (None,) if bank is None else (None, bank.id)
        of_bank = [number for number in numbers if requests[number].bank_id in bank_ids]
        return of_bank, [number for number in numbers if number not in of_bank]


def _how_many(waiting: Sequence[AcceptedCall]) -> int:
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


def _request_digest(accepted: Sequence[NewMessage], thread: str | None) -> bytes:
    content = json.dumps([thread, [message.model_dump(mode="json") for message in accepted]])
    return hashlib.sha256(content.encode()).digest()[:DIGEST_BYTES]
