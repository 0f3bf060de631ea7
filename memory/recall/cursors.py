"""Cursors of paged answers."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from foxing.memory.errors import InvalidCursor

MAX_CURSOR_CHARS = 2_000


_UNREADABLE = "this cursor cannot be read; pass next_cursor as you got it, or none"


_LARGEST = (1 << 63) - 1  # of the database's whole numbers


def encode_cursor(fingerprint: str, position: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([fingerprint, *position]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, fingerprint: str) -> list[Any]:
    """Raises `InvalidCursor` for one that was made up or belongs to another question."""
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(fields, list) or len(fields) < 2:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor(_UNREADABLE) from error
    if fields[0] != fingerprint:
        raise InvalidCursor("this cursor belongs to another question; ask the same again, or pass none")
    return fields[1:]


def time_cursor(position: Sequence[Any]) -> tuple[datetime, int]:
    """(time, id) out of a cursor's position. Raises `InvalidCursor`."""
    try:
        at, message_id = datetime.fromisoformat(position[0]), position[1]
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise InvalidCursor(_UNREADABLE) from error
    return at, _whole(message_id)


def _whole(number: Any) -> int:
    if type(number) is not int or not 0 <= number <= _LARGEST:
        raise InvalidCursor(_UNREADABLE)
    return number
