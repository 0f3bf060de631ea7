"""The values that a memory takes and returns; they are also the schemas of the HTTP interface."""

import math
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, FailFast, Field, JsonValue, Strict, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from .metadata import Metadata
from .parts import Content, FunctionCall, ImagePart, Part, TextPart
from .text.parts import render_parts
from .values import INTEGRAL, Input, Moment, Value

Role = Literal["system", "developer", "user", "assistant", "tool"]
Tier = Literal["large", "base", "small", "tiny", "micro"]
Source = Literal["open", "text", "decoded"]
Fidelity = Literal["remembered", "verbatim"]
LeftOutReason = Literal["max_tokens", "not_verbatim", "unreadable"]

#: A run of characters that may be misread: start and stop in the text, half open, and mean confidence.
UncertainRun = tuple[int, int, float]

#: How many entries of a list to return.
Limit = Annotated[int, Field(ge=1, le=500), INTEGRAL]

#: Content is null only beside tool calls, and parts are not empty without them.
_CONTENT_OR_CALLS: JsonDict = {
    "anyOf": [
        {"properties": {"content": {"type": "string"}}},
        {"properties": {"content": {"type": "array", "minItems": 1}}},
        {"properties": {"tool_calls": {"type": "array", "minItems": 1}}, "required": ["tool_calls"]},
    ]
}
#: Of ids and names; checked where messages are stored.
Name = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": r"^[^\x00-\x1f]*$"})]


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


class AgeingStep(Value):
    """A step to a lower tier."""

    tier: Tier = Field(description="The tier.")
    at: datetime = Field(description="From when on.")


class AgeingForecast(Value):
    """What the policy of a bank will do to messages, or to a page, and when."""

    exact: bool = Field(description="Whether their exact text is kept.")
    exact_until: datetime | None = Field(
        description="Until when at least, if it is; null if it always is, by the present policy."
    )
    steps: list[AgeingStep] = Field(
        description="The tiers that they will be held at, each from when on at the earliest."
    )


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
    parts: list[Part] | None = Field(
        description="The parts of the content, if it was given in parts and reads as such; null otherwise, and of a "
        "passage."
    )
    metadata: dict[str, JsonValue] = Field(description="What was stored with the message; empty if nothing was.")
    kept: float = Field(description="Share of its characters that the memory still holds, 0 to 1; 0 if unreadable.")
    gaps: list[int] = Field(
        description="Offsets in `text` of the marks ⋯ where something has faded. A ⋯ elsewhere was said."
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

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: only what is whole is 100."""
        return _whole_percent(self.kept)


class MessageInfo(RecalledMessage):
    """A message as remembered, and how much it was recalled."""

    rehearsal: float = Field(
        description="How often recall has found it: 1 where it came first, 1/2 where it came second and so on, each "
        "worth half after 90 days. The words of what is recalled often and lately fade later."
    )


class LeftOut(Value):
    """A message that matches and is not in the answer."""

    message_id: str = Field(description="Id of the message.")
    reason: LeftOutReason = Field(
        description="max_tokens: it does not fit the budget, and comes with a later page of the list; not_verbatim: "
        "its exact text is not kept; unreadable: what holds it cannot be read now."
    )


class RecallResult(Value):
    """What a recall found."""

    spans: list[RecalledMessage] = Field(
        description="Messages, best first, of long ones the passages that match; without a query whole messages in "
        "time order. Neighbours follow their match."
    )
    text_tokens: int = Field(description="Text tokens of all spans, each with who spoke and when.")
    left_out: list[LeftOut] = Field(
        description="Messages that were passed over and why, at most `limit`, those over the budget first."
    )
    notes: list[str] = Field([], description="What the answer went without, such as an embedder that is down.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class RecalledImage(Value):
    """A page as an image for a reader."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier it is held at; the reader native is shown that.")
    media_type: Literal["image/png"] = Field("image/png", description="Media type of `data`.")
    data: str = Field(description="The image, in Base64.")
    width: int = Field(description="Width in pixels.")
    height: int = Field(description="Height in pixels.")
    tokens: int = Field(description="What the reader bills for it; for `native`, the vision tokens it takes.")
    message_ids: list[str] = Field(description="Messages found on the page.")
    begins_before: list[str] = Field(
        default_factory=list, description="Ids of the messages on the image that begin on an earlier one."
    )
    goes_on: list[str] = Field(
        default_factory=list, description="Ids of the messages on the image that go on on a later one."
    )


