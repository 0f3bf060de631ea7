"""Recall as page images: the pages that hold the answers to a query."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.errors import InvalidInput, Unreadable
from foxing.memory.models import RecalledImage, RecalledImages, RecalledMessage
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.pages.view import draw_page, encode_png
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, pages

from .assemble import MessageAssembler
from .candidates import Candidate, candidates
from .cursors import Position, decode_cursor, encode_cursor
from .query import RecallQuery, resolve


@dataclass
class _Answer:
    """Pages and open messages collected up to a limit."""

    limit: int
    #: page id → ids of the matching messages on the page, in the order of the answer
    message_ids: dict[int, list[str]] = field(default_factory=dict)
    open_matches: list[Candidate] = field(default_factory=list)
    #: where the answer continues
    position: Position | None = None
    #: whether a match was left out
    full: bool = False

    def add(self, candidate: Candidate, page_ids: Sequence[int]) -> bool:
        """Adds a match and the pages that hold it; False if that would exceed the limit. The first match is always
        added."""
        message = candidate.message
        shown = len(self.message_ids) + len(self.open_matches)
        new = [page_id for page_id in page_ids if page_id not in self.message_ids]
        if shown and shown + len(new) + message.open > self.limit:
            self.full = True
            return False
        for page_id in page_ids:
            self.message_ids.setdefault(page_id, []).append(message.key)
        if message.open:
            self.open_matches.append(candidate)
        self.position = candidate.position
        return True


class ImageRecaller:
    """Answers recall queries with page images."""

    def __init__(self, database: Database, assembler: MessageAssembler) -> None:
        self.database = database
        self.assembler = assembler

    def recall(self, bank_name: str, query: RecallQuery, now: datetime) -> RecalledImages:
        """See `Memory.recall_images`. `now`: the time that words are relative to."""
        if query.max_tokens is not None or query.verbatim:
            raise InvalidInput("max_tokens and fidelity apply to text; leave them out to recall images")
        with self.database.read() as connection:
            bank = banks.get(connection, bank_name)
            resolved = resolve(connection, bank, query, now)
            if resolved is None:
                return RecalledImages(images=[], vision_tokens=0, open_spans=[], next_cursor=None)
            position = decode_cursor(query.cursor, resolved.fingerprint) if query.cursor else None
            answer = _collect(
                connection, candidates(connection, bank.id, resolved, position, query.limit), _Answer(query.limit)
            )
            images = self._images(connection, answer.message_ids)
            open_spans = self._open_spans(connection, answer.open_matches)
        following = answer.position if answer.full else None
        return RecalledImages(
            images=images,
            vision_tokens=sum(image.tokens for image in images),
            open_spans=open_spans,
            next_cursor=encode_cursor(resolved.fingerprint, following) if following else None,
        )

    def _open_spans(self, connection: Connection, matches: Sequence[Candidate]) -> list[RecalledMessage]:
        remembered = self.assembler.assemble(connection, [match.message for match in matches])
        return [recalled_message(match.message, remembered[match.message.id], match.score) for match in matches]

    def _images(self, connection: Connection, message_ids: Mapping[int, list[str]]) -> list[RecalledImage]:
        """One image for each page that can be read. `message_ids`: page id → ids of the matches on the page."""
        rows = pages.by_ids(connection, list(message_ids))
        states = self.assembler.decoder.read(list(rows.values()), pages.contents(connection, list(message_ids)))
        images = []
        for page_id, keys in message_ids.items():
            row, state = rows[page_id], states[page_id]
            if isinstance(state, Unreadable):
                continue  # there is no image to show; `Memory.read_page` says why
            image = draw_page(row, state.cells, row.tier)
            images.append(
                RecalledImage.model_validate(
                    {
                        "page_id": row.key,
                        "tier": row.tier,
                        "data": base64.b64encode(encode_png(image)).decode(),
                        "width": image.width,
                        "height": image.height,
                        "tokens": row.vision_tokens,
                        "message_ids": keys,
                    }
                )
            )
        return images


def _collect(connection: Connection, batches: Iterator[list[Candidate]], answer: _Answer) -> _Answer:
    """`answer` with as many matches as fit."""
    for batch in batches:
        spans = pages.spans_of_messages(connection, [candidate.message.id for candidate in batch])
        for candidate in batch:
            if not answer.add(candidate, [span.page_id for span in spans.get(candidate.message.id, [])]):
                return answer
    return answer
