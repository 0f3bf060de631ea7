"""Recall as page images: the pages that hold the answers to a query."""

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.errors import InvalidInput, Unreadable
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import QueryEmbedding
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.content import PageState, StoredContents
from foxing.memory.pages.drawing import draw_page
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.pages.reader_pages import ReaderPage, ReaderPages
from foxing.memory.pages.view import encode_png
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageRow, SpanRow
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import NATIVE_READER, LeftOut, RecalledImage, RecalledImages, RecallQuery
from foxing.renderer.readers import Reader, Readers

from .candidates import Candidate, Candidates, candidates
from .query import ResolvedQuery, resolve


@dataclass
class _Answer:
    """Images and open messages collected up to a limit."""

    limit: int
    #: page id, or place of a page image → ids of the matching messages on it, in the order of the answer
    message_ids: dict[int, list[str]] = field(default_factory=dict)
    open_matches: list[Candidate] = field(default_factory=list)
    #: matches that were added
    added: list[Candidate] = field(default_factory=list)
    #: whether a match was left out
    full: bool = False

    def add(self, candidate: Candidate, page_ids: Sequence[int]) -> bool:
        """Adds a match and the pages or images that hold it; False if that would exceed the limit. The first match is
        always added."""
        message = candidate.message
        shown = len(self.message_ids) + len(self.open_matches)
        new = [page_id for page_id in page_ids if page_id not in self.message_ids]
        if shown and shown + len(new) + message.open > self.limit:
            self.full = True
            return False
        for page_id in page_ids:
            keys = self.message_ids.setdefault(page_id, [])
            if message.key not in keys:  # several passages of it may match
                keys.append(message.key)
        if message.open and message.id not in {match.message.id for match in self.open_matches}:
            self.open_matches.append(candidate)
        self.added.append(candidate)
        return True


@dataclass(frozen=True)
class _Found:
    """The pages and open messages of an answer, from one state of the memory."""

    answer: _Answer
    pages: Mapping[int, PageRow]
    contents: StoredContents
    open_messages: StoredMessages
    query: ResolvedQuery
    candidates: Candidates
    #: what the answer went without
    note: str | None
    bank_id: int
    #: page id → the parts of messages on it, each with its message
    parts: Mapping[int, Sequence[tuple[SpanRow, Message]]]

    def next_cursor(self, answer: _Answer) -> str | None:
        """Where the answer continues after what `answer` holds; None at its end."""
        return self.query.cursor(self.candidates.after(answer.added, ())) if answer.full else None


@dataclass(frozen=True)
class _Shown:
    """What an answer shows."""

    answer: _Answer
    #: each image with ids of the messages that it shows in part
    images: Sequence[tuple[RecalledImage, Collection[int]]]
    #: keys of messages that cannot be shown
    unreadable: Sequence[str]


