"""Messages, as stored and as remembered."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, FailFast, Field, JsonValue, Strict, ValidationInfo, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from foxing.memory.conversation import CHAT_MEMBERS, is_web_tool, parse_message
from foxing.memory.errors import InvalidInput
from foxing.renderer.clock import later
from foxing.renderer.marks import GAP_MARK

from .base import FROM_SERVICE, INTEGRAL, OPEN, BankName, Input, Moment, Name, Tier, Value, kind_of
from .base import Role as Role
from .gap_marks import MarkedText
from .metadata import Metadata
from .part_text import parse_parts, render_parts
from .parts import Content, FunctionCall, ImagePart, Part, TextPart, ToolResult
from .policy import AgeingForecast, Duration
from .trust import Trust, trust_of

#: Key of the metadata in which a message names the id of the one that it replaces, whatever their words.
REPLACES = "replaces"
Source = Annotated[Literal["open", "text", "decoded"], OPEN]
#: A run of characters that may be misread: half-open range in the text, and mean confidence.
UncertainRun = tuple[int, int, float]
#: Without tool calls, content is neither null nor an empty list.
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

    role: Role = Field(description="Role of the speaker.", examples=["user"])
    content: Content = Field(
        description="A text, which may be empty, or a list of parts. Null is allowed only with `tool_calls`.",
        examples=["We ship Titan on 14 March."],
    )
    tool_calls: Annotated[tuple[FunctionCall, ...], Strict(False), FailFast()] = Field(
        (), description="Tool calls in the format of OpenAI's chat messages. They become parts after the content."
    )
    tool_call_id: Name | None = Field(
        None,
        min_length=1,
        description="Id of the call that the message answers, in the format of OpenAI's chat messages. The content "
        "becomes the result of the call.",
    )
    created_at: Moment | None = Field(
        None, description="Time of the message, with a timezone. Default: now.", examples=["2026-03-02T09:15:00Z"]
    )
    id: Name | None = Field(None, min_length=1, description="Your id, unique in the bank. Default: a generated one.")
    arrived_at: Moment | None = Field(
        None,
        description="Time at which it was first stored, for a message moved from another bank. Default: now.",
    )
    name: Name | None = Field(None, description="Name of the speaker or the tool.")
    thread: Name | None = Field(None, description="Thread of the message.")
    expires_at: Moment | None = Field(
        None,
        description="Time from which the message is recalled no more; the scheduler then erases it for good.",
        examples=["2026-06-01T00:00:00Z"],
    )
    expires_after: Annotated[Duration, Field(gt=timedelta(0))] | None = Field(
        None, description="The same as an age, counted from `created_at`, in ISO 8601. Not with `expires_at`."
    )
    metadata: Metadata | None = Field(
        None,
        description="Arbitrary data: a JSON object of at most 2 kB. Recall can filter by it.",
        examples=[{"channel": "planning"}],
    )
    trust: Trust | None = Field(
        None,
        description="Trust class: whose words these are. Default: the class of the role; `imported` for files of "
        "others, `web` for results of tools that fetch pages of the web.",
    )
    gaps: Annotated[tuple[Annotated[int, Field(ge=0), INTEGRAL], ...], Strict(False), FailFast()] = Field(
        (),
        description="Offsets in its text, ascending, of the characters ⋯ that are gaps: marks of what had faded, for a "
        "message moved from another bank. Others are characters of the text.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_members(cls, fields: Any, info: ValidationInfo) -> Any:
        """Reads the members that messages of chat completions have beside content, such as a refusal."""
        if not isinstance(fields, dict) or CHAT_MEMBERS.isdisjoint(fields) or info.context is FROM_SERVICE:
            return fields
        if not any(fields.get(name) for name in CHAT_MEMBERS - {"tool_calls"}) and all(
            not isinstance(call, dict) or call.get("type") != "custom" for call in fields.get("tool_calls") or ()
        ):
            return {name: value for name, value in fields.items() if name not in CHAT_MEMBERS - {"tool_calls"}}
        own = {name: value for name, value in fields.items() if name not in CHAT_MEMBERS}
        return own | {"content": list(parse_message("openai", {**fields, "role": "assistant"}).parts)}

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        if not self.content and not isinstance(self.content, str) and not self.tool_calls:
            reason = "a message needs content: give a string or at least one part; null is allowed only with tool calls"
            raise PydanticCustomError("no_content", reason)
        if self.expires_at is not None and self.expires_after is not None:
            raise PydanticCustomError("two_expiries", "give expires_at or expires_after, not both")
        if self.gaps:
            text = self.text
            ascending = all(one < other for one, other in pairwise(self.gaps))
            if not ascending or any(text[gap : gap + 1] != GAP_MARK for gap in self.gaps):
                reason = "gaps must be the offsets of characters ⋯ in the text, ascending"
                raise PydanticCustomError("gaps", reason)
        return self

    def expiry(self, now: datetime) -> datetime | None:
        """Returns when the message expires, if it does. `now`: its time unless it has one of its own."""
        if self.expires_after is not None:
            return later(self.created_at or now, self.expires_after)
        return self.expires_at

    @property
    def parts(self) -> tuple[Part, ...] | None:
        """The content and the tool calls as parts; None if the message is a plain text."""
        if isinstance(self.content, str) and not self.tool_calls and self.tool_call_id is None:
            return None
        return self._said + tuple(call.part for call in self.tool_calls)

    @property
    def _said(self) -> tuple[Part, ...]:
        """The content as parts."""
        content = self.content or ()
        parts = (TextPart(text=content),) if isinstance(content, str) else content
        if self.tool_call_id is None or any(isinstance(part, ToolResult) for part in parts):
            return parts
        result = "\n".join(part.text for part in parts if isinstance(part, TextPart))
        others = (part for part in parts if not isinstance(part, TextPart))
        return (ToolResult(id=self.tool_call_id, content=result), *others)

    def with_content(self, content: str | tuple[Part, ...]) -> Self:
        """Returns the message with other content, in which its tool calls and what it answers are parts."""
        return self.model_copy(update={"content": content, "tool_calls": (), "tool_call_id": None})

    @property
    def trust_class(self) -> str:
        """Its trust class, or that of its role."""
        web = self.role == "tool" and is_web_tool(self.name)
        return trust_of(self.role, self.trust or ("web" if web else None))

    @property
    def images(self) -> list[ImagePart]:
        """The parts that are images, in order."""
        return [part for part in self.parts or () if isinstance(part, ImagePart)]

    @property
    def text(self) -> str:
        """The text that is typeset, indexed and recalled: the content, or its parts rendered."""
        return render_parts(self.parts) if self.parts is not None else str(self.content)


class StoreResult(Value):
    """The result of storing messages."""

    ids: list[str] = Field(description="Ids of the messages, in the order given.")
    stored: int = Field(description="Number of new messages.")
    duplicates: int = Field(description="Number of messages that were already stored with the same content.")
    quarantined: int = Field(
        0, description="Number of new messages that the policy has quarantined; see `quarantine_trust`."
    )
    ageing: AgeingForecast | None = Field(
        None, description="Forecast of how the new messages age under the current policy; null if none is new."
    )
    redacted: dict[str, int] = Field(
        {}, description="Number of matches that the bank's rules of redaction replaced, by the name of the rule."
    )
    left_out: dict[str, int] = Field(
        {}, description="What messages of a provider have that is not stored, such as `thinking`: how often it occurs."
    )


class RecalledMessage(Value):
    """A message as remembered."""

    message_id: str = Field(description="Id of the message.")
    ref: str = Field(
        description="Its reference, a few characters that `fetch` takes. It stands in brackets before the message on "
        "page images for readers, and in texts that are asked for with `refs`."
    )
    bank: BankName | None = Field(None, description="Its bank, where a recall names `banks`; null otherwise.")
    thread: str = Field(description="Thread of the message.")
    role: Role = Field(description="Role of the speaker.")
    name: str | None = Field(description="Name of the speaker or the tool.")
    created_at: datetime = Field(description="Time of the message.")
    arrived_at: datetime = Field(
        description="Time at which it was stored in the bank; for a sealed message, the latest such time on its pages."
    )
    expires_at: datetime | None = Field(
        None,
        description="Time at which it expires; null if it does not, and in answers to questions. Exports and the "
        "answer for a single message have it.",
    )
    text: str = Field(description="The text as the memory holds it, with parts rendered.")
    passage: tuple[int, int] | None = Field(
        None,
        description="Range of the text in a long message, as the memory holds it: start and stop in characters; null "
        "for a whole message.",
    )
    parts: list[Annotated[Part, OPEN]] | None = Field(
        description="Parts of the content, if it was stored in parts and can still be parsed; null otherwise, and for "
        "a passage."
    )
    trust: Trust = Field(
        "unknown", description="Trust class: whose words these are. Those of tool, web, imported and unknown are data."
    )
    suspicious: bool = Field(
        False, description="Whether rules recognise instructions to a model in it, though it is data."
    )
    metadata: dict[str, JsonValue] = Field(description="Metadata stored with the message; empty if there is none.")
    kept: float = Field(description="Share of its characters that the memory still holds, 0 to 1; 0 if unreadable.")
    gaps: list[int] = Field(
        description="Offsets in `text` of the gap marks, “ … ” unless the query or a setting chooses another. The same "
        "characters at other offsets belong to the message."
    )
    confidence: float = Field(description="Mean probability that a character is correct, 0 to 1, without gaps.")
    uncertain: list[UncertainRun] = Field(description="Runs of `text` that may be misread: start, stop, confidence.")
    tier: Tier | None = Field(description="The lowest tier it was read from; null while it is open.")
    source: Source = Field(description="open: not yet sealed; text: kept exactly; decoded: read from vision tokens.")
    page_ids: list[str] = Field(description="Ids of the pages that hold it, in text order.")
    score: float | None = Field(description="Score of the match; null without a query, and for a neighbour.")
    relevance: float | None = Field(
        None,
        description="Probability that it belongs to an answer, 0 to 1; null without a query, and for a neighbour.",
    )
    matched_faded: bool = Field(
        False,
        description="Whether a word of the query found it that has faded from its text; the index keeps rare words "
        "unless the policy says otherwise.",
    )
    superseded_by: str | None = Field(
        None,
        description="Id of the newest message that says the same with another value, such as a date that was moved; "
        "null if recall found none. It need not be in the answer.",
    )
    superseded_at: datetime | None = Field(None, description="Time of the message `superseded_by`.")
    neighbour_of: str | None = Field(
        None, description="Id of the match that it is returned with as a neighbour; null for a match."
    )
    episode: str | None = Field(
        None,
        description="Id of the first message of the episode that it is returned with; null if messages answer. The "
        "spans of an episode follow each other in their order.",
    )
    left_out: list[int] = Field(
        default_factory=list,
        description="Offsets in `text` of the marks “ […] ” of an excerpt, where the answer has no room for the rest; "
        "`fetch` returns the whole message.",
    )
    neighbour_ids: list[str] = Field(
        default_factory=list,
        description="Ids of the neighbours of a match, oldest first, if the query asks for them without text.",
    )

    def with_gap_mark(self, mark: str) -> Self:
        """Returns the message, as read from its pages, with `mark` in place of each gap mark ⋯ in its text and parts.
        Offsets are adjusted, except those of `passage`. See `MarkedText.of`."""
        if not self.gaps:
            return self
        marked = MarkedText.of(self.text, self.gaps, mark)
        runs = ((marked.moved(start), marked.moved(stop), sure) for start, stop, sure in self.uncertain)
        parts = None if self.parts is None else parse_parts(marked.text)
        same_parts = parts is not None and self.parts is not None and len(parts) == len(self.parts)
        return self.model_copy(
            update={
                "text": marked.text,
                "parts": list(parts) if parts is not None and same_parts else self.parts,
                "gaps": marked.gaps,
                "uncertain": [run for run in runs if run[0] < run[1]],
            }
        )

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: 100 only if the message is complete."""
        return whole_percent(self.kept)


