"""Messages, as they are given to a memory and as it remembers them."""

import math
from bisect import bisect_left
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, FailFast, Field, JsonValue, Strict, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from foxing.renderer.marks import GAP_MARK

from .base import OPEN, Input, Moment, Name, Tier, Value
from .metadata import Metadata
from .part_text import render_parts
from .parts import Content, FunctionCall, ImagePart, Part, TextPart
from .policy import AgeingForecast

Role = Annotated[Literal["system", "developer", "user", "assistant", "tool"], OPEN]
Source = Annotated[Literal["open", "text", "decoded"], OPEN]
#: A run of characters that may be misread: start and stop in the text, half open, and mean confidence.
UncertainRun = tuple[int, int, float]
#: Content is null only beside tool calls, and parts are not empty without them.
_CONTENT_OR_CALLS: JsonDict = {
    "anyOf": [
        {"properties": {"content": {"type": "string"}}},
        {"properties": {"content": {"type": "array", "minItems": 1}}},
        {"properties": {"tool_calls": {"type": "array", "minItems": 1}}, "required": ["tool_calls"]},
    ]
}


class NewMessage(Input):
    """A message to remember."""

    model_config = ConfigDict(json_schema_extra=_CONTENT_OR_CALLS)

    role: Role = Field(description="Who speaks.", examples=["user"])
    content: Content = Field(
        description="A text, which may be empty, or a list of parts. Null only beside `tool_calls`.",
        examples=["We ship Titan on 14 March."],
    )
    tool_calls: Annotated[tuple[FunctionCall, ...], Strict(False), FailFast()] = Field(
        (), description="Tool calls in the shape of OpenAI's chat messages. They become parts after the content."
    )
    created_at: Moment | None = Field(
        None, description="When it was said, with a timezone. Default: now.", examples=["2026-03-02T09:15:00Z"]
    )
    id: Name | None = Field(None, min_length=1, description="Your id, unique in the bank. Default: a generated one.")
    arrived_at: Moment | None = Field(
        None,
        description="When it came into the memory, if that was earlier: of a message that is moved from another bank. "
        "Default: now.",
    )
    name: Name | None = Field(None, description="Name of the speaker or the tool.")
    thread: Name | None = Field(None, description="The thread it belongs to.")
    metadata: Metadata | None = Field(
        None,
        description="Anything to keep with the message: a JSON object of at most 2 kB. Recall can filter by it.",
        examples=[{"channel": "planning"}],
    )

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        if not self.content and not isinstance(self.content, str) and not self.tool_calls:
            reason = "a message needs content: give a string or at least one part; null is only for tool calls"
            raise PydanticCustomError("no_content", reason)
        return self

    @property
    def parts(self) -> tuple[Part | ImagePart, ...] | None:
        """The content and the tool calls as parts; None if the message is just a text."""
        calls = tuple(call.part for call in self.tool_calls)
        if isinstance(self.content, tuple):
            return self.content + calls
        if not calls:
            return None
        return (TextPart(text=self.content), *calls) if self.content else calls

    @property
    def text(self) -> str:
        """The text that is typeset, indexed and recalled: the content, or its parts rendered."""
        return render_parts(self.parts) if self.parts is not None else str(self.content)


class StoreResult(Value):
    """What storing messages did."""

    ids: list[str] = Field(description="Ids of the messages, in the order given.")
    stored: int = Field(description="How many were new.")
    duplicates: int = Field(description="How many were stored already, with the same content.")
    ageing: AgeingForecast | None = Field(
        None, description="What will happen to the new messages, and when, by the present policy; null if none is new."
    )


class RecalledMessage(Value):
    """A message as remembered."""

    message_id: str = Field(description="Id of the message.")
    thread: str = Field(description="The thread it belongs to.")
    role: Role = Field(description="Who spoke.")
    name: str | None = Field(description="Name of the speaker or the tool.")
    created_at: datetime = Field(description="When it was said.")
    arrived_at: datetime = Field(
        description="When it came into the bank; of a sealed message, when the last one on its pages did."
    )
    text: str = Field(description="The text as the memory holds it, parts rendered.")
    passage: tuple[int, int] | None = Field(
        None,
        description="Which part of a long message the text is, as the memory holds it: start and stop in characters; "
        "null for a whole message.",
    )
    parts: list[Annotated[Part, OPEN]] | None = Field(
        description="The parts of the content, if it was given in parts and reads as such; null otherwise, and of a "
        "passage."
    )
    metadata: dict[str, JsonValue] = Field(description="What was stored with the message; empty if nothing was.")
    kept: float = Field(description="Share of its characters that the memory still holds, 0 to 1; 0 if unreadable.")
    gaps: list[int] = Field(
        description="Offsets in `text` of the marks, ⋯ unless the query says otherwise, where something has faded. The "
        "same characters elsewhere were said."
    )
    confidence: float = Field(description="Mean probability that a character is right, 0 to 1; gaps left out.")
    uncertain: list[UncertainRun] = Field(description="Runs that may be misread: start, stop, confidence.")
    tier: Tier | None = Field(description="The lowest tier it was read from; null while it is open.")
    source: Source = Field(description="open: not yet sealed; text: kept exactly; decoded: read from vision tokens.")
    page_ids: list[str] = Field(description="Pages that hold it, in the order of its text.")
    score: float | None = Field(description="How well it matches; null without a query, and of a neighbour.")
    neighbour_of: str | None = Field(
        None, description="Id of the match that it was returned with, as a neighbour; null for a match."
    )
    neighbour_ids: list[str] = Field(
        default_factory=list,
        description="Ids of the messages around a match, the oldest first, if the query asks for them without text.",
    )

    def with_gap_mark(self, mark: str) -> Self:
        """The message with `mark` in place of each ⋯ in its text that stands for a gap. `passage` counts as before."""
        if mark == GAP_MARK or not self.gaps:
            return self
        added = len(mark) - len(GAP_MARK)
        starts = [0, *(gap + len(GAP_MARK) for gap in self.gaps)]
        pieces = [self.text[start:gap] for start, gap in zip(starts, [*self.gaps, len(self.text)], strict=True)]
        return self.model_copy(
            update={
                "text": mark.join(pieces),
                "gaps": [gap + number * added for number, gap in enumerate(self.gaps)],
                "uncertain": [
                    (start + bisect_left(self.gaps, start) * added, stop + bisect_left(self.gaps, stop) * added, sure)
                    for start, stop, sure in self.uncertain
                ],
            }
        )

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: only what is whole is 100."""
        return whole_percent(self.kept)


class MessageInfo(RecalledMessage):
    """A message as remembered, and how much it was recalled."""

    recall_weight: float = Field(
        description="How often recall has found it: 1 where it came first, 1/2 where it came second and so on, each "
        "worth half after 90 days. The words of what is recalled often and lately fade later."
    )


def whole_percent(share: float) -> int:
    """`share` in percent, rounded down: only what is whole is 100."""
    return math.floor(100 * share + 1e-6)  # 0.29 * 100 is a little less than 29
