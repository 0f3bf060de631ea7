"""Compact JSON: on one line, without spaces."""

import json

from pydantic import JsonValue


def compact_json(value: JsonValue, *, sort_keys: bool = False) -> str:
    """Returns `value` as JSON without spaces and without escaping non-ASCII characters. Raises `ValueError` for NaN,
    infinity, integers of more than 4,300 digits and too deeply nested values."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=sort_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            "a number is NaN, infinite or longer than 4,300 digits, or values are nested too deeply; "
            "give it as a string"
        ) from error