class MessageInfo(RecalledMessage):
    """A message as remembered, with its keepsakes and its recall weight."""

    keepsakes: list[str] = Field(
        [],
        description="Its exact identifiers that are kept as text at every tier, in text order; empty while it is open.",
    )

    recall_weight: float = Field(
        description="How often recall has found it: the sum of 1/rank over all recalls, each with a half-life of 90 "
        "days. The words of messages recalled often and recently fade later."
    )


MissingReason = Annotated[Literal["erased", "unknown"], OPEN]
#: Maximum number of references of one call of `fetch`.
MAX_REFS = 100


class MissingReference(Value):
    """A reference without a message."""

    ref: str = Field(description="The reference, as given.")
    reason: MissingReason = Field(
        description="erased: its message was erased for good; unknown: no message of the bank has had it. A reference "
        "misread on a page image is unknown."
    )


class FetchResult(Value):
    """The messages of references."""

    messages: list[RecalledMessage] = Field(
        description="The complete messages, as remembered now, in the order of the references, each once."
    )
    missing: list[MissingReference] = Field(
        default_factory=list, description="The references without a message, with the reason."
    )


def whole_percent(share: float) -> int:
    """Returns `share` in percent, rounded down: 100 only if it is complete."""
    return math.floor(100 * share + 1e-6)  # 0.29 * 100 < 29 in floating point


def reference_list(refs: str | Sequence[str]) -> list[str]:
    """Returns one or several references as a list. Raises `InvalidInput` for values of another type."""
    if isinstance(refs, str):
        return [refs]
    several = isinstance(refs, Iterable) and not isinstance(refs, (bytes, Mapping))
    listed = list(refs) if several else []
    odd = next((f" with {kind_of(ref)}" for ref in listed if not isinstance(ref, str)), "")
    if odd or not several:
        raise InvalidInput(f"references must be a list or one text, such as 'k7q', not {kind_of(refs)}{odd}")
    return listed
