"""JSON within bounds of depth and of the number of values, which are checked before it is parsed.

A document of `[` alone takes a hundred times its size once parsed, and what is nested deeply ends every function that
calls itself, those of the standard library and of pydantic included.
"""

import json
import re
from typing import Any

import numpy as np

#: Cap on the depth of arrays and objects: above what a message can have, whose arguments may have 250 levels.
MAX_DEPTH = 300
_PIECE = 1 << 20  # bytes that are looked at together
_ESCAPE = re.compile(rb"\\[\s\S]")
_MARKS = (b",", b"[", b"{")
#: byte → change of the depth
_STEPS = np.zeros(256, np.int64)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class JsonTooLarge(ValueError):
    """JSON exceeds a limit; the message says which."""


class JsonGuard:
    """Counts depth and values of JSON that comes in pieces, of one document or of its items."""

    def __init__(self, max_depth: int = MAX_DEPTH, max_values: int | None = None, max_bytes: int | None = None) -> None:
        """`max_values`, `max_bytes`: caps for each item."""
        self._max_depth = max_depth
        self._max_values = max_values
        self._max_bytes = max_bytes
        self._carry = b""  # a backslash at the end of a piece
        self._in_string = False
        self._depth = 0
        self._values = self._bytes = 0
        #: greatest depth of the items that end in the last piece
        self.deepest = 0
        self._last_deepest = 0
        self._item_ended = False

    def feed(self, data: bytes) -> None:
        """Counts the next piece. Raises `JsonTooLarge`."""
        if self._item_ended:  # what is next has begun in the piece before
            self.deepest = self._last_deepest
            self._values = 0
            self._bytes = 0
            self._item_ended = False
        self._bytes += len(data)
        if self._max_bytes is not None and self._bytes > self._max_bytes:
            raise JsonTooLarge(f"a value is longer than {self._max_bytes >> 20} MiB")
        outside = self._outside_strings(data)
        self._values += _marks(outside)
        if self._max_values is not None and self._values > self._max_values:
            raise JsonTooLarge(f"more than {self._max_values:,} values")
        brackets = outside.translate(None, _NO_BRACKETS)
        self._last_deepest = self._depth
        if brackets:
            levels = np.cumsum(_STEPS[np.frombuffer(brackets, np.uint8)]) + self._depth
            self._last_deepest = max(self._depth, int(levels.max()))
            self._depth = int(levels[-1])
        self.deepest = max(self.deepest, self._last_deepest)
        if self._last_deepest > self._max_depth:
            raise JsonTooLarge(f"nested more than {self._max_depth:,} levels deep")

    def end_item(self) -> None:
        """Counts anew for the next item."""
        self._item_ended = True

    def _outside_strings(self, data: bytes) -> bytes:
        data = _ESCAPE.sub(b"", self._carry + data)
        self._carry = data[-1:] if data.endswith(b"\\") else b""
        pieces = data.removesuffix(self._carry).split(b'"')
        outside = b"".join(pieces[self._in_string :: 2])
        self._in_string ^= len(pieces) % 2 == 0
        return outside


def loads(data: bytes, *, max_depth: int = MAX_DEPTH, max_values: int | None = None) -> Any:
    """Returns the value of JSON in UTF-8. Raises `ValueError`, of which `JsonTooLarge` and `UnicodeDecodeError` are
    kinds."""
    text = data.decode()
    many = max_values is not None and len(data) > max_values
    if many or sum(map(data.count, _MARKS[1:])) > max_depth:
        guard = JsonGuard(max_depth, max_values)
        for place in range(0, len(data), _PIECE):
            guard.feed(data[place : place + _PIECE])
    try:
        return json.loads(text)
    except RecursionError as error:
        raise JsonTooLarge("nested too deeply") from error


def has_more_values(data: bytes, limit: int) -> bool:
    """Returns True if JSON has more than `limit` values."""
    return _marks(data) > limit and _marks(JsonGuard()._outside_strings(data)) > limit


def is_deeper(value: Any, levels: int) -> bool:
    """Returns True if a parsed value is nested more than `levels` deep."""
    containers = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        containers = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
        if not containers:
            return False
    return bool(containers)


def _marks(data: bytes) -> int:
    """Returns an upper bound of the number of values in JSON without strings, less one."""
    return sum(map(data.count, _MARKS))
