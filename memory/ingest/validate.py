"""Validating what is to be stored. Errors name a message by its place in the call: `messages[3].content …`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput, InvalidTime, MessageTooLarge
from foxing.memory.models import NewMessage

CLOCK_SKEW = timedelta(minutes=5)  # how far in the future a message may be: clocks differ
_BANK_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@")


def check_bank_name(bank: str) -> str:
    """The name. Raises `InvalidInput` if it cannot be part of a URL path."""
    if not 1 <= len(bank) <= 200 or not _BANK_CHARACTERS.issuperset(bank) or bank in (".", ".."):
        raise InvalidInput("a bank's name must have 1 to 200 characters out of letters, digits and . _ - : @")
    return bank


def validate_message(message: NewMessage | Mapping[str, Any], number: int, now: datetime, max_bytes: int) -> NewMessage:
    """The message, validated. Raises `InvalidInput`, `InvalidTime` or `MessageTooLarge`."""
    where = f"messages[{number}]"
    valid = message if isinstance(message, NewMessage) else _parse(message, where)
    _check_text(valid.content, f"{where}.content", controls=True)
    size = len(valid.content.encode())
    if size > max_bytes:
        raise MessageTooLarge(
            f"{where} has {size:,} bytes, {max_bytes:,} are allowed; split it or raise the maximum"
        ).naming("max_message_bytes")
    for name in ("id", "name", "thread"):
        _check_text(getattr(valid, name) or "", f"{where}.{name}", controls=False)
    if valid.created_at is not None:
        _check_time(valid.created_at, f"{where}.created_at", now)
    return valid


def _parse(fields: Mapping[str, Any], where: str) -> NewMessage:
    try:
        return NewMessage.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "message"
        if first["type"].startswith(("timezone", "datetime")):
            raise InvalidTime(f"{where}.{field}: {first['msg']}; write it like 2026-03-02T09:15:00+01:00") from error
        raise InvalidInput(f"{where}.{field}: {first['msg']}") from error


def _check_text(text: str, where: str, *, controls: bool) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{where} contains half of a surrogate pair; send valid UTF-8") from error
    if not controls and any(ord(c) < 0x20 for c in text):
        raise InvalidInput(f"{where} contains control characters; remove them")


def _check_time(time: datetime, where: str, now: datetime) -> None:
    try:
        at = time.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTime(f"{where} is outside the years 1 to 9999 in UTC; correct it") from error
    if at > now + CLOCK_SKEW:
        raise InvalidTime(
            f"{where} is {time.isoformat()}, in the future of this server ({now.isoformat(timespec='seconds')}); "
            "check the clocks"
        )
