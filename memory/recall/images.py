"""Recall as page images."""

import base64
from datetime import datetime
from io import BytesIO
from typing import Any

from foxing.memory.errors import InvalidInput, Unreadable
from foxing.memory.models import RecalledImage, RecalledImages, RecalledMessage
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.message_parts import recalled
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages
from foxing.renderer import PageLayout, render

from .cursors import decode_cursor, encode_cursor
from .query import ask, check_limit
from .search import Recaller

READERS = ("native",)


class ImageRecaller:
    """Answers recalls with the pages that hold the answers."""

    def __init__(self, database: Database, recaller: Recaller, decoder: PageDecoder) -> None:
        self.database = database
        self.recaller = recaller
        self.decoder = decoder

    def recall(
        self,
        bank_name: str,
        query: str | None,
        *,
        since: str | datetime | None,
        until: str | datetime | None,
        now: datetime,
        timezone: str | None,
        thread: str | None,
        limit: int,
        cursor: str | None,
        reader: str,
    ) -> RecalledImages:
        """See `Memory.recall_images`."""
        check_limit(limit)
        if reader not in READERS:
            raise InvalidInput(f"pages cannot be laid out for the reader '{reader}' yet; use {', '.join(READERS)}")
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            question = ask(connection, bank, query, since, until, now, timezone, thread)
            nothing = RecalledImages(images=[], vision_tokens=0, open_spans=[], next_cursor=None)
            if question is None:
                return nothing
            position: list[Any] | None = decode_cursor(cursor, question.fingerprint) if cursor else None
            wanted: dict[int, list[str]] = {}
            open_spans: list[RecalledMessage] = []
            following: list[Any] | None = None
            full = False
            for batch in self.recaller.candidates(connection, bank.id, question, position, limit):
                parts = pages.spans_of_messages(connection, [c.message.id for c in batch])
                for candidate in batch:
                    on = [span.page_id for span in parts.get(candidate.message.id, [])]
                    new = [page_id for page_id in on if page_id not in wanted]
                    shown = len(wanted) + len(open_spans)
                    if shown and shown + len(new) + candidate.message.open > limit:
                        full = True
                        break
                    for page_id in on:
                        wanted.setdefault(page_id, []).append(candidate.message.key)
                    if candidate.message.open:
                        found = self.recaller.assembler.messages(connection, [candidate.message])
                        open_spans.append(recalled(candidate.message, found[candidate.message.id], candidate.score))
                    following = candidate.position
                if full:
                    break
            images = self._images(connection, wanted)
        return RecalledImages(
            images=images,
            vision_tokens=sum(image.tokens for image in images),
            open_spans=open_spans,
            next_cursor=encode_cursor(question.fingerprint, following) if full and following else None,
        )

    def _images(self, connection: Any, wanted: dict[int, list[str]]) -> list[RecalledImage]:
        rows = pages.by_ids(connection, list(wanted))
        states = self.decoder.read(list(rows.values()), pages.contents(connection, list(wanted)))
        images = []
        for page_id, keys in wanted.items():
            row, state = rows[page_id], states[page_id]
            if isinstance(state, Unreadable):
                continue  # there is no image of it; `Memory.read_page` says why
            image = render(state.cells[: row.rows_used], PageLayout.from_dict(row.layout), row.tier)
            buffer = BytesIO()
            image.save(buffer, "PNG")
            images.append(
                RecalledImage.model_validate(
                    {
                        "page_id": row.key,
                        "tier": row.tier,
                        "data": base64.b64encode(buffer.getvalue()).decode(),
                        "width": image.width,
                        "height": image.height,
                        "tokens": row.vision_tokens,
                        "message_ids": keys,
                    }
                )
            )
        return images
