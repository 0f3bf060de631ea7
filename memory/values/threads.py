"""Threads of a bank."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias, TypedDict

from pydantic import Field

from .base import Input, Timezone, Value, When

TitleSource: TypeAlias = Literal["export", "request", "rename"]
TITLE_SOURCES: tuple[TitleSource, ...] = ("export", "request", "rename")


class ThreadInfo(Value):
    """A thread, with the number and the times of its messages."""

    thread: str = Field(description="Name of the thread.")
    title: str | None = Field(
        description="Title: that of an export, else the first sentence of its first request as remembered now, or what "
        "somebody named it; null if its first message has no words."
    )
    title_source: TitleSource | None = Field(
        description="Source of the title: `export`, metadata of one of its messages; `request`; `rename`."
    )
    source: str | None = Field(
        description="Source of the thread, with which its name begins, such as `chatgpt`; null if it begins with none."
    )
    persons: list[str] = Field(description="Its speakers by name, those with the most messages first, at most 8.")
    messages: int = Field(description="Number of its messages.")
    first_at: datetime = Field(description="Time of its first message.")
    last_at: datetime = Field(description="Time of its last message.")


class ThreadTitle(Input):
    """A title for a thread."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        description="Title, in one line; the redaction rules of the bank apply. Null for that of its export or its "
        "first request.",
        examples=["Plans for Easter"],
    )


class ThreadQuery(Input):
    """Conditions of a list of threads, of which each given one holds."""

    q: str | None = Field(
        default=None, max_length=200, description="Words or parts of words, all of which the title has, without case."
    )
    person: str | None = Field(default=None, max_length=200, description="Name of a speaker, compared without case.")
    source: str | None = Field(
        default=None, max_length=20, description="Source with which the name begins, such as `chatgpt`."
    )
    since: When | None = Field(default=None, description="Threads whose last message was said from this time on.")
    until: When | None = Field(default=None, description="Threads whose last message was said until this time ends.")
    timezone: Timezone = None


class ThreadQueryFields(TypedDict, total=False):
    """Fields of a `ThreadQuery`, as keyword arguments."""

    q: str | None
    person: str | None
    source: str | None
    since: str | datetime | None
    until: str | datetime | None
    timezone: str | None


class Threads(Value):
    """A list of threads, with a cursor."""

    threads: list[ThreadInfo] = Field(description="Threads in the order of their last messages, newest first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
