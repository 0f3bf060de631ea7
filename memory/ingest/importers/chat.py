"""Messages of chats between people, for the formats of such chats: everyone is a user with a name."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, TypeVar

from pydantic import ValidationError

from foxing.memory.errors import InvalidTime
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import Part

from .files import HistoryFiles
from .source import ImportedMessage

T = TypeVar("T")

MOST_CHARS_OF_NAME = 200
EMPTY = "messages without text"
#: Months as formats abbreviate them, in small letters.
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NOTICES = "notices of joins, calls, titles and the like"
#: Reason for messages whose fields are not those of the format.
UNREADABLE = "messages that cannot be read"


def said(
    files: HistoryFiles,
    where: str,
    *,
    key: str,
    thread: str,
    name: str | None = None,
    text: str | tuple[Part, ...],
    at: Any,
    role: str = "user",
    metadata: Mapping[str, Any] | None = None,
) -> Iterator[ImportedMessage]:
    """Yields a message. One that is empty or cannot be read is left out. `text`: parts for one with images; `at`: as
    `NewMessage` takes it."""
    if not text or (isinstance(text, str) and not text.strip()):
        files.leave_out(EMPTY, where)
        return
    try:
        message = NewMessage.model_validate(
            {
                "id": short(key),
                "role": role,
                "name": _line(name)[:MOST_CHARS_OF_NAME] or None if name else None,
                "content": text,
                "created_at": at,
                "thread": short(thread),
                "metadata": metadata,
            }
        )
    except ValidationError:
        files.leave_out(UNREADABLE, where)
        return
    yield ImportedMessage(message, where, files.bytes_read)


def readable(files: HistoryFiles, where: str, messages: Iterator[T]) -> Iterator[T]:
    """Yields the messages of an entry. One whose fields are not those of its format is left out from there on."""
    try:
        yield from messages
    except (TypeError, AttributeError, KeyError, IndexError, ValueError, OverflowError, RecursionError, OSError):
        files.leave_out(UNREADABLE, where)


def short(key: str) -> str:
    """Returns an id that fits the limit: one that is too long ends with a digest of it."""
    line = _line(key)
    if len(line) <= MOST_CHARS_OF_NAME:
        return line
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:24]
    return f"{line[: MOST_CHARS_OF_NAME - len(digest) - 1]}:{digest}"


def _line(text: str) -> str:
    return "".join(" " if character < " " else character for character in text).strip()


class Digests:
    """Ids of messages in formats that have none: a digest of the fields of a message and its number among equals, the
    same in a longer export."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def next(self, *fields: str) -> str:
        """Returns the digest of the next message with these fields."""
        key = hashlib.sha256("\x1f".join(fields).encode("utf-8", "replace")).hexdigest()[:24]
        self._seen[key] += 1
        return key if self._seen[key] == 1 else f"{key}:{self._seen[key]}"


def local_time(day: date, clock: time, zone: tzinfo | None, where: str) -> datetime:
    """Returns a local time in UTC. Raises `InvalidTime` if the timezone is not known."""
    if zone is None:
        raise InvalidTime(f"{where}: the time '{day} {clock}' has no timezone; give that of the file").asking(
            "timezone"
        )
    try:
        return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
    except OverflowError as error:
        raise InvalidTime(f"{where}: the time '{day} {clock}' is out of range; correct it") from error


def since_epoch(seconds: Any) -> datetime | None:
    """Returns a time in seconds since the epoch, as a number or a text; None if it is none."""
    try:
        whole, _, fraction = str(seconds).partition(".")
        return datetime.fromtimestamp(int(whole), UTC).replace(microsecond=int(fraction[:6].ljust(6, "0")))
    except (ValueError, OverflowError, OSError):
        return None


def time_with_offset(text: Any) -> datetime | None:
    """Returns a time in ISO 8601 with an offset; None if it is none."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None


def objects(fields: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Returns the JSON objects of a list in an object; none if there is no list."""
    values = fields.get(key)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
