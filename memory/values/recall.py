"""What is recalled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypedDict, Unpack

from pydantic import Field

from foxing.memory.errors import InvalidInput
from foxing.memory.values.base import aware_utc

from .base import Tier, Value
from .messages import RecalledMessage
from .metadata import Scalar, check_filter

Fidelity = Literal["remembered", "verbatim"]
LeftOutReason = Literal["max_tokens", "not_verbatim", "unreadable"]
MAX_LIMIT = 500
MAX_NEIGHBOURS = 5
MAX_QUERY_CHARS = 10_000
#: The reader that is shown pages as they are held; others have them laid out.
NATIVE_READER = "native"


class QueryFields(TypedDict, total=False):
    """Fields of a `RecallQuery` that text and images have in common, as keyword arguments."""

    since: str | datetime | None
    until: str | datetime | None
    now: str | datetime | None
    timezone: str | None
    thread: str | None
    metadata: Mapping[str, Scalar] | None
    limit: int
    cursor: str | None


class TextQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for text, as keyword arguments."""

    max_tokens: int | None
    neighbours: int
    fidelity: Fidelity


class ImageQueryFields(QueryFields, total=False):
    """Fields of a `RecallQuery` for page images, as keyword arguments."""

    reader: str


class AnyQueryFields(TextQueryFields, ImageQueryFields, total=False):
    """All fields of a `RecallQuery` but the query itself, as keyword arguments."""


@dataclass(frozen=True)
class RecallQuery:
    """What to recall.

    Raises `InvalidInput` for a field out of range and `InvalidTime` for a naive `now`. Times, timezone and cursor are
    checked when the query is run.
    """

    #: words to search for; without any, the time window is listed in time order. A time in the words, as in "what did
    #: we decide 3 weeks ago?", ranks messages of that time higher and excludes none; alone, it is the time window,
    #: and a date such as 2026-03-04 on which nothing was said is searched for as it is written
    query: str | None = None
    #: start of the time window, inclusive: a time, RFC 3339, or words such as "3 weeks ago" or "지난달"
    since: str | datetime | None = None
    #: end of the time window, exclusive, in the same forms; a period such as "last week" is included as a whole
    until: str | datetime | None = None
    #: time that words are relative to, in the same forms, of a period its start; the memory's clock by default
    now: str | datetime | None = None
    #: IANA name or offset for times without one; UTC by default
    timezone: str | None = None
    #: restricts the answer to one thread
    thread: str | None = None
    #: members that the metadata of a message must have, with equal values; null matches only a null that is there
    metadata: Mapping[str, Scalar] | None = None
    #: maximum number of messages, or of images and open messages together, 1 to 500
    limit: int = 20
    #: `next_cursor` of the previous answer to the same query
    cursor: str | None = None
    #: maximum number of text tokens of all spans together, each with who spoke and when; for text only
    max_tokens: int | None = None
    #: number of messages before and after each match in its thread to return with it, 0 to 5; for text only
    neighbours: int = 0
    #: "remembered" for the best that the memory holds, "verbatim" for text that is kept exactly; for text only
    fidelity: Fidelity = "remembered"
    #: model that the page images are laid out for, "native" for pages as they are held; for images only
    reader: str = NATIVE_READER

    def __post_init__(self) -> None:
        if self.query is not None and len(self.query) > MAX_QUERY_CHARS:
            raise InvalidInput(f"a query has at most {MAX_QUERY_CHARS:,} characters")
        if self.fidelity not in ("remembered", "verbatim"):
            raise InvalidInput(f"fidelity is 'remembered' or 'verbatim', not '{self.fidelity}'")
        if isinstance(self.now, datetime):
            aware_utc(self.now)
        check_limit(self.limit)
        check_filter(self.metadata or {})
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InvalidInput("max_tokens is at least 1")
        if not 0 <= self.neighbours <= MAX_NEIGHBOURS:
            raise InvalidInput(f"neighbours is 0 to {MAX_NEIGHBOURS}, not {self.neighbours}")

    @classmethod
    def build(cls, query: "str | RecallQuery | None", **fields: Unpack[AnyQueryFields]) -> "RecallQuery":
        """A query from its words and fields, or an existing one with some fields replaced."""
        return replace(query, **fields) if isinstance(query, RecallQuery) else cls(query, **fields)

    @property
    def verbatim(self) -> bool:
        return self.fidelity == "verbatim"


def check_limit(limit: int) -> None:
    """Raises `InvalidInput` unless `limit` is 1 to `MAX_LIMIT`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}, not {limit}")


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
