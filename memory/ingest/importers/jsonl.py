"""JSON Lines: one conversation or one message per line."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput, InvalidTime
from foxing.memory.values.base import first_error
from foxing.memory.values.messages import NewMessage

from .content import content_of
from .source import ImportedMessage, NamedFile, parse_json, read_lines


def read_jsonl(path: Path | NamedFile, zone: tzinfo | None) -> Iterator[ImportedMessage]:
    """Yields the messages of a file. `zone`: timezone of times without an offset. Raises `InvalidInput`,
    `InvalidTime`."""
    chain = b""
    for line in read_lines(path):
        if not line.data.strip():
            continue
        where = f"line {line.number}"
        # The default id is a hash of the file up to this line: stable across imports, even after lines are appended,
        # and different for identical lines.
        chain = hashlib.sha256(chain + line.data.strip()).digest()
        value = parse_json(path, where, line.data)
        try:
            for message in _messages(value, chain.hex()[:24], zone):
                yield ImportedMessage(message, where, line.bytes_read)
        except InvalidInput as error:
            raise type(error)(f"{path}, {where}: {error}") from error


def _messages(value: Any, default_id: str, zone: tzinfo | None) -> Iterator[NewMessage]:
    """Yields the messages of a line."""
    if not isinstance(value, dict):
        raise InvalidInput("expected an object with 'messages', or one with 'role' and 'content'")
    if "messages" in value:
        yield from _conversation(value, default_id, zone)
    else:
        yield _message(value, value.get("id", value.get("message_id")) or default_id, None, zone)


def _conversation(value: Mapping[str, Any], default_id: str, zone: tzinfo | None) -> Iterator[NewMessage]:
    messages = value["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise InvalidInput("'messages' must be a list of objects")
    name = str(value.get("id") or value.get("thread") or default_id)
    for index, fields in enumerate(messages):
        try:
            yield _message(fields, fields.get("id") or f"{name}#{index}", value.get("thread") or name, zone)
        except InvalidInput as error:
            raise type(error)(f"messages[{index}]: {error}") from error


def _message(fields: Mapping[str, Any], key: Any, thread: Any, zone: tzinfo | None) -> NewMessage:
    try:
        return NewMessage.model_validate(
            {
                "id": str(key),
                "role": fields.get("role"),
                "name": fields.get("name"),
                "content": content_of(fields),
                "created_at": _time(fields, "created_at", zone),
                "arrived_at": _time(fields, "arrived_at", zone),
                "thread": fields.get("thread") or thread,
                "metadata": fields.get("metadata"),
            }
        )
    except ValidationError as error:
        raise InvalidInput(first_error(error)[1]) from error


def _time(fields: Mapping[str, Any], name: str, zone: tzinfo | None) -> datetime | None:
    """Returns a time, in ISO 8601 or in seconds since the epoch, in UTC; None if there is none."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None and zone is None:
            raise InvalidTime(f"{name}: the time '{value}' has no timezone; give the timezone of the file")
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidTime(f"{name}: '{value}' is not a time; write it like 2026-03-02T09:15:00+01:00") from error
