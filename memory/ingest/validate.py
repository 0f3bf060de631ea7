"""Validation of messages to store. Errors carry the message's position in the call."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from foxing.memory.access import TENANT_MARK, Access
from foxing.memory.errors import InvalidInput, InvalidTime, MessageTooLarge
from foxing.memory.values.base import kind_of
from foxing.memory.values.messages import NewMessage

MAX_MESSAGES = 10_000  # per call
CLOCK_SKEW = timedelta(minutes=5)  # tolerance for messages from the future and expiries in the past
_BANK_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@")


_EXAMPLE = "{'role': 'user', 'content': 'hello'}"


def check_bank_name(bank: str) -> str:
    """Returns the full name of a bank that the caller calls `bank`. Raises `InvalidInput` if it cannot be part of a URL
    path."""
    full_name = Access.current().full_name(bank) if isinstance(bank, str) else ""
    tenant, mark, name = full_name.rpartition(TENANT_MARK)
    is_name = 1 <= len(name) <= 200 and _BANK_CHARACTERS.issuperset(name) and name not in (".", "..")
    is_tenant = not mark or (1 <= len(tenant) <= 50 and _BANK_CHARACTERS.issuperset(tenant))
    if not is_name or not is_tenant:
        raise InvalidInput(
            "a bank's name must be 1 to 200 characters long and may contain ASCII letters, digits and . _ - : @; that "
            "of a tenant's bank may begin with the tenant and ~"
        )
    return full_name


def check_idempotency_key(key: str | None) -> None:
    """Raises `InvalidInput` for a key that is too long or empty."""
    if key is not None and not 1 <= len(key) <= 255:
        raise InvalidInput("an idempotency key must have 1 to 255 characters")


def list_messages(items: Iterable[NewMessage | Mapping[str, Any]]) -> list[NewMessage | Mapping[str, Any]]:
    """Returns the messages of one call, 1 to `MAX_MESSAGES`. Raises `InvalidInput` for anything else."""
    if isinstance(items, str | bytes | Mapping | NewMessage) or not isinstance(items, Iterable):
        raise InvalidInput(f"messages must be a list of messages, such as [{_EXAMPLE}], not {kind_of(items)}")
    messages = list(islice(items, MAX_MESSAGES + 1))
    if not messages:
        raise InvalidInput("give at least one message")
    if len(messages) > MAX_MESSAGES:
        raise InvalidInput(f"there are more than {MAX_MESSAGES:,} messages in one call; split them into several calls")
    return messages


def validate_message(message: NewMessage | Mapping[str, Any], index: int, now: datetime, max_bytes: int) -> NewMessage:
    """Returns the validated message. `index`: its position in the call. Raises `InvalidInput`, `InvalidTime` or
    `MessageTooLarge`."""
    valid = message if isinstance(message, NewMessage) else _parse(message, index)
    text = valid.text
    _check_text(text, "content", index, controls=True)
    size = len(text.encode())
    if size > max_bytes:
        raise MessageTooLarge(
            f"has {size:,} bytes, {max_bytes:,} are allowed; split it or raise the maximum", index=index
        ).naming("max_message_bytes")
    for name in ("id", "name", "thread"):
        _check_text(getattr(valid, name) or "", name, index, controls=False)
    for field, time in (("created_at", valid.created_at), ("arrived_at", valid.arrived_at)):
        if time is not None:
            _check_time(field, time, index, now)
    _check_expiry(valid, index, now)
    return valid


def _check_expiry(message: NewMessage, index: int, now: datetime) -> None:
    """Raises `InvalidTime` for an expiry in the past. If a clock is behind by minutes, it has expired."""
    at = message.expiry(now)
    if at is not None and at < now - CLOCK_SKEW:
        field = "expires_at" if message.expires_after is None else "expires_after"
        raise InvalidTime(
            f"{field} ends at {at.isoformat()}, in the past of this server ({now.isoformat(timespec='seconds')}); "
            "leave the message out, or correct the time",
            index=index,
        )


def _parse(fields: Mapping[str, Any], index: int) -> NewMessage:
    if not isinstance(fields, Mapping):
        raise InvalidInput(f"a message must be an object, such as {_EXAMPLE}, not {kind_of(fields)}", index=index)
    return NewMessage.from_fields(fields, index)


def _check_text(text: str, field: str, index: int, *, controls: bool) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{field} contains half of a surrogate pair; send valid UTF-8", index=index) from error
    if not controls and any(ord(c) < 0x20 for c in text):
        raise InvalidInput(f"{field} contains control characters; remove them", index=index)


def _check_time(field: str, time: datetime, index: int, now: datetime) -> None:
    try:
        at = time.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTime(f"{field} is outside the years 1 to 9999 in UTC; correct it", index=index) from error
    if at > now + CLOCK_SKEW:
        raise InvalidTime(
            f"{field} is {time.isoformat()}, in the future of this server ({now.isoformat(timespec='seconds')}); "
            "check the clocks",
            index=index,
        ).after((at - now - CLOCK_SKEW).total_seconds())
