"""Messages as read from pages: the part of a message on each page, and the parts joined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from foxing.memory.errors import ReaderFailed, Unreadable
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.storage.repositories.pages import KeepsakeRow, PageRow, SpanRow
from foxing.memory.text.passages import Passage
from foxing.memory.values.messages import RecalledMessage, UncertainRun
from foxing.memory.values.part_text import parse_parts
from foxing.memory.values.parts import Part, TextPart
from foxing.renderer import PageLayout, tier_rank
from foxing.renderer.breaks import Edge, cut_word_length
from foxing.renderer.page import edges_of

from .content import PageState
from .splice import join_gaps, splice

_NO_GAPS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class RememberedMessage:
    """A message, or the part of it on one page, as the memory holds it."""

    text: str
    #: float32[len(text)], the probability that each character is right
    confidence: npt.NDArray[np.float32]
    #: bool[len(text)], characters that may be misread; a gap is not one
    flagged: npt.NDArray[np.bool_]
    #: int64[gaps], offsets of the gap marks in the text, ascending
    gaps: npt.NDArray[np.int64]
    #: lowest tier that a part was read from; None for an open message
    tier: str | None
    #: "open", "text" or "decoded"
    source: str
    #: characters of the message, or of the part, before anything faded
    chars: int
    #: keys of the pages that hold the message
    page_keys: tuple[str, ...] = ()
    #: False if a part could not be read; its text is missing
    readable: bool = True
    #: True if a part could not be read this time but may be readable later
    failed: bool = False
    #: when the last message of its pages arrived in the bank; None for an open message, whose row has the time
    arrived_at: datetime | None = None
    #: marks of the page for the beginning and end of a part
    begin: Edge = Edge.WHOLE
    end: Edge = Edge.WHOLE

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the characters without gaps, 0 to 1; 0 if a part could not be read, 1 if there are no
        characters."""
        if not self.readable:
            return 0.0
        return _mean_beside(self.confidence, self.gaps)

    @property
    def kept(self) -> float:
        """Share of its characters that have not faded, 0 to 1. Blanks next to a gap count as faded."""
        if not len(self.gaps):
            return 1.0 if self.readable else 0.0
        faded = np.zeros(len(self.text) + 2, dtype=bool)
        blank = np.zeros(len(faded), dtype=bool)
        blank[1:-1] = np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), "<u4") == ord(" ")
        faded[self.gaps + 1] = True
        for side in (self.gaps, self.gaps + 2):
            faded[side[blank[side]]] = True
        return min(1.0, (len(self.text) - int(faded.sum())) / max(1, self.chars))

    @property
    def uncertain(self) -> list[UncertainRun]:
        """Runs of flagged characters, as (start, stop, mean confidence)."""
        return uncertain_runs(self.confidence, self.flagged)


def uncertain_runs(confidence: npt.NDArray[np.float32], flagged: npt.NDArray[np.bool_]) -> list[UncertainRun]:
    """Returns the runs of flagged characters as (start, stop, mean confidence). Both arrays have one entry per
    character."""
    if not flagged.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flagged, [False]]).astype(np.int8)))
    return [(int(a), int(b), round(float(confidence[a:b].mean()), 4)) for a, b in edges.reshape(-1, 2)]


def _mean_beside(confidence: npt.NDArray[np.float32], gaps: npt.NDArray[np.int64]) -> float:
    """Returns the mean confidence of the characters without gaps; 1 if there are none."""
    characters = np.delete(confidence, gaps) if len(gaps) else confidence
    return float(np.add.reduce(characters) / len(characters)) if len(characters) else 1.0  # faster than `mean`


def open_message(text: str, gaps: Sequence[int] | None = None, *, damaged: bool = False) -> RememberedMessage:
    """Returns an open message. Its text is exact unless `damaged`, in which case every character is flagged. `gaps`:
    offsets of its gaps."""
    flagged = np.full(len(text), damaged)
    confidence = 1 - flagged.astype(np.float32)
    places = np.array(gaps, np.int64) if gaps else _NO_GAPS
    flagged[places] = False
    return RememberedMessage(text, confidence, flagged, places, None, "open", len(text))


def read_part(
    state: PageState | Unreadable, page: PageRow, span: SpanRow, keepsakes: Sequence[KeepsakeRow]
) -> RememberedMessage:
    """Returns the part of a message in `span` of `page`, with the page's `keepsakes` spliced into decoded text."""
    if isinstance(state, Unreadable):
        return _unreadable_part(page, span, isinstance(state, ReaderFailed))
    spliced = keepsakes if state.source == "decoded" else []
    part = splice(state, PageLayout.from_dict(page.layout), span, spliced).transcription
    flagged = part.confidence < state.flag_below
    flagged[part.gaps] = False
    begin, end = edges_of(state.cells.reshape(-1)[span.header_start : span.start])
    return RememberedMessage(
        part.text,
        part.confidence,
        flagged,
        part.gaps,
        state.tier,
        state.source,
        span.char_stop - span.char_start,
        (page.key,),
        arrived_at=page.arrived_at,
        begin=begin,
        end=end,
    )