class RecalledImages(Value):
    """What a recall found, as page images."""

    images: list[RecalledImage] = Field(
        description="Pages that hold the messages found, each once; for readers but `native`, the sheets that do."
    )
    vision_tokens: int = Field(description="Tokens of all images.")
    open_spans: list[RecalledMessage] = Field(description="Open messages found, as text: they have no page yet.")
    whole_spans: list[RecalledMessage] = Field(
        default_factory=list, description="The messages that an image shows only a part of, whole, as text."
    )
    left_out: list[LeftOut] = Field(description="Messages whose pages cannot be shown and why, at most `limit`.")
    notes: list[str] = Field([], description="What the answer went without, such as an embedder that is down.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class PageInfo(Value):
    """A page and how it is held."""

    id: str = Field(description="Id of the page.")
    bank: str = Field(description="The bank it belongs to.")
    threads: list[str] = Field(description="Threads on the page, in their order on it.")
    tier: Tier = Field(description="The tier it is held at.")
    pinned: bool = Field(description="Whether it is exempt from ageing.")
    sealed_at: datetime = Field(description="When it was sealed.")
    first_at: datetime = Field(description="Time of its first message.")
    last_at: datetime = Field(description="Time of its last message.")
    arrived_at: datetime = Field(
        description="When the last of its messages came into the bank. Its age counts from here or from `last_at`, "
        "whichever is later, unless the policy says otherwise."
    )
    messages: int = Field(description="Messages on the page, whole or in part.")
    vision_tokens: int = Field(description="Vision tokens it takes.")
    bytes: int = Field(description="Tokens, kept text and keepsakes as stored.")
    text_kept: bool = Field(description="Whether its exact text is kept.")
    confidence: float = Field(description="Mean confidence of what it reads as; 1 while its text is kept.")
    codec: str = Field(description="The codec that wrote its tokens.")
    keepsakes: int = Field(description="Exact identifiers kept as text.")


class Pages(Value):
    """Pages of a bank, by the time of their last message."""

    pages: list[PageInfo] = Field(description="Pages, oldest first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class TierStatistics(Value):
    """The pages of a bank at one tier."""

    pages: int = Field(description="How many there are.")
    vision_tokens: int = Field(description="Vision tokens they take.")
    token_bytes: int = Field(description="Bytes of those tokens.")


class BankBytes(Value):
    """What the database holds of a bank, in bytes."""

    tokens: int = Field(description="Vision tokens.")
    text: int = Field(description="Open messages and kept text.")
    index: int = Field(description="Index terms.")
    embeddings: int = Field(description="Embeddings of messages.")
    keepsakes: int = Field(description="Exact identifiers kept as text.")
    metadata: int = Field(description="Everything else: messages, rehearsals, pages, threads, idempotency keys.")
    records: int = Field(description="Records of agent frameworks.")
    wastebasket: int = Field(description="What ageing dropped and undo can restore.")
    total: int = Field(description="All of these together.")


class BankInfo(Value):
    """A bank in numbers."""

    id: str = Field(description="Name of the bank.")
    created_at: datetime = Field(description="When it was created.")
    messages: int = Field(description="All messages.")
    open_messages: int = Field(description="Messages not yet sealed.")
    threads: int = Field(description="Threads.")
    pages: int = Field(description="Pages.")
    tiers: dict[str, TierStatistics] = Field(description="Pages by tier, the sharpest first.")
    bytes: BankBytes = Field(description="What the database holds of it.")
    first_at: datetime | None = Field(description="Time of the first message; null without messages.")
    last_at: datetime | None = Field(description="Time of the last message; null without messages.")


class Banks(Value):
    """Banks, by name."""

    banks: list[BankInfo] = Field(description="Banks in the order of their names.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class Line(Value):
    """A row of a page as read."""

    row: int = Field(description="Number of the row, from 0.")
    text: str = Field(description="What it reads as.")
    confidence: float = Field(description="Mean probability that a character is right, 0 to 1.")


def _whole_percent(share: float) -> int:
    return math.floor(100 * share + 1e-6)  # 0.29 * 100 is a little less than 29


class MessageOnPage(RecalledMessage):
    """A message, or the part of it on a page."""

    begins_before: bool = Field(description="Whether the message begins on an earlier page.")
    goes_on: bool = Field(description="Whether the message goes on on a later page.")


class PageReading(Value):
    """A page as read from what the memory holds."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier it was read at.")
    source: Literal["text", "decoded"] = Field(description="text: kept exactly; decoded: read from vision tokens.")
    text: str = Field(description="The whole page with its headers and marks, without fillers.")
    lines: list[Line] = Field(description="The page row by row.")
    uncertain: list[UncertainRun] = Field(description="Runs of `text` that may be misread: start, stop, confidence.")
    kept: float = Field(description="Share of the characters of its messages that are left at this tier, 0 to 1.")
    confidence: float = Field(description="Mean probability that a character that is left is right, 0 to 1.")
    messages: list[MessageOnPage] = Field(description="The messages on the page, with keepsakes spliced in.")

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: only what is whole is 100."""
        return _whole_percent(self.kept)
