"""Bodies of requests. Answers are the values of `foxing.memory.models`."""

from typing import Literal

from pydantic import AwareDatetime, Field

from foxing.memory.models import Fidelity, Limit, NewMessage, Value

FORMAT_TEXT_ONLY = ("max_tokens", "fidelity")


class StoreRequest(Value):
    """Messages to remember: all of them are stored, or none."""

    messages: list[NewMessage] = Field(min_length=1, description="In the order they were said.")
    thread: str | None = Field(
        default=None, max_length=200, description="The conversation of the messages that name none of their own."
    )


class SealRequest(Value):
    """When sealing happens."""

    now: AwareDatetime | None = Field(
        default=None, description="The time to take it for; only where FOXING_TIME_TRAVEL allows it."
    )


class AgeRequest(Value):
    """When ageing happens, and whether it does."""

    now: AwareDatetime | None = Field(
        default=None, description="The time to take it for; in a dry run, or where FOXING_TIME_TRAVEL allows it."
    )
    dry_run: bool = Field(
        default=False, description="Only tell what would move, what would be forgotten and what it saves."
    )


class RecallRequest(Value):
    """What to recall: messages that answer a query, or those of a time window in time order, or both."""

    query: str | None = Field(
        default=None,
        description="What is asked for, in words. A time said in it counts too. Without it: the whole window.",
    )
    since: str | None = Field(default=None, description="Begin of the window: RFC 3339, or words as “3 weeks ago”.")
    until: str | None = Field(default=None, description="End of the window, likewise.")
    now: AwareDatetime | None = Field(
        default=None, description="The time that words are read against; only where FOXING_TIME_TRAVEL allows it."
    )
    timezone: str | None = Field(
        default=None, description="The time zone that words are read in, as 'Europe/Berlin'; UTC if left out."
    )
    thread: str | None = Field(default=None, description="Only this conversation.")
    limit: Limit = Field(default=20, description="The most spans (or images) to answer.")
    cursor: str | None = Field(default=None, description="The `next_cursor` of the answer before.")
    max_tokens: int | None = Field(default=None, ge=1, description="The most text tokens of all spans together.")
    fidelity: Fidelity = Field(
        default="remembered",
        description="remembered: the best the memory has; verbatim: only text that is kept exactly.",
    )
    format: Literal["text", "images"] = Field(default="text", description="Spans of text, or page images for a reader.")
    reader: str | None = Field(
        default=None,
        description="The model that will look at the images; 'native' if left out. Only with format 'images'.",
    )
