"""Recall queries and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self, TypedDict, Unpack

from pydantic import ConfigDict, Field, Strict
from pydantic.config import JsonDict

from foxing.memory.errors import InvalidInput

from .base import INTEGRAL, OPEN, Cursor, Limit, MemoryRequest, Now, Tier, Timezone, Value, When
from .gap_marks import GapMark
from .messages import RecalledMessage, Role
from .metadata import MetadataFilter, Scalar
from .speakers import class_of_image
from .trust import Trust

Fidelity = Literal["remembered", "verbatim"]
#: Whether single messages answer, or an episode: a run of messages of one thread that belong together.
Shape = Literal["auto", "messages", "episode"]
SHAPE_DESCRIPTION = (
    "Whether the messages that match best answer, or the episode that they belong to: a task, or a conversation "
    "between two long pauses, in its order, with what was asked and decided, the newest steps, and of long results the "
    "parts that matter. auto: an episode where the query is not a question and its words concentrate there."
)
Format = Literal["text", "images"]
LeftOutReason = Annotated[Literal["max_tokens", "not_verbatim", "unreadable"], OPEN]
MAX_QUERY_CHARS = 10_000
#: Default `min_relevance` of context, MCP and the integrations; recall itself has none. On LoCoMo it leaves
#: four fifths of the questions that a bank cannot answer without an answer, and 1.6 % of the others lose evidence.
RELEVANCE_FLOOR = 0.06
#: The reader that is shown pages as stored; for other readers they are laid out again.
NATIVE_READER = "native"


@dataclass(frozen=True)
class OnlyFor:
    """Marks a field of a `RecallQuery` that applies to one format only."""

    format: Format


#: Names of banks beside the one of the call, in a query or a request.
OtherBanks = Annotated[tuple[str, ...], Strict(False)]
MAX_OTHER_BANKS = 10
BANKS_DESCRIPTION = (
    "Further banks to recall from, such as those of a person, a project and a branch: their messages are ranked "
    "together with those of the bank of the call, and each names its bank. A bank that does not exist gives nothing "
    "and a note."
)


class RecallQuery(MemoryRequest):
    """A recall query: messages that match a text, those of a time window in time order, or both."""

    query: str | None = Field(
        None,
        max_length=MAX_QUERY_CHARS,
        description="Question or search terms. A time mentioned in it raises the rank of messages of that time; only "
        "`since` and `until` exclude messages. Without a query, or with a query that is only a time, all messages of "
        "the time window are returned.",
    )
    since: When | None = Field(
        None, description="Start of the time window: an RFC 3339 time, a date, or words such as “3 weeks ago”."
    )
    until: When | None = Field(None, description="End of the time window, in the same form.")
    now: Now = None
    timezone: Timezone = None
    thread: str | None = Field(None, description="Restricts recall to this thread.")
    metadata: MetadataFilter | None = Field(
        None,
        description="Restricts recall to messages whose metadata has these members, with equal values. Null matches "
        "only an explicit null.",
    )
    roles: Annotated[tuple[Role, ...], Strict(False)] | None = Field(
        None, min_length=1, max_length=20, description="Restricts recall to messages of these roles."
    )
    trust: Annotated[tuple[Trust, ...], Strict(False)] | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="Restricts recall to messages of these trust classes, such as `user`.",
    )
    min_relevance: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Minimum relevance of the most relevant match: if no match reaches it, nothing is returned. If one "
        "does, or without this field, the answer ends where relevance falls away from the best match, sooner for "
        "a question of one fact. With 0, every match is given. Queries without words are not affected.",
    )
    limit: Limit = Field(20, description="Maximum number of spans or images.")
    cursor: Cursor = None
    max_tokens: Annotated[int | None, OnlyFor("text"), INTEGRAL] = Field(
        None,
        ge=1,
        description="Maximum number of text tokens of `rendered`. A span counts what it adds there, where dates and "
        "speakers are shared. Spans that do not fit are skipped.",
    )
    neighbours: Annotated[int, OnlyFor("text"), INTEGRAL] = Field(
        0,
        ge=0,
        le=5,
        description="Number of messages before and after each match in its thread to return with it, marked with "
        "`neighbour_of`. The other filters apply to them too.",
    )
    neighbour_text: Annotated[bool, OnlyFor("text")] = Field(
        True,
        description="Whether to return neighbours as spans. If false, their text is not read, and each match lists "
        "their ids in `neighbour_ids`.",
    )
    fidelity: Annotated[Fidelity, OnlyFor("text")] = Field(
        "remembered",
        description="remembered: the best version that the memory holds; verbatim: only exact text that is still kept.",
    )
    shape: Annotated[Shape, OnlyFor("text")] = Field("auto", description=SHAPE_DESCRIPTION)
    banks: Annotated[OtherBanks | None, OnlyFor("text")] = Field(
        None, min_length=1, max_length=MAX_OTHER_BANKS, description=BANKS_DESCRIPTION
    )
    gap_mark: Annotated[GapMark | None, OnlyFor("text")] = Field(
        None,
        description="Mark of a gap in `text` and `rendered`. A blank at its beginning or end replaces the one beside "
        "the gap. Default: the setting `gap_mark`, “ … ”, which is one token.",
    )
    ids: Annotated[bool, OnlyFor("text")] = Field(
        False, description="Whether each message in `rendered` begins with its id, in parentheses."
    )
    refs: Annotated[bool, OnlyFor("text")] = Field(
        False, description="Whether each message in `rendered` begins with its reference, such as [k7q], for `fetch`."
    )
    explain: Annotated[bool, OnlyFor("text")] = Field(
        False, description="Whether to return the parts of the scores of the best matches, as `scores`."
    )
    reader: Annotated[str | None, OnlyFor("images")] = Field(
        None,
        description="Model that the images are laid out and billed for; for images only. Default: "
        f"'{NATIVE_READER}', which is shown pages as stored.",
    )

    @classmethod
    def build(cls, query: "str | RecallQuery | None", **fields: Unpack["AnyQueryFields"]) -> "RecallQuery":
        """Returns a query with this text and these fields, or an existing query with some fields replaced. Raises
        `InvalidInput`, `InvalidTime` for a naive `now`, and `TypeError` for an unknown field. Times, timezone and
        cursor are checked when the query runs."""
        if isinstance(query, RecallQuery):
            return cls.with_fields(query, fields)
        return cls.with_fields(None, {"query": query, **fields})

    def for_format(self, format: Format) -> Self:
        """Returns the query itself. Raises `InvalidInput` if it sets a field that applies only to the other format."""
        other: Format = "text" if format == "images" else "images"
        foreign_fields = [name for name in fields_only_for(other) if name in self.model_fields_set]
        if foreign_fields:
            raise InvalidInput(f"{' and '.join(foreign_fields)} apply only to {other}; omit them to recall {format}")
        return self

    @property
    def verbatim(self) -> bool:
        """True if only exact text is to be returned."""
        return self.fidelity == "verbatim"


def fields_only_for(format: Format) -> list[str]:
    """Returns the names of the fields of a `RecallQuery` that apply only to this format."""
    return [name for name, field in RecallQuery.model_fields.items() if OnlyFor(format) in field.metadata]


class QueryFields(TypedDict, total=False):
    """Fields of a `RecallQuery` for both text and images, as keyword arguments."""

    since: str | datetime | None
    until: str | datetime | None
    now: str | datetime | None
    timezone: str | None
    thread: str | None
    metadata: Mapping[str, Scalar] | None
    roles: Sequence[Role] | None
    trust: Sequence[Trust] | None
    min_relevance: float | None
    limit: int
    cursor: str | None


class TextQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for text, as keyword arguments."""

    max_tokens: int | None
    neighbours: int
    neighbour_text: bool
    fidelity: Fidelity
    shape: Shape
    banks: Sequence[str] | None
    gap_mark: str | None
    ids: bool
    refs: bool
    explain: bool


class ImageQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for page images, as keyword arguments."""

    reader: str | None


class AnyQueryFields(TextQueryFields, ImageQueryFields, total=False):
    """All fields of a `RecallQuery` except `query`, as keyword arguments."""


class MatchScore(Value):
    """Parts of the score of a match: `score` is the sum of words, meaning and neighbours, times `preference`."""

    message_id: str = Field(description="Id of the message.")
    score: float = Field(description="Score of the match.")
    words: float = Field(
        description="For words of the query, and for words that go with them in the best matches; with what a message "
        "gains that holds an identifier of the query."
    )
    meaning: float = Field(description="For being close to the query in meaning; 0 without an embedder.")
    neighbours: float = Field(description="Lent by the messages around it in its thread.")
    preference: float = Field(description="Factor for the time and the speakers that the query mentions, at most 1.")


class LeftOut(Value):
    """A message that matches but is not in the answer."""

    message_id: str = Field(description="Id of the message.")
    reason: LeftOutReason = Field(
        description="max_tokens: it does not fit the budget, and is returned with a later page of the list; "
        "not_verbatim: its exact text is not kept; unreadable: its pages cannot be read at the moment."
    )


def _told_by_format(schema: JsonDict) -> None:
    """Makes `format`, which tells the two results apart, required in the JSON schema."""
    required = schema.get("required")
    schema["required"] = ["format", *(required if isinstance(required, list) else ())]


class RecallResult(Value):
    """The result of a recall, as text."""

    model_config = ConfigDict(json_schema_extra=_told_by_format)

    format: Literal["text"] = Field("text", description="`text`.")
    spans: list[RecalledMessage] = Field(
        description="Messages, best first; of long ones, the passages that match. Without a query, whole messages in "
        "time order. Neighbours follow their match."
    )
    rendered: str = Field(
        description="The spans as a model is to see them: in time order, with the date once a day and the speaker once "
        "a run of messages, each message on a new line. Below the label of an image stands the text that a machine "
        "read in it, if there is room. If nothing matches, a sentence that says so."
    )
    text_tokens: int = Field(description="Text tokens of `rendered`.")
    left_out: list[LeftOut] = Field(
        description="Matching messages that are not in the answer, with the reason; at most `limit`, those over the "
        "budget first."
    )
    scores: list[MatchScore] = Field(
        [],
        description="With `explain`, the parts of the scores of the best matches in the bank of the call, at most "
        "`limit`, by score. A message replaced by a newer one still has its place.",
    )
    notes: list[str] = Field([], description="Degradations of the answer, such as an embedder that is down.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class RecalledImage(Value):
    """A page image for a reader."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="Tier of the page; for the reader `native`, also of the image.")
    media_type: Literal["image/png"] = Field("image/png", description="Media type of `data`.")
    data: str = Field(description="The image, in Base64.")
    width: int = Field(description="Width in pixels.")
    height: int = Field(description="Height in pixels.")
    tokens: int = Field(description="Tokens that the reader bills for it; for `native`, its vision tokens.")
    message_ids: list[str] = Field(description="Ids of the matching messages on it.")
    begins_before: list[str] = Field(
        default_factory=list, description="Ids of the messages on the image that begin on an earlier one."
    )
    continues_after: list[str] = Field(
        default_factory=list, description="Ids of the messages on the image that continue on a later one."
    )
    trust: Trust = Field(
        "unknown",
        description="Lowest trust class of the messages on it, whose headers may have faded. Give it to the reader "
        "as text where it is tool, web, imported or unknown: these words are data.",
    )
    suspicious: bool = Field(
        False, description="Whether rules recognise instructions to a model in a message on it that is data."
    )
    doubtful: list[str] = Field(
        default_factory=list,
        description="Identifiers and numbers on the image with characters that its type does not show safely: they "
        "differ from others by 2 px or less, have no glyph or are cut off. Give them to the reader as text.",
    )

    @property
    def class_note(self) -> str:
        """Note that it has words that are data; empty if it has none."""
        return class_of_image(self.trust, suspicious=self.suspicious)


class RecalledImages(Value):
    """The result of a recall, as page images."""

    model_config = ConfigDict(json_schema_extra=_told_by_format)

    format: Literal["images"] = Field("images", description="`images`.")
    images: list[RecalledImage] = Field(
        description="Images of the pages with matching messages, each page once; for readers other than `native`, the "
        "page images that show a match."
    )
    vision_tokens: int = Field(description="Tokens of all images.")
    open_spans: list[RecalledMessage] = Field(description="Matching open messages, as text: they have no page yet.")
    whole_spans: list[RecalledMessage] = Field(
        default_factory=list,
        description="Complete text of the messages that an image shows only in part, and of those in a script that the "
        "reader is not known to read at its type size.",
    )
    left_out: list[LeftOut] = Field(
        description="Messages whose pages cannot be shown, with the reason; at most `limit`."
    )
    notes: list[str] = Field([], description="Degradations of the answer, such as an embedder that is down.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
