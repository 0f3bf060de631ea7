"""JSON Lines, one conversation or one message per line, and lists of messages."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from pydantic import ValidationError

from foxing.memory.bounded_json import loads
from foxing.memory.errors import InvalidInput, InvalidTime
from foxing.memory.values.base import first_error
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.policy import Policy
from foxing.renderer.clock import utc_now

from .content import content_of
from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage, parse_json

#: Member of the first line of an export, which is about the export and is no message.
HEADER = "foxing_export"
#: Reason why a message of an older export is left out.
EXPIRED = "messages that have expired since they were exported"
#: Reason why a message of the export of a person is left out.
QUARANTINED = "messages that were in quarantine"


def export_header(bank: str, policy: Policy) -> dict[str, Any]:
    """Returns the first line of an export: its bank, and the rules by which messages of the bank are redacted before
    they are stored."""
    redaction = {"rules": list(policy.redact), "patterns": dict(policy.redact_patterns)}
    return {HEADER: {"bank": bank, "redaction": redaction}}


class JsonLines(SingleFiles):
    """Importer of JSON Lines, our own format: a mistake is an error, and stores nothing."""

    strict = True

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        lines = files.first_lines(name)
        if lines and HEADER in lines[0]:
            return "the first line is that of an export of Foxing"
        first: dict[str, Any] = next(iter(lines), {})
        messages = first.get("messages")
        if isinstance(messages, list) and (not messages or not isinstance(messages[0], dict) or "role" in messages[0]):
            return "a line is a conversation with 'messages'"
        content_keys = first.keys() & {"content", "text", "parts", "tool_calls"}
        return "a line is a message with 'role'" if "role" in first and content_keys else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        yield from _read(files, name, options.zone)


class MessageList(SingleFiles):
    """Importer of one JSON document with messages in the form of OpenAI, Anthropic or LangChain: a list, or an object
    with `messages`. They are one thread, named after its first message unless the document has an id."""

    strict = True

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        outline = files.outline(name)
        if {"[].role", "[].content"} <= outline:
            return "a list of messages with 'role' and 'content'"
        if {"[].type", "[].data", "[].data.content"} <= outline:
            return "a list of messages of LangChain"
        if {"messages[].role", "messages[].content"} <= outline and not files.first_lines(name):
            return "an object with 'messages'"
        return None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        where = "the whole file"
        value = files.document(name)
        fields = value if isinstance(value, dict) else {"messages": value}
        messages = fields.get("messages")
        first = b""
        if isinstance(messages, list):
            released = [message for message in messages if not _is_quarantined(message)]
            if len(released) < len(messages):
                files.leave_out(QUARANTINED, where)
            fields = fields | {"messages": [_of_langchain(message) for message in released]}
            first = json.dumps(messages[:1], sort_keys=True).encode()
        try:
            for message in _messages(fields, hashlib.sha256(first).hexdigest()[:24], options.zone):
                yield ImportedMessage(message, where, files.bytes_read)
        except InvalidInput as error:
            raise error.at(f"{files.place(name)}, {where}") from error


_LANGCHAIN_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


def _of_langchain(message: Any) -> Any:
    """Returns a message of LangChain's `messages_to_dict` in OpenAI's form; others as they are."""
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict) or str(message.get("type")) not in _LANGCHAIN_ROLES:
        return message
    calls = [
        {"id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")}
        for call in data.get("tool_calls") or []
    ]
    members = {key: data[key] for key in ("id", "name", "content", "tool_call_id") if data.get(key) is not None}
    return members | {"role": _LANGCHAIN_ROLES[message["type"]], "tool_calls": calls}


def _read(files: HistoryFiles, name: str, zone: tzinfo | None) -> Iterator[ImportedMessage]:
    chain = b""
    now = utc_now()
    place = files.place(name)
    for line in files.lines(name):
        if not line.data.strip() or (line.number == 1 and _is_header(line.data)):
            continue
        where = f"line {line.number}"
        # The default id is a hash of the file up to this line: stable across imports, even after lines are appended,
        # and different for identical lines.
        chain = hashlib.sha256(chain + line.data.strip()).digest()
        value = parse_json(place, where, line.data)
        if _is_quarantined(value):
            files.leave_out(QUARANTINED, where)
            continue
        try:
            for message in _messages(value, chain.hex()[:24], zone):
                if message.expires_at is not None and message.expires_at <= now:
                    files.leave_out(EXPIRED, where)
                else:
                    yield ImportedMessage(message, where, line.bytes_read)
        except InvalidInput as error:
            raise error.at(f"{place}, {where}") from error


def _is_quarantined(value: Any) -> bool:
    """True if an exported message was in quarantine."""
    return isinstance(value, dict) and value.get("quarantined") is True


def _is_header(line: bytes) -> bool:
    """True if a line is the first one of an export."""
    if HEADER.encode() not in line[:100]:
        return False
    try:
        value = loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and HEADER in value


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
            raise error.at(f"messages[{index}]") from error


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
                "expires_at": _time(fields, "expires_at", zone),
                "thread": fields.get("thread") or thread,
                "metadata": fields.get("metadata"),
                "trust": fields.get("trust"),
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
            raise InvalidTime(f"{name}: the time '{value}' has no timezone; give that of the file").asking("timezone")
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidTime(f"{name}: '{value}' is not a time; write it like 2026-03-02T09:15:00+01:00") from error


JSON_LINES = JsonLines()
MESSAGE_LIST = MessageList()
