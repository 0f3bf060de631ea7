"""Conversations in JSON Lines, and the dense pages typeset from them for training and evaluation.

A document is `{"id", "lang"?, "messages": [{"role"?, "name"?, "content"}, …]}`.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from foxing.encoder.errors import CodecError
from foxing.renderer import Entry, Page, Typesetter
from foxing.renderer.typeset import remaining

FIRST_MESSAGE_AT = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)  # first of the made-up message times
SECONDS_BETWEEN_MESSAGES = 97
MINUTES_BETWEEN_DOCUMENTS = 31
MESSAGES_AHEAD = 400  # passed to the typesetter at a time, which keeps the time linear in the length of a file
_GZIP_MAGIC = b"\x1f\x8b"


def read_messages(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the documents of a JSON Lines file, plain or gzipped. Raises `CodecError` for an invalid line."""
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    opener = gzip.open if compressed else open
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                document = json.loads(line)
                messages = document["messages"]
                if not all(isinstance(message["content"], str) for message in messages):
                    raise TypeError("content must be a string")
            except (ValueError, KeyError, TypeError) as error:
                raise CodecError(f"{path.name}, line {number}: not a document with messages ({error})") from error
            yield document


def entries(documents: Sequence[Mapping[str, Any]], start: datetime = FIRST_MESSAGE_AT) -> list[Entry]:
    """Returns the messages of documents as typesetter entries, one thread per document, with made-up times from `start`
    on."""
    result: list[Entry] = []
    at = start
    for document in documents:
        at += timedelta(minutes=MINUTES_BETWEEN_DOCUMENTS)
        for index, message in enumerate(document["messages"]):
            at += timedelta(seconds=SECONDS_BETWEEN_MESSAGES)
            result.append(
                Entry(
                    message_id=f"{document['id']}#{index}",
                    role=message.get("role", "user"),
                    content=message["content"],
                    created_at=at,
                    thread=str(document["id"]),
                    name=message.get("name"),
                )
            )
    return result


def dense_pages(documents: Sequence[Mapping[str, Any]], typesetter: Typesetter, limit: int | None = None) -> list[Page]:
    """Typesets the documents on full pages, at most `limit`; see `full_pages`."""
    return full_pages(entries(documents), typesetter, limit)


def full_pages(messages: Sequence[Entry], typesetter: Typesetter, limit: int | None = None) -> list[Page]:
    """Typesets the messages, in order, on full pages, at most `limit`. A last page that is not full is dropped unless
    it is the only page."""
    upcoming = iter(messages)
    pages: list[Page] = []
    queue: list[Entry] = []
    while limit is None or len(pages) < limit:
        queue.extend(islice(upcoming, MESSAGES_AHEAD - len(queue)))
        if not queue:
            break
        page = typesetter.page(queue)
        count = len(page.placements)
        queue = remaining(queue[:count], page) + queue[count:]
        full = page.rows_used == page.layout.rows or len(queue) > 0  # something did not fit
        if full or not pages:
            pages.append(page)
    return pages
