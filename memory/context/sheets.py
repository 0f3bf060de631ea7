"""Sheets of pages: what the memory holds of a page, laid out for a reader. Drawn once until the page changes."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import Unreadable
from foxing.memory.ingest.keepsakes import Rank, find_keepsakes
from foxing.memory.pages.content import StoredContents
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.message_parts import read_part
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow
from foxing.renderer import Entry
from foxing.renderer.readers import Reader, Sheet, set_sheets

from .transcript import line, minute

#: Bytes of sheets that stay set and drawn, and what a cell of one takes: its character, and its part of the PNG.
CACHE_BYTES, BYTES_PER_CELL = 64 << 20, 20


@dataclass(frozen=True)
class DrawnSheet:
    """A sheet of a page, and the text beside it."""

    page: PageRow
    sheet: Sheet
    #: Ids of the messages on it, and how much of each it shows: 1 is all.
    shares: Mapping[int, float]
    #: Keys of these messages, in their order on it.
    keys: tuple[str, ...]
    #: What is said before the image: which messages it shows.
    label: str
    #: Their identifiers, which are easily misread; empty if there are none.
    identifiers: str
    #: Tokens of the same messages as text.
    text_tokens: int

    def said(self, *, keepsakes: bool) -> str:
        """What is said before the image. `keepsakes`: whether with the identifiers."""
        return f"{self.label} Identifiers on it: {self.identifiers}" if keepsakes and self.identifiers else self.label

    def tokens(self, *, keepsakes: bool) -> int:
        """What the reader bills for the image and what is said before it."""
        return self.sheet.tokens + (self._said_tokens if keepsakes else self._label_tokens)

    @cached_property
    def _said_tokens(self) -> int:
        return count_text_tokens(self.said(keepsakes=True))

    @cached_property
    def _label_tokens(self) -> int:
        return count_text_tokens(self.label)


class _Part(NamedTuple):
    """The part of a message on a sheet."""

    role: str
    name: str | None
    created_at: datetime
    text: str


class _OnPage(NamedTuple):
    """A message on a page."""

    entry: Entry
    key: str
    #: how much of the message is on the page: 1 is all
    share: float


@dataclass(frozen=True)
class _Stored:
    """What is stored of pages, from one state of the memory."""

    rows: Mapping[int, PageRow]
    contents: StoredContents
    spans: Mapping[int, Sequence[SpanRow]]
    messages: Mapping[int, Message]
    keepsakes: Mapping[int, Sequence[KeepsakeRow]]


class SheetDrawer:
    """Draws the sheets of pages for readers, and keeps them. Safe to share between threads."""

    def __init__(self, database: Database, decoder: PageDecoder, cache_bytes: int = CACHE_BYTES) -> None:
        self.database = database
        self.decoder = decoder
        self._cache_bytes = cache_bytes
        self._drawn: OrderedDict[tuple[int, int, Reader], list[DrawnSheet]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def sheets(self, page_ids: Sequence[int], reader: Reader) -> list[DrawnSheet]:
        """The sheets of the pages, in the order of the pages' times. A page that cannot be read has none, nor does one
        that is gone."""
        with self.database.read() as connection:
            rows = sorted(pages.by_ids(connection, page_ids).values(), key=lambda row: (row.last_at, row.id))
            found = {row.id: self._cached(row, reader) for row in rows}
            stored = _fetch(connection, [row for row in rows if found[row.id] is None])
        drawn = self._draw(stored, reader)
        for row in stored.rows.values():
            found[row.id] = self._keep(row, reader, drawn.get(row.id, []))
        return [sheet for row in rows for sheet in found[row.id] or ()]

    def _draw(self, stored: _Stored, reader: Reader) -> dict[int, list[DrawnSheet]]:
        """Page id → its sheets."""
        states = self.decoder.read(list(stored.rows.values()), stored.contents)
        drawn: dict[int, list[DrawnSheet]] = {}
        for page_id, row in stored.rows.items():
            state = states[page_id]
            if isinstance(state, Unreadable):
                continue
            entries: list[_OnPage] = []
            for span in stored.spans.get(page_id, ()):
                message = stored.messages[span.message_id]
                part = read_part(state, row, span, stored.keepsakes.get(page_id, ()))
                who = Entry(str(message.id), message.role, part.text, message.created_at, message.thread, message.name)
                share = (span.char_stop - span.char_start) / message.chars if message.chars else 1.0
                entries.append(_OnPage(replace(who, gaps=frozenset(part.gaps.tolist())), message.key, share))
            if entries:
                by_id = {each.entry.message_id: each for each in entries}
                sheets = set_sheets([each.entry for each in entries], reader)
                drawn[page_id] = [_described(row, sheet, by_id) for sheet in sheets]
        return drawn

    def _cached(self, row: PageRow, reader: Reader) -> list[DrawnSheet] | None:
        with self._lock:
            key = (row.id, row.version, reader)
            if key in self._drawn:
                self._drawn.move_to_end(key)
            return self._drawn.get(key)

    def _keep(self, row: PageRow, reader: Reader, sheets: list[DrawnSheet]) -> list[DrawnSheet]:
        """`sheets`, kept in place of those that were used least lately."""
        with self._lock:
            key = (row.id, row.version, reader)
            self._size += _bytes(sheets) - _bytes(self._drawn.pop(key, ()))
            self._drawn[key] = sheets
            while self._size > self._cache_bytes and self._drawn:
                _, gone = self._drawn.popitem(last=False)
                self._size -= _bytes(gone)
        return sheets


def _fetch(connection: Connection, rows: Sequence[PageRow]) -> _Stored:
    ids = [row.id for row in rows]
    spans = pages.spans_of_pages(connection, ids)
    on_pages = sorted({span.message_id for parts in spans.values() for span in parts})
    return _Stored(
        {row.id: row for row in rows},
        pages.contents(connection, ids),
        spans,
        messages.by_ids(connection, on_pages),
        pages.keepsakes_of(connection, ids),
    )


def _bytes(sheets: Sequence[DrawnSheet]) -> int:
    return sum(sheet.sheet.page.cells.size for sheet in sheets) * BYTES_PER_CELL


def _described(row: PageRow, sheet: Sheet, by_id: Mapping[str, _OnPage]) -> DrawnSheet:
    """The sheet with what is said before it. `by_id`: the messages of the page."""
    shown = [by_id[span.message_id] for span in sheet.page.spans]
    parts = [
        each.entry.content[span.char_start : span.char_stop] for each, span in zip(shown, sheet.page.spans, strict=True)
    ]
    shares = {
        int(each.entry.message_id): each.share * (len(part) / len(each.entry.content) if part else 1.0)
        for each, part in zip(shown, parts, strict=True)
    }
    said = [each.entry for each in shown]
    lines = (line(_Part(e.role, e.name, e.created_at, part)) for e, part in zip(said, parts, strict=True))
    first, last = min(entry.created_at for entry in said), max(entry.created_at for entry in said)
    return DrawnSheet(
        row,
        sheet,
        shares,
        tuple(each.key for each in shown),
        f"Page image, {len(shown)} messages from {minute(first)} to {minute(last)}.",
        " ".join(_identifiers(parts)),
        count_text_tokens("\n".join(lines)),
    )


def _identifiers(parts: Sequence[str]) -> dict[str, None]:
    """The identifiers in texts, each once, in their order."""
    found = ((text, keepsake) for text in parts for keepsake in find_keepsakes(text))
    return dict.fromkeys(text[k.start : k.stop] for text, k in found if k.rank == Rank.IDENTIFIER)