def join_parts(parts: Sequence[RememberedMessage]) -> RememberedMessage:
    """Joins the parts of a sealed message, given in the order of its text. If a page break cuts a word and one half has
    faded, the other half is dropped."""
    if len(parts) == 1:
        return parts[0]
    parts = _without_halves(parts)
    tiers = [part.tier for part in parts if part.tier is not None]
    return RememberedMessage(
        text="".join(part.text for part in parts),
        confidence=np.concatenate([np.zeros(0, dtype=np.float32), *(part.confidence for part in parts)]),
        flagged=np.concatenate([np.zeros(0, dtype=bool), *(part.flagged for part in parts)]),
        gaps=join_gaps([(part.text, part.gaps) for part in parts]),
        tier=max(tiers, key=tier_rank) if tiers else None,
        source="decoded" if any(part.source == "decoded" for part in parts) else "text",
        chars=sum(part.chars for part in parts),
        page_keys=tuple(dict.fromkeys(key for part in parts for key in part.page_keys)),
        readable=all(part.readable for part in parts),
        failed=any(part.failed for part in parts),
        arrived_at=max((part.arrived_at for part in parts if part.arrived_at is not None), default=None),
    )


def _without_halves(parts: Sequence[RememberedMessage]) -> list[RememberedMessage]:
    """Returns `parts` without halves of words whose other half has faded on the adjacent page."""
    result = list(parts)
    for number, (before, after) in enumerate(pairwise(parts)):
        faded_before = len(before.gaps) > 0 and before.gaps[-1] == len(before.text) - 1
        faded_after = len(after.gaps) > 0 and after.gaps[0] == 0
        if faded_before and not faded_after and after.begin != Edge.BETWEEN:
            result[number + 1] = _cut(after, cut_word_length(after.text, at_end=False), len(after.text))
        elif faded_after and not faded_before and before.end != Edge.BETWEEN:
            halves = result[number]
            result[number] = _cut(halves, 0, len(halves.text) - cut_word_length(halves.text, at_end=True))
    return result


def _cut(part: RememberedMessage, start: int, stop: int) -> RememberedMessage:
    """Returns the characters of a part from `start` to `stop`."""
    return replace(
        part,
        text=part.text[start:stop],
        confidence=part.confidence[start:stop],
        flagged=part.flagged[start:stop],
        gaps=part.gaps[(part.gaps >= start) & (part.gaps < stop)] - start,
    )


def recalled_message(
    message: Message,
    remembered: RememberedMessage,
    score: float | None = None,
    relevance: float | None = None,
    *,
    matched_faded: bool = False,
    whole: bool = True,
) -> RecalledMessage:
    """Returns the public value of a message, with its `score` and `relevance` for a query and whether it was found by
    words that have faded. `whole`: True if `remembered` is the complete message."""
    return RecalledMessage.model_validate(
        {
            "message_id": message.key,
            "ref": message.ref,
            "thread": message.thread,
            "role": message.role,
            "name": message.name,
            "created_at": message.created_at,
            "arrived_at": message.arrived_at or remembered.arrived_at,
            "text": remembered.text,
            "parts": _parts(message, remembered) if whole else None,
            "trust": message.trust,
            "suspicious": message.suspicious,
            "metadata": message.metadata or {},
            "kept": round(remembered.kept, 4),
            "gaps": remembered.gaps.tolist(),
            "confidence": round(remembered.mean_confidence, 4),
            "uncertain": remembered.uncertain,
            "tier": remembered.tier,
            "source": remembered.source,
            "page_ids": list(remembered.page_keys),
            "score": score,
            "relevance": relevance,
            "matched_faded": matched_faded,
        }
    )


def recalled_passage(span: RecalledMessage, remembered: RememberedMessage, passage: Passage) -> RecalledMessage:
    """Returns `span`, the complete message of which `remembered` is the reading, cut to one passage."""
    start, stop = passage
    confidence = remembered.confidence[start:stop]
    flagged = remembered.flagged[start:stop]
    gaps = remembered.gaps[(remembered.gaps >= start) & (remembered.gaps < stop)] - start
    return span.model_copy(
        update={
            "text": remembered.text[start:stop],
            "passage": (start, stop),
            "parts": None,
            "gaps": gaps.tolist(),
            "confidence": round(_mean_beside(confidence, gaps), 4),
            "uncertain": uncertain_runs(confidence, flagged),
        }
    )


def _parts(message: Message, remembered: RememberedMessage) -> tuple[Part, ...] | None:
    """Returns the content parts of a message that was given in parts; None if not all of them can be read. A wrong
    number of parts shows that a mark was misread."""
    if not message.parts or not remembered.readable:
        return None
    parts = parse_parts(remembered.text)
    if parts is None or len(parts) != message.parts or (len(parts) == 1 and isinstance(parts[0], TextPart)):
        return None
    return parts


def _unreadable_part(page: PageRow, span: SpanRow, failed: bool) -> RememberedMessage:
    nothing = np.zeros(0, dtype=np.float32)
    chars = span.char_stop - span.char_start
    return RememberedMessage(
        *("", nothing, nothing > 0, _NO_GAPS, page.tier, "decoded", chars, (page.key,)),
        readable=False,
        failed=failed,
        arrived_at=page.arrived_at,
    )
