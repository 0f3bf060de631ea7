"""The write of calls of `store` into one bank, in a transaction."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property, partial

from sqlalchemy import Connection

from foxing.memory.access import tenant_of
from foxing.memory.conversation import is_turn_id
from foxing.memory.errors import (
    Conflict,
    LimitReached,
    MemoryFault,
    NotFound,
    QuotaReached,
)
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import joined
from foxing.memory.limits import StoreLimits
from foxing.memory.storage.dialects import dialect_of
from foxing.memory.storage.repositories import (
    banks,
    expiries,
    facts,
    idempotency,
    images,
    messages,
    quarantine,
    schedule,
    threads,
)
from foxing.memory.storage.repositories.audit import AuditRow
from foxing.memory.storage.repositories.banks import ThreadKey
from foxing.memory.storage.repositories.quarantine import QuarantineRow
from foxing.memory.storage.repositories.sealed import keys
from foxing.memory.storage.repositories.threads import MessageTitle
from foxing.memory.text.planted import planted_form
from foxing.memory.text.titles import one_line, request_title
from foxing.memory.values.messages import StoreResult
from foxing.memory.values.parts import ToolResult
from foxing.memory.values.policy import Age, Policy, default_fields, stored_policy
from foxing.memory.values.trust import own_trust
from foxing.renderer.clock import later

from .accepted_call import AcceptedCall, OtherRules
from .accepted_message import (
    DEFAULT_THREAD,
    AcceptedMessage,
    check_same,
    is_excerpt,
    is_same,
    occurs_twice,
    same_in_call,
)
from .rules import BankRules

#: Ids reserved for messages.
MessageIds = dict[AcceptedMessage, int]


class BankWriter:
    """Writes calls into one bank, which it locks, and creates if necessary."""

    def __init__(
        self,
        connection: Connection,
        search: HybridSearch,
        requests: Sequence[AcceptedCall],
        ids: MessageIds,
        limits_of: Callable[[str, date], StoreLimits],
    ) -> None:
        """`limits_of`: returns the limits of a tenant in the transaction, of a day."""
        self._connection = connection
        self._index = search.index
        self._vectors = search.vectors
        self._requests = requests
        name = requests[0].bank
        now = requests[0].now
        bank = banks.find_locked(connection, name)  # most calls are for a bank that exists
        self._bank = bank or banks.get_or_create(connection, name, now, default_fields())
        #: The rules of the bank.
        self.rules = BankRules.of(self._bank.policy)
        self._limits = limits_of(tenant_of(self._bank.name) or "", now.date())
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
        #: Events of the calls that have these, for the audit log.
        self.quarantine_events: list[AuditRow] = []
        self._released: list[str] = []
        self._ids = ids

    @property
    def bank_name(self) -> str:
        """Full name of the bank."""
        return self._bank.name

    def write(self) -> list[StoreResult | MemoryFault]:
        """Writes the calls. Returns an answer or an error for each."""
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
            quarantine.insert(self._connection, self._bank.id, self._new_quarantine, self._policy.erase)
        if self._released:
            quarantine.delete(self._connection, self._bank.id, self._released)
        return answers

    def _find_stored(self, items: Sequence[AcceptedMessage]) -> None:
        """Finds the messages that an earlier attempt has stored. If that attempt was rolled back, another message may
        have taken the id."""
        rows = messages.by_ids(self._connection, self._bank.id, [self._ids[item] for item in items])
        for item in items:
            message = rows.get(self._ids[item])
            if message is not None and is_same(message, item):
                self._stored[item] = message.key

    def _answer(self, request: AcceptedCall, stored: Mapping[str, messages.Message]) -> StoreResult | MemoryFault:
        """Returns the answer to a call, and collects its new messages."""
        if request.rules != (self.rules.for_release if request.releases else self.rules):
            return OtherRules("the rules of the bank have changed")
        try:
            if request.idempotency_key is None:
                return self._note_new(request, stored)
            use = idempotency.Use(request.idempotency_key, request.digest, request.now)
            answer = partial(self._note_new, request, stored)
            return idempotency.answered_once(self._connection, self._bank.id, use, StoreResult, answer)
        except (Conflict, LimitReached, NotFound, QuotaReached) as error:
            return error

    def _note_new(self, request: AcceptedCall, stored: Mapping[str, messages.Message]) -> StoreResult:
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
        if len(plain) < len(new) and request.audit is not None:
            event = request.audit.row._replace(action="quarantine", subject=None, items=len(new) - len(plain))
            self.quarantine_events.append(event)
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
        self._index.replace(connection, bank.id, {i: item.terms for i, item in items.items()})
        facts.delete_of(connection, bank.id, list(items))
        facts.insert(connection, bank.id, [(row.id, row.created_at, item.facts) for row, item in self._whole.values()])
        codes = [item.code for item in items.values()]
        self._vectors.replace(connection, bank.id, list(items), None if None in codes else joined(codes))
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
        of_threads = banks.thread_keys(connection, bank.id, [item.thread or DEFAULT_THREAD for item in items])
        rows = _rows(bank.id, self._new, ids, of_threads)
        messages.insert(connection, rows, bank.id)
        if untitled := {key.id for key in of_threads.values() if not key.has_title}:
            titles = (_title(row) for row in rows if row["thread_id"] in untitled)
            threads.add_titles(connection, bank.id, filter(None, titles))
        if named := Counter((row["thread_id"], row["name"]) for row in rows if row["name"]):
            threads.add_persons(connection, bank.id, named)
        pictures = {i: item.images for i, item in zip(ids, items, strict=True) if item.images}
        if pictures and self._policy.images != "never":
            images.insert(connection, bank.id, pictures)
        self._index.add(connection, bank.id, {i: item.terms for i, item in zip(ids, items, strict=True)})
        coded = {i: item.code for i, item in zip(ids, items, strict=True) if item.code is not None}
        if coded:
            self._vectors.add(connection, bank.id, list(coded), joined(list(coded.values())))
        stated = [
            (i, item.message.created_at or now, item.facts) for i, (item, now) in zip(ids, self._new, strict=True)
        ]
        facts.insert(connection, bank.id, stated)
        if len(coded) < len(ids):
            self._vectors.add(connection, bank.id, [i for i in ids if i not in coded], None)
        seal_at = min(self._age(item, now) for item, now in self._new).when(self._policy.seal_after)
        schedule.note_stored(connection, bank.id, sum(len(item.text) for item in items), seal_at)
        expiring = {i: at for i, (item, now) in zip(ids, self._new, strict=True) if (at := item.message.expiry(now))}
        if expiring:
            expiries.add(connection, bank, expiring)
        if self._policy.erase:
            oldest = min(item.message.created_at or now for item, now in self._new)
            due_at = min(later(oldest, rule.after + rule.slack) for rule in self._policy.erase)
            schedule.bring_forward(connection, bank.id, "erase", due_at)


def _rows(
    bank_id: int,
    new: Sequence[tuple[AcceptedMessage, datetime]],
    ids: Sequence[int],
    of_threads: Mapping[str, ThreadKey],
) -> list[messages.NewRow]:
    """Returns rows of messages, each with the time of its call as default."""
    return [
        {
            "id": message_id,
            "bank_id": bank_id,
            "key": item.key,
            "thread_id": of_threads[item.thread or DEFAULT_THREAD].id,
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
            "gaps": list(item.message.gaps) or None,
        }
        for (item, now), message_id in zip(new, ids, strict=True)
    ]


def _title(row: messages.NewRow) -> MessageTitle | None:
    """Returns the title that a message gives its thread, if it has none: that in its metadata, as exports have it, else
    that of a request. Instructions planted in data are no title."""
    brought = (row["metadata"] or {}).get("title")
    if isinstance(brought, str) and (title := one_line(brought)) and planted_form(title) is None:
        return MessageTitle(row["thread_id"], row["id"], title, "export")
    title = "" if row["role"] != "user" or row["suspicious"] else request_title(row["content"])
    return MessageTitle(row["thread_id"], row["id"], title, "request") if title else None
