"""Pages of a bank, and their text as read."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .base import OPEN, BankName, Tier, Value
from .messages import RecalledMessage, UncertainRun, whole_percent


class PageInfo(Value):
    """A page: its tier, times and sizes."""

    id: str = Field(description="Id of the page.")
    bank: BankName = Field(description="Name of its bank.")
    threads: list[str] = Field(description="Threads on the page, in page order.")
    tier: Tier = Field(description="The tier it is held at.")
    pinned: bool = Field(description="Whether it is pinned, and so exempt from ageing.")
    sealed_at: datetime = Field(description="Time at which it was sealed.")
    first_at: datetime = Field(description="Time of its first message.")
    last_at: datetime = Field(description="Time of its last message.")
    arrived_at: datetime = Field(
        description="Time at which the last of its messages was stored in the bank. Its age counts from this time or "
        "from `last_at`, whichever is later, unless the policy sets `age_from`."
    )
    messages: int = Field(description="Number of messages on the page, whole or in part.")
    vision_tokens: int = Field(description="Number of its vision tokens.")
    bytes: int = Field(description="Stored size of its tokens, kept text and keepsakes, in bytes.")
    text_kept: bool = Field(description="Whether its exact text is kept.")
    facts_faded: bool = Field(
        description="Whether facts (names, numbers, dates, identifiers and the like) have faded, because they alone "
        "exceed the maximum of a tier."
    )
    confidence: float = Field(description="Mean confidence of its decoded text; 1 while its exact text is kept.")
    codec: str = Field(description="Name of the codec that encoded it.")
    keepsakes: int = Field(description="Number of exact identifiers kept as text.")


class Pages(Value):
    """A list of pages, sorted by the time of their last message, with a cursor."""

    pages: list[PageInfo] = Field(description="Pages, oldest first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class Line(Value):
    """A row of a page as read."""

    row: int = Field(description="Number of the row, from 0.")
    text: str = Field(description="Text of the row.")
    confidence: float = Field(description="Mean probability that a character is correct, 0 to 1.")


class MessageOnPage(RecalledMessage):
    """A message, or the part of it on a page."""

    begins_before: bool = Field(description="Whether the message begins on an earlier page.")
    continues_after: bool = Field(description="Whether the message continues on a later page.")


class PageReading(Value):
    """The text of a page, decoded or kept."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier it was read at.")
    source: Annotated[Literal["text", "decoded"], OPEN] = Field(
        description="text: kept exactly; decoded: read from vision tokens."
    )
    text: str = Field(description="Text of the page with headers and marks, without filler cells.")
    lines: list[Line] = Field(description="The rows of the page.")
    uncertain: list[UncertainRun] = Field(description="Runs of `text` that may be misread: start, stop, confidence.")
    kept: float = Field(description="Share of the characters of its messages that this tier still holds, 0 to 1.")
    confidence: float = Field(description="Mean probability that a character is correct, 0 to 1, without gaps.")
    messages: list[MessageOnPage] = Field(description="The messages on the page, with keepsakes spliced in.")

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: 100 only if the page is complete."""
        return whole_percent(self.kept)
