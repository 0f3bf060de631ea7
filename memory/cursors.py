"""Cursors: opaque strings that mark where the next page of a list begins."""

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from foxing.memory.errors import InvalidCursor
from foxing.memory.values.base import INVALID_CURSOR, MAX_CURSOR_CHARS

MAX_INTEGER = (1 << 63) - 1  # of a database column

#: Position in a list: JSON values whose meaning depends on the list.
Position = Sequence[Any]


class TimePosition(NamedTuple):
    """Position in a list ordered by time: the time and id of the last item before it."""

    at: datetime
    id: int
    #: ids of earlier items that were skipped and are still to be returned
    waiting: Sequence[int] = ()

    def encoded(self) -> Position:
        """Returns the position as JSON values; `time_position` reverses it."""
        return [self.at.isoformat(), self.id, *([_gaps(self.waiting)] if self.waiting else [])]


class RankPosition(NamedTuple):
    """Position in a list ordered by score."""

    #: highest message id in the list; messages stored later are not in it
    newest: int
    #: document keys of the passages that were returned or dropped
    seen: frozenset[int]
    #: first message of each episode that is not complete → ids of its messages still to be returned
    episodes: Mapping[int, Sequence[int]] = MappingProxyType({})

    def encoded(self) -> Position:
        """Returns the position as JSON values; `rank_position` reverses it."""
        waiting = [[first, _gaps(ids)] for first, ids in self.episodes.items()]
        return [self.newest, _gaps(self.seen), *([waiting] if waiting else [])]


@dataclass(frozen=True)
class IdRanges:
    """A set of ids, stored as ranges, which keeps cursors short where ids are mostly consecutive."""

    #: First id of each range, ascending, and the id after its last.
    starts: Sequence[int] = ()
    stops: Sequence[int] = ()

    def __contains__(self, item_id: int) -> bool:
        place = bisect_right(self.starts, item_id) - 1
        return place >= 0 and item_id < self.stops[place]

    def __len__(self) -> int:
        return sum(stop - start for start, stop in zip(self.starts, self.stops, strict=True))

    def with_ids(self, ids: Iterable[int]) -> "IdRanges":
        """Returns the union with `ids`."""
        starts: list[int] = []
        stops: list[int] = []
        for start, stop in sorted([*zip(self.starts, self.stops, strict=True), *((i, i + 1) for i in ids)]):
            if stops and start <= stops[-1]:
                stops[-1] = max(stop, stops[-1])
            else:
                starts.append(start)
                stops.append(stop)
        return IdRanges(starts, stops)

    def encoded(self) -> Position:
        """Returns the ranges as JSON values; `id_ranges` reverses it."""
        return [_gaps([edge for ends in zip(self.starts, self.stops, strict=True) for edge in ends])]


def encode_cursor(fingerprint: str, position: Position) -> str:
    """Returns a cursor for `position` in the list that `fingerprint` identifies."""
    return (
        base64.urlsafe_b64encode(json.dumps([fingerprint, *position], separators=(",", ":")).encode())
        .decode()
        .rstrip("=")
    )


def decode_cursor(cursor: str, fingerprint: str) -> Position:
    """Returns the position in a cursor, which has at least one value. Raises `InvalidCursor` if `encode_cursor` did not
    make it or it belongs to another list."""
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(fields, list) or len(fields) < 2:
            raise ValueError
    except (ValueError, RecursionError, binascii.Error) as error:
        raise InvalidCursor(INVALID_CURSOR) from error
    if fields[0] != fingerprint:
        raise InvalidCursor("this cursor belongs to another query; repeat that query, or omit the cursor")
    return fields[1:]


def time_position(position: Position) -> TimePosition:
    """Returns the position that `TimePosition.encoded` encodes. Raises `InvalidCursor`."""
    try:
        at = datetime.fromisoformat(position[0])
        item_id = position[1]
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise InvalidCursor(INVALID_CURSOR) from error
    return TimePosition(at, _natural(item_id), _ids(position[2]) if len(position) > 2 else ())


def number_position(position: Position) -> int:
    """Returns the number that a position consists of. Raises `InvalidCursor`."""
    if len(position) != 1:
        raise InvalidCursor(INVALID_CURSOR)
    return _natural(position[0])


def id_ranges(position: Position) -> IdRanges:
    """Returns the set that `IdRanges.encoded` encodes. Raises `InvalidCursor`."""
    edges = _ids(position[0])
    if len(position) != 1 or len(edges) % 2:
        raise InvalidCursor(INVALID_CURSOR)
    return IdRanges(edges[::2], edges[1::2])


def rank_position(position: Position) -> RankPosition:
    """Returns the position that `RankPosition.encoded` encodes. Raises `InvalidCursor`."""
    if len(position) not in (2, 3):
        raise InvalidCursor(INVALID_CURSOR)
    episodes = _waiting(position[2]) if len(position) == 3 else {}
    return RankPosition(_natural(position[0]), frozenset(_ids(position[1])), episodes)


def _waiting(episodes: Any) -> dict[int, Sequence[int]]:
    """Returns `RankPosition.episodes`. Raises `InvalidCursor`."""
    try:
        return {_natural(first): _ids(gaps) for first, gaps in episodes}
    except (TypeError, ValueError) as error:
        raise InvalidCursor(INVALID_CURSOR) from error


def window_bounds(position: Position) -> tuple[datetime | None, datetime | None]:
    """Returns the time window that a position begins with. Raises `InvalidCursor`."""
    if len(position) < 2:
        raise InvalidCursor(INVALID_CURSOR)
    since, until = (None if bound is None else time_position([bound, 0]).at for bound in position[:2])
    return since, until


def _natural(number: Any) -> int:
    """Returns `number` if it is an integer from 0 to `MAX_INTEGER`. Raises `InvalidCursor`."""
    if type(number) is not int or not 0 <= number <= MAX_INTEGER:
        raise InvalidCursor(INVALID_CURSOR)
    return number


def _gaps(ids: Collection[int]) -> list[int]:
    """Returns the ids in ascending order, delta-encoded; most deltas have one digit."""
    ordered = sorted(ids)
    return [after - before for before, after in pairwise([0, *ordered])]


def _ids(gaps: Any) -> list[int]:
    """Reverses `_gaps`. Raises `InvalidCursor`."""
    if not isinstance(gaps, list):
        raise InvalidCursor(INVALID_CURSOR)
    return [_natural(number) for number in accumulate(map(_natural, gaps))]
