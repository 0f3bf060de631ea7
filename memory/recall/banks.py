"""Recall over several banks: the answer of each, merged by relevance into one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.access import Access
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import LeftOut, RecallQuery, RecallResult

from .answer import NOTHING_FOUND
from .ending import ending_of
from .transcript import Style, TextTranscript, TranscriptLine, TranscriptPlace


@dataclass(frozen=True)
class _Match:
    """A match with its neighbours, or an episode."""

    spans: Sequence[RecalledMessage]
    #: the best relevance of it and of those that follow it in the answer of its bank, so that a merge keeps that order
    relevance: float

    @property
    def first(self) -> RecalledMessage:
        """The match itself, or the first message of the episode."""
        return self.spans[0]


def recall_banks(
    answer_of: Callable[[str, RecallQuery], RecallResult], bank: str, query: RecallQuery, style: Style
) -> RecallResult:
    """Returns the answer of `bank` and of the banks that the query names, ranked together, each span with its bank.
    A message that several have is given once, from the bank where it is the most relevant. `answer_of`: answers a
    query from one bank. Raises `InvalidInput` for a query with a cursor."""
    if query.cursor is not None:
        raise InvalidInput("a recall over several banks has one page; leave out the cursor, or recall from each bank")
    alone = query.model_copy(update={"banks": None})
    answers = {name: answer_of(name, alone) for name in _named(bank, *(query.banks or ()))}
    matches = _without_copies(_merged([_matches(name, answer) for name, answer in answers.items()]))
    chosen, over = _within(_ended(matches, query)[: query.limit], query.max_tokens, style)
    left_out = [LeftOut(message_id=match.first.message_id, reason="max_tokens") for match in over]
    left_out += [each for answer in answers.values() for each in answer.left_out]
    spans = [span for match in chosen for span in match.spans]
    rendered = _add(TextTranscript(style), spans).text if spans else NOTHING_FOUND
    return RecallResult(
        spans=spans,
        rendered=rendered,
        text_tokens=count_text_tokens(rendered),
        left_out=left_out[: query.limit],
        notes=list(dict.fromkeys(note for answer in answers.values() for note in answer.notes)),
        next_cursor=None,
    )


def _named(*names: str) -> Iterable[str]:
    """Returns the full names of banks, each once."""
    return dict.fromkeys(map(Access.current().full_name, names))


def by_bank(spans: Iterable[RecalledMessage], bank: str) -> dict[str, list[RecalledMessage]]:
    """Returns bank → its spans, in their order. `bank`: that of spans which name none."""
    parts: dict[str, list[RecalledMessage]] = {}
    for span in spans:
        parts.setdefault(span.bank or bank, []).append(span)
    return parts


def _matches(name: str, answer: RecallResult) -> list[_Match]:
    """Returns the matches of an answer, each with the spans that belong to it."""
    groups: list[list[RecalledMessage]] = []
    for span in answer.spans:
        own = span.model_copy(update={"bank": name})
        if groups and _belongs(span, groups[-1][0]):
            groups[-1].append(own)
        else:
            groups.append([own])
    matches: list[_Match] = []
    best = 0.0
    for group in reversed(groups):
        best = max(best, *(span.relevance or 0.0 for span in group))
        matches.append(_Match(group, best))
    return matches[::-1]


def _belongs(span: RecalledMessage, first: RecalledMessage) -> bool:
    """Returns True if a span is a neighbour of a match, or of its episode."""
    return span.neighbour_of is not None or (span.episode is not None and span.episode == first.episode)


def _merged(answers: Sequence[Sequence[_Match]]) -> Iterator[_Match]:
    """Yields the matches of all answers, the most relevant first, or in time order where none has a relevance. The
    order of each answer stays."""
    waiting = [list(answer) for answer in answers if answer]
    ranked = any(span.relevance is not None for answer in waiting for match in answer for span in match.spans)

    def place(answer: Sequence[_Match]) -> tuple[float, datetime]:
        return (-answer[0].relevance if ranked else 0.0), answer[0].first.created_at

    while waiting:
        best = min(waiting, key=place)
        yield best.pop(0)
        waiting = [answer for answer in waiting if answer]


def _without_copies(matches: Iterable[_Match]) -> list[_Match]:
    """Returns the matches without those of a message that an earlier match has, from another bank."""
    places: dict[tuple[str, str], str | None] = {}
    chosen = []
    for match in matches:
        spans = [
            span for span in match.spans if places.setdefault((span.message_id, span.text), span.bank) == span.bank
        ]
        if spans:
            chosen.append(_Match(spans, match.relevance))
    return chosen


def _ended(matches: Sequence[_Match], query: RecallQuery) -> Sequence[_Match]:
    """Returns the matches up to where relevance falls away from the best, as within one bank."""
    if not query.query or query.min_relevance == 0 or not matches:
        return matches
    ending = ending_of(query.query)
    floor = ending.share * matches[0].relevance
    return [match for number, match in enumerate(matches) if number < ending.least or match.relevance >= floor]


def _within(matches: Sequence[_Match], max_tokens: int | None, style: Style) -> tuple[list[_Match], list[_Match]]:
    """Returns the matches that fit a budget of tokens, and those that do not."""
    if max_tokens is None:
        return list(matches), []
    transcript = TextTranscript(style)
    chosen: list[_Match] = []
    over: list[_Match] = []
    for match in matches:
        _add(transcript, match.spans)
        if transcript.packed_tokens <= max_tokens:
            chosen.append(match)
        else:
            _remove(transcript, match.spans)
            over.append(match)
    while chosen and transcript.tokens > max_tokens:  # joined tokens may be more
        over.insert(0, chosen.pop())
        _remove(transcript, over[0].spans)
    return chosen, over


def _add(transcript: TextTranscript, spans: Iterable[RecalledMessage]) -> TextTranscript:
    for span in spans:
        transcript.add(_place(span), TranscriptLine(span, transcript.style))
    return transcript


def _remove(transcript: TextTranscript, spans: Iterable[RecalledMessage]) -> None:
    for span in spans:
        transcript.remove(_place(span))


def _place(span: RecalledMessage) -> TranscriptPlace:
    return TranscriptPlace.of(span, f"{span.bank} {span.message_id}", span.passage)
