"""Recall as page images: images of the pages that hold the matching messages."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from foxing.memory.errors import InvalidInput, NotFound, Unreadable
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.ingest.doubtful_words import doubtful_words
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.content import StoredContents
from foxing.memory.pages.drawing import draw_page
from foxing.memory.pages.message_parts import recalled_message
from foxing.memory.pages.reader_pages import ReaderPage, ReaderPages
from foxing.memory.pages.view import encode_png
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import PageRow, SpanRow
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import NATIVE_READER, LeftOut, RecalledImage, RecalledImages, RecallQuery
from foxing.memory.values.trust import lowest, stated_trust
from foxing.renderer.readers import ProofReader, Reader, Readers

from .candidates import Candidate, Candidates, find_candidates
from .query import ask


@dataclass
class _Answer:
    """Collects images and open messages up to a limit."""

    limit: int
    #: page id, or index of a page image → ids of the matching messages on it, in answer order
    message_ids: dict[int, list[str]] = field(default_factory=dict)
    open_matches: list[Candidate] = field(default_factory=list)
    #: matches that were added
    added: list[Candidate] = field(default_factory=list)
    #: whether a match exceeded the limit
    full: bool = False

    def add(self, candidate: Candidate, page_ids: Sequence[int]) -> bool:
        """Adds a match and the pages or images that hold it. Returns False, and sets `full`, if that would exceed the
        limit; the first match is always added."""
        message = candidate.message
        shown = len(self.message_ids) + len(self.open_matches)
        new = [page_id for page_id in page_ids if page_id not in self.message_ids]
        if shown and shown + len(new) + message.open > self.limit:
            self.full = True
            return False
        for page_id in page_ids:
            keys = self.message_ids.setdefault(page_id, [])
            if message.key not in keys:  # several passages of one message may match
                keys.append(message.key)
        if message.open and message.id not in {match.message.id for match in self.open_matches}:
            self.open_matches.append(candidate)
        self.added.append(candidate)
        return True


@dataclass(frozen=True)
class _StoredPages:
    """The stored data of the pages of an answer."""

    rows: Mapping[int, PageRow]
    contents: StoredContents
    #: page id → the message spans on it
    spans: Mapping[int, Sequence[SpanRow]]
    #: message id → message
    messages: Mapping[int, Message]


@dataclass(frozen=True)
class _Shown:
    """The images of an answer, with the ids of the messages that they show in part, the ids and keys of those that they
    do not show, and the keys of those that cannot be read."""

    answer: _Answer
    images: Sequence[RecalledImage]
    in_part: Collection[int]
    unreadable: Sequence[str] = ()
    not_shown: Mapping[int, str] = field(default_factory=dict)


def _nothing(*notes: str) -> RecalledImages:
    """Returns the answer to a query that no message can match. `notes`: why, where it is not plain."""
    return RecalledImages(images=[], vision_tokens=0, open_spans=[], left_out=[], notes=list(notes), next_cursor=None)


class ImageRecaller:
    """Answers recall queries with page images."""

    def __init__(
        self,
        database: Database,
        search: HybridSearch,
        assembler: MessageAssembler,
        readers: Readers,
        gap_mark: str = TEXT_GAP_MARK,
        proofs: ProofReader | None = None,
    ) -> None:
        """`gap_mark`: the gap mark of messages that are returned as text. `proofs`: see `ReaderPages`."""
        self.database = database
        self.search = search
        self.assembler = assembler
        self.readers = readers
        self.gap_mark = gap_mark
        self._reader_pages: ReaderPages[ReaderPage] = ReaderPages(
            database, assembler.decoder, lambda page: page, proofs=proofs
        )

    def recall(self, bank_name: str, query: RecallQuery, now: datetime) -> RecalledImages:
        """See `Memory.recall_images`. `now`: the time that relative expressions refer to."""
        reader = None if query.reader in (None, NATIVE_READER) else self._reader(query.reader)
        question = ask(self.search.vectors, query, now)
        with self.database.read() as connection:
            try:
                candidates = find_candidates(connection, self.search, bank_name, question)
            except NotFound as missing:  # a bank comes into being with its first message
                check_bank_name(bank_name)
                return _nothing(str(missing))
            if candidates is None:
                return _nothing()
            bank_id, note = candidates.bank_id, candidates.note
            answer = _collect(connection, candidates, query.limit)
            ids = [] if reader is not None else list(answer.message_ids)
            stored_pages = _StoredPages(
                *pages.with_contents(connection, ids),
                pages.spans_of_pages(connection, ids),
                messages.on_pages(connection, ids),
            )
            matches = [match.message for match in answer.open_matches]
            open_messages = StoredMessages.fetch(connection, bank_id, matches)
        shown = self._as_stored(answer, stored_pages) if reader is None else self._laid_out(answer, reader)
        remembered = self.assembler.assemble(open_messages)
        whole = self._whole_spans(bank_id, {*shown.in_part, *shown.not_shown})
        nothing = {span.message_id for span in whole if not span.text.replace(self.gap_mark.strip(), "").strip()}
        unreadable = [*shown.unreadable, *(key for key in shown.not_shown.values() if key in nothing)]
        left_out = [LeftOut(message_id=key, reason="unreadable") for key in dict.fromkeys(unreadable)]
        return RecalledImages(
            images=list(shown.images),
            vision_tokens=sum(image.tokens for image in shown.images),
            open_spans=[
                recalled_message(match.message, remembered[match.message.id], match.score).model_copy(
                    update={"relevance": match.relevance}
                )
                for match in shown.answer.open_matches
            ],
            whole_spans=[span for span in whole if span.message_id not in unreadable],
            left_out=left_out[: query.limit],
            notes=[] if note is None else [note],
            next_cursor=candidates.next_cursor(shown.answer.added) if shown.answer.full else None,
        )

    def _reader(self, name: str) -> Reader:
        """Returns the reader called `name`. Raises `UnknownReader`, and `InvalidInput` for a text-only reader."""
        reader = self.readers[name]
        if not reader.accepts_images:
            raise InvalidInput(f"the reader '{name}' is text-only; recall text for it")
        return reader

    def _as_stored(self, answer: _Answer, stored: _StoredPages) -> _Shown:
        """Returns the answer with an image of each page at its tier."""
        states = self.assembler.decoder.read(list(stored.rows.values()), stored.contents)
        images: list[RecalledImage] = []
        in_part: set[int] = set()
        unreadable: list[str] = []
        for page_id, keys in answer.message_ids.items():
            state, row = states[page_id], stored.rows[page_id]
            if isinstance(state, Unreadable):  # `Memory.read_page` reports the reason
                unreadable += keys
                continue
            parts = [(span, stored.messages[span.message_id]) for span in stored.spans.get(page_id, ())]
            begins_before = {message.id: message.key for span, message in parts if span.char_start > 0}
            continues_after = {message.id: message.key for span, message in parts if span.char_stop < message.chars}
            image = draw_page(row, state.cells, row.tier)
            images.append(
                _recalled_image(
                    row,
                    encode_png(image),
                    width=image.width,
                    height=image.height,
                    tokens=row.vision_tokens,
                    message_ids=keys,
                    begins_before=list(begins_before.values()),
                    continues_after=list(continues_after.values()),
                    classes=[(message.trust, message.suspicious) for _, message in parts],
                )
            )
            in_part.update(begins_before, continues_after)
        return _Shown(answer, images, in_part, unreadable)

    def _laid_out(self, found: _Answer, reader: Reader) -> _Shown:
        """Returns the answer laid out for `reader`: the page images that show a match, up to the limit."""
        placed = self._reader_pages.images(list(found.message_ids), reader)
        answer = _Answer(found.limit, full=found.full)
        not_shown: dict[int, str] = {}
        for candidate in found.added:
            shown = [place for place, image in enumerate(placed) if candidate.message.id in image.shares]
            if not answer.add(candidate, shown):
                break
            if not shown and not candidate.message.open:
                not_shown[candidate.message.id] = candidate.message.key
        images: list[RecalledImage] = []
        in_part: set[int] = set()
        for place, keys in answer.message_ids.items():
            page = placed[place]
            assert page.page is not None
            if not page.proof.exact:
                numbers = zip(page.shares, page.keys, strict=True)
                not_shown.update({number: key for number, key in numbers if key in keys})
                continue
            images.append(
                _recalled_image(
                    page.page,
                    page.image.png,
                    width=page.image.width_px,
                    height=page.image.height_px,
                    tokens=page.image.tokens,
                    message_ids=keys,
                    begins_before=page.keys_of(page.begins_before),
                    continues_after=page.keys_of(page.continues_after),
                    classes=[stated_trust(part.role, part.marks) for part in page.parts],
                    doubtful=doubtful_words((part.content for part in page.parts), page.image.type_proof),
                )
            )
            in_part |= page.in_part
        return _Shown(answer, images, in_part, not_shown=not_shown)

    def _whole_spans(self, bank_id: int, ids: Collection[int]) -> list[RecalledMessage]:
        """Returns the complete messages of these ids in time order, without those that have been erased."""
        if not ids:
            return []
        with self.database.read() as connection:
            known = messages.by_ids(connection, bank_id, ids)
            stored = StoredMessages.fetch(connection, bank_id, list(known.values()))
        remembered = self.assembler.assemble(stored)
        ordered = sorted(known.values(), key=lambda message: (message.created_at, message.id))
        whole = (recalled_message(message, remembered[message.id]) for message in ordered)
        return [message.with_gap_mark(self.gap_mark) for message in whole]


def _collect(connection: Connection, candidates: Candidates, limit: int) -> _Answer:
    """Returns the first matches whose pages and open messages fit `limit`."""
    answer = _Answer(limit)
    for batch in candidates.batches(limit):
        ids = [candidate.message.id for candidate in batch]
        spans = pages.spans_of_messages(connection, candidates.bank_id, ids)
        for candidate in batch:
            if not answer.add(candidate, [span.page_id for span in spans.get(candidate.message.id, [])]):
                return answer
    return answer


def _recalled_image(
    page: PageRow,
    png: bytes,
    *,
    width: int,
    height: int,
    tokens: int,
    message_ids: Sequence[str],
    begins_before: Sequence[str],
    continues_after: Sequence[str],
    classes: Sequence[tuple[str, bool]],
    doubtful: Sequence[str] = (),
) -> RecalledImage:
    """`classes`: the trust class of each message on the image, and whether it is suspicious."""
    return RecalledImage.model_validate(
        {
            "page_id": page.key,
            "tier": page.tier,
            "data": base64.b64encode(png).decode(),
            "width": width,
            "height": height,
            "tokens": tokens,
            "message_ids": list(message_ids),
            "begins_before": begins_before,
            "continues_after": continues_after,
            "trust": lowest(trust for trust, _ in classes),
            "suspicious": any(suspicious for _, suspicious in classes),
            "doubtful": list(doubtful),
        }
    )
