"""The answer to a recall query: spans within a token budget, and what did not fit."""

from dataclasses import dataclass, field
from datetime import datetime

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.values.messages import RecalledMessage
from foxing.renderer.marks import GAP_MARK

from .candidates import Candidate

LEAST_SPAN_TOKENS = 12  # a shorter span has no room for who spoke and when


def header(speaker: str, said_at: datetime) -> str:
    """Who spoke and when, as a reader is shown it before the text."""
    return f"{speaker} {said_at:%Y-%m-%d %H:%M}: "


def span_tokens(span: RecalledMessage) -> int:
    """Text tokens of a span, with who spoke and when."""
    return _header_tokens(span) + count_text_tokens(span.text)


def _header_tokens(span: RecalledMessage) -> int:
    return count_text_tokens(header(span.name or span.role, span.created_at))


@dataclass
class Answer:
    """Spans collected within a token budget."""

    max_tokens: int | None
    gap_mark: str = GAP_MARK
    spans: list[RecalledMessage] = field(default_factory=list)
    text_tokens: int = 0
    #: document → match that did not fit, in the order of the answer
    waiting: dict[int, Candidate] = field(default_factory=dict)
    #: the first match that did not fit
    oversized: RecalledMessage | None = None
    unreadable: list[Candidate] = field(default_factory=list)
    #: matches and neighbours in `spans`
    given: list[Candidate] = field(default_factory=list)

    @property
    def full(self) -> bool:
        started = self.spans or self.oversized is not None
        return bool(started) and self.max_tokens is not None and self.text_tokens + LEAST_SPAN_TOKENS > self.max_tokens

    def add(self, candidate: Candidate, span: RecalledMessage) -> bool:
        """Appends `span` if it fits the budget. A match that does not fit waits; a neighbour is left out."""
        cost = span_tokens(span)
        if self.max_tokens is None or self.text_tokens + cost <= self.max_tokens:
            self.spans.append(span)
            self.given.append(candidate)
            self.text_tokens += cost
            return True
        if candidate.neighbour_of is None:
            self.waiting[candidate.document] = candidate
            self.oversized = self.oversized or span
        return False

    def cut_if_empty(self) -> None:
        """If nothing fits, the answer is the beginning of the first match. A budget without room for who spoke and when
        counts its text alone."""
        if self.spans or self.oversized is None or self.max_tokens is None:
            return
        del self.waiting[next(iter(self.waiting))]
        header_tokens = _header_tokens(self.oversized)
        if header_tokens >= self.max_tokens:
            header_tokens = 0
        self.spans = [_cut(self.oversized, self.max_tokens - header_tokens, len(self.gap_mark))]
        self.text_tokens = header_tokens + count_text_tokens(self.spans[0].text)


def _cut(span: RecalledMessage, max_tokens: int, mark_chars: int) -> RecalledMessage:
    """The beginning of a span, within `max_tokens` text tokens of its text; it is no longer in parts. The mark
    of a gap is not cut."""
    text = cut_to_tokens(span.text, max_tokens)
    text = text[: next((gap for gap in span.gaps if gap < len(text) < gap + mark_chars), None)]
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    gaps = [place for place in span.gaps if place < len(text)]
    return span.model_copy(update={"text": text, "parts": None, "uncertain": runs, "gaps": gaps})
