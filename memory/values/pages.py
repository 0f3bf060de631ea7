"""Pages of a bank, and how they read."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .base import OPEN, Tier, Value
from .messages import RecalledMessage, UncertainRun, whole_percent


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


class Line(Value):
    """A row of a page as read."""

    row: int = Field(description="Number of the row, from 0.")
    text: str = Field(description="What it reads as.")
    confidence: float = Field(description="Mean probability that a character is right, 0 to 1.")


class MessageOnPage(RecalledMessage):
    """A message, or the part of it on a page."""

    begins_before: bool = Field(description="Whether the message begins on an earlier page.")
    continues_after: bool = Field(description="Whether the message continues on a later page.")


class PageReading(Value):
    """A page as read from what the memory holds."""

    page_id: str = Field(description="Id of the page.")
    tier: Tier = Field(description="The tier it was read at.")
    source: Annotated[Literal["text", "decoded"], OPEN] = Field(
        description="text: kept exactly; decoded: read from vision tokens."
    )
    text: str = Field(description="The whole page with its headers and marks, without fillers.")
    lines: list[Line] = Field(description="The page row by row.")
    uncertain: list[UncertainRun] = Field(description="Runs of `text` that may be misread: start, stop, confidence.")
    kept: float = Field(description="Share of the characters of its messages that are left at this tier, 0 to 1.")
    confidence: float = Field(description="Mean probability that a character that is left is right, 0 to 1.")
    messages: list[MessageOnPage] = Field(description="The messages on the page, with keepsakes spliced in.")

    @property
    def kept_percent(self) -> int:
        """`kept` in percent, rounded down: only what is whole is 100."""
        return whole_percent(self.kept)
