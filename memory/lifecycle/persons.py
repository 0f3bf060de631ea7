"""Erasure and export of what a person said, in all banks of the caller.

A person is a speaker: the `name` of messages, compared without case. What others wrote about them counts on request,
where their text has the name as words. Messages in quarantine belong to it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any

from foxing.memory.access import Access
from foxing.memory.audit import audited
from foxing.memory.errors import Held, InvalidInput, NotFound, StorageError, Unreadable
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.message_images import MessageImages
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.storage.database import Database
from foxing.memory.storage.message_filter import MessageFilter
from foxing.memory.storage.repositories import banks, expiries, messages, quarantine, threads
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.repositories.quarantine import QuarantineRow
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.persons import PersonErasure, PersonErasureRequest, PersonInBank, PersonMessage
from foxing.renderer import Progress

from .erase import Eraser, check_holds, erase_quarantined

_BANKS_AT_ONCE = 500
_READ_AT_ONCE = 200  # messages that are read together
MOST_THREADS = 100  # named for each bank


@dataclass(frozen=True)
class _Share:
    """Messages of a person in a bank."""

    bank: Bank
    ids: Collection[int]
    #: Keys of those in quarantine.
    keys: Sequence[str]
    threads: Sequence[str]
    #: The error that a legal hold raises.
    refusal: Held | None

    @property
    def count(self) -> int:
        """Number of messages."""
        return len(self.ids) + len(self.keys)

    def report(self, name: str, quarantined: int, remaining: int, reason: str | None, *, erased: int) -> PersonInBank:
        """Returns the report of the bank."""
        return PersonInBank(
            bank=name,
            messages=erased,
            quarantined=quarantined,
            threads=list(self.threads[:MOST_THREADS]),
            remaining=remaining,
            reason=reason,
        )


@audited(lambda owner: owner._database)
class Persons:
    """Erases and exports what persons said."""

    def __init__(
        self,
        database: Database,
        eraser: Callable[[], Eraser],
        assembler: MessageAssembler,
        images: MessageImages,
        gap_mark: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._eraser = eraser
        self._assembler = assembler
        self._images = images
        self._gap_mark = gap_mark
        self._now = now

    def erase(
        self, person: str, *, mentions: bool = False, dry_run: bool = True, progress: Progress | None = None
    ) -> PersonErasure:
        """Permanently erases what a person said, as `Memory.erase_message` does, and returns a report. Repeating the
        call completes an interrupted erasure. `progress` counts messages.

        `mentions`: also messages of others whose text has the name as words. `dry_run`: erases nothing and reports how
        many messages in which banks and threads would be erased. Raises `InvalidInput`, `NotFound` if nobody has that
        name, and `Held` if a legal hold keeps any of the messages; nothing is erased then.
        """
        fields = {"person": person, "mentions": mentions, "dry_run": dry_run}
        request = PersonErasureRequest.from_fields(fields)
        person = _checked(request.person)
        shares = self._all_shares(person, mentions=request.mentions)
        own_name = Access.current().own_name
        if request.dry_run:
            parts = [
                share.report(
                    own_name(share.bank.name),
                    len(share.keys),
                    share.count,
                    None if share.refusal is None else str(share.refusal),
                    erased=share.count,
                )
                for share in shares
            ]
            return _result(request, parts)
        return self._erase(request, shares, progress)

    def erase_until(
        self, person: str, *, mentions: bool, newest: int, until: datetime, progress: Progress | None = None
    ) -> PersonErasure:
        """Erases what a person said, as `erase` does, but for what was stored later. `newest`: id of the newest message
        to erase. `until`: the same for messages in quarantine, by their arrival."""
        fields = {"person": person, "mentions": mentions, "dry_run": False}
        request = PersonErasureRequest.from_fields(fields)
        shares = self._all_shares(_checked(request.person), mentions=mentions, newest=newest, until=until)
        return self._erase(request, shares, progress)

    def _all_shares(self, person: str, **options: Any) -> list[_Share]:
        shares = list(self._shares(person, **options))
        if not shares:
            raise _nobody(person)
        return shares

    def _erase(
        self, request: PersonErasureRequest, shares: Sequence[_Share], progress: Progress | None
    ) -> PersonErasure:
        now = self._now()
        for share in shares:
            if share.refusal is not None:  # nothing is erased if anything is held
                raise share.refusal
        total = sum(share.count for share in shares)
        parts = []
        done = 0
        for share in shares:
            parts.append(self._erase_in(share, now, _following(progress, done, total)))
            if request.mentions:
                with self._database.write() as connection:
                    threads.delete_titles_with(connection, share.bank.id, request.person.strip())
            done += share.count
        return _result(request, parts, log_erased=self._database.purge_deleted())

    def _erase_in(self, share: _Share, now: datetime, progress: Progress | None) -> PersonInBank:
        """Erases the messages of a person in a bank. What cannot be erased is left, with the reason."""
        reason: str | None = None
        try:
            quarantined = erase_quarantined(self._database, share.bank.id, share.keys)
            if progress is not None and quarantined:
                progress(quarantined, share.count)
            if share.ids:
                part = _following(progress, quarantined, share.count)
                self._eraser().erase_messages(share.bank.name, share.bank.id, share.ids, now, progress=part)
        except (Held, Unreadable, StorageError) as error:
            reason = str(error)
        with self._database.read() as connection:
            in_quarantine = len(quarantine.by_keys(connection, share.bank.id, share.keys))
            remaining = in_quarantine + len(messages.filter_ids(connection, share.bank.id, share.ids, MessageFilter()))
        name = Access.current().own_name(share.bank.name)
        erased = share.count - remaining
        reason = reason if remaining else None
        return share.report(name, len(share.keys) - in_quarantine, remaining, reason, erased=erased)

    def export(self, person: str, *, mentions: bool = False) -> Iterator[PersonMessage]:
        """Yields what a person said, bank by bank in time order, as remembered now, with the bank; after the others of
        a bank those in quarantine, as they arrived. `mentions`: see `erase`. Raises `InvalidInput`, `NotFound`."""
        now = self._now()
        name = _checked(person)
        shares = self._shares(name, mentions=mentions)
        first = next(shares, None)
        if first is None:
            raise _nobody(name)
        return self._exported(first, shares, now)

    def _exported(self, first: _Share, others: Iterator[_Share], now: datetime) -> Iterator[PersonMessage]:
        for share in chain([first], others):
            name = Access.current().own_name(share.bank.name)
            for message in self._read(share.bank, share.ids, now):
                filled = self._images.fill(share.bank.name, [message], everything=True)
                yield from (PersonMessage.model_validate({**dict(span), "bank": name}) for span in filled)
            for row in self._quarantined(share.bank.id, share.keys):
                if row.expires_at is None or row.expires_at > now:
                    yield _in_quarantine(row, name)

    def _shares(
        self, person: str, *, mentions: bool, newest: int | None = None, until: datetime | None = None
    ) -> Iterator[_Share]:
        """Yields the banks in which there are messages of a person, by name. `newest`, `until`: see `erase_until`."""
        after: str | None = None
        while True:
            with self._database.read() as connection:
                part = banks.list_after(connection, after, _BANKS_AT_ONCE)
            for bank in part:
                share = self._share(bank, person, mentions, newest, until)
                if share is not None:
                    yield share
            if len(part) < _BANKS_AT_ONCE:
                return
            after = part[-1].name

    def _share(
        self, bank: Bank, person: str, mentions: bool, newest: int | None, until: datetime | None
    ) -> _Share | None:
        mentioned: set[int] = set()
        quarantined: set[str] = set()
        if mentions:
            mentioned, quarantined = self._mentioning(bank, person, until)
        names_of_person = {person.casefold()}
        with self._database.read() as connection:
            ids = messages.said_by(connection, bank.id, names_of_person) | mentioned
            ids = {number for number in ids if newest is None or number <= newest}
            keys = [*quarantine.said_by(connection, bank.id, names_of_person, until), *quarantined]
            keys = list(dict.fromkeys(keys))
            if not ids and not keys:
                return None
            places = messages.places(connection, bank.id, ids)
            names = set(banks.thread_names(connection, {thread for thread, _ in places.values()}).values())
            names |= quarantine.threads(connection, bank.id, keys)
            refusal: Held | None = None
            try:
                check_holds(connection, bank.id, ids, keys)
            except Held as error:
                refusal = error
        return _Share(bank, ids, keys, sorted(names), refusal)

    def _mentioning(self, bank: Bank, person: str, until: datetime | None) -> tuple[set[int], set[str]]:
        """Returns the ids of the messages of a bank that have the name of a person as words of their text, and the keys
        of those in quarantine. `until`: only of those of the quarantine that arrived until then."""
        words = re.compile(rf"(?<!\w){re.escape(person.casefold())}(?!\w)")
        with self._database.read() as connection:
            ids = messages.ids_within(connection, bank.id, MessageFilter())
            keys = quarantine.keys_within(connection, bank.id, until)
        rows = self._read_rows(bank, ids)
        mentioned = {message_id for message_id, message in rows if words.search(message.text.casefold())}
        quarantined = self._quarantined(bank.id, keys)
        return mentioned, {row.key for row in quarantined if words.search(row.message.text.casefold())}

    def _quarantined(self, bank_id: int, keys: Sequence[str]) -> Iterator[QuarantineRow]:
        """Yields the messages with these keys, in this order."""
        for start in range(0, len(keys), _READ_AT_ONCE):
            part = keys[start : start + _READ_AT_ONCE]
            with self._database.read() as connection:
                rows = quarantine.by_keys(connection, bank_id, part)
            yield from (rows[key] for key in part if key in rows)

    def _read(self, bank: Bank, ids: Collection[int], now: datetime) -> Iterator[RecalledMessage]:
        """Yields messages of a bank in time order, as remembered now, but for those that have expired."""
        with self._database.read() as connection:
            expired = expiries.expired(connection, bank, now)
            times = expiries.times(connection, bank, ids)
        for message_id, message in self._read_rows(bank, set(ids) - expired):
            yield message.model_copy(update={"expires_at": times.get(message_id)})

    def _read_rows(self, bank: Bank, ids: Collection[int]) -> Iterator[tuple[int, RecalledMessage]]:
        """Yields messages of a bank with their ids, in time order, as remembered now."""
        with self._database.read() as connection:
            at = messages.times(connection, bank.id, ids)
        ordered = iter(sorted(at, key=lambda message_id: (at[message_id], message_id)))
        while part := list(islice(ordered, _READ_AT_ONCE)):
            with self._database.read() as connection:
                rows = messages.by_ids(connection, bank.id, part)
                stored = StoredMessages.fetch(connection, bank.id, [rows[i] for i in part if i in rows])
            remembered = self._assembler.assemble(stored)
            for message_id in part:
                if message_id in remembered:
                    message = recalled_message(rows[message_id], remembered[message_id])
                    yield message_id, message.with_gap_mark(self._gap_mark)


def _in_quarantine(row: QuarantineRow, bank: str) -> PersonMessage:
    """Returns the public value of a quarantined message."""
    message = row.message
    return PersonMessage(
        message_id=row.key,
        ref="",
        bank=bank,
        thread=row.thread,
        role=message.role,
        name=message.name,
        created_at=message.created_at or row.arrived_at,
        arrived_at=row.arrived_at,
        expires_at=row.expires_at,
        text=message.text,
        parts=None if message.parts is None else list(message.parts),
        trust=message.trust_class,
        suspicious=True,
        metadata=dict(message.metadata or {}),
        kept=1.0,
        gaps=[],
        confidence=1.0,
        uncertain=[],
        tier=None,
        source="text",
        page_ids=[],
        score=None,
        quarantined=True,
    )


def _checked(person: str) -> str:
    if not person.strip():
        raise InvalidInput("person must be the name of a speaker, not empty")
    return person.strip()


def _nobody(person: str) -> NotFound:
    return NotFound(f"nobody called '{person}' has messages in these banks; names are compared whole, without case")


def _following(progress: Progress | None, done: int, total: int) -> Progress | None:
    """Returns the progress of a part that begins after `done` messages."""
    return None if progress is None else lambda part, _: progress(done + part, total)


def _result(request: PersonErasureRequest, parts: list[PersonInBank], *, log_erased: bool = True) -> PersonErasure:
    return PersonErasure(
        person=request.person,
        mentions=request.mentions,
        dry_run=request.dry_run,
        messages=sum(part.messages for part in parts),
        remaining=sum(part.remaining for part in parts),
        banks=parts,
        log_erased=log_erased,
    )
