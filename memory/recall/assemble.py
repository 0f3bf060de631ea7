"""Messages assembled from the pages that hold them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from foxing.memory.errors import Unreadable
from foxing.memory.pages.content import PageState
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.message_parts import RememberedMessage, exact_message, join_parts, read_part
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.messages import Message


class MessageAssembler:
    """Reads messages, in the caller's transaction, from whatever the memory holds of them."""

    def __init__(self, decoder: PageDecoder) -> None:
        self.decoder = decoder

    def assemble(
        self,
        connection: Connection,
        messages: Sequence[Message],
        known: Mapping[int, PageState] | None = None,
    ) -> dict[int, RememberedMessage]:
        """Message id → the message as remembered. `known`: page id → state to use instead of reading the page."""
        result = {m.id: exact_message(m.content) for m in messages if m.open and m.content is not None}
        sealed = [m.id for m in messages if m.id not in result]
        spans = pages.spans_of_messages(connection, sealed)
        ranges: dict[int, list[tuple[int, int]]] = {}
        for parts in spans.values():
            for span in parts:
                ranges.setdefault(span.page_id, []).append((span.start, span.stop))
        rows = pages.by_ids(connection, sorted(ranges))
        states: dict[int, PageState | Unreadable] = dict(known or {})
        unread = [row for row in rows.values() if row.id not in states]
        states |= self.decoder.read(unread, pages.contents(connection, [row.id for row in unread]), ranges)
        keepsakes = pages.keepsakes_of(connection, sorted(ranges))
        for message_id in sealed:
            parts = spans.get(message_id, [])
            result[message_id] = join_parts(
                [read_part(states[s.page_id], rows[s.page_id], s, keepsakes.get(s.page_id, [])) for s in parts]
            )
        return result
