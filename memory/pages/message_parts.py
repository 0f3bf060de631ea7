"""Messages and parts of messages as they are read off pages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foxing.memory.models import RecalledMessage, UncertainRun
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow
from foxing.renderer import PageLayout, Transcription, transcribe

from .content import PageState


@dataclass(frozen=True)
class RememberedMessage:
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


def recalled(message: Message, remembered: RememberedMessage, score: float | None = None) -> RecalledMessage:
    return RecalledMessage.model_validate(
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
