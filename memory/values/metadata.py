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
    check_json_size(metadata, MAX_METADATA_BYTES, "put large values into the content")
    return metadata


def check_json_size(value: JsonValue, max_bytes: int, advice: str) -> None:
    """Raises `PydanticCustomError` for a value that is not JSON in UTF-8, or larger. `advice`: what to do then."""
    try:
        size = len(compact_json(value).encode())
    except UnicodeEncodeError:
        reason = "a string contains half of a surrogate pair; send valid UTF-8"
    except ValueError as error:
        reason = str(error)
    else:
        if size <= max_bytes:
            return
        reason = f"{size:,} bytes of JSON exceed the limit of {max_bytes:,}; {advice}"
    raise PydanticCustomError("json", "{reason}", {"reason": reason})


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
