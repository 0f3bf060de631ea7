"""Permanent erasure of messages, threads and banks from pages at every tier, the trash, the index and all rows.

A message and all pages that hold it are changed in one transaction, so that the message is complete or gone if the
process is killed. The pages are encoded before that transaction; if anything about them changes meanwhile, they are
encoded again. A thread is erased in batches of messages; erasing it again completes an interrupted erasure. A bank is
erased in one transaction. A legal hold stops each batch, and a call that it concerns from the beginning.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.errors import Held, NotFound, StorageError, Unreadable, WriteConflict
from foxing.memory.labels import RecallLabels
from foxing.memory.pages.indexing import Reindexer
from foxing.memory.pages.page_encoder import PageChanged
from foxing.memory.pages.page_writer import PageWriter, WriteRules
from foxing.memory.pages.ready_page import PageChange
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import (
    banks,
    embeddings,
    expiries,
    folds,
    holds,
    idempotency,
    messages,
    model_calls,
    pages,
    quarantine,
    sizes,
    threads,
    usage,
)
from foxing.memory.storage.repositories.holds import BankHolds, HoldRow
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageContent, PageRow, SpanRow
from foxing.memory.storage.repositories.quarantine import QuarantineRow
from foxing.memory.values.policy import ErasureRule, stored_policy
from foxing.memory.values.reports import ErasureReport, PageErased
from foxing.renderer import Progress
from foxing.renderer.clock import later

from .blanking import BlankedPage, PageBlanker

#: Pages encoded and written together; a message on more pages is erased in a larger batch.
BATCH = 16
ATTEMPTS = 20  # while other processes change the pages
MESSAGES_AT_ONCE = 20_000  # removed from the index together when a bank is erased
QUARANTINED_AT_ONCE = 500  # erased in one transaction


@dataclass(frozen=True)
class _Found:
    """Snapshot of the messages to erase and the pages that hold them."""

    messages: Mapping[int, Message]
    #: message id → its spans
    spans: Mapping[int, Sequence[SpanRow]]
    pages: Mapping[int, PageRow]
    contents: Mapping[int, PageContent]
    #: ids of pages that hold other messages as well
    shared: Collection[int]

    @classmethod
    def fetch(cls, connection: Connection, bank_id: int, message_ids: Sequence[int]) -> "_Found":
        """Fetches the messages with these ids, and their pages."""
        rows = messages.by_ids(connection, bank_id, message_ids)
        spans = pages.spans_of_messages(connection, bank_id, rows)
        page_ids = sorted({span.page_id for parts in spans.values() for span in parts})
        shared = [
            page_id
            for page_id, parts in pages.spans_of_pages(connection, page_ids).items()
            if any(span.message_id not in rows for span in parts)
        ]
        contents = pages.contents(connection, shared)
        return cls(rows, spans, pages.by_ids(connection, page_ids), contents, shared)

    def is_current(self, connection: Connection, bank_id: int) -> bool:
        """True if the messages and their places on pages have not changed."""
        if pages.changed(connection, list(self.pages.values())):
            return False
        if pages.spans_of_messages(connection, bank_id, self.messages) != self.spans:
            return False
        return messages.by_ids(connection, bank_id, self.messages) == self.messages


@dataclass
class _Result:
    """Messages and pages erased so far."""

    messages: int = 0
    #: page key → report; a page may be written several times
    pages: dict[str, PageErased] = field(default_factory=dict)
    #: page key → bytes before the first write, and after the last
    bytes_before: dict[str, int] = field(default_factory=dict)
    bytes_after: dict[str, int] = field(default_factory=dict)
    #: error that prevented the erasure of some messages
    error: Unreadable | None = None

    def add(self, erased: _Found, blanked: Sequence[BlankedPage]) -> None:
        """Adds a batch of erased messages and the new versions of their pages."""
        self.messages += len(erased.messages)
        by_page = {item.change.page.id: item for item in blanked}
        for page in erased.pages.values():
            new = by_page.get(page.id)
            self.bytes_before.setdefault(page.key, page.bytes)
            self.bytes_after[page.key] = 0 if new is None else new.change.after[0].row.bytes
            before = self.pages[page.key].changed if page.key in self.pages else 0.0
            changed = before if new is None else max(before, new.lost)
            fields = {"page_id": page.key, "tier": page.tier, "deleted": new is None, "changed": round(changed, 4)}
            self.pages[page.key] = PageErased.model_validate(fields)


class Eraser:
    """Erases messages, threads and banks permanently."""

    def __init__(self, database: Database, blanker: PageBlanker, reindexer: Reindexer, labels: RecallLabels) -> None:
        self.database = database
        self.blanker = blanker
        self.reindexer = reindexer
        self.labels = labels
        self.writer = PageWriter(database, reindexer)

    def erase_message(self, bank_name: str, key: str, now: datetime) -> ErasureReport:
        """Implements `Memory.erase_message`. Raises `NotFound`, `Unreadable`, `StorageError`."""
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            rows = messages.by_keys(connection, bank.id, [key])
            check_holds(connection, bank.id, {row.id for row in rows.values()})
        if key not in rows:
            raise NotFound(f"there is no message '{key}' in bank '{bank_name}'")
        result = _Result()
        self._erase(bank.id, [rows[key].id], now, result)
        return self._report(bank_name, result)

    def erase_thread(
        self,
        bank_name: str,
        thread: str,
        now: datetime,
        *,
        newest: int | None = None,
        until: datetime | None = None,
        progress: Progress | None = None,
    ) -> ErasureReport:
        """Implements `Memory.erase_thread`. `newest`: id of the newest message to erase; those that were stored later
        stay. `until`: the same for messages in quarantine, by their arrival. Raises `NotFound`, `Unreadable`,
        `StorageError`."""
        result = _Result()
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            thread_id = banks.find_thread(connection, bank.id, thread)
            in_quarantine = quarantine.keys_of_thread(connection, bank.id, thread, until)
            if thread_id is None and not in_quarantine:
                raise NotFound(f"there is no thread '{thread}' in bank '{bank_name}'")
            of_thread = MessageFilter(thread_id=thread_id)
            ids = set() if thread_id is None else set(messages.ids_within(connection, bank.id, of_thread))
            ids = {number for number in ids if newest is None or number <= newest}
            check_holds(connection, bank.id, ids, in_quarantine)
        result.messages += erase_quarantined(self.database, bank.id, in_quarantine)
        self._erase_all(bank.id, ids, now, result, progress)
        return self._report(bank_name, result)

    def erase_messages(
        self, bank_name: str, bank_id: int, ids: Collection[int], now: datetime, *, progress: Progress | None = None
    ) -> ErasureReport:
        """Erases the messages with these ids, in batches. Those that no longer exist are ignored. Raises `Held`,
        `Unreadable`, `StorageError`, after other messages have been erased."""
        result = _Result()
        self._erase_all(bank_id, ids, now, result, progress)
        return self._report(bank_name, result)

    def erase_due(self, bank_name: str, bank_id: int, now: datetime, *, progress: Progress | None = None) -> int:
        """Erases the messages of a bank that have expired at `now`, and those that its policy erases at their age, but
        for those that a legal hold keeps, in quarantine as well. Returns how many. Raises as `erase_messages` does."""
        with self.database.read() as connection:
            bank = banks.by_id(connection, bank_id)
            rules = stored_policy(bank.policy).erase
            ids = set(expiries.expired(connection, bank, now))
            for rule in rules:
                condition = _filter(connection, bank_id, rule, until=now - rule.after)
                ids |= set() if condition is None else messages.ids_within(connection, bank_id, condition)
            bank_holds = holds.of_bank(connection, bank_id)
            if bank_holds.whole is not None:
                return 0
            ids -= messages.said_by(connection, bank_id, bank_holds.persons) if ids else set()
            keys = quarantine.due(connection, bank_id, now, rules, bank_holds.persons)
        number = erase_quarantined(self.database, bank_id, keys)
        if ids:
            return number + self.erase_messages(bank_name, bank_id, ids, now, progress=progress).messages
        if number:
            self.database.purge_deleted()
        return number

    def _erase_all(
        self, bank_id: int, ids: Collection[int], now: datetime, result: _Result, progress: Progress | None
    ) -> None:
        """Erases messages in batches, except those on a page that cannot be read."""
        with self.database.read() as connection:
            parts = list(_parts(ids, pages.spans_of_messages(connection, bank_id, sorted(ids))))
        done = 0
        for part in parts:
            self._erase_readable(bank_id, part, now, result)
            done += len(part)
            if progress is not None:
                progress(done, len(ids))

    def erase_bank(self, bank_name: str, bank_id: int | None = None, progress: Progress | None = None) -> ErasureReport:
        """Implements `Memory.erase_bank`. `bank_id`: that it must have. `progress` counts messages; what it raises
        leaves the bank as it was. Raises `NotFound`."""
        with self.database.write() as connection:
            bank = banks.get(connection, bank_name)
            if bank_id not in (None, bank.id):
                raise NotFound(f"the bank '{bank_name}' was erased, and another has its name")
            banks.lock(connection, bank.id)
            total = 0 if progress is None else usage.count_messages(connection, bank.id)
            if (hold := holds.that_keeps(connection, bank.id)) is not None:
                raise held_by(hold)
            size = sum(tier.token_bytes + tier.text_bytes for tier in sizes.tier_totals(connection, [bank.id])[bank.id])
            number = 0
            after = 0
            while ids := messages.ids_after(connection, bank.id, after, MESSAGES_AT_ONCE):
                self.reindexer.index.remove(connection, bank.id, ids)
                number = number + len(ids)
                after = ids[-1]
                if progress is not None:
                    progress(number, max(number, total))
            banks.delete(connection, bank.id)
        self.labels.erase(bank.id)
        erased = self.database.purge_deleted()
        return ErasureReport(
            bank=bank_name, messages=number, pages=[], bytes_before=size, bytes_after=0, log_erased=erased
        )

    def _erase_readable(self, bank_id: int, message_ids: Sequence[int], now: datetime, result: _Result) -> None:
        """Erases the messages, except those on a page that cannot be read."""
        try:
            self._erase(bank_id, message_ids, now, result)
        except Unreadable as error:
            if len(message_ids) == 1:
                result.error = error
                return
            for message_id in message_ids:
                self._erase_readable(bank_id, [message_id], now, result)

    def _erase(self, bank_id: int, message_ids: Sequence[int], now: datetime, result: _Result) -> None:
        """Erases messages in one transaction. Raises `Unreadable` if a page that holds them cannot be read."""
        for _ in range(ATTEMPTS):
            with self.database.read() as connection:
                erased = _Found.fetch(connection, bank_id, message_ids)
            if not erased.messages:
                return
            try:
                blanked = self._blank(erased, now)
            except PageChanged:
                continue
            if self._write(bank_id, erased, blanked):
                result.add(erased, blanked)
                self.labels.erase(bank_id, {message.key for message in erased.messages.values()})
                return
        raise StorageError("other processes keep changing the pages of these messages; try again")

    def _blank(self, erased: _Found, now: datetime) -> list[BlankedPage]:
        """Returns the pages shared with other messages, without these messages. Raises `PageChanged`."""
        rows = [erased.pages[page_id] for page_id in erased.shared]
        return self.blanker.blank(rows, erased.contents, erased.messages.keys(), now) if rows else []

    def _write(self, bank_id: int, erased: _Found, blanked: Sequence[BlankedPage]) -> bool:
        """Writes the pages and deletes the messages. Returns False without a change if anything has changed
        meanwhile."""
        changes = [item.change for item in blanked]
        changes += [PageChange(page, []) for page in erased.pages.values() if page.id not in erased.shared]
        terms = self.reindexer.prepare(bank_id, changes, erased=erased.messages.keys())
        try:
            with self.database.write() as connection:
                banks.lock(connection, bank_id)
                current = erased.is_current(connection, bank_id) and self.reindexer.is_current(connection, terms)
                if current:
                    bank_holds = holds.of_bank(connection, bank_id)
                    for message in erased.messages.values():
                        if (hold := bank_holds.whole or bank_holds.on_name(message.name)) is not None:
                            raise held_by(hold)
                    self.writer.write(connection, bank_id, changes, terms, WriteRules(empties_trash=True))
                    self._delete(connection, bank_id, erased)
        except WriteConflict:
            return False
        return current

    def _delete(self, connection: Connection, bank_id: int, erased: _Found) -> None:
        """Deletes all rows of messages apart from their pages."""
        ids = sorted(erased.messages)
        self.reindexer.index.remove(connection, bank_id, ids)
        embeddings.remove(connection, bank_id, ids)
        idempotency.delete_naming(connection, bank_id, [message.key for message in erased.messages.values()])
        messages.delete(connection, bank_id, erased.messages.values())
        threads.delete_titles_of(connection, bank_id, ids)
        named = Counter((message.thread_id, message.name) for message in erased.messages.values() if message.name)
        threads.add_persons(connection, bank_id, {key: -number for key, number in named.items()})
        names = {message.thread for message in erased.messages.values()}
        folds.delete_of_threads(connection, bank_id, names)
        model_calls.forget_sessions(connection, bank_id, names)
        banks.delete_empty_threads(connection, bank_id, names)

    def _report(self, bank_name: str, result: _Result) -> ErasureReport:
        """Returns the report. Raises the error that prevented the erasure of some messages."""
        erased = self.database.purge_deleted()
        if result.error is not None:
            raise type(result.error)(
                f"{result.messages} messages were erased, others were not: {result.error}; "
                "erase the thread again once the page can be read, or erase the bank"
            ) from result.error
        return ErasureReport(
            bank=bank_name,
            messages=result.messages,
            pages=list(result.pages.values()),
            bytes_before=sum(result.bytes_before.values()),
            bytes_after=sum(result.bytes_after.values()),
            log_erased=erased,
        )


def next_erasure(connection: Connection, bank_id: int) -> datetime | None:
    """Returns when `Eraser.erase_due` next has something to erase in a bank; None if never, or not before a legal hold
    is released."""
    bank = banks.by_id(connection, bank_id)
    rules = stored_policy(bank.policy).erase
    bank_holds = holds.of_bank(connection, bank_id)
    if bank_holds.whole is not None:
        return None
    times = [quarantine.next_due(connection, bank_id, rules, bank_holds.persons)]
    if not rules and bank.expires_at is None:
        return times[0]
    protected = messages.said_by(connection, bank_id, bank_holds.persons)
    times.append(expiries.next_expiry(connection, bank_id, protected))
    for rule in rules:
        condition = _filter(connection, bank_id, rule, without=protected)
        oldest = None if condition is None else messages.oldest(connection, bank_id, condition)
        times.append(None if oldest is None else later(oldest, rule.after + rule.slack))
    return min((time for time in times if time is not None), default=None)


def _filter(
    connection: Connection,
    bank_id: int,
    rule: ErasureRule,
    until: datetime | None = None,
    without: Collection[int] = (),
) -> MessageFilter | None:
    """Returns the filter of the messages that meet the conditions of a rule; None if its thread does not exist.
    `until`, `without`: further conditions."""
    thread_id = None
    if rule.thread is not None:
        thread_id = banks.find_thread(connection, bank_id, rule.thread)
        if thread_id is None:
            return None
    roles = frozenset(() if rule.role is None else (rule.role,))
    return MessageFilter(until=until, thread_id=thread_id, roles=roles, without=frozenset(without))


def erase_quarantined(database: Database, bank_id: int, keys: Sequence[str]) -> int:
    """Erases quarantined messages with these keys, in batches, and returns how many. Those that no longer exist are
    ignored. Raises `Held`, after other messages have been erased."""
    number = 0
    for start in range(0, len(keys), QUARANTINED_AT_ONCE):
        with database.write() as connection:
            banks.lock(connection, bank_id)
            rows = quarantine.by_keys(connection, bank_id, keys[start : start + QUARANTINED_AT_ONCE])
            _check_quarantined(holds.of_bank(connection, bank_id), rows.values())
            quarantine.erase(connection, bank_id, list(rows))
            idempotency.delete_naming(connection, bank_id, list(rows))
        number += len(rows)
    return number


def _check_quarantined(bank_holds: BankHolds, rows: Iterable[QuarantineRow]) -> None:
    """Raises `Held` if a legal hold keeps any of the quarantined messages."""
    for row in rows:
        if (hold := bank_holds.whole or bank_holds.on_name(row.message.name)) is not None:
            raise held_by(hold)


def check_holds(connection: Connection, bank_id: int, ids: Collection[int], keys: Sequence[str] = ()) -> None:
    """Raises `Held` if a legal hold keeps any of the messages of a bank. `keys`: quarantined ones."""
    bank_holds = holds.of_bank(connection, bank_id)
    if bank_holds.whole is not None and (ids or keys):
        raise held_by(bank_holds.whole)
    if bank_holds.persons and keys:
        _check_quarantined(bank_holds, quarantine.by_keys(connection, bank_id, keys).values())
    protected = messages.said_by(connection, bank_id, bank_holds.persons) & set(ids)
    if protected:
        [message] = messages.by_ids(connection, bank_id, [min(protected)]).values()
        hold = bank_holds.on_name(message.name)
        assert hold is not None
        raise held_by(hold)


def held_by(hold: HoldRow) -> Held:
    """Returns the error for what a legal hold keeps."""
    what = "this bank" if hold.person is None else f"what '{hold.person}' said"
    return Held(
        f"the legal hold {hold.key} has kept {what} since {hold.since.isoformat(timespec='seconds')}; nothing of it is "
        "erased until the hold is released"
    )


def _parts(ids: Collection[int], spans: Mapping[int, Sequence[SpanRow]]) -> Iterator[list[int]]:
    """Splits the messages into batches on at most `BATCH` pages each, keeping messages of one page together. A message
    on more pages is a batch of its own."""
    part: list[int] = []
    on: set[int] = set()
    for message_id in sorted(ids, key=lambda i: (spans[i][0].page_id if i in spans else 0, i)):
        also = {span.page_id for span in spans.get(message_id, ())}
        if part and len(on | also) > BATCH:
            yield part
            part = []
            on = set()
        part.append(message_id)
        on |= also
    if part:
        yield part
