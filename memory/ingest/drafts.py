"""Typesetting of open messages onto pages, with their spans and keepsakes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from foxing.memory.pages.spans import keepsake_rows, span_rows
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.open_messages import SealedPart
from foxing.memory.storage.repositories.pages import PageParts
from foxing.renderer import Entry, Page, Typesetter
from foxing.renderer.page import BLANK
from foxing.renderer.transcription import transcribe_placements
from foxing.renderer.typeset import remaining

from .keepsakes import find_keepsakes, within_budget

#: Minimum page length, in characters, for the keepsake budget: a page of one short message may keep 100 characters,
#: enough for a UUID and a URL.
MIN_BUDGET_CHARS = 2000


@dataclass(frozen=True)
class Draft:
    """A typeset page and the messages on it."""

    page: Page
    messages: list[Message]

    def without(self, erased: Collection[int]) -> "Draft | None":
        """Returns the page with the cells of these messages blank, as erasure leaves a sealed page; None if no message
        remains. Other messages do not move, since one may continue on the next page."""
        spans = tuple(span for span in self.page.placements if int(span.message_id) not in erased)
        if not spans:
            return None
        columns = self.page.layout.columns
        rows = max(1, -(-max(span.stop for span in spans) // columns))
        cells = np.full((rows, columns), BLANK, dtype=np.uint32)
        for span in spans:
            cells.flat[span.header_start : span.stop] = self.page.cells.flat[span.header_start : span.stop]
        cells.setflags(write=False)
        page = replace(self.page, cells=cells, placements=spans)
        return Draft(page, [message for message in self.messages if message.id not in erased])

    def parts(self, page_id: int) -> PageParts:
        """Returns the spans of the page, and its keepsakes within their budget of characters."""
        spans = self.page.placements
        parts = transcribe_placements(self.page)
        # one search and one budget for the page; the line breaks keep identifiers of adjacent spans apart
        keepsakes = find_keepsakes("\n".join(part.text for part in parts))
        keepsakes = within_budget(keepsakes, max(MIN_BUDGET_CHARS, sum(len(part.text) for part in parts)))
        ranges: list[list[tuple[int, int]]] = []
        offset = 0
        for part in parts:
            end = offset + len(part.text)
            inside = [k for k in keepsakes if offset <= k.start and k.stop <= end]
            ranges.append([(k.start - offset, k.stop - offset) for k in inside])
            offset = end + 1
        return PageParts(span_rows(page_id, spans), keepsake_rows(page_id, spans, parts, ranges))


def typeset_drafts(typesetter: Typesetter, waiting: Sequence[Message], limit: int, *, everything: bool) -> list[Draft]:
    """Returns up to `limit` full pages of open messages, and with `everything` a last page that is not full.

    `waiting` is in time order; each page takes a run of it, grouped by thread.
    """
    entries = [_entry(message) for message in waiting]
    by_id = {str(m.id): m for m in waiting}
    capacity = typesetter.layout.cells
    drafts: list[Draft] = []
    while entries and len(drafts) < limit:
        whole = cells = 0
        while whole < len(entries) and cells < capacity:
            cells += typesetter.cost(entries[whole])
            whole += 1
        if cells < capacity and not everything:
            break
        run = _by_thread(entries[:whole])
        page = typesetter.page(run)
        ids = dict.fromkeys(span.message_id for span in page.placements)
        drafts.append(Draft(page, [by_id[message_id] for message_id in ids]))
        order = {entry.message_id: number for number, entry in enumerate(entries)}
        entries_after = remaining(run, page) + entries[whole:]
        entries = sorted(entries_after, key=lambda entry: order[entry.message_id])
    return drafts


def cells_taken(typesetter: Typesetter, waiting: Sequence[Message]) -> int:
    """Returns a lower bound of the number of cells that open messages take on a page."""
    return sum(typesetter.cost(_entry(message)) for message in waiting)


def sealed_parts(drafts: Sequence[Draft]) -> list[SealedPart]:
    """Returns how much of each message is sealed once the drafts are pages."""
    chars = {message.id: message.chars for draft in drafts for message in draft.messages}
    sealed = {int(span.message_id): span.char_stop for draft in drafts for span in draft.page.placements}
    return [SealedPart(message_id, stop, stop == chars[message_id]) for message_id, stop in sealed.items()]


def _entry(message: Message) -> Entry:
    content = message.content or ""
    return Entry(
        str(message.id),
        message.role,
        content,
        message.created_at,
        message.thread,
        message.name,
        message.sealed_chars,
        frozenset(message.gaps or ()),
        marks=message.page_marks,
    )


def _by_thread(entries: Sequence[Entry]) -> list[Entry]:
    """Groups the entries by thread, with the thread of the newest message last, since the page usually ends inside that
    message."""
    last = {entry.thread: number for number, entry in enumerate(entries)}
    return sorted(entries, key=lambda entry: last[entry.thread])
