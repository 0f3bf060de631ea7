"""Page images in a prompt: each with a label that describes it, and with the identifiers that it shows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple, Self, TypeAlias

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.ingest.doubtful_words import ExactWord, exact_words, unsafe_words
from foxing.memory.pages.reader_pages import ReaderPage
from foxing.memory.recall.transcript import Style, transcript_of
from foxing.memory.values.gap_marks import TEXT_GAP_MARK, MarkedText
from foxing.memory.values.speakers import speaker_on_page
from foxing.memory.values.trust import data_marks, lowest_marks, stated_trust
from foxing.renderer import Entry
from foxing.renderer.readers import PageImage

#: What stands beside words in text, see `trust.data_marks`.
Marks: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class PromptImage:
    """A page image and the text beside it."""

    placed: ReaderPage
    #: The label before the image, which describes its messages.
    label: str
    #: The distinct identifiers and figures on the image, which are easily misread.
    identifiers: tuple[str, ...]
    #: The distinct identifiers and numbers on the image that its type does not show safely.
    doubtful: tuple[str, ...]
    #: Tokens that the complete messages on the image would take as text.
    text_tokens: int
    #: Identifier or number on the image → its marks: the lowest class of the messages there that have it.
    marks: Mapping[str, Marks] = field(default_factory=dict)

    @classmethod
    def of(cls, placed: ReaderPage, exact: Callable[[str], Sequence[ExactWord]] = exact_words) -> Self:
        """Returns the image with its label and identifiers. `exact`: returns the identifiers and numbers in a text."""
        parts = placed.parts
        whole = [part for part in parts if int(part.message_id) not in placed.in_part]
        as_text = transcript_of([_Part.of(part) for part in whole], Style())
        words_of = [(part, exact(part.content)) for part in parts]
        words = [word for _, group in words_of for word in group]
        first, last = min(part.created_at for part in parts), max(part.created_at for part in parts)
        return cls(
            placed,
            f"Page image, {len(parts)} messages from {minute(first)} to {minute(last)}.{_cut(placed)}",
            tuple(dict.fromkeys(word.text for word in words if word.keepsake)),
            unsafe_words(words, placed.image.type_proof),
            as_text.tokens,
            marks_of(words_of),
        )

    @property
    def image(self) -> PageImage:
        """The image."""
        return self.placed.image

    @cached_property
    def tokens(self) -> int:
        """Tokens billed for the image and its label."""
        return self.image.tokens + count_text_tokens(self.label)


def marks_of(words: Sequence[tuple[Entry, Sequence[ExactWord]]]) -> dict[str, Marks]:
    """Returns word → its marks. `words`: parts of messages with their identifiers and numbers."""
    marks: dict[str, Marks] = {}
    for part, of_part in words:
        trust, suspicious = stated_trust(part.role, part.marks)
        for word in of_part:
            earlier = marks.get(word.text, ())
            marks[word.text] = lowest_marks((earlier, data_marks(trust, suspicious=suspicious)))
    return marks


class _Part(NamedTuple):
    """The part of a message on a page image, for a transcript."""

    message_id: str
    thread: str
    role: str
    name: str | None
    trust: str
    created_at: datetime
    text: str
    gaps: Sequence[int]
    kept: float = 1.0
    superseded_at: datetime | None = None
    left_out: Sequence[int] = ()
    ref: str = ""
    suspicious: bool = False

    @classmethod
    def of(cls, part: Entry) -> Self:
        """Returns a part as text for a model."""
        marked = MarkedText.of(part.content, sorted(part.gaps), TEXT_GAP_MARK)
        trust, suspicious = stated_trust(part.role, part.marks)
        who = part.message_id, part.thread, part.role, part.name, trust, part.created_at
        return cls(*who, marked.text, marked.gaps, suspicious=suspicious)


def _cut(placed: ReaderPage) -> str:
    """Returns the sentence of the label about the messages that an image shows in part; empty if there are none."""
    said = []
    for part in placed.parts:
        number = int(part.message_id)
        if number in placed.in_part:
            ends = (
                ("begins before it", number in placed.begins_before),
                ("goes on after it", number in placed.continues_after),
            )
            how = " and ".join(words for words, so in ends if so)
            said.append(f"the one of {minute(part.created_at)} by {_speaker(part)} {how}")
    return f" In part, and whole as text below: {'; '.join(said)}." if said else ""


def _speaker(part: Entry) -> str:
    return speaker_on_page(part.role, part.name, part.marks)


def minute(at: datetime) -> str:
    """Returns the date and time in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
