"""The answer by episodes: each under one heading, whole where it fits, else what `selection` chooses of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.references import shown
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.speakers import speaker_of

from .excerpts import excerpt
from .selection import EpisodePieces
from .transcript import Style, TextTranscript, TranscriptLine, TranscriptPlace, day_of, stated_date

#: Tokens of a budget that the selection first aims at, and how often it is repeated with what the text really took.
AIM, ATTEMPTS = 0.97, 4
#: References of messages that are left out, below an episode.
REFERENCES = 6
#: Tokens of an answer that its caller does not limit.
UNLIMITED = 1 << 40


@dataclass(frozen=True)
class EpisodeSpans:
    """The messages of an episode that are still to be given."""

    #: Id of its first message.
    key: str
    #: Share of the weight of the matches.
    weight: float
    #: In order.
    spans: Sequence[RecalledMessage]


@dataclass
class EpisodeAnswer:
    """Spans of episodes within a budget."""

    spans: list[RecalledMessage] = field(default_factory=list)
    #: Messages without a span.
    left_out: list[RecalledMessage] = field(default_factory=list)
    rendered: str = ""
    text_tokens: int = 0


def answer_by_episodes(
    episodes: Sequence[EpisodeSpans], asked: Collection[str], max_tokens: int | None, limit: int, style: Style
) -> EpisodeAnswer:
    """Returns the answer. `episodes`: in time order; `asked`: terms of the question."""
    room, spans = UNLIMITED if max_tokens is None else max_tokens, limit
    weight = sum(episode.weight for episode in episodes) or 1.0
    parts: dict[str, _Part] = {}
    for episode in sorted(episodes, key=lambda each: each.weight):  # what a light one leaves is for the others
        share = 1.0 if len(parts) + 1 == len(episodes) else max(episode.weight, 1e-9) / max(weight, 1e-9)
        part = _part(episode, asked, int(room * share), max(1, round(spans * share)) if spans else 0, style)
        parts[episode.key] = part
        room, spans, weight = room - part.tokens, spans - len(part.spans), weight - episode.weight
    ordered = [parts[episode.key] for episode in episodes]
    text = "\n".join(part.text for part in ordered if part.spans)
    return EpisodeAnswer(
        [span for part in ordered for span in part.spans],
        [span for part in ordered for span in part.left_out],
        text,
        count_text_tokens(text),
    )


@dataclass(frozen=True)
class _Part:
    """Part of an episode that is given."""

    spans: Sequence[RecalledMessage]
    left_out: Sequence[RecalledMessage]
    text: str
    #: Text tokens of `text`, with a line break.
    tokens: int


def _part(episode: EpisodeSpans, asked: Collection[str], room: int, limit: int, style: Style) -> _Part:
    """Returns the whole episode if it fits, else a selection, or nothing."""
    if len(episode.spans) <= limit:
        part = _rendered(episode, episode.spans, style)
        if part.tokens <= room:
            return part
    aim = AIM * room
    pieces_of = EpisodePieces(episode.spans, asked)
    for _ in range(ATTEMPTS):
        chosen = pieces_of.chosen(aim, limit)
        spans = [excerpt(episode.spans[number], pieces) for number, pieces in chosen.items()]
        part = _rendered(episode, spans, style)
        if part.tokens <= room:
            return part
        aim *= AIM * room / part.tokens
    return _Part([], episode.spans, "", 0)


def _rendered(episode: EpisodeSpans, spans: Sequence[RecalledMessage], style: Style) -> _Part:
    given = [span.model_copy(update={"episode": episode.key}) for span in spans]
    there = {span.message_id for span in spans}
    left_out = [span for span in episode.spans if span.message_id not in there]
    if not given:
        return _Part([], left_out, "", 0)
    transcript = TextTranscript(style, _heading(episode, style), opening=TranscriptLine(_before(given[0]), style))
    for number, span in enumerate(given):
        transcript.add(TranscriptPlace(span.created_at, number, 0), TranscriptLine(span, style))
    text, tokens = transcript.text, transcript.tokens + 1
    if left_out:
        named = " ".join(shown(span.ref) for span in left_out[:REFERENCES])
        more = len(left_out) - REFERENCES
        line = f"Left out: {named}{f' and {more} more' if more > 0 else ''}"
        text, tokens = f"{text}\n{line}", tokens + count_text_tokens(f"\n{line}")
    return _Part(given, left_out, text, tokens)


def _before(first: RecalledMessage) -> RecalledMessage:
    """Returns what stands for the heading before the first message, whose day it states."""
    return first.model_copy(update={"text": "", "gaps": [], "kept": 1.0, "thread": "", "role": "", "name": None})


def _heading(episode: EpisodeSpans, style: Style) -> str:
    """Returns the line above an episode: when it was, and who spoke."""
    first, last = episode.spans[0].created_at, episode.spans[-1].created_at
    begins, ends = day_of(first, style.zone), day_of(last, style.zone)
    until = "" if begins == ends else f" to {stated_date(ends)}"
    people = dict.fromkeys(speaker_of(span) for span in episode.spans)
    return f"Episode of {stated_date(begins)}{until}, with {', '.join(people)}"
