"""Storing messages: all are validated first, then written in one transaction. Nothing is encoded."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from foxing.memory.clock import later
from foxing.memory.compact_json import compact_json
from foxing.memory.errors import Conflict, InvalidInput
from foxing.memory.models import NewMessage, StoreResult
from foxing.memory.policy import Policy
from foxing.memory.recall.hybrid import HybridSearch
from foxing.memory.recall.semantic.vectors import MessageCodes, joined, spoken
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, idempotency, messages, schedule
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.storage.secrets import DIGEST_BYTES, digest_key, keyed_digest
from foxing.memory.text.passages import Passage, split_passages
from foxing.memory.text.terms import index_terms

from .validate import check_bank_name, list_messages, validate_message

DEFAULT_THREAD = "main"
IDEMPOTENCY_WINDOW = timedelta(days=1)  # how long an idempotency key is remembered


@dataclass(frozen=True)
class _KeyedMessage:
    """A valid message, its id and its passages."""

    key: str
    message: NewMessage
    #: Its content, parts rendered.
    text: str
    #: The thread it belongs to; None if neither the message nor the call names one.
    thread: str | None
    passages: Sequence[Passage]
    #: The index terms of each passage.
    terms: Sequence[Counter[str]]
    #: The secret with which its digest is keyed.
    digest_key: bytes
    #: What it means; None if that is worked out later.
    code: MessageCodes | None = None

    @cached_property
    def digest(self) -> bytes:
        """The same for messages that differ in id, time and thread only. The order of keys in JSON does not count.
        It is keyed, because a short text could be found by trying."""
        message = self.message
        identity = [message.role, message.name, self.text]
        if message.parts is not None:
            identity[2] = compact_json([part.model_dump() for part in message.parts], sort_keys=True)
            identity.append("parts")
        if message.metadata:
            identity.append(compact_json(message.metadata, sort_keys=True))
        return keyed_digest(self.digest_key, hashlib.sha256(json.dumps(identity).encode()).digest()[:DIGEST_BYTES])

    @classmethod
    def of(cls, message: NewMessage, thread: str | None, digest_key: bytes) -> "_KeyedMessage":
        """The message under its id or a new one, in its thread or `thread`."""
        text = message.text
        key = message.id or uuid.uuid4().hex
        passages = split_passages(text)
        terms = index_terms(text, message.name, passages)
        return cls(key, message, text, message.thread or thread, passages, terms, digest_key)

    @property
    def speech(self) -> list[str]:
        """What is embedded of each passage."""
        return [spoken(self.text[start:stop], self.message.name) for start, stop in self.passages]


class MessageStore:
    """Stores messages of at most `max_bytes` bytes of UTF-8 each."""

    def __init__(self, database: Database, search: HybridSearch, max_bytes: int) -> None:
        self.database = database
        self.index = search.index
        self.vectors = search.vectors
        self.max_bytes = max_bytes

    @cached_property
    def _digest_key(self) -> bytes:
        with self.database.read() as connection:
            return digest_key(connection)

    def store(
        self,
        bank_name: str,
        items: Iterable[NewMessage | Mapping[str, Any]],
        *,
        thread: str | None,
        idempotency_key: str | None,
        now: datetime,
    ) -> StoreResult:
        """See `Memory.store`."""
        check_bank_name(bank_name)
        given = list_messages(items)
        if idempotency_key is not None and not 1 <= len(idempotency_key) <= 255:
            raise InvalidInput("an idempotency key must have 1 to 255 characters")
        valid = [validate_message(item, number, now, self.max_bytes) for number, item in enumerate(given)]
        if thread is not None and not 1 <= len(thread) <= 200:
            raise InvalidInput("a thread's name must have 1 to 200 characters")
        keyed = self._keyed(valid, thread)
        digest = keyed_digest(self._digest_key, _request_digest(valid, thread))
        with self.database.write() as connection:
            bank = banks.get_or_create(connection, bank_name, now, Policy().model_dump(mode="json"))
            if idempotency_key is None:
                return self._store_new(connection, bank, keyed, now)
            idempotency.delete_before(connection, now - IDEMPOTENCY_WINDOW)
            saved = idempotency.find_answer(connection, bank.id, idempotency_key, now - IDEMPOTENCY_WINDOW)
            if saved is None:
                result = self._store_new(connection, bank, keyed, now)
                answer = idempotency.SavedAnswer(digest, result.model_dump(mode="json"))
                idempotency.save_answer(connection, bank.id, idempotency_key, answer, now)
                return result
            if saved.digest != digest:
                raise Conflict(f"the idempotency key '{idempotency_key}' was used for other messages; use a new one")
            return StoreResult.model_validate(saved.answer)

    def _keyed(self, valid: Sequence[NewMessage], thread: str | None) -> list[_KeyedMessage]:
        """The messages with their ids, terms and codes."""
        keyed = [_KeyedMessage.of(message, thread, self._digest_key) for message in valid]
        made = self.vectors.encode_now([item.speech for item in keyed])
        if made is None:
            return keyed
        return [replace(item, code=replace(made, codes=[code])) for item, code in zip(keyed, made.codes, strict=True)]

    def _store_new(
        self, connection: Connection, bank: Bank, keyed: Sequence[_KeyedMessage], now: datetime
    ) -> StoreResult:
        """Inserts the messages whose ids are new. Raises `Conflict` if an id belongs to another message."""
        given = [item.key for item in keyed if item.message.id is not None]  # a generated id is new
        known = messages.by_keys(connection, bank.id, given)
        new: dict[str, _KeyedMessage] = {}
        for item in keyed:
            if item.key in known:
                _check_same(known[item.key], item)
            elif item.key not in new:
                new[item.key] = item
            elif not _same_in_call(new[item.key], item):
                raise Conflict(
                    f"the id '{item.key}' occurs twice in this call, with different messages; use another id"
                )
        if new:
            ids = _insert(connection, bank.id, list(new.values()), now)
            self.index.add(connection, bank.id, {ids[key]: item.terms for key, item in new.items()})
            self.vectors.add(connection, bank.id, [ids[key] for key in new], joined([i.code for i in new.values()]))
            oldest = min(item.message.created_at or now for item in new.values())
            chars = sum(len(item.text) for item in new.values())
            seal_at = later(oldest, Policy.parse(bank.policy).seal_after)
            schedule.note_stored(connection, bank.id, chars, seal_at)
        return StoreResult(ids=[item.key for item in keyed], stored=len(new), duplicates=len(keyed) - len(new))


def _insert(connection: Connection, bank_id: int, new: Sequence[_KeyedMessage], now: datetime) -> dict[str, int]:
    """Inserts messages; id as callers know it → row id."""
    threads = [item.thread or DEFAULT_THREAD for item in new]
    thread_ids = banks.thread_ids(connection, bank_id, threads)
    rows: list[messages.NewRow] = [
        {
            "bank_id": bank_id,
            "key": item.key,
            "thread_id": thread_ids[thread],
            "role": item.message.role,
            "name": item.message.name,
            "created_at": item.message.created_at or now,
            "content": item.text,
            "parts": len(item.message.parts or ()),
            "metadata": item.message.metadata or None,
            "digest": item.digest,
            "chars": len(item.text),
            "passages": len(item.passages),
        }
        for item, thread in zip(new, threads, strict=True)
    ]
    return messages.insert(connection, rows, bank_id)


def _same_in_call(one: _KeyedMessage, other: _KeyedMessage) -> bool:
    times = one.message.created_at == other.message.created_at
    return times and one.thread == other.thread and one.digest == other.digest


def _check_same(known: messages.Message, item: _KeyedMessage) -> None:
    """Raises `Conflict` unless both are the same message; a time or thread that is not given does not count. Of a
    message whose text is forgotten, only its length can be compared, and who said it."""
    created_at = item.message.created_at
    message = item.message
    forgotten = (known.chars, known.role, known.name) == (len(item.text), message.role, message.name)
    if (
        not (known.digest == item.digest if known.digest else forgotten)
        or (created_at is not None and created_at != known.created_at)
        or (item.thread is not None and item.thread != known.thread)
    ):
        raise Conflict(
            f"the id '{known.key}' belongs to another message; messages cannot be changed, store it under a new id"
        )


def _request_digest(accepted: Sequence[NewMessage], thread: str | None) -> bytes:
    content = json.dumps([thread, [message.model_dump(mode="json") for message in accepted]])
    return hashlib.sha256(content.encode()).digest()[:DIGEST_BYTES]
