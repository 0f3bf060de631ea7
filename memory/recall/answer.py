"""The answer to a recall query: spans within a token budget, and the matches that did not fit."""

from dataclasses import dataclass, field
from datetime import datetime

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.values.messages import RecalledMessage
from foxing.renderer.marks import GAP_MARK

from .candidates import Candidate

LEAST_SPAN_TOKENS = 12  # minimum tokens of a span; a header alone takes about as many


def header(speaker: str, said_at: datetime) -> str:
    """Returns the header of a span: the speaker and the time, as shown to a reader before the text."""
    return f"{speaker} {said_at:%Y-%m-%d %H:%M}: "


def span_tokens(span: RecalledMessage) -> int:
    """Returns the number of text tokens of a span, header included."""
    return _header_tokens(span) + count_text_tokens(span.text)


def _header_tokens(span: RecalledMessage) -> int:
    return count_text_tokens(header(span.name or span.role, span.created_at))


@dataclass
class Answer:
    """Collects spans within a token budget."""

    max_tokens: int | None
    gap_mark: str = GAP_MARK
    spans: list[RecalledMessage] = field(default_factory=list)
    text_tokens: int = 0
    #: document → match that did not fit, in answer order
    waiting: dict[int, Candidate] = field(default_factory=dict)
    #: the first match that did not fit
    oversized: RecalledMessage | None = None
    #: matches of a verbatim query whose kept text cannot be read
    unreadable: list[Candidate] = field(default_factory=list)
    #: messages in `spans`, or their passages
    places: set[tuple[str, tuple[int, int] | None]] = field(default_factory=set)
    #: matches and neighbours in `spans`
    given: list[Candidate] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """True once the remaining budget is too small for another span."""
        started = self.spans or self.oversized is not None
        return bool(started) and self.max_tokens is not None and self.text_tokens + LEAST_SPAN_TOKENS > self.max_tokens

    def add(self, candidate: Candidate, span: RecalledMessage) -> bool:
        """Appends `span` if it fits the budget, and returns True if so. Otherwise a match is recorded in `waiting`, and
        a neighbour is dropped."""
        cost = span_tokens(span)
        if self.max_tokens is None or self.text_tokens + cost <= self.max_tokens:
            self.spans.append(span)
            self.places.add((span.message_id, span.passage))
            self.given.append(candidate)
            self.text_tokens += cost
            return True
        if candidate.neighbour_of is None:
            self.waiting[candidate.document] = candidate
            self.oversized = self.oversized or span
        return False

    def cut_if_empty(self) -> None:
        """If no span fits, adds the first match cut to the budget. A budget smaller than the header counts the text
        alone."""
        if self.spans or self.oversized is None or self.max_tokens is None:
            return
        del self.waiting[next(iter(self.waiting))]
        header_tokens = _header_tokens(self.oversized)
        if header_tokens >= self.max_tokens:
            header_tokens = 0
        self.spans = [_cut(self.oversized, self.max_tokens - header_tokens, len(self.gap_mark))]
        self.text_tokens = header_tokens + count_text_tokens(self.spans[0].text)


def _cut(span: RecalledMessage, max_tokens: int, mark_chars: int) -> RecalledMessage:
    """Returns `span` with its text cut to `max_tokens` text tokens, without its parts. A gap mark is not cut in two."""
    text = cut_to_tokens(span.text, max_tokens)
    text = text[: next((gap for gap in span.gaps if gap < len(text) < gap + mark_chars), None)]
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    gaps = [place for place in span.gaps if place < len(text)]
    return span.model_copy(update={"text": text, "parts": None, "uncertain": runs, "gaps": gaps})
