"""Conversations from files: JSON Lines of conversations or of messages, and LoCoMo. Importing again adds nothing."""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from pydantic import Field, ValidationError

from foxing.memory.errors import Conflict, InvalidInput, InvalidTime
from foxing.memory.models import NewMessage, Value
from foxing.memory.text.times.window import zone_of

from .locomo import is_locomo, locomo_messages

if TYPE_CHECKING:
    from foxing.memory.memory import Memory

FORMATS = ("auto", "jsonl", "locomo")
MESSAGES_AT_ONCE = 500  # stored together, all or none
LONGEST_LINE = 256 << 20  # bytes

Progress = Callable[[int, int], None]
_MESSAGE_NUMBER = re.compile(r"messages\[(\d+)\]")


class ImportReport(Value):
    """What an import did."""

    messages: int = Field(description="Messages in the file.")
    stored: int = Field(description="How many were new.")
    duplicates: int = Field(description="How many were there already.")
    threads: int = Field(description="Conversations the messages belong to.")


@dataclass(frozen=True)
class _Found:
    """A message and where it stands: “line 12” and bytes of the file read so far."""

    message: NewMessage
    where: str
    read: int


def import_file(
    memory: "Memory",
    path: Path,
    *,
    bank: str,
    format: str = "auto",
    timezone: str | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Stores the messages of a file, which may be gzipped, with their own times.

    `format`: "jsonl", a conversation `{"id", "messages": [{"role", "content", "name"?, "created_at"?}, …]}` or a
    message `{"id", "thread", "role", "content", …}` a line; "locomo"; or "auto". `timezone` is that of times without
    an offset. Messages without a time are dated when they are stored. `progress` is told bytes read and bytes in all.

    The file is read through before anything is stored, so one with a mistake stores nothing. Messages are then stored
    in parts, each all or nothing, under ids that are the same every time: an import that was broken off goes on when
    it is run again. Raises `InvalidInput`, `InvalidTime`, `MessageTooLarge` or `Conflict`, with the line.
    """
    if format not in FORMATS:
        raise InvalidInput(f"the format '{format}' is not known; choose one of {', '.join(FORMATS)}")
    zone = zone_of(timezone) if timezone is not None else None
    chosen = _detect(path) if format == "auto" else format
    threads: set[str | None] = set()
    count = 0
    for found in _messages(path, chosen, zone):
        threads.add(found.message.thread)
        count += 1
    if not count:
        raise InvalidInput(f"{path} holds no messages")
    size = path.stat().st_size
    stored = duplicates = 0
    coming = _messages(path, chosen, zone)
    while part := list(islice(coming, MESSAGES_AT_ONCE)):
        answer = _store(memory, bank, path, part)
        stored += answer[0]
        duplicates += answer[1]
        if progress is not None:
            progress(min(part[-1].read, size), size)
    if progress is not None:
        progress(size, size)
    return ImportReport(messages=count, stored=stored, duplicates=duplicates, threads=len(threads))


def _store(memory: "Memory", bank: str, path: Path, part: list[_Found]) -> tuple[int, int]:
    try:
        answer = memory.store(bank, [found.message for found in part])
    except Conflict as error:
        raise Conflict(f"{path}, {part[0].where} to {part[-1].where}: {error}") from error
    except InvalidInput as error:
        number = _MESSAGE_NUMBER.match(str(error))
        if number is None:
            raise
        raise type(error)(f"{path}, {part[int(number[1])].where}: {str(error)[number.end() :].lstrip('. ')}") from error
    return answer.stored, answer.duplicates


def _detect(path: Path) -> str:
    """JSON Lines, unless the file is one JSON document: LoCoMo."""
    first = next((line for _, line, _ in _lines(path) if line.strip()), b"")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return "locomo" if first.lstrip()[:1] == b"[" or first.strip() == b"{" else "jsonl"
    return "locomo" if isinstance(value, list) or is_locomo(value) else "jsonl"


def _messages(path: Path, format: str, zone: tzinfo | None) -> Iterator[_Found]:
    return _of_locomo(path, zone) if format == "locomo" else _of_lines(path, zone)


def _lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """(number, line, bytes of the file read so far). Raises `InvalidInput` for what cannot be read."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise InvalidInput(
                        f"{path}, line {number} is longer than {LONGEST_LINE >> 20} MiB; is it JSON Lines?"
                    )
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, raw.tell()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path} is cut short or damaged ({error}); make or download it again") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error


