"""Lossless conversion of framework values to JSON."""

import math
from collections.abc import Mapping

from pydantic import JsonValue

from foxing.memory import InvalidInput


def exact_json(value: object, what: str = "the value") -> JsonValue:
    """Returns a copy of `value` in JSON types. Tuples become lists, and string and number enums their values.

    Raises `InvalidInput` for a value that JSON cannot represent exactly. `what`: name of the value in the message.
    """
    try:
        return _copy(value, what)
    except RecursionError as error:
        raise InvalidInput(f"{what} is nested too deeply; store parts of it as strings") from error


def _copy(value: object, what: str) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value), what)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput(f"{what} is {value}, which JSON cannot represent; store it as a string")
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, what): _copy(inner, f"{what}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(inner, f"{what}[{number}]") for number, inner in enumerate(value)]
    kind = type(value).__name__
    raise InvalidInput(f"{what} is of type {kind}, which JSON cannot represent; convert it first")


def _key(key: object, what: str) -> str:
    if not isinstance(key, str):
        raise InvalidInput(f"{what} has the key {key!r}; keys must be strings")
    return _text(str.__str__(key), what)


def _text(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = "contains a lone surrogate; use valid Unicode"
        raise InvalidInput(f"{what} {reason}") from error
    return text
