"""Metadata of messages: a small JSON object, and the values that recall compares it with."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated

from pydantic import AfterValidator, JsonValue
from pydantic_core import PydanticCustomError

from foxing.memory.compact_json import compact_json
from foxing.memory.errors import InvalidInput

MAX_METADATA_BYTES = 2_048  # as compact JSON in UTF-8

#: What a value of the metadata can be compared with.
Scalar = str | int | float | bool | None


def _check_metadata(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    reason = _reason_against(metadata)
    if reason is not None:
        raise PydanticCustomError("metadata", "{reason}", {"reason": reason})
    return metadata


def _reason_against(metadata: dict[str, JsonValue]) -> str | None:
    try:
        size = len(compact_json(metadata).encode())
    except UnicodeEncodeError:
        return "a string contains half of a surrogate pair; send valid UTF-8"
    except ValueError as error:
        return str(error)
    if size > MAX_METADATA_BYTES:
        return f"{size:,} bytes of JSON, {MAX_METADATA_BYTES:,} are allowed; keep large values in the content"
    return None


#: The metadata of a message.
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_check_metadata)]


def check_filter(wanted: Mapping[str, Scalar]) -> None:
    """Raises `InvalidInput` unless `wanted` maps keys of metadata to values that they can be compared with."""
    for key, value in wanted.items():
        if not isinstance(key, str):
            raise InvalidInput(f"metadata: a key is a string, not {key!r}")
        if value is not None and not isinstance(value, (str, int, float)):
            raise InvalidInput(
                f"metadata: '{key}' is compared with a {type(value).__name__}; give a string, number, boolean or null"
            )
        if isinstance(value, float) and not isfinite(value):
            raise InvalidInput(f"metadata: '{key}' is compared with {value}; give a finite number")
    reason = _reason_against(dict(wanted))
    if reason is not None:
        raise InvalidInput(f"metadata: {reason}")
