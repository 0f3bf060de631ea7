"""Metadata of messages: a small JSON object that recall can filter by."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from foxing.memory.compact_json import compact_json

MAX_METADATA_BYTES = 2_048  # as compact JSON in UTF-8

#: A value that a member of the metadata can be compared with.
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
        return f"{size:,} bytes of JSON exceed the limit of {MAX_METADATA_BYTES:,}; put large values into the content"
    return None


#: The metadata of a message.
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_check_metadata)]


def _check_filter(members: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in members.items():
        if value is not None and not isinstance(value, (str, int, float)):
            kind = type(value).__name__
            reason = f"'{key}' cannot be compared with a {kind}; give a string, number, boolean or null"
            raise PydanticCustomError("metadata", "{reason}", {"reason": reason})
    return _check_metadata(dict(members))


#: Members that the metadata of a message must have, with equal values.
MetadataFilter = Annotated[
    dict[str, Any],
    Strict(False),
    AfterValidator(_check_filter),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]
            },
        }
    ),
]