def _text(path: Path, where: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path}, {where}: byte {error.start + 1} is not UTF-8; save the file in that encoding"
        ) from error


def _json(path: Path, where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}, {where}: this is not JSON ({error})") from error


def _of_locomo(path: Path, zone: tzinfo | None) -> Iterator[_Found]:
    parts = list(_lines(path))
    data = b"".join(line for _, line, _ in parts)
    value = _json(path, "the whole file", _text(path, "the whole file", data))
    try:
        for message, where in locomo_messages(value, zone):
            yield _Found(message, where, parts[-1][2])
    except InvalidInput as error:
        raise type(error)(f"{path}, {error}") from error


def _of_lines(path: Path, zone: tzinfo | None) -> Iterator[_Found]:
    chain = b""
    for number, line, read in _lines(path):
        if not line.strip():
            continue
        where = f"line {number}"
        # What has no id gets one from everything up to here: the same in every import of the file, also when lines
        # were added to its end, and another than a like line elsewhere.
        chain = hashlib.sha256(chain + line.strip()).digest()
        value = _json(path, where, _text(path, where, line))
        try:
            if not isinstance(value, dict):
                raise InvalidInput("expected an object with 'messages', or one with 'role' and 'content'")
            if "messages" in value:
                for message in _of_conversation(value, chain.hex()[:24], zone):
                    yield _Found(message, where, read)
            else:
                made_up = value.get("id", value.get("message_id")) or chain.hex()[:24]
                yield _Found(_message(value, made_up, None, zone), where, read)
        except InvalidInput as error:
            raise type(error)(f"{path}, {where}: {error}") from error


def _of_conversation(value: Mapping[str, Any], made_up: str, zone: tzinfo | None) -> Iterator[NewMessage]:
    messages = value["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise InvalidInput("'messages' must be a list of objects")
    name = str(value.get("id") or value.get("thread") or made_up)
    for index, fields in enumerate(messages):
        try:
            yield _message(fields, fields.get("id") or f"{name}#{index}", value.get("thread") or name, zone)
        except InvalidInput as error:
            raise type(error)(f"messages[{index}]: {error}") from error


def _message(fields: Mapping[str, Any], key: Any, thread: Any, zone: tzinfo | None) -> NewMessage:
    try:
        return NewMessage(
            id=str(key),
            role=fields.get("role"),
            name=fields.get("name"),
            content=_content(fields),
            created_at=_created_at(fields.get("created_at"), zone),
            thread=fields.get("thread") or thread,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _content(fields: Mapping[str, Any]) -> str:
    """The text; calls of tools stand after it as JSON, and what is no text in brackets."""
    content = fields.get("content", fields.get("text"))
    if isinstance(content, list):
        content = "\n".join(_part(part) for part in content)
    calls = fields.get("tool_calls") or []
    if content is None and (calls or "content" in fields):
        content = ""
    if not isinstance(content, str):
        raise InvalidInput("content: give a text")
    return "\n".join([*([content] if content or not calls else []), *map(_call, calls)])


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return cast("str", part["text"])
    return f"[{part.get('type', 'part')}]" if isinstance(part, dict) else "[part]"


def _call(call: Any) -> str:
    """One line: {"tool_call": name, "id": …, "arguments": …}."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return json.dumps({"tool_call": call}, ensure_ascii=False)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # where the model wrote no JSON it stays as it is
            arguments = json.loads(arguments)
    known = {"tool_call": function.get("name"), "id": call.get("id"), "arguments": arguments}
    return json.dumps({name: value for name, value in known.items() if value is not None}, ensure_ascii=False)


def _created_at(value: Any, zone: tzinfo | None) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None and zone is None:
            raise InvalidTime(f"created_at: the time '{value}' has no timezone; give the timezone of the file")
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidTime(f"created_at: '{value}' is no time; write it like 2026-03-02T09:15:00+01:00") from error
