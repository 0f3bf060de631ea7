"""What is recalled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self, TypedDict, Unpack

from pydantic import Field, Strict

from foxing.memory.errors import InvalidInput
from foxing.renderer.marks import GAP_MARK

from .base import INTEGRAL, OPEN, Cursor, Input, Limit, Now, Tier, Timezone, Value, When
from .messages import RecalledMessage, Role
from .metadata import MetadataFilter, Scalar

Fidelity = Literal["remembered", "verbatim"]
Format = Literal["text", "images"]
LeftOutReason = Annotated[Literal["max_tokens", "not_verbatim", "unreadable"], OPEN]
MAX_QUERY_CHARS = 10_000
#: The reader that is shown pages as they are held; others have them laid out.
NATIVE_READER = "native"


@dataclass(frozen=True)
class OnlyFor:
    """Marks a field of a `RecallQuery` that applies to one format alone."""

    format: Format


class RecallQuery(Input):
    """What to recall: messages that answer a query, those of a time window in time order, or both."""

    query: str | None = Field(
        None,
        max_length=MAX_QUERY_CHARS,
        description="Question or search terms. Messages of a time mentioned in it rank higher; `since` and `until` "
        "exclude. Without a query, or with a time alone, the whole time window is recalled.",
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
        "only a null that is there.",
    )
    roles: Annotated[tuple[Role, ...], Strict(False)] | None = Field(
        None, min_length=1, max_length=20, description="Restricts recall to messages of these roles."
    )
    limit: Limit = Field(20, description="Maximum number of spans or images.")
    cursor: Cursor = None
    max_tokens: Annotated[int | None, OnlyFor("text"), INTEGRAL] = Field(
        None,
        ge=1,
        description="Maximum number of text tokens in all spans together, each with who spoke and when. What does not "
        "fit is passed over.",
    )
    neighbours: Annotated[int, OnlyFor("text"), INTEGRAL] = Field(
        0,
        ge=0,
        le=5,
        description="How many messages before and after each match in its thread to return with it, marked with "
        "`neighbour_of`. Those that the other fields exclude are left out.",
    )
    neighbour_text: Annotated[bool, OnlyFor("text")] = Field(
        True,
        description="Whether neighbours are returned as spans. Otherwise nothing of them is read, and each match names "
        "them in its `neighbour_ids`.",
    )
    fidelity: Annotated[Fidelity, OnlyFor("text")] = Field(
        "remembered",
        description="remembered: the best version that the memory holds; verbatim: only exact text that is still kept.",
    )
    gap_mark: Annotated[str, OnlyFor("text")] = Field(
        GAP_MARK,
        min_length=1,
        max_length=20,
        description="What stands in `text` where something has faded, such as “ … ” for a model.",
    )
    reader: Annotated[str | None, OnlyFor("images")] = Field(
        None,
        description="Model that will look at the images, for which they are laid out and in whose tokens they are "
        f"billed; for images only. Default: '{NATIVE_READER}', which is shown pages as they are held.",
    )

    @classmethod
    def build(cls, query: "str | RecallQuery | None", **fields: Unpack["AnyQueryFields"]) -> "RecallQuery":
        """A query from its words and fields, or an existing one with some fields replaced. Raises `InvalidInput`, and
        `InvalidTime` for a naive `now`. Times, timezone and cursor are checked when the query is run."""
        unknown = fields.keys() - cls.model_fields.keys()
        if unknown:
            raise TypeError(f"there is no field {' and '.join(sorted(unknown))} of a recall")
        if not isinstance(query, RecallQuery):
            return cls.from_fields({"query": query, **fields})
        return cls.from_fields(query.model_dump(exclude_unset=True) | fields) if fields else query

    def for_format(self, format: Format) -> Self:
        """The query itself. Raises `InvalidInput` if it has a field that applies to another format alone."""
        other: Format = "text" if format == "images" else "images"
        given = [name for name in fields_only_for(other) if name in self.model_fields_set]
        if given:
            raise InvalidInput(f"{' and '.join(given)} apply to {other}; leave them out to recall {format}")
        return self

    @property
    def verbatim(self) -> bool:
        return self.fidelity == "verbatim"


def fields_only_for(format: Format) -> list[str]:
    """Fields of a `RecallQuery` that apply to this format alone."""
    return [name for name, field in RecallQuery.model_fields.items() if OnlyFor(format) in field.metadata]


class QueryFields(TypedDict, total=False):
    """Fields of a `RecallQuery` that text and images have in common, as keyword arguments."""

    since: str | datetime | None
    until: str | datetime | None
    now: str | datetime | None
    timezone: str | None
    thread: str | None
    metadata: Mapping[str, Scalar] | None
    roles: Sequence[Role] | None
    limit: int
    cursor: str | None


class TextQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for text, as keyword arguments."""

    max_tokens: int | None
    neighbours: int
    neighbour_text: bool
    fidelity: Fidelity
    gap_mark: str


class ImageQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for page images, as keyword arguments."""

    reader: str | None


class AnyQueryFields(TextQueryFields, ImageQueryFields, total=False):
    """All fields of a `RecallQuery` but the query itself, as keyword arguments."""


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
    continues_after: list[str] = Field(
        default_factory=list, description="Ids of the messages on the image that continue on a later one."
    )


class RecalledImages(Value):
    """What a recall found, as page images."""

    images: list[RecalledImage] = Field(
        description="Pages that hold the messages found, each once; for readers but `native`, the page images that do."
    )
    vision_tokens: int = Field(description="Tokens of all images.")
    open_spans: list[RecalledMessage] = Field(description="Open messages found, as text: they have no page yet.")
    whole_spans: list[RecalledMessage] = Field(
        default_factory=list, description="The messages that an image shows only a part of, whole, as text."
    )
    left_out: list[LeftOut] = Field(description="Messages whose pages cannot be shown and why, at most `limit`.")
    notes: list[str] = Field([], description="What the answer went without, such as an embedder that is down.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
