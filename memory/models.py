"""What goes into a memory and what comes out of it: values, also the schemas of the HTTP interface."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ROLES = ("system", "developer", "user", "assistant", "tool")
Role = Literal["system", "developer", "user", "assistant", "tool"]
Tier = Literal["large", "base", "small", "tiny", "micro"]
Source = Literal["open", "text", "decoded"]
Fidelity = Literal["remembered", "verbatim"]

#: start, stop (characters of the span's text) and confidence of a run that may be misread
UncertainRun = tuple[int, int, float]


class Value(BaseModel):
    """Base of all values: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewMessage(Value):
    """A message to remember."""

    role: Role = Field(description="Who speaks.", examples=["user"])
    content: str = Field(description="The text; may be empty.", examples=["We ship Titan on 14 March."])
    created_at: AwareDatetime | None = Field(
        None, description="When it was said, with a timezone; now if left out.", examples=["2026-03-02T09:15:00Z"]
    )
    id: str | None = Field(
        None, min_length=1, max_length=200, description="Your id, unique in the bank; made up if left out."
    )
    name: str | None = Field(None, max_length=200, description="Name of the speaker or the tool.")
    thread: str | None = Field(None, max_length=200, description="The conversation it belongs to.")


class StoreResult(Value):
    """What storing did."""

    ids: list[str] = Field(description="Ids of the messages, in the order given.")
    stored: int = Field(description="How many were new.")
    duplicates: int = Field(description="How many were there already with the same content.")


class RecalledMessage(Value):
    """A message as remembered."""

    message_id: str
    thread: str
    role: Role
    name: str | None
    created_at: datetime
    text: str
    confidence: float = Field(description="Mean probability that a character is right.")
    uncertain: list[UncertainRun] = Field(description="Runs that may be misread: start, stop, confidence.")
    tier: Tier | None = Field(description="The tier it was read from; null while its page is open.")
    source: Source = Field(description="open: not yet sealed; text: kept exactly; decoded: read from vision tokens.")
    page_ids: list[str]
    score: float | None = Field(description="How well it answers the query; null without one.")


class RecallResult(Value):
    """What a recall found."""

    spans: list[RecalledMessage]
    text_tokens: int = Field(description="Text tokens of all spans.")
    next_cursor: str | None


class RecalledImage(Value):
    """A page as an image for a reader."""

    page_id: str
    tier: Tier
    media_type: Literal["image/png"] = "image/png"
    data: str = Field(description="Base64.")
    width: int
    height: int
    tokens: int = Field(description="What the image costs the reader.")
    message_ids: list[str]


class RecalledImages(Value):
    """What a recall found, as page images. Open messages have no page yet; they stand in `open_spans` as text."""

    images: list[RecalledImage]
    vision_tokens: int
    open_spans: list[RecalledMessage]
    next_cursor: str | None


class PageInfo(Value):
    """A page and how it is held."""

    id: str
    bank: str
    threads: list[str]
    tier: Tier
    pinned: bool
    sealed_at: datetime
    first_at: datetime
    last_at: datetime
    messages: int
    vision_tokens: int
    bytes: int = Field(description="Tokens, kept text and keepsakes as stored.")
    text_kept: bool
    confidence: float = Field(description="Mean confidence of its reading; 1 while its text is kept.")
    codec: str
    keepsakes: int


class Pages(Value):
    pages: list[PageInfo]
    next_cursor: str | None


class TierStatistics(Value):
    """The pages of a bank at one tier."""

    pages: int
    vision_tokens: int
    token_bytes: int


class BankBytes(Value):
    """What the database holds of a bank, in bytes."""

    tokens: int
    text: int = Field(description="Open messages and kept text.")
    index: int
    keepsakes: int
    metadata: int
    wastebasket: int
    total: int


class BankInfo(Value):
    id: str
    created_at: datetime
    messages: int
    open_messages: int
    threads: int
    pages: int
    tiers: dict[str, TierStatistics]
    bytes: BankBytes
    first_at: datetime | None
    last_at: datetime | None


class Banks(Value):
    banks: list[BankInfo]
    next_cursor: str | None


class Line(Value):
    """One row of a page as read."""

    row: int
    text: str
    confidence: float


class PageReading(Value):
    """A page read from what the memory holds."""

    page_id: str
    tier: Tier
    source: Literal["text", "decoded"]
    text: str
    lines: list[Line]
    uncertain: list[UncertainRun]
    confidence: float
    messages: list[RecalledMessage]


class SealReport(Value):
    """What sealing did."""

    pages: list[str] = Field(description="Ids of the new pages.")
    messages: int = Field(description="Messages that are now sealed whole.")
    open_messages: int = Field(description="Messages still open.")


class PageLeft(Value):
    """A page that was left as it is."""

    page_id: str
    reason: str


class PageMove(Value):
    """A page that moved, or would move, to a lower tier."""

    page_id: str
    from_tier: Tier
    to_tier: Tier
    messages: int
    drops_text: bool
    vision_tokens_before: int
    vision_tokens_after: int
    bytes_before: int
    bytes_after: int


class AgeReport(Value):
    """What ageing did, or with `dry_run` would do. Bytes are those of vision tokens and kept text, without the
    wastebasket."""

    now: datetime
    dry_run: bool
    moved: list[PageMove]
    text_dropped: list[str] = Field(description="Pages whose exact text was (would be) dropped.")
    busy: list[str] = Field(description="Pages in another process's hands, or changed meanwhile.")
    unreadable: list[PageLeft] = Field(
        description="Pages that are due and stay as they are, and why: damaged, not to be read now, laid out for "
        "another codec."
    )
    purged: int = Field(description="Entries of the wastebasket past the undo window, gone for good.")
    vision_tokens_before: int
    vision_tokens_after: int
    bytes_before: int
    bytes_after: int


class PageReencoded(Value):
    """A page that was, or would be, written anew with the present codec and weights."""

    page_id: str
    tier: Tier
    pages: int = Field(
        description="Pages that it is now, of which the first has its id: more than one where pages of the present "
        "codec hold less. An estimate in a dry run."
    )
    source: Literal["text", "decoded"] = Field(description="What it is drawn from.")
    from_codec: str = Field(description="The codec it was held by.")
    from_weights: str | None = Field(description="Digest of the weights it was held by; null if that cannot be read.")
    bytes_before: int
    bytes_after: int = Field(description="Of all the pages that it is now.")
    confidence_before: float
    confidence_after: float | None = Field(description="Null in a dry run.")


class ReencodingReport(Value):
    """What reencoding did, or with `dry_run` would do. Bytes are those of vision tokens; confidence is the mean over
    the pages in `reencoded`, where a page that keeps its text counts 1."""

    bank: str
    codec: str
    weights: str = Field(description="Digest of the present weights.")
    dry_run: bool
    reencoded: list[PageReencoded]
    current: int = Field(description="Pages that were held by the present weights already.")
    busy: list[str] = Field(description="Pages in another process's hands, or changed meanwhile; do it again for them.")
    unreadable: list[PageLeft] = Field(description="Pages that cannot be read, left as they are.")
    bytes_before: int
    bytes_after: int
    confidence_before: float | None
    confidence_after: float | None


class TickReport(Value):
    """What one tick of the scheduler did over all banks."""

    now: datetime
    sealed_pages: int
    moved_pages: int
    purged: int
    failed_banks: dict[str, str] = Field(description="Banks whose work failed, and why; they are tried again.")
    unreadable: dict[str, list[PageLeft]] = Field(
        description="By bank, pages that are due and stay as they are, and why; they are tried again."
    )


Limit = Annotated[int, Field(ge=1, le=500)]
