"""From page states to messages: a message's parts put together, keepsakes spliced in, doubtful runs marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from foxing.memory.errors import ReaderFailed, Unreadable
from foxing.memory.models import Recalled, UncertainRun
from foxing.memory.pages.decoder import PageDecoder, PageState
from foxing.memory.storage.repositories import pages
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow
from foxing.renderer import PageLayout, Transcription, tier_rank, transcribe


@dataclass(frozen=True)
class Remembered:
    """A message as the memory holds it. `sure`: float32[len(text)]; `flagged`: bool[len(text)], may be misread;
    `failed`: part of it could not be read this time, and may be the next."""

    text: str
    sure: npt.NDArray[np.float32]
    flagged: npt.NDArray[np.bool_]
    tier: str | None
    source: str
    page_keys: tuple[str, ...]
    readable: bool = True
    failed: bool = False

    @property
    def confidence(self) -> float:
        if not self.readable:
            return 0.0
        return float(self.sure.mean()) if len(self.sure) else 1.0

    @property
    def uncertain(self) -> list[UncertainRun]:
        return uncertain_runs(self.sure, self.flagged)


def uncertain_runs(sure: npt.NDArray[np.float32], flagged: npt.NDArray[np.bool_]) -> list[UncertainRun]:
    """Runs of flagged characters as (start, stop, mean confidence)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flagged, [False]]).astype(np.int8)))
    return [(int(a), int(b), round(float(sure[a:b].mean()), 4)) for a, b in edges.reshape(-1, 2)]


def splice(part: Transcription, first_cell: int, keepsakes: Sequence[KeepsakeRow]) -> Transcription:
    """The transcription with its keepsakes, exact, in the place of what was read there."""
    text, sure, cell = part.text, part.confidence, part.cell
    for keepsake in sorted(keepsakes, key=lambda k: -k.start):
        start, stop = np.searchsorted(cell, [keepsake.start - first_cell, keepsake.stop - first_cell]).tolist()
        text = text[:start] + keepsake.text + text[stop:]
        ones = np.ones(len(keepsake.text), dtype=np.float32)
        sure = np.concatenate([sure[:start], ones, sure[stop:]])
        places = np.full(len(keepsake.text), keepsake.start - first_cell, dtype=np.int64)
        cell = np.concatenate([cell[:start], places, cell[stop:]])
    return Transcription(text, sure, cell)


def read_part(
    state: PageState, page: PageRow, span: SpanRow, keepsakes: Sequence[KeepsakeRow]
) -> tuple[str, npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The part of a message that stands in `span`: text, confidence, flagged."""
    cells = state.cells.reshape(-1)[span.start : span.stop]
    sure = state.confidence.reshape(-1)[span.start : span.stop]
    layout = PageLayout.from_dict(page.layout)
    part = transcribe(cells, sure, layout=layout, start=span.start)
    if state.source == "decoded":
        own = [k for k in keepsakes if span.start <= k.start and k.stop <= span.stop]
        part = splice(part, span.start, own)
    return part.text, part.confidence, part.confidence < state.flag_below


class Rememberer:
    """Reads messages in the caller's transaction; decoding shares the batches of `PageDecoder`."""

    def __init__(self, decoder: PageDecoder) -> None:
        self.decoder = decoder

    def messages(
        self,
        connection: Connection,
        wanted: Sequence[Message],
        override: Mapping[int, PageState] | None = None,
    ) -> dict[int, Remembered]:
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
    def part(state: PageState, row: PageRow, span: SpanRow, keepsakes: Sequence[KeepsakeRow]) -> Remembered:
        """The part of a message that stands on one page, as `state` reads it."""
        text, sure, flagged = read_part(state, row, span, keepsakes)
        return Remembered(text, sure, flagged, state.tier, state.source, (row.key,))

    @staticmethod
    def _assemble(
        parts: Sequence[SpanRow],
        rows: Mapping[int, PageRow],
        states: Mapping[int, PageState | Unreadable],
        keepsakes: Mapping[int, Sequence[KeepsakeRow]],
    ) -> Remembered:
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
        return Remembered(
            text="".join(texts),
            sure=np.concatenate(sure),
            flagged=np.concatenate(flagged),
            tier=max(tiers, key=tier_rank) if tiers else None,
            source="decoded" if decoded else "text",
            page_keys=tuple(dict.fromkeys(rows[span.page_id].key for span in parts)),
            readable=readable,
            failed=failed,
        )


def _exact(message: Message) -> Remembered:
    text = message.content or ""
    ones = np.ones(len(text), dtype=np.float32)
    return Remembered(text, ones, np.zeros(len(text), dtype=bool), None, "open", ())


def recalled(message: Message, remembered: Remembered, score: float | None = None) -> Recalled:
    return Recalled.model_validate(
        {
            "message_id": message.key,
            "thread": message.thread,
            "role": message.role,
            "name": message.name,
            "created_at": message.created_at,
            "text": remembered.text,
            "confidence": round(remembered.confidence, 4),
            "uncertain": remembered.uncertain,
            "tier": remembered.tier,
            "source": remembered.source,
            "page_ids": list(remembered.page_keys),
            "score": score,
        }
    )
