"""The answer to a recall query: spans within a token budget, and the matches that did not fit."""

from dataclasses import dataclass, field

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.trust import DATA_CLASSES

from .candidates import Candidate
from .transcript import Style, TextTranscript, TranscriptLine, TranscriptPlace

#: `rendered` of an answer without any match.
NOTHING_FOUND = "No remembered message matches."
#: An answer with less room than this is full: hardly a message is shorter, and to try one may decode a page.
LEAST_SPAN_TOKENS = 12
#: Cells of the header of a message on a page image, at least.
HEADER_CELLS = 20


@dataclass(frozen=True)
class Enough:
    """Limits of an answer, beyond which its caller has no use for more."""

    #: Text tokens.
    tokens: int
    #: Cells on page images.
    cells: int
    #: Text tokens that episodes may take.
    room: int | None = None


@dataclass
class Answer:
    """Collects spans within a token budget. A span costs what it adds to the transcript of the answer."""

    max_tokens: int | None
    style: Style = field(default_factory=Style)
    #: the answer is full once it has as much; None to take everything
    enough: Enough | None = None
    spans: list[RecalledMessage] = field(default_factory=list)
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
    #: the spans as a model is to see them
    rendered: str = ""
    #: text tokens of `rendered`
    text_tokens: int = 0

    def __post_init__(self) -> None:
        self._transcript = TextTranscript(self.style)
        self._places: list[TranscriptPlace] = []

    @property
    def full(self) -> bool:
        """True once the remaining budget is too small for another span, or there is enough."""
        if not self.bounded:
            return False
        started = self.spans or self.oversized is not None
        spent = self._transcript.packed_tokens
        if started and self.max_tokens is not None and spent + LEAST_SPAN_TOKENS > self.max_tokens:
            return True
        if self.enough is None or spent < self.enough.tokens:
            return False
        return sum(len(span.text) + HEADER_CELLS for span in self.spans) >= self.enough.cells

    @property
    def bounded(self) -> bool:
        """True if the answer may be full before its matches have been read."""
        return self.max_tokens is not None or self.enough is not None

    def add(self, candidate: Candidate, span: RecalledMessage, shown: RecalledMessage | None = None) -> bool:
        """Appends `span` if it fits the budget, and returns True if so. Otherwise a match is recorded in `waiting`, and
        a neighbour is dropped. `shown`: the span with the text in its images, which a model sees if that fits too."""
        place = TranscriptPlace.of(span, candidate.message.id, span.passage)
        line = TranscriptLine(shown or span, self.style)
        fits = self._fits(place, line)
        if not fits and shown not in (None, span):
            line = TranscriptLine(span, self.style)
            fits = self._fits(place, line)
        if fits:
            self._transcript.add(place, line)
            self._places.append(place)
            self.spans.append(span)
            self.places.add((span.message_id, span.passage))
            self.given.append(candidate)
            return True
        if candidate.neighbour_of is None:
            self.waiting[candidate.document] = candidate
            self.oversized = self.oversized or span
        return False

    def _fits(self, place: TranscriptPlace, line: TranscriptLine) -> bool:
        if self.max_tokens is None:
            return True
        return self._transcript.packed_tokens + self._transcript.added(place, line) <= self.max_tokens

    def finish(self) -> None:
        """Writes `rendered` and `text_tokens`. If no span fits, the first match is cut to the budget; a budget smaller
        than its date and speaker shows the text alone, or nothing of data."""
        self.text_tokens = self._transcript.tokens
        while self.max_tokens is not None and self.text_tokens > self.max_tokens:  # joined tokens may be more
            self._drop_last()
            self.text_tokens = self._transcript.tokens
        self.rendered = self._transcript.text
        if self.spans or self.oversized is None or self.max_tokens is None:
            return
        head = (
            TranscriptLine(self.oversized.model_copy(update={"text": "", "gaps": [], "kept": 1.0}), self.style)
            .text(None)
            .rstrip()
        )
        room = self.max_tokens - count_text_tokens(head)
        span = _cut(self.oversized, room, len(self.style.gap_mark), " ")
        if not span.text:
            if span.trust in DATA_CLASSES:  # words of data are not shown without their class
                return
            head, span = "", _cut(self.oversized, self.max_tokens, len(self.style.gap_mark))
        del self.waiting[next(iter(self.waiting))]
        self.spans = [span]
        self.rendered = f"{head} {span.text}" if head else span.text
        self.text_tokens = count_text_tokens(self.rendered)

    def state_nothing_found(self) -> None:
        """Says in `rendered`, if the budget allows, that nothing matches."""
        self.text_tokens = count_text_tokens(NOTHING_FOUND)
        self.rendered = NOTHING_FOUND
        if self.max_tokens is not None and self.text_tokens > self.max_tokens:
            self.rendered, self.text_tokens = "", 0

    def _drop_last(self) -> None:
        candidate, span = self.given.pop(), self.spans.pop()
        self._transcript.remove(self._places.pop())
        if candidate.neighbour_of is None:
            self.waiting = {candidate.document: candidate, **self.waiting}
            self.oversized = span


def _cut(span: RecalledMessage, max_tokens: int, mark_chars: int, before: str = "") -> RecalledMessage:
    """Returns `span` with its text, of which `before` stands in front, cut to `max_tokens` text tokens, without its
    parts. A gap mark is not cut in two."""
    text = cut_to_tokens(before + span.text, max(0, max_tokens))[len(before) :]
    text = text[: next((gap for gap in span.gaps if gap < len(text) < gap + mark_chars), None)]
    runs = [(a, min(b, len(text)), p) for a, b, p in span.uncertain if a < len(text)]
    gaps = [place for place in span.gaps if place < len(text)]
    return span.model_copy(update={"text": text, "parts": None, "uncertain": runs, "gaps": gaps})
