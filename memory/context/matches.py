"""Matches of a question: recalled messages, the page images that can show them, and what stands beside these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foxing.memory.recall.transcript import Style, TextTranscript, TranscriptLine, TranscriptPlace
from foxing.memory.values.context import ContextRequest
from foxing.memory.values.messages import RecalledMessage
from foxing.memory.values.recall import NATIVE_READER
from foxing.memory.values.trust import lowest_marks
from foxing.renderer.readers import Reader

from .identifiers import are_beside
from .plan import Plan
from .prompt_images import Marks, PromptImage


@dataclass
class Matches:
    """The recalled messages, and the page images that can show them."""

    spans: Sequence[RecalledMessage] = ()
    #: For each of `spans`: its line as text, whose tokens are counted once.
    lines: Sequence[TranscriptLine] = ()
    images: Sequence[PromptImage] = ()
    #: For each of `spans`: the indexes of the images that together show it.
    shown_by: Sequence[frozenset[int]] = ()
    #: For each of `images`: the number of messages on it that are not in `spans`; a partial one counts its share.
    beside: Sequence[float] = ()
    #: Message id → complete message, for messages that an image shows in part and that the prompt does not include.
    whole: Mapping[int, RecalledMessage] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class MatchTexts:
    """Matches as text, where dates and speakers are shared."""

    def __init__(self, recalled: Matches, style: Style) -> None:
        self._places, self._lines = list(map(place_of, recalled.spans)), recalled.lines
        self._transcript = TextTranscript(style)

    @property
    def tokens(self) -> int:
        """See `Texts.tokens`."""
        return self._transcript.packed_tokens

    def added(self, number: int) -> int:
        """See `Texts.added`."""
        return self._transcript.added(self._places[number], self._lines[number])

    def add(self, number: int) -> None:
        """See `Texts.add`."""
        self._transcript.add(self._places[number], self._lines[number])

    def remove(self, number: int) -> None:
        """See `Texts.remove`."""
        self._transcript.remove(self._places[number])


def place_of(span: RecalledMessage) -> TranscriptPlace:
    """Returns the place of a match in a transcript."""
    return TranscriptPlace.of(span, span.message_id, span.passage)


def words_beside(reader: Reader, request: ContextRequest, images: Sequence[PromptImage]) -> Mapping[str, Marks]:
    """Returns the distinct words that stand beside images, in order, with their marks: their identifiers, and in any
    case those that their type does not show safely."""
    if reader.name == NATIVE_READER:
        return {}
    listed = are_beside(reader, wanted=request.keepsakes)
    words: dict[str, Marks] = {}
    for image in images:
        for word in (*(image.identifiers if listed else ()), *image.doubtful):
            words[word] = lowest_marks((words.get(word, ()), image.marks[word]))
    return words


def whole_beside(images: Sequence[PromptImage], recalled: Matches) -> list[RecalledMessage]:
    """Returns the complete messages that `images` show in part."""
    in_part = dict.fromkeys(
        number for image in images for number in image.placed.shares if number in image.placed.in_part
    )
    return [recalled.whole[number] for number in in_part if number in recalled.whole]


def given_keys(recalled: Matches, plan: Plan) -> list[str]:
    """Returns the ids of the matches that a plan shows completely, best first."""
    shown = [bool(images) and images <= plan.images for images in recalled.shown_by] or [False] * len(recalled.spans)
    return [span.message_id for n, span in enumerate(recalled.spans) if n in plan.texts or shown[n]]
