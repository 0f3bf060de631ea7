"""Transcripts: messages as text for a model.

    2 March 2026
    Mina: We ship Titan on 14 March.
     Jun … agreed.
    assistant: Noted.
    5 March
    Mina: Is it packed?

What begins a line is the memory's, what a message says begins with a blank or stands behind its speaker. Messages are
in time order. The date is stated once a day, its year where it changes, and the speaker once a run. A month in words
takes half the tokens of one in digits. Text that has faded is one gap mark, also where the end of a message and the
beginning of the next one in the run have both faded. A message that a later one replaces says so:

    Mina: We ship Titan on 14 March. (replaced on 9 March 2026)
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple, Protocol, Self

from foxing.memory.references import shown
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.speakers import INDENT, Spoken, one_line, set_apart, speaker_of

#: Maximum length of a transcript that is counted line by line. The counter slices long texts, so that the sum over the
#: lines would differ.
MOST_CHARS = 50_000
#: Follows the text of a message that a later one replaces.
REPLACED = "(replaced on {day})"
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class Said(Spoken, Protocol):
    """The fields of a message that a transcript shows."""

    @property
    def message_id(self) -> str:
        """Id of the message."""

    @property
    def ref(self) -> str:
        """Reference of the message."""

    @property
    def thread(self) -> str:
        """Thread of the message; a run of a speaker ends with it."""

    @property
    def created_at(self) -> datetime:
        """The time of the message, timezone-aware."""

    @property
    def text(self) -> str:
        """The remembered text."""

    @property
    def gaps(self) -> Sequence[int]:
        """Offsets of the gap marks in the text, ascending."""

    @property
    def kept(self) -> float:
        """Share of its characters that the memory still holds, 0 to 1."""

    @property
    def left_out(self) -> Sequence[int]:
        """Offsets of the marks of an excerpt in the text; an excerpt bears its reference."""

    @property
    def superseded_at(self) -> datetime | None:
        """Time of the message that replaces it; None if there is none."""


@dataclass(frozen=True)
class Style:
    """Marks, dates, ids and references of a transcript."""

    #: The gap mark in the text of the messages.
    gap_mark: str = TEXT_GAP_MARK
    #: Timezone of the dates.
    zone: tzinfo = UTC
    #: Whether each message begins with its id.
    ids: bool = False
    #: Whether each message begins with its reference.
    refs: bool = False


class TranscriptPlace(NamedTuple):
    """TranscriptPlace of a message in a transcript: time order, then the order of the key and of passages."""

    at: datetime
    key: int | str
    passage: int

    @classmethod
    def of(cls, message: Said, key: int | str, passage: tuple[int, int] | None = None) -> "TranscriptPlace":
        """Returns the place of a message, or of a passage of it."""
        return cls(message.created_at, key, passage[0] if passage else 0)


class TranscriptLine:
    """A message of a transcript, with what it takes to show it after another one. The tokens are counted once."""

    def __init__(self, message: Said, style: Style) -> None:
        self.message = message
        self.day = day_of(message.created_at, style.zone)
        bank = getattr(message, "bank", None)  # of messages from several banks
        speaker = speaker_of(message)
        self.speaker = f"{speaker}{f', bank {bank}' if bank else ''}"
        mark, text = style.gap_mark, message.text
        self._begins_faded = text.startswith(mark) and 0 in message.gaps[:1]
        self.ends_faded = bool(message.gaps) and message.gaps[-1] + len(mark) == len(text)
        if not text and not message.kept:  # its pages cannot be read
            text, self._begins_faded, self.ends_faded = mark, True, True
        self._text = text.lstrip(" ") if self._begins_faded else text
        if self.ends_faded:
            self._text = self._text.rstrip(" ")
        self._tail = self._text.removeprefix(mark.strip(" ")).lstrip(" ") if self._begins_faded else text
        if message.superseded_at is not None:
            note = REPLACED.format(day=stated_date(day_of(message.superseded_at, style.zone)))
            self._text, self._tail = (f"{said} {note}".lstrip(" ") for said in (self._text, self._tail))
            self.ends_faded = False
        names = (
            *([shown(message.ref)] if style.refs or message.left_out else ()),
            *([f"({one_line(message.message_id)})"] if style.ids else ()),
        )
        if names:
            self._text, self._tail = (" ".join((*names, said)).rstrip(" ") for said in (self._text, self._tail))
        self._text, self._tail = set_apart(self._text), set_apart(self._tail)
        #: whether the gap at its beginning is one with that before it → tokens of the words
        self._counts: dict[bool, int] = {}

    def text(self, before: "TranscriptLine | None") -> str:
        """Returns the line as it stands after `before`, with the date above it where a day begins; empty if a gap there
        covers it."""
        head, merged = self._shape(before)
        body = self._body(merged=merged)
        return f"{head}{body}\n" if head or body else ""

    def tokens(self, before: "TranscriptLine | None") -> int:
        """Returns the number of text tokens of `text(before)`."""
        head, merged = self._shape(before)
        if merged not in self._counts:
            body = self._body(merged=merged)
            self._counts[merged] = _text_tokens(f"{body}\n") if body else 0
        if not self._counts[merged]:
            return _head_tokens(f"{head}\n") if head else 0
        return (_head_tokens(head) if head else 0) + self._counts[merged]

    def _shape(self, before: "TranscriptLine | None") -> "_Shape":
        if before is None or before.day != self.day:
            return _Shape(self._head(before), merged=False)
        if before.speaker != self.speaker or before.message.thread != self.message.thread:
            return _Shape(f"{self.speaker}:", merged=False)
        return _Shape("", merged=before.ends_faded and self._begins_faded)

    def _head(self, before: "TranscriptLine | None") -> str:
        """Returns the date, with its year where it changes, and the speaker."""
        date_ = stated_date(self.day)
        if before is not None and before.day.year == self.day.year:
            date_ = date_.removesuffix(f" {self.day.year}")
        return f"{date_}\n{self.speaker}:"

    def _body(self, *, merged: bool) -> str:
        """Returns the text of the message, with the blank at its beginning."""
        words = self._tail if merged else self._text
        return f"{INDENT}{words}" if words else ""


class _Shape(NamedTuple):
    """Beginning of a line that stands after another one."""

    #: What is above and before the words: date and speaker; empty where the speaker goes on.
    head: str
    #: Whether the gap at its beginning is one with that at the end of the line before it.
    merged: bool


@dataclass
class TextTranscript:
    """Messages in time order, and the text tokens that they take. What a message adds depends on those beside it."""

    style: Style = field(default_factory=Style)
    #: text above the messages, a line of its own; empty for none
    head: str = ""
    #: stands before the first message: its day is stated in `head`; None if there is no such line
    opening: TranscriptLine | None = None
    _places: list[TranscriptPlace] = field(default_factory=list)
    _lines: list[TranscriptLine] = field(default_factory=list)
    #: Tokens of all lines; None until they are asked for.
    _tokens: int | None = None

    @classmethod
    def of(cls, lines: Iterable[TranscriptLine], style: Style, head: str = "") -> Self:
        """Returns the transcript of lines given in time order."""
        ordered = list(lines)
        places = [TranscriptPlace(datetime.min.replace(tzinfo=UTC), number, 0) for number in range(len(ordered))]
        return cls(style, head, _places=places, _lines=ordered)

    def __len__(self) -> int:
        return len(self._lines)

    def added(self, place: TranscriptPlace, line: TranscriptLine) -> int:
        """Returns the number of tokens that `line` would add at `place`."""
        at = bisect_left(self._places, place)
        before = self._lines[at - 1] if at else self.opening
        added = line.tokens(before)
        if at < len(self._lines):
            after = self._lines[at]
            added += after.tokens(line) - after.tokens(before)
        return added

    def add(self, place: TranscriptPlace, line: TranscriptLine) -> None:
        """Adds a line."""
        if self._tokens is not None:
            self._tokens += self.added(place, line)
        at = bisect_left(self._places, place)
        self._places.insert(at, place)
        self._lines.insert(at, line)

    def remove(self, place: TranscriptPlace) -> None:
        """Removes the line at `place`."""
        at = bisect_left(self._places, place)
        line = self._lines.pop(at)
        del self._places[at]
        if self._tokens is not None:
            self._tokens -= self.added(place, line)

    @property
    def packed_tokens(self) -> int:
        """Number of text tokens of all lines, each with its line break: `tokens` but for joined tokens."""
        if self._tokens is None:
            self._tokens = sum(line.tokens(before) for line, before in self.lines())
        return self._tokens

    def lines(self) -> Iterator[tuple[TranscriptLine, TranscriptLine | None]]:
        """Yields each line with the one before it."""
        return zip(self._lines, [self.opening, *self._lines], strict=False)

    @property
    def text(self) -> str:
        """The transcript, without a line break at its end."""
        lines = [line.text(before) for line, before in self.lines()]
        return "".join([f"{self.head}\n" if self.head else "", *lines]).removesuffix("\n")

    @property
    def tokens(self) -> int:
        """Number of text tokens of `text`: the sum over its lines where no token crosses a line break."""
        lines = [line.text(before) for line, before in self.lines()]
        lines = list(filter(None, [f"{self.head}\n" if self.head else "", *lines]))
        if sum(map(len, lines)) > MOST_CHARS or any(_joins(line) for line in lines[1:]):
            return _text_tokens(self.text)
        if not lines:
            return 0
        counted = self.packed_tokens + (_text_tokens(f"{self.head}\n") if self.head else 0)
        last = lines[-1]
        return counted - _text_tokens(last) + _text_tokens(last.removesuffix("\n"))


def _joins(line: str) -> bool:
    """Returns whether a token may join the beginning of a line with the line break before it."""
    return line[0] == "/" or (line[0].isspace() and (line[0] != INDENT or line[1:2].isspace()))


def day_of(at: datetime, zone: tzinfo) -> date:
    """Returns the date of a time in `zone`; in its own timezone if it is out of range there."""
    try:
        return at.astimezone(zone).date()
    except OverflowError:
        return at.date()


def stated_date(day: date) -> str:
    """Returns a date as transcripts state it."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def transcript(
    messages: Iterable[Said], *, gap_mark: str = TEXT_GAP_MARK, zone: tzinfo = UTC, ids: bool = False
) -> str:
    """Returns messages, given in time order, as text. `gap_mark`: the mark in their texts; `zone`: timezone of the
    dates; `ids`: whether each message begins with its id."""
    return transcript_of(messages, Style(gap_mark, zone, ids)).text


def transcript_of(messages: Iterable[Said], style: Style, head: str = "") -> TextTranscript:
    """Returns the transcript of messages given in time order."""
    return TextTranscript.of((TranscriptLine(message, style) for message in messages), style, head)


@lru_cache(maxsize=256)
def _head_tokens(head: str) -> int:
    """Returns the number of text tokens of a date and a speaker, which are those of many lines."""
    return _text_tokens(head)


def _text_tokens(text: str) -> int:
    from foxing.encoder.text_tokens import count_text_tokens

    return count_text_tokens(text)
