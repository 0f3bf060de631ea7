"""Threads of a bank."""

from datetime import datetime

from pydantic import Field

from .base import Value


class ThreadInfo(Value):
    """A thread, with the number and the times of its messages."""

    thread: str = Field(description="Name of the thread.")
    messages: int = Field(description="Number of its messages.")
    first_at: datetime = Field(description="Time of its first message.")
    last_at: datetime = Field(description="Time of its last message.")


class Threads(Value):
    """A list of threads, with a cursor."""

    threads: list[ThreadInfo] = Field(description="Threads in the order of their last messages, newest first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
