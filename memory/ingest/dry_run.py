"""Dry run of storing: what `store` would refuse, found without writing and without embeddings."""

import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from foxing.memory.conversation import is_turn_id
from foxing.memory.errors import MemoryFault
from foxing.memory.storage.repositories import banks, messages, quarantine
from foxing.memory.storage.secrets import DIGEST_BYTES
from foxing.memory.values.messages import NewMessage

from .accepted_message import AcceptedMessage, StoreRules, check_same, occurs_twice, same_in_call
from .rules import BankRules
from .store import MessageStore
from .validate import check_bank_name


class KnownMessages(Protocol):
    """The messages of a bank."""

    def __call__(self, ids: Sequence[str]) -> tuple[Mapping[str, messages.Message], Collection[str]]:
        """Returns id → message, for those of the ids that the bank has, and those of turns that were erased."""


@dataclass
class DryRun:
    """Messages checked as `Memory.store` checks them: their limits, their images, the rules of the bank's policy, and
    their ids, against the bank and against the messages checked before. Ends with `close`. Not for several threads.

    The ids of the messages checked before are in a temporary file, so that any number takes little memory.
    """

    rules: StoreRules
    find_messages: KnownMessages

    def __post_init__(self) -> None:
        #: number of messages that would be stored, and of those that the bank has or that came before
        self.stored = self.duplicates = 0
        #: number of messages that would be quarantined
        self.quarantined = 0
        #: name of a rule of redaction → number of matches that it would replace
        self.redacted: Counter[str] = Counter()
        self._before = sqlite3.connect("", isolation_level=None)
        self._before.execute("PRAGMA journal_mode = OFF")
        self._before.execute(
            "CREATE TABLE message (id TEXT PRIMARY KEY, digest BLOB, created_at TEXT, thread TEXT) WITHOUT ROWID"
        )

    @classmethod
    def of(cls, store: MessageStore, bank: str, now: datetime) -> Self:
        """Returns a dry run for a bank, which need not exist. Raises `InvalidInput` for an invalid name."""
        check_bank_name(bank)

        def known(ids: Sequence[str]) -> tuple[Mapping[str, messages.Message], Collection[str]]:
            with store.database.read() as connection:
                row = banks.find(connection, bank)
                if row is None:
                    return {}, ()
                erased = messages.erased_turns(connection, row.id, ids)
                rows = quarantine.by_keys(connection, row.id, ids)
                in_quarantine = {key: entry.as_stored for key, entry in rows.items()}
                return messages.by_keys(connection, row.id, ids) | in_quarantine, erased

        return cls(store.rules(bank, now), known)

    @classmethod
    def of_new_bank(cls, bank: str, now: datetime, max_bytes: int) -> Self:
        """Returns a dry run for a bank of a database that does not exist yet. `max_bytes`: of a message's text. Raises
        `InvalidInput` for an invalid name."""
        check_bank_name(bank)
        return cls(StoreRules(bank, now, max_bytes, BankRules(), os.urandom(DIGEST_BYTES)), lambda ids: ({}, ()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Deletes the temporary file."""
        self._before.close()

    def check(self, batch: Sequence[NewMessage]) -> list[MemoryFault | None]:
        """Returns, for each message of a call of `store`, the error for which it would be refused; None if it would be
        stored, or is stored already."""
        answers: list[MemoryFault | None] = []
        accepted: dict[int, AcceptedMessage] = {}
        for number, message in enumerate(batch):
            redacted: Counter[str] = Counter()
            try:
                accepted[number] = self.rules.accept(message, number, redacted)
            except MemoryFault as error:
                answers.append(error)
            else:
                answers.append(None)
                self.redacted.update(redacted)
        ids = list({item.key: None for item in accepted.values() if item.key is not None})
        stored, erased = self.find_messages(ids)
        before = self._checked(ids)
        new = dict[str, AcceptedMessage]()
        for number, item in accepted.items():
            try:
                is_new = item.key not in erased and self._is_new(item, stored, before, new)
            except MemoryFault as error:
                answers[number] = error
                continue
            is_quarantined = is_new and item.quarantine_rule is not None
            self.stored += is_new and not is_quarantined
            self.quarantined += is_quarantined
            self.duplicates += not is_new
        self._before.executemany(
            "INSERT INTO message VALUES (?, ?, ?, ?)",
            [(key, item.digest, _text_of(item.message.created_at), item.thread) for key, item in new.items()],
        )
        return answers

    def _is_new(
        self,
        item: AcceptedMessage,
        stored: Mapping[str, messages.Message],
        before: Mapping[str, tuple[bytes, str | None, str | None]],
        new: dict[str, AcceptedMessage],
    ) -> bool:
        """Returns whether a message would be stored, and notes it in `new`. Raises `Conflict`."""
        key = item.key
        if key is None:
            return True
        if key in stored:
            check_same(stored[key], item)
        elif key in before and not is_turn_id(key):
            digest, at, thread = before[key]
            place = _text_of(item.message.created_at) or at, item.thread or thread
            if (digest, at, thread) != (item.digest, *place):
                raise occurs_twice(key)
        elif key not in new and key not in before:
            new[key] = item
            return True
        elif key in new and not same_in_call(new[key], item):
            raise occurs_twice(key)
        return False

    def _checked(self, ids: Sequence[str]) -> dict[str, tuple[bytes, str | None, str | None]]:
        """Returns id → digest, time and thread, for messages that were checked before."""
        items = {}
        query = "SELECT digest, created_at, thread FROM message WHERE id = ?"
        with closing(self._before.cursor()) as cursor:
            for key in ids:
                row = cursor.execute(query, (key,)).fetchone()
                if row is not None:
                    items[key] = row
        return items


def _text_of(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