class ImageRecaller:
    """Answers recall queries with page images."""

    def __init__(self, database: Database, search: HybridSearch, assembler: MessageAssembler, readers: Readers) -> None:
        self.database = database
        self.search = search
        self.assembler = assembler
        self.readers = readers
        self._reader_pages: ReaderPages[ReaderPage] = ReaderPages(database, assembler.decoder, lambda page: page)

    def recall(self, bank_name: str, query: RecallQuery, now: datetime) -> RecalledImages:
        """See `Memory.recall_images`. `now`: the time that words are relative to."""
        reader = None if query.reader in (None, NATIVE_READER) else self._reader(query.reader)
        question = self.search.embed_query(query.query or "", now, query.timezone)
        with self.database.read() as connection:
            found = self._find(connection, bank_name, query, now, question)
        if found is None:
            return RecalledImages(images=[], vision_tokens=0, open_spans=[], left_out=[], next_cursor=None)
        shown = self._held(found) if reader is None else self._laid_out(found, reader)
        answer, unreadable = shown.answer, shown.unreadable
        images = [image for image, _ in shown.images]
        left_out = [LeftOut(message_id=key, reason="unreadable") for key in dict.fromkeys(unreadable)]
        return RecalledImages(
            images=images,
            vision_tokens=sum(image.tokens for image in images),
            open_spans=self._open_spans(found, answer),
            whole_spans=self._whole_spans(found, {i for _, in_part in shown.images for i in in_part}),
            left_out=left_out[: query.limit],
            notes=[] if found.note is None else [found.note],
            next_cursor=found.next_cursor(answer),
        )

    def _reader(self, name: str) -> Reader:
        """Raises `UnknownReader`, `InvalidInput` for one that sees no images."""
        reader = self.readers[name]
        if not reader.sees:
            raise InvalidInput(f"the reader '{name}' looks at no images; recall text for it")
        return reader

    def _held(self, found: _Found) -> _Shown:
        """The answer, with an image of each page as it is held."""
        states = self.assembler.decoder.read(list(found.pages.values()), found.contents)
        images: list[tuple[RecalledImage, Collection[int]]] = []
        unreadable: list[str] = []
        for page_id, keys in found.answer.message_ids.items():
            state = states[page_id]
            if isinstance(state, Unreadable):  # there is no image to show; `Memory.read_page` says why
                unreadable += keys
            else:
                images.append(_image(found.pages[page_id], state, keys, found.parts.get(page_id, ())))
        return _Shown(found.answer, images, unreadable)

    def _laid_out(self, found: _Found, reader: Reader) -> _Shown:
        """The answer as far as the limit admits its images, with an image of each image that shows a match."""
        images = self._reader_pages.images(list(found.answer.message_ids), reader)
        answer = _Answer(found.answer.limit, full=found.answer.full)
        unreadable: list[str] = []
        for candidate in found.answer.added:
            shown = [place for place, image in enumerate(images) if candidate.message.id in image.shares]
            if not answer.add(candidate, shown):
                break
            if not shown and not candidate.message.open:
                unreadable.append(candidate.message.key)
        recalled = [(_recalled_image(images[n], keys), images[n].in_part) for n, keys in answer.message_ids.items()]
        return _Shown(answer, recalled, unreadable)

    def _find(
        self, connection: Connection, bank_name: str, query: RecallQuery, now: datetime, question: QueryEmbedding
    ) -> _Found | None:
        bank = banks.get(connection, bank_name)
        resolved = resolve(connection, bank, query, now)
        if resolved is None:
            return None
        listed = candidates(connection, self.search, bank.id, resolved, question)
        answer = _collect(connection, bank.id, listed.batches(query.limit), _Answer(query.limit))
        ids = list(answer.message_ids)
        spans, on_pages = pages.spans_of_pages(connection, ids), messages.on_pages(connection, ids)
        return _Found(
            answer,
            pages.by_ids(connection, ids),
            pages.contents(connection, ids),
            StoredMessages.fetch(connection, bank.id, [match.message for match in answer.open_matches]),
            resolved,
            listed,
            self.search.vectors.note(connection, bank.id, question),
            bank.id,
            {i: [(span, on_pages[span.message_id]) for span in parts] for i, parts in spans.items()},
        )

    def _open_spans(self, found: _Found, answer: _Answer) -> list[RecalledMessage]:
        remembered = self.assembler.assemble(found.open_messages)
        matches = answer.open_matches
        return [recalled_message(match.message, remembered[match.message.id], match.score) for match in matches]

    def _whole_spans(self, found: _Found, ids: Collection[int]) -> list[RecalledMessage]:
        """The messages that images show in part, whole, in time order. One that is erased meanwhile is not among
        them."""
        if not ids:
            return []
        with self.database.read() as connection:
            known = messages.by_ids(connection, found.bank_id, ids)
            stored = StoredMessages.fetch(connection, found.bank_id, list(known.values()))
        remembered = self.assembler.assemble(stored)
        ordered = sorted(known.values(), key=lambda message: (message.created_at, message.id))
        return [recalled_message(message, remembered[message.id]) for message in ordered]


def _image(
    row: PageRow, state: PageState, keys: Sequence[str], parts: Sequence[tuple[SpanRow, Message]]
) -> tuple[RecalledImage, Collection[int]]:
    """The page as it is held, and ids of the messages that it shows in part. `keys`: ids of the matches on it;
    `parts`: of messages on it."""
    image = draw_page(row, state.cells, row.tier)
    begins_before = {message.id: message.key for span, message in parts if span.char_start > 0}
    goes_on = {message.id: message.key for span, message in parts if span.char_stop < message.chars}
    shown = RecalledImage.model_validate(
        {
            "page_id": row.key,
            "tier": row.tier,
            "data": base64.b64encode(encode_png(image)).decode(),
            "width": image.width,
            "height": image.height,
            "tokens": row.vision_tokens,
            "message_ids": list(keys),
            "begins_before": list(begins_before.values()),
            "goes_on": list(goes_on.values()),
        }
    )
    return shown, begins_before.keys() | goes_on.keys()


def _recalled_image(placed: ReaderPage, keys: Sequence[str]) -> RecalledImage:
    """A page image of a page. `keys`: ids of the matches on it."""
    image = placed.image
    return RecalledImage.model_validate(
        {
            "page_id": placed.page.key,
            "tier": placed.page.tier,
            "data": base64.b64encode(image.png).decode(),
            "width": image.width_px,
            "height": image.height_px,
            "tokens": image.tokens,
            "message_ids": list(keys),
            "begins_before": placed.keys_of(placed.begins_before),
            "goes_on": placed.keys_of(placed.goes_on),
        }
    )


def _collect(connection: Connection, bank_id: int, batches: Iterator[list[Candidate]], answer: _Answer) -> _Answer:
    """`answer` with as many matches as fit."""
    for batch in batches:
        spans = pages.spans_of_messages(connection, bank_id, [candidate.message.id for candidate in batch])
        for candidate in batch:
            if not answer.add(candidate, [span.page_id for span in spans.get(candidate.message.id, [])]):
                return answer
    return answer
