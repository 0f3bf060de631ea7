"""Reading conversations from JSON Lines, and setting them onto pages for training and measuring."""

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from foxing.encoder.errors import CodecError
from foxing.renderer import Entry, Page, Typesetter, remaining

FIRST_MESSAGE_AT = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)  # texts without times get these
SECONDS_BETWEEN_MESSAGES = 97
MESSAGES_AHEAD = 400  # given to the typesetter at a time, so that long files cost no more than short ones


def read_messages(path: Path) -> Iterator[dict[str, Any]]:
    """Documents `{"id", "lang"?, "messages": [{"role", "content", …}]}` of a JSON Lines file, gzipped or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                document = json.loads(line)
                messages = document["messages"]
                if not all(isinstance(m["content"], str) for m in messages):
                    raise TypeError("content must be text")
            except (ValueError, KeyError, TypeError) as error:
                raise CodecError(f"{path.name}, line {number}: not a document with messages ({error})") from error
            yield document


def entries(documents: Sequence[dict[str, Any]], start: datetime = FIRST_MESSAGE_AT) -> list[Entry]:
    """The documents' messages as typesetter entries, one thread a document, times made up where they have none."""
    result: list[Entry] = []
    at = start
    for document in documents:
        at += timedelta(minutes=31)
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


def dense_pages(documents: Sequence[dict[str, Any]], typesetter: Typesetter, limit: int | None = None) -> list[Page]:
    """Full pages of the documents in order; the last one, not full, is left out unless it is the only one."""
    coming = iter(entries(documents))
    pages: list[Page] = []
    queue: list[Entry] = []
    while limit is None or len(pages) < limit:
        queue.extend(islice(coming, MESSAGES_AHEAD - len(queue)))
        if not queue:
            break
        page = typesetter.page(queue)
        taken = len(page.spans)
        queue = remaining(queue[:taken], page) + queue[taken:]
        full = page.rows_used == page.layout.rows
        if full or not pages:
            pages.append(page)
    return pages
