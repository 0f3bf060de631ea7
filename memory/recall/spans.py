"""Spans of an answer, built from remembered messages.

A message is assembled once for all of its matching passages: assembling a million characters takes half a second.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from foxing.memory.access import Access
from foxing.memory.errors import Unreadable
from foxing.memory.fair_semaphore import FairSemaphore
from foxing.memory.pages.assembler import MessageAssembler, StoredMessages
from foxing.memory.pages.content import PageState
from foxing.memory.pages.indexing import is_as_said
from foxing.memory.pages.message_parts import RememberedMessage, recalled_message, recalled_passage
from foxing.memory.storage.repositories.messages import Message
from foxing.memory.text.passages import passage_left, split_passages
from foxing.memory.text.pieces import is_structured
from foxing.memory.text.terms import terms
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import RecalledMessage

from .candidates import Candidate

PART_CHARS = 2 << 20  # maximum characters of the messages decoded and assembled in one batch
#: Passages of a structured message up to which an excerpt is taken from all of it: what a call asked for and its state
#: stand far apart. A passage of prose, or of a longer message, stands for itself.
MOST_PASSAGES = 12


class Shown(NamedTuple):
    """A match and its neighbours, either as candidates or by key alone."""

    match: Candidate
    neighbours: Sequence[Candidate] = ()
    neighbour_ids: Sequence[str] = ()

    @property
    def candidates(self) -> Sequence[Candidate]:
        """The match, followed by the neighbours that are returned as spans."""
        return (self.match, *self.neighbours)


class SpanReader:
    """Reads the spans of matches and their neighbours. `semaphore`, which the caller holds, is released while pages are
    decoded."""

    def __init__(
        self,
        assembler: MessageAssembler,
        stored: StoredMessages,
        shown: Sequence[Shown],
        semaphore: FairSemaphore,
        gap_mark: str = TEXT_GAP_MARK,
        terms_found: Callable[[], Mapping[int, Collection[str]]] = dict,
    ) -> None:
        """`terms_found`: returns message id → terms of the query that the index has for the match. Called once, if text
        of a match has faded."""
        self._assembler = assembler
        self._stored = stored
        self._shown = shown
        self._semaphore = semaphore
        self._gap_mark = gap_mark
        self._find_terms = terms_found
        #: message id → its matches
        self._matches: dict[int, list[Candidate]] = {}
        for item in shown:
            self._matches.setdefault(item.match.message.id, []).append(item.match)
        #: document → span that was read and not yet taken
        self._spans: dict[int, RecalledMessage] = {}
        #: message id → all of a structured message of several passages, up to `MOST_PASSAGES`
        self._whole: dict[int, RecalledMessage] = {}

    def parts(self, ahead: int, shown: Sequence[Shown] | None = None) -> Iterator[list[Shown]]:
        """Yields runs of at most `ahead` of `shown` (None: of all) whose messages have at most `PART_CHARS` characters
        together, or of one match. Messages of an earlier run do not count."""
        part: list[Shown] = []
        chars, came = 0, set[int]()
        for item in self._shown if shown is None else shown:
            new = {candidate.message.id: candidate.message.chars for candidate in item.candidates}
            length = sum(length for message_id, length in new.items() if message_id not in came)
            if part and (len(part) == ahead or chars + length > PART_CHARS):
                yield part
                part, chars = [], 0
            part.append(item)
            chars += length
            came |= set(new)
        if part:
            yield part

    def read(self, part: Sequence[Shown]) -> None:
        """Reads the messages of `part` that have not been read, decoding their pages if necessary."""
        candidates = [candidate for item in part for candidate in item.candidates]
        new = {one.message.id: one for one in candidates if one.document not in self._spans}
        if not new:  # those that are compared have been read
            return
        wanted = [one.message for one in new.values()]
        states: Mapping[int, PageState | Unreadable] = {}
        if self._stored.spans:
            with self._semaphore.pause(Access.current().tenant or ""):
                states = self._assembler.read_pages(self._stored, messages=wanted)
        remembered = self._assembler.assemble(self._stored, states, wanted)
        for message_id, one in new.items():
            found = remembered[message_id]
            matches = self._matches.get(message_id)
            faded = matches is not None and not is_as_said(found) and self._matched_faded(one.message, found)
            spans = _spans_of(matches or [one], found, matched_faded=faded)
            self._spans |= {document: span.with_gap_mark(self._gap_mark) for document, span in spans.items()}
            several = 1 < one.message.passages <= MOST_PASSAGES
            if several and message_id not in self._whole and is_structured(found.text):
                whole = recalled_message(one.message, found, matched_faded=faded)
                self._whole[message_id] = whole.with_gap_mark(self._gap_mark)

    def _matched_faded(self, message: Message, remembered: RememberedMessage) -> bool:
        """True if a term of the query found `message` that is no longer in its text."""
        found = self._terms_found.get(message.id)
        return bool(found) and not terms(remembered.text).keys() | terms(message.name or "").keys() >= set(found or ())

    @cached_property
    def _terms_found(self) -> Mapping[int, Collection[str]]:
        return self._find_terms()

    def peek(self, candidate: Candidate) -> RecalledMessage:
        """Returns the span of a candidate that was read."""
        return self._spans[candidate.document]

    def whole(self, candidate: Candidate) -> RecalledMessage | None:
        """Returns all of the message of a candidate that was read, if it is structured and has several passages, but
        not too many."""
        return self._whole.get(candidate.message.id)

    def whole_text(self, candidate: Candidate) -> str:
        """Returns the text of `whole`, or that of the span."""
        return (self.whole(candidate) or self.peek(candidate)).text

    def take(self, candidate: Candidate) -> RecalledMessage:
        """Removes and returns the span of a candidate that was read."""
        return self._spans.pop(candidate.document)


def _spans_of(
    candidates: Sequence[Candidate], remembered: RememberedMessage, *, matched_faded: bool
) -> dict[int, RecalledMessage]:
    """Returns document → span for the candidates of one message: the whole message, or the passage that matches, of
    which less may be left."""
    message, first = candidates[0].message, candidates[0]
    whole = recalled_message(message, remembered, first.score, first.relevance, matched_faded=matched_faded)
    if message.passages == 1 and len(candidates) == 1:
        return {first.document: whole}
    passages = split_passages(remembered.text) if message.passages > 1 else []
    spans = {}
    for candidate in candidates:
        span = whole
        if candidate.passage is not None and remembered.readable and 1 < len(passages) <= message.passages:
            left = passage_left(candidate.passage, message.passages, len(passages))
            span = recalled_passage(whole, remembered, passages[left])
        found = {"score": candidate.score, "relevance": candidate.relevance, "matched_faded": matched_faded}
        spans[candidate.document] = span.model_copy(update=found)
    return spans
