"""Assembly of messages from the pages that hold them: rows are fetched in one transaction and decoded after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from foxing.memory.errors import Unreadable
from foxing.memory.pages.content import PageState, StoredContents
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.message_parts import RememberedMessage, join_parts, open_message, read_part
from foxing.memory.pages.ready_page import PageChange
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.messages import Message, matches_digest
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageParts, PageRow, SpanRow
from foxing.memory.storage.secrets import digest_key


@dataclass(frozen=True)
class StoredMessages:
    """Snapshot of the rows from which some messages are read."""

    messages: Sequence[Message]
    #: message id → its spans in the order of its text
    spans: Mapping[int, Sequence[SpanRow]]
    #: page id → page, for the pages of the spans
    pages: Mapping[int, PageRow]
    #: page id → tokens and kept text
    contents: StoredContents
    #: page id → its keepsakes
    keepsakes: Mapping[int, Sequence[KeepsakeRow]]
    #: key of digests, to check the texts of open messages
    digest_key: bytes = field(default=b"", repr=False)

    @classmethod
    def fetch(cls, connection: Connection, bank_id: int, messages: Sequence[Message]) -> "StoredMessages":
        """Fetches everything needed to read the messages of a bank. Decodes nothing."""
        sealed = [m.id for m in messages if not m.open or m.sealed_chars]
        spans = pages.spans_of_messages(connection, bank_id, sealed)
        ids = sorted({span.page_id for parts in spans.values() for span in parts})
        rows, contents = pages.with_contents(connection, ids)
        return cls(messages, spans, rows, contents, pages.keepsakes_of(connection, ids), digest_key(connection))

    def with_changes(self, changes: Sequence[PageChange]) -> "StoredMessages":
        """Returns the messages as they will be once `changes` are written."""
        ids_here = {message.id for message in self.messages}
        replaced = {change.before.id for change in changes if change.before is not None and change.relaid}
        spans = {i: [s for s in parts if s.page_id not in replaced] for i, parts in self.spans.items()}
        rows = dict(self.pages)
        keepsakes = dict(self.keepsakes)
        for page in (page for change in changes for page in change.relaid):
            parts = page.parts or PageParts(())
            rows[page.row.id] = page.row
            keepsakes[page.row.id] = parts.keepsakes
            for span in parts.spans:
                if span.message_id in ids_here:
                    spans.setdefault(span.message_id, []).append(span)
        for of_message in spans.values():
            of_message.sort(key=lambda span: span.char_start)
        messages = [replace(message, content=None) for message in self.messages]
        return replace(self, messages=messages, spans=spans, pages=rows, keepsakes=keepsakes)


class MessageAssembler:
    """Reads messages from open text, kept text or decoded tokens."""

    def __init__(self, decoder: PageDecoder) -> None:
        self.decoder = decoder

    def assemble(
        self,
        stored: StoredMessages,
        page_states: Mapping[int, PageState | Unreadable] | None = None,
        messages: Sequence[Message] | None = None,
    ) -> dict[int, RememberedMessage]:
        """Returns message id → remembered message, for `messages` (None: all of `stored`). May decode pages.

        `page_states`: page id → state to use instead of reading the page.
        """
        selection = stored.messages if messages is None else messages
        states = self.read_pages(stored, page_states, selection)
        result = {
            m.id: open_message(m.content, m.gaps, damaged=not matches_digest(m, m.content, stored.digest_key))
            for m in selection
            if m.content is not None
        }
        for message in selection:
            if message.id not in result:
                result[message.id] = join_parts(
                    [
                        read_part(states[s.page_id], stored.pages[s.page_id], s, stored.keepsakes.get(s.page_id, []))
                        for s in stored.spans.get(message.id, [])
                    ]
                )
        return result

    def read_pages(
        self,
        stored: StoredMessages,
        page_states: Mapping[int, PageState | Unreadable] | None = None,
        messages: Sequence[Message] | None = None,
    ) -> dict[int, PageState | Unreadable]:
        """Returns page id → state, or the error that prevents reading it, for the pages of `messages` (None: all of
        `stored`), along with `page_states`. May decode pages. Each is decoded up to its last message in `stored`, so
        that reading another of these later does not decode it from its start again."""
        selection = stored.messages if messages is None else messages
        states = dict(page_states or {})
        if not stored.spans:  # all are open
            return states
        needed = {span.page_id for message in selection for span in _sealed_spans(stored, message)}
        ranges: dict[int, list[tuple[int, int]]] = {}
        for message in {message.id: message for message in (*stored.messages, *selection)}.values():
            for span in _sealed_spans(stored, message):
                if span.page_id in needed:
                    ranges.setdefault(span.page_id, []).append((span.header_start, span.stop))
        unread = [stored.pages[page_id] for page_id in sorted(ranges) if page_id not in states]
        return states | self.decoder.read(unread, stored.contents, ranges)


def _sealed_spans(stored: StoredMessages, message: Message) -> Sequence[SpanRow]:
    return () if message.open else stored.spans.get(message.id, ())
