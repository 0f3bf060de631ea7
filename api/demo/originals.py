"""The original pages of the demo, to measure aged pages against."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from foxing.memory import Memory, NewMessage, PageInfo
from foxing.renderer import Entry, FoxingError, Page, Typesetter

from .conversation import ENDS_AT


@dataclass
class Originals:
    """Every page as first sealed, typeset again from its messages while the memory still has their text."""

    #: By id, in time order.
    messages: dict[str, NewMessage]
    typesetter: Typesetter
    #: By page id.
    pages: dict[str, Page] = field(default_factory=dict)
    _sealed_chars: dict[str, int] = field(default_factory=dict)  # message id → characters on sealed pages

    def record(self, memory: Memory, bank: str) -> None:
        """Adds the pages sealed since the last call. They must not have aged yet.

        A message that continues beyond its page is still open and names no page; it is the first open message of the
        last thread of the page.
        """
        new = {page.id: page for page in all_pages(memory, bank) if page.id not in self.pages}
        first = self._first_open()
        if not new or first is None:
            return
        ids: dict[str, list[str]] = {page_id: [] for page_id in new}
        open_ids: dict[str, str] = {}  # thread → its first open message
        cursor: str | None = None
        while True:
            result = memory.recall(bank, since=first.created_at, limit=500, cursor=cursor)
            for span in result.spans:
                if span.source == "open":
                    open_ids.setdefault(span.thread, span.message_id)
                for page_id in span.page_ids:
                    if page_id in ids:
                        ids[page_id].append(span.message_id)
            cursor = result.next_cursor
            if cursor is None:
                break
        for page_id, page in new.items():
            continued = [open_ids[page.threads[-1]]] if len(ids[page_id]) < page.messages else []
            self._add(page, ids[page_id] + continued)

    def entries(self, page: Page) -> dict[str, Entry]:
        """The messages on a page, by id."""
        return {span.message_id: self._entry(span.message_id) for span in page.spans}

    def _first_open(self) -> NewMessage | None:
        """The oldest message that is not completely sealed."""
        for message_id, message in self.messages.items():
            if self._sealed_chars.get(message_id, -1) < len(message.text):
                return message
        return None

    def _add(self, info: PageInfo, message_ids: Sequence[str]) -> None:
        entries = [self._entry(message_id) for message_id in message_ids]
        entries.sort(key=lambda entry: info.threads.index(entry.thread))
        page = self.typesetter.page(entries)
        if len(page.spans) != info.messages:
            raise FoxingError(
                f"page {info.id} holds {info.messages} messages, but typesetting it again placed {len(page.spans)}"
            )
        self._sealed_chars |= {span.message_id: span.char_stop for span in page.spans}
        self.pages[info.id] = page

    def _entry(self, message_id: str) -> Entry:
        message = self.messages[message_id]
        return Entry(
            message_id=message_id,
            role=message.role,
            content=message.text,
            created_at=message.created_at or ENDS_AT,
            thread=message.thread or "",
            name=message.name,
            skip_chars=self._sealed_chars.get(message_id, 0),
        )


def all_pages(memory: Memory, bank: str) -> list[PageInfo]:
    """Every page of the bank."""
    result = memory.pages(bank, limit=500)
    pages = list(result.pages)
    while result.next_cursor is not None:
        result = memory.pages(bank, limit=500, cursor=result.next_cursor)
        pages += result.pages
    return pages
