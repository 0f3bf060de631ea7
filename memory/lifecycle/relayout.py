"""Pages laid out for another codec, typeset again for the present one: a page becomes one page or several, which hold
the same messages.

Text comes from the kept text, else from what the tokens say; keepsakes stand in it as they are, and are kept again.
Killed at any point, a page is whole, before or after.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from statistics import fmean

from sqlalchemy import Connection

from foxing.encoder import Codec, Reading, VisionTokens, expected_bytes
from foxing.memory.errors import Unreadable
from foxing.memory.pages.content import PageState, pack_cells
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.spans import Ranges, keepsake_rows, span_rows, transcribed
from foxing.memory.recall.assemble import MessageAssembler
from foxing.memory.recall.indexing import read_ahead, reindex
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages, pages, wastebasket
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, NewKeepsake, NewPage, PageRow, SpanRow, TypesetColumns
from foxing.renderer import Entry, Page, PageLayout, Repertoire, Span, Typesetter, render, transcribe

from .fidelity import MOST_LOST, lost, roomier, too_little, too_much, unread_share
from .leases import Contents, lease_pages


@dataclass(frozen=True)
class RelaidPage:
    """What has become of a page. `pages`: how many it is now; `confidence`: their mean."""

    page: PageRow
    pages: int
    token_bytes: int
    confidence: float


@dataclass(frozen=True)
class RelayoutOutcome:
    """What came of a batch. `left`: page id → why it was left as it is. A page in neither was in the hands of another
    process, or was changed meanwhile."""

    done: list[RelaidPage]
    left: dict[int, str]


@dataclass(frozen=True)
class _Part:
    """What a page holds of a message. `text`: keepsakes included, which stand in `kept` of it."""

    span: SpanRow
    text: str
    kept: Ranges


@dataclass(frozen=True)
class _New:
    """A page as it is to be written. `reading`: what its tokens say, None while its text is kept."""

    page: Page
    keepsakes: list[NewKeepsake]
    messages: list[Message]
    tokens: VisionTokens
    text: bytes | None
    reading: Reading | None

    @property
    def confidence(self) -> float:
        return 1.0 if self.reading is None else self.reading.mean_confidence


class PageRelayout:
    """Typesets pages for the codec of `decoder`, which can also read what the codecs before it wrote."""

    def __init__(self, database: Database, decoder: PageDecoder, assembler: MessageAssembler) -> None:
        self.database = database
        self.decoder = decoder
        self.assembler = assembler

    @property
    def codec(self) -> Codec:
        return self.decoder.load()

    @cached_property
    def typesetter(self) -> Typesetter:
        return Typesetter(self.codec.layout, Repertoire(self.codec.repertoire))

    def run(self, bank_id: int, wanted: Sequence[tuple[PageRow, str]], now: datetime) -> RelayoutOutcome:
        """Leases pages of one bank, typesets and encodes them at the tier named, and swaps. A page that cannot be read,
        would lose by it, or of which something lies in the wastebasket at `now`, stays as it is: what waits there fits
        the page as it was."""
        with lease_pages(self.database, self.codec, [page for page, _ in wanted], pinned=True) as ours:
            with self.database.read() as connection:
                left = waiting(connection, sorted(ours.ids), now)
            new: dict[int, list[_New]] = {}
            ready = [(page, tier) for page, tier in wanted if page.id in ours.ids and page.id not in left]
            parts = self._parts([page for page, _ in ready], ours.contents, left)
            for page, tier in ready:
                if page.id in parts:
                    found = self._typeset(page, tier, parts[page.id], keeps_text=ours.contents[page.id][1] is not None)
                    if isinstance(found, str):
                        left[page.id] = found
                    else:
                        new[page.id] = found
            done = self._swap(bank_id, [(page, tier) for page, tier in ready if page.id in new], new)
            return RelayoutOutcome(done, left)

    def expected(self, page: PageRow, tier: str) -> tuple[int, int]:
        """About how many pages a page would become, and the bytes of their tokens."""
        layout = self.codec.layout
        full, rest = divmod(page.rows_used * PageLayout.from_dict(page.layout).columns, layout.cells)
        sizes = [expected_bytes(self.codec, layout, layout.rows, tier)] * full
        if rest or not full:
            sizes.append(expected_bytes(self.codec, layout, max(1, -(-rest // layout.columns)), tier))
        return len(sizes), sum(sizes)

    def _parts(self, rows: Sequence[PageRow], contents: Contents, left: dict[int, str]) -> dict[int, list[_Part]]:
        """Page id → its parts of messages in their order; into `left` goes why a page cannot be read."""
        ids = [page.id for page in rows]
        with self.database.read() as connection:
            spans = pages.spans_of_pages(connection, ids)
            keepsakes = pages.keepsakes_of(connection, ids)
        states = self.decoder.read(rows, contents)
        parts: dict[int, list[_Part]] = {}
        for page in rows:
            state = states[page.id]
            if isinstance(state, Unreadable):
                left[page.id] = str(state)
            elif contents[page.id][1] is not None and state.source != "text":
                left[page.id] = "its kept text is damaged; restore a backup"  # which may still have the page whole
            elif state.source == "decoded" and (share := unread_share(state.cells)) > MOST_LOST:
                left[page.id] = too_little(share)
            else:
                layout = PageLayout.from_dict(page.layout)
                kept = keepsakes.get(page.id, [])
                parts[page.id] = [_part(state, layout, span, kept) for span in spans[page.id]]
        return parts

    def _typeset(self, page: PageRow, tier: str, parts: Sequence[_Part], *, keeps_text: bool) -> list[_New] | str:
        """The pages that `page` becomes, or why it stays."""
        with self.database.read() as connection:
            known = messages.by_ids(connection, sorted({part.span.message_id for part in parts}))
        typeset = self.typesetter.pages([_entry(part, known[part.span.message_id]) for part in parts])
        images = [render(item.cells, item.layout, tier) for item in typeset]
        tokens = self.codec.encode(images, tier)
        readings = self.decoder.read_tokens(tokens)
        by_message = {str(part.span.message_id): part for part in parts}
        new: list[_New] = []
        for item, image, written, reading in zip(typeset, images, tokens, readings, strict=True):
            if not isinstance(reading, Reading):
                return str(reading)
            if (share := lost(item.cells, reading)) > MOST_LOST:
                found = roomier(self.decoder, image, tier, item.cells)
                if found is None:
                    return too_much(share, tier)
                written, reading = found
            kept = [_kept(by_message[span.message_id], span) for span in item.spans]
            new.append(
                _New(
                    replace(item, spans=tuple(_mapped(by_message[span.message_id], span) for span in item.spans)),
                    keepsake_rows(item.spans, transcribed(item), kept),
                    [known[int(span.message_id)] for span in item.spans],
                    written,
                    pack_cells(item.cells) if keeps_text else None,
                    None if keeps_text else reading,
                )
            )
        return new

    def _swap(
        self, bank_id: int, ready: Sequence[tuple[PageRow, str]], new: Mapping[int, Sequence[_New]]
    ) -> list[RelaidPage]:
        """Writes those pages that nobody else changed meanwhile, and what the memory can still read of them. The first
        of the new pages takes the place of the old one, under its id."""
        faded = {page.id for page, _ in ready if new[page.id][0].text is None}
        with self.database.read() as connection:
            read_ahead(connection, self.assembler, pages.messages_on(connection, faded), faded)
        done: list[RelaidPage] = []
        states: dict[int, PageState] = {}
        touched: set[int] = set()
        with self.database.write() as connection:
            for page, tier in ready:
                first, *others = new[page.id]
                values = self._values(page, tier, first)
                blob = first.tokens.to_bytes()
                if not pages.swap(connection, page, tokens=blob, text=first.text, values=values):
                    continue
                wastebasket.empty(connection, page.id)  # past its undo window, and of the page as it was
                pages.replace_parts(connection, page.id, span_rows(first.page.spans), first.keepsakes)
                written = {page.id: first}
                for item in others:
                    row: NewPage = {
                        "key": uuid.uuid4().hex,
                        "bank_id": bank_id,
                        "pinned": page.pinned,
                        "sealed_at": page.sealed_at,
                        **self._values(page, tier, item),
                    }
                    spans = span_rows(item.page.spans)
                    inserted = pages.insert(connection, row, item.tokens.to_bytes(), item.text, spans, item.keepsakes)
                    written[inserted.id] = item
                for page_id, item in written.items():
                    if item.reading is not None:
                        states[page_id] = PageState.of(item.reading)
                        touched |= {message.id for message in item.messages}
                done.append(
                    RelaidPage(
                        page,
                        len(written),
                        sum(len(item.tokens.to_bytes()) for item in written.values()),
                        fmean(item.confidence for item in written.values()),
                    )
                )
            reindex(connection, bank_id, self.assembler, touched, states)
        return done

    def _values(self, page: PageRow, tier: str, new: _New) -> TypesetColumns:
        """Columns of a page that typesetting it again changes."""
        times = [message.created_at for message in new.messages]
        return {
            "tier": tier,
            "codec": self.codec.name,
            "layout": new.page.layout.to_dict(),
            "rows_used": new.page.rows_used,
            "first_at": min(times, default=page.first_at),
            "last_at": max(times, default=page.last_at),
            "messages": len({message.id for message in new.messages}),
            "vision_tokens": new.tokens.count,
            "token_bytes": len(new.tokens.to_bytes()),
            "text_bytes": 0 if new.text is None else len(new.text),
            "confidence": new.confidence,
        }


def _part(state: PageState, layout: PageLayout, span: SpanRow, keepsakes: Sequence[KeepsakeRow]) -> _Part:
    """What stands in `span`, with its keepsakes in the place of what was read there."""
    found = transcribe(state.cells.reshape(-1)[span.start : span.stop], layout=layout, start=span.start)
    text, at = "", 0
    kept: list[tuple[int, int]] = []
    for keepsake in sorted(keepsakes, key=lambda keepsake: keepsake.start):
        if not span.start <= keepsake.start < keepsake.stop <= span.stop:
            continue
        cells = [keepsake.start - span.start, keepsake.stop - span.start]
        start, stop = found.cell.searchsorted(cells).tolist()
        text += found.text[at:start]
        kept.append((len(text), len(text) + len(keepsake.text)))
        text, at = text + keepsake.text, stop
    return _Part(span, text + found.text[at:], kept)


def _entry(part: _Part, message: Message) -> Entry:
    return Entry(str(message.id), message.role, part.text, message.created_at, message.thread, message.name)


def _kept(part: _Part, span: Span) -> Ranges:
    """Those of the keepsakes of a part that stand in `span` of a new page, counted from where that begins. One that the
    end of a page cuts is kept in pieces."""
    return list(_within(part.kept, span.char_start, span.char_stop))


def _within(ranges: Ranges, first: int, last: int) -> Iterator[tuple[int, int]]:
    for start, stop in ranges:
        if max(start, first) < min(stop, last):
            yield max(start, first) - first, min(stop, last) - first


def _mapped(part: _Part, span: Span) -> Span:
    """The span with the characters of the message that it holds. What was misread may have more or fewer of them, so
    that where a page is cut is not known exactly; where the part begins and ends is."""
    first, length = part.span.char_start, part.span.char_stop - part.span.char_start
    start, stop = (
        first + length if place == len(part.text) else first + place * length // len(part.text)
        for place in (span.char_start, span.char_stop)
    )
    return replace(span, char_start=first if span.char_start == 0 else start, char_stop=stop)


def waiting(connection: Connection, page_ids: Sequence[int], now: datetime) -> dict[int, str]:
    """Page id → why it has to wait: what ageing dropped of it can still be brought back, and fits the page as it is."""
    return {
        page_id: f"what ageing dropped of this page can be brought back until {until.isoformat()}; reencode it then"
        for page_id, until in wastebasket.latest_purge(connection, page_ids, now).items()
    }
