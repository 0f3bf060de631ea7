"""Rows of tables as JSON objects, and back with checks of every value."""

import base64
import binascii
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Date, Float, Integer, LargeBinary, String

from foxing.memory.storage.columns import UtcDateTime

_MOST = 1 << 62


def encoded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row as JSON."""
    return {name: _encoded(value) for name, value in row.items()}


def _encoded(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    return value.isoformat() if isinstance(value, date) else value


def decoded(fields: Any, columns: list[Column[Any]]) -> dict[str, Any]:
    """Returns the row of a JSON object with these columns, and no others. Raises `ValueError`."""
    names = {column.name for column in columns}
    if not isinstance(fields, dict) or fields.keys() != names:
        raise ValueError("its fields are not those of this version")
    return {column.name: value_of(fields[column.name], column) for column in columns}


def value_of(value: Any, column: Column[Any]) -> Any:
    """Returns the value of a column as JSON has it. Raises `ValueError`."""
    kind = column.type
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column.name} is missing")
        return None
    if isinstance(kind, UtcDateTime):
        at = datetime.fromisoformat(_text(value, column, None))
        if at.tzinfo is None:
            raise ValueError(f"{column.name} has no timezone")
        return at
    if isinstance(kind, Date):
        return date.fromisoformat(_text(value, column, None))
    if isinstance(kind, LargeBinary):
        try:
            return base64.b64decode(_text(value, column, None), validate=True)
        except binascii.Error as error:
            raise ValueError(f"{column.name} is not Base64") from error
    if isinstance(kind, Boolean):
        return _of(bool, value, column)
    if isinstance(kind, Integer):
        number: int = _of(int, value, column)
        if not -_MOST < number < _MOST:
            raise ValueError(f"{column.name} is out of range")
        return number
    if isinstance(kind, Float):
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{column.name} is not a number")
        return float(value)
    if isinstance(kind, String):
        return _text(value, column, kind.length)
    return value  # JSON


def _of(kind: type, value: Any, column: Column[Any]) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{column.name} is not of the type {kind.__name__}")
    return value


def _text(value: Any, column: Column[Any], chars: int | None) -> str:
    text: str = _of(str, value, column)
    if chars is not None and len(text) > chars:
        raise ValueError(f"{column.name} is longer than {chars} characters")
    text.encode()  # a lone surrogate is an error
    return text
