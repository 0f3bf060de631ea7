"""Cursors: opaque strings that say where the next page of a list begins."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from foxing.memory.errors import InvalidCursor

MAX_CURSOR_CHARS = 2_000
MAX_INTEGER = (1 << 63) - 1  # of a database column

_INVALID = "this cursor is invalid; pass next_cursor as you received it, or leave it out"

#: Where a list continues: JSON values whose meaning depends on the list.
Position = Sequence[Any]


class TimePosition(NamedTuple):
    """Position in a list ordered by time: that of the last item before it."""

    at: datetime
    id: int


class RankPosition(NamedTuple):
    """Position in a list ordered by score."""

    #: items before it
    offset: int
    #: highest message id that the list includes, so that messages stored since do not shift it
    newest: int


def encode_cursor(fingerprint: str, position: Position) -> str:
    """A cursor for `position` in the list that `fingerprint` identifies."""
    return base64.urlsafe_b64encode(json.dumps([fingerprint, *position]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, fingerprint: str) -> Position:
    """The position in a cursor, with at least one value. Raises `InvalidCursor` if it was not issued by
    `encode_cursor` or belongs to another list."""
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(fields, list) or len(fields) < 2:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor(_INVALID) from error
    if fields[0] != fingerprint:
        raise InvalidCursor("this cursor belongs to another query; repeat that query, or leave the cursor out")
    return fields[1:]


def time_position(position: Position) -> TimePosition:
    """Raises `InvalidCursor`."""
    try:
        at, item_id = datetime.fromisoformat(position[0]), position[1]
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise InvalidCursor(_INVALID) from error
    return TimePosition(at, _natural(item_id))


def rank_position(position: Position) -> RankPosition:
    """Raises `InvalidCursor`."""
    return RankPosition(_natural(position[0]), _natural(position[-1]))


def _natural(number: Any) -> int:
    if type(number) is not int or not 0 <= number <= MAX_INTEGER:
        raise InvalidCursor(_INVALID)
    return number
