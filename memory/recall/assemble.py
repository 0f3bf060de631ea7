"""From page states to messages: a message's parts put together, keepsakes spliced in, doubtful runs marked."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from foxing.memory.errors import ReaderFailed, Unreadable
from foxing.memory.pages.content import PageState
from foxing.memory.pages.decoder import PageDecoder
from foxing.memory.pages.message_parts import RememberedMessage, read_part
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow
from foxing.renderer import tier_rank


class MessageAssembler:
    """Reads messages in the caller's transaction; decoding shares the batches of `PageDecoder`."""

    def __init__(self, decoder: PageDecoder) -> None:
        self.decoder = decoder

    def messages(
        self,
        connection: Connection,
        wanted: Sequence[Message],
        override: Mapping[int, PageState] | None = None,
    ) -> dict[int, RememberedMessage]:
        """Message id → how it is remembered. `override`: states to take for pages instead of what is stored."""
        result = {m.id: _exact(m) for m in wanted if m.open and m.content is not None}
        sealed = [m.id for m in wanted if m.id not in result]
        spans = pages.spans_of_messages(connection, sealed)
        page_ids = sorted({span.page_id for parts in spans.values() for span in parts})
        rows = pages.by_ids(connection, page_ids)
        states: dict[int, PageState | Unreadable] = dict(override or {})
        stored = [row for row in rows.values() if row.id not in states]
        ranges: dict[int, list[tuple[int, int]]] = {}
        for parts in spans.values():
            for span in parts:
                ranges.setdefault(span.page_id, []).append((span.start, span.stop))
        contents = pages.contents(connection, [row.id for row in stored])
        states |= self.decoder.read(stored, contents, ranges)
        keepsakes = pages.keepsakes_of(connection, page_ids)
        for message_id in sealed:
            result[message_id] = self._assemble(spans.get(message_id, []), rows, states, keepsakes)
        return result

    @staticmethod
    def part(state: PageState, row: PageRow, span: SpanRow, keepsakes: Sequence[KeepsakeRow]) -> RememberedMessage:
        """The part of a message that stands on one page, as `state` reads it."""
        text, sure, flagged = read_part(state, row, span, keepsakes)
        return RememberedMessage(text, sure, flagged, state.tier, state.source, (row.key,))

    @staticmethod
    def _assemble(
        parts: Sequence[SpanRow],
        rows: Mapping[int, PageRow],
        states: Mapping[int, PageState | Unreadable],
        keepsakes: Mapping[int, Sequence[KeepsakeRow]],
    ) -> RememberedMessage:
        texts: list[str] = []
        sure: list[npt.NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)]
        flagged: list[npt.NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
        tiers: list[str] = []
        decoded, readable, failed = False, True, False
        for span in parts:
            row, state = rows[span.page_id], states[span.page_id]
            if isinstance(state, Unreadable):
                readable, decoded = False, True
                failed = failed or isinstance(state, ReaderFailed)
                tiers.append(row.tier)
                continue
            text, confidence, doubtful = read_part(state, row, span, keepsakes.get(span.page_id, []))
            texts.append(text)
            sure.append(confidence)
            flagged.append(doubtful)
            tiers.append(state.tier)
            decoded = decoded or state.source == "decoded"
        return RememberedMessage(
            text="".join(texts),
            sure=np.concatenate(sure),
            flagged=np.concatenate(flagged),
            tier=max(tiers, key=tier_rank) if tiers else None,
            source="decoded" if decoded else "text",
            page_keys=tuple(dict.fromkeys(rows[span.page_id].key for span in parts)),
            readable=readable,
            failed=failed,
        )


def _exact(message: Message) -> RememberedMessage:
    text = message.content or ""
    ones = np.ones(len(text), dtype=np.float32)
    return RememberedMessage(text, ones, np.zeros(len(text), dtype=bool), None, "open", ())
