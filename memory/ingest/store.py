"""Storing messages: everything is checked first, then written in one transaction. No codec work."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from foxing.memory.errors import Conflict, InvalidInput, InvalidTime, MessageTooLarge
from foxing.memory.models import NewMessage, StoreResult
from foxing.memory.policy import Policy
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, idempotency, index, messages
from foxing.memory.text.terms import index_terms

DEFAULT_THREAD = "main"
MAX_MESSAGES = 10_000  # in one call
CLOCK_SKEW = timedelta(minutes=5)  # a message may be from this far in the future: clocks differ
IDEMPOTENCY_WINDOW = timedelta(days=1)
_BANK_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@")


def check_bank_name(bank: str) -> str:
    """Raises `InvalidInput` for a name that cannot stand in a path."""
    if not 1 <= len(bank) <= 200 or not _BANK_CHARACTERS.issuperset(bank) or bank in (".", ".."):
        raise InvalidInput("a bank's name has 1 to 200 characters out of letters, digits and . _ - : @")
    return bank


def checked(message: NewMessage | Mapping[str, Any], number: int, now: datetime, max_bytes: int) -> NewMessage:
    """The message, validated. Raises `InvalidInput` and its kin, naming the message by its number."""
    try:
        if not isinstance(message, NewMessage):
            message = NewMessage.model_validate(dict(message))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "message"
        if first["type"].startswith(("timezone", "datetime")):
            raise InvalidTime(
                f"messages[{number}].{field}: {first['msg']}; write it like 2026-03-02T09:15:00+01:00"
            ) from error
        raise InvalidInput(f"messages[{number}].{field}: {first['msg']}") from error
    for name in ("content", "id", "name", "thread"):
        value = getattr(message, name)
        try:
            size = len(value.encode()) if value else 0
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"messages[{number}].{name} holds half of a surrogate pair, which is no text; send valid UTF-8"
            ) from error
        if name == "content" and size > max_bytes:
            raise MessageTooLarge(
                f"messages[{number}] has {size:,} bytes, {max_bytes:,} are accepted; split it or raise "
                "FOXING_MAX_MESSAGE_BYTES"
            )
        if name != "content" and value and any(ord(c) < 0x20 for c in value):
            raise InvalidInput(f"messages[{number}].{name} holds control characters")
    if message.created_at is not None:
        try:
            at = message.created_at.astimezone(UTC)
        except OverflowError as error:
            raise InvalidTime(f"messages[{number}].created_at lies outside the years 1 to 9999 in UTC") from error
        if at > now + CLOCK_SKEW:
            raise InvalidTime(
                f"messages[{number}].created_at is {message.created_at.isoformat()}, in the future of this server "
                f"({now.isoformat(timespec='seconds')}); check the clocks"
            )
    return message


def digest_of(role: str, name: str | None, content: str) -> bytes:
    """What makes two messages the same besides their id and time."""
    return hashlib.sha256(json.dumps([role, name, content]).encode()).digest()[:16]


def store(
    database: Database,
    bank_name: str,
    items: Sequence[NewMessage | Mapping[str, Any]],
    *,
    thread: str | None,
    idempotency_key: str | None,
    now: datetime,
    max_bytes: int,
) -> StoreResult:
    """See `Memory.store`."""
    check_bank_name(bank_name)
    if not items:
        raise InvalidInput("give at least one message")
    if len(items) > MAX_MESSAGES:
        raise InvalidInput(f"{len(items):,} messages in one call; give at most {MAX_MESSAGES:,}")
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= 255:
        raise InvalidInput("an idempotency key has 1 to 255 characters")
    accepted = [checked(item, number, now, max_bytes) for number, item in enumerate(items)]
    if thread is not None and not 1 <= len(thread) <= 200:
        raise InvalidInput("a thread's name has 1 to 200 characters")
    keys = [message.id or uuid.uuid4().hex for message in accepted]
    words = [index_terms(message.content, message.name) for message in accepted]
    request_digest = _request_digest(accepted, thread)
    with database.write() as connection:
        bank = banks.get_or_create(connection, bank_name, now, Policy().model_dump(mode="json"))
        if idempotency_key is not None:
            before = idempotency.find_answer(connection, bank.id, idempotency_key)
            if before is not None:
                if before[0] != request_digest:
                    raise Conflict(
                        f"the idempotency key '{idempotency_key}' was used for other messages; use a new one"
                    )
                return StoreResult.model_validate(before[1])
        known = messages.by_keys(connection, bank.id, keys)
        fresh: dict[str, tuple[NewMessage, Mapping[str, int]]] = {}
        for key, message, counts in zip(keys, accepted, words, strict=True):
            if key in known:
                _check_same(known[key], message, thread)
            elif key in fresh:
                if fresh[key][0] != message:
                    raise Conflict(f"the id '{key}' stands twice in this call, with different messages")
            else:
                fresh[key] = (message, counts)
        if fresh:
            _insert(connection, bank.id, fresh, thread, now)
        answer = StoreResult(ids=keys, stored=len(fresh), duplicates=len(keys) - len(fresh))
        if idempotency_key is not None:
            idempotency.forget_answers(connection, bank.id, now - IDEMPOTENCY_WINDOW)
            idempotency.remember_answer(
                connection, bank.id, idempotency_key, request_digest, answer.model_dump(mode="json"), now
            )
    return answer


def _insert(
    connection: Connection,
    bank_id: int,
    fresh: Mapping[str, tuple[NewMessage, Mapping[str, int]]],
    thread: str | None,
    now: datetime,
) -> None:
    names = {key: message.thread or thread or DEFAULT_THREAD for key, (message, _) in fresh.items()}
    thread_ids = banks.thread_ids(connection, bank_id, names.values())
    rows = [
        {
            "bank_id": bank_id,
            "key": key,
            "thread_id": thread_ids[names[key]],
            "role": message.role,
            "name": message.name,
            "created_at": message.created_at or now,
            "content": message.content,
            "digest": digest_of(message.role, message.name, message.content),
            "chars": len(message.content),
            "terms": sum(counts.values()),
        }
        for key, (message, counts) in fresh.items()
    ]
    ids = messages.insert(connection, rows, bank_id)
    index.add(connection, bank_id, {ids[key]: counts for key, (_, counts) in fresh.items()})


def _check_same(known: messages.Message, message: NewMessage, thread: str | None) -> None:
    """The same id may only come again with the same message; a time left out is no difference."""
    same = known.digest == digest_of(message.role, message.name, message.content)
    same = same and (message.created_at is None or message.created_at == known.created_at)
    wanted = message.thread or thread
    if not same or (wanted is not None and wanted != known.thread):
        raise Conflict(
            f"the id '{known.key}' belongs to another message; messages cannot be changed, store it under a new id"
        )


def _request_digest(accepted: Sequence[NewMessage], thread: str | None) -> bytes:
    content = json.dumps([thread, [message.model_dump(mode="json") for message in accepted]])
    return hashlib.sha256(content.encode()).digest()[:16]
