"""Input of the decay benchmark, as plain values: dated messages, questions, and what a memory gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Message:
    """A message to remember."""

    id: str
    speaker: str
    text: str
    #: Timezone-aware.
    created_at: datetime
    role: Role = "user"
    thread: str = ""


@dataclass(frozen=True)
class Question:
    """A question with its answer and the messages that hold it."""

    text: str
    answer: str
    #: Ids of messages; at least one.
    evidence: frozenset[str]
    #: True if each of these messages holds the whole answer, so that one is enough.
    repeated: bool = False


@dataclass(frozen=True)
class Conversation:
    """Messages in time order that one memory bank holds, and the questions about them."""

    name: str
    messages: Sequence[Message]
    questions: Sequence[Question]


@dataclass(frozen=True)
class Passage:
    """Text that a memory still holds of a message, or of one that it cannot name."""

    text: str
    message_id: str | None = None
    #: Half-open ranges of `text` that are marks of something faded, in order.
    gaps: Sequence[tuple[int, int]] = ()

    @property
    def runs(self) -> list[str]:
        """The text between the gaps, without blanks at the ends. Empty where a gap stands at the start or the end."""
        starts, ends = [0, *(end for _, end in self.gaps)], [*(start for start, _ in self.gaps), len(self.text)]
        return [self.text[start:end].strip() for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class Recalled:
    """The answer of a memory to a question."""

    #: The text as a model is to see it, with dates and speakers.
    text: str
    passages: Sequence[Passage]
