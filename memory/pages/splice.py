"""Splicing of keepsakes into the decoded text of a message."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foxing.memory.storage.repositories.pages import KeepsakeRow, SpanRow
from foxing.renderer import PageLayout
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.transcription import Transcription, transcribe

from .content import PageState
from .spans import Ranges


@dataclass(frozen=True)
class SplicedText:
    """The text of a span with keepsakes in it."""

    #: cells are relative to the start of the span; all characters of a keepsake are in its first cell
    transcription: Transcription
    #: ranges of the text that are keepsakes
    keepsakes: Ranges


_FADED = Transcription(GAP_MARK, np.ones(1, np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))


def splice(state: PageState, layout: PageLayout, span: SpanRow, keepsakes: Sequence[KeepsakeRow]) -> SplicedText:
    """Returns the text of `span` as read in `state`, with each keepsake in the span, at confidence 1, in place of the
    characters read from its cells.

    If a gap covers more than the keepsake, a mark stays on that side. A message without cells has faded completely and
    reads as one gap. A keepsake that contradicts cells known to read as drawn is damaged and is not spliced.
    """
    if span.start == span.stop and span.char_start < span.char_stop:
        return SplicedText(_FADED, [])
    inside = [k for k in keepsakes if span.start <= k.start < k.stop <= span.stop]
    if state.compared:
        inside = [k for k in inside if not _contradicts(k, _read(state, layout, span, (k.start, k.stop)))]
    parts: list[Transcription] = []
    ranges: list[tuple[int, int]] = []
    position = span.start
    length = 0
    for keepsake in sorted(inside, key=lambda k: k.start):
        before = _read(state, layout, span, (position, keepsake.start))
        parts += before, _exact(keepsake.text, keepsake.start - span.start)
        start = length + len(before.text)
        length = start + len(keepsake.text)
        position = keepsake.stop
        ranges.append((start, length))
    return SplicedText(_joined([*parts, _read(state, layout, span, (position, span.stop))]), ranges)


def join_gaps(parts: Sequence[tuple[str, npt.NDArray[np.int64]]]) -> npt.NDArray[np.int64]:
    """Returns int64[gaps]: the offsets of all gaps in the joined texts. `parts`: each text and its gaps."""
    joined = [np.zeros(0, dtype=np.int64)]
    length = 0
    for text, gaps in parts:
        joined.append(gaps + length)
        length += len(text)
    return np.concatenate(joined)


def _read(state: PageState, layout: PageLayout, span: SpanRow, cells: tuple[int, int]) -> Transcription:
    """Returns the text of a run of cells, given as first and stop on the page. Its cells are relative to the span."""
    first, stop = cells
    run = slice(first, stop)
    read = transcribe(state.cells.reshape(-1)[run], state.confidence.reshape(-1)[run], layout=layout, start=first)
    return Transcription(read.text, read.confidence, read.cell + (first - span.start), read.gaps)


def _contradicts(keepsake: KeepsakeRow, read: Transcription) -> bool:
    """True if a character known to read as drawn differs from that of the keepsake."""
    if keepsake.text == read.text or len(read.gaps):
        return False
    if len(keepsake.text) != len(read.text):
        return bool((read.confidence > 0).all())
    pairs = zip(keepsake.text, read.text, read.confidence > 0, strict=True)
    return any(is_certain and exact != letter for exact, letter, is_certain in pairs)


def _exact(text: str, cell: int) -> Transcription:
    ones = np.ones(len(text), dtype=np.float32)
    return Transcription(text, ones, np.full(len(text), cell, dtype=np.int64), np.zeros(0, dtype=np.int64))


def _joined(parts: Sequence[Transcription]) -> Transcription:
    if len(parts) == 1:
        return parts[0]
    return Transcription(
        "".join(part.text for part in parts),
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.cell for part in parts]),
        join_gaps([(part.text, part.gaps) for part in parts]),
    )
