"""Statistics of banks."""

from datetime import datetime

from pydantic import Field

from .base import BankName, Value


class TierStatistics(Value):
    """Statistics of the pages of a bank at one tier."""

    pages: int = Field(description="Number of pages.")
    vision_tokens: int = Field(description="Number of their vision tokens.")
    token_bytes: int = Field(description="Size of these tokens in bytes.")


class BankBytes(Value):
    """Size of a bank in the database, in bytes."""

    tokens: int = Field(description="Vision tokens.")
    text: int = Field(description="Open messages and kept text.")
    index: int = Field(description="Index terms.")
    embeddings: int = Field(description="Embeddings of messages.")
    keepsakes: int = Field(description="Exact identifiers kept as text.")
    metadata: int = Field(description="Everything else: messages, recall weights, pages, threads, idempotency keys.")
    records: int = Field(description="Records of agent frameworks.")
    images: int = Field(description="Images in messages.")
    trash: int = Field(description="Data that ageing dropped and undo can restore.")
    total: int = Field(description="Sum of all of these.")


class DueWork(Value):
    """Work that the scheduler has in a bank now. Zero throughout if it keeps up."""

    messages_to_seal: int = Field(
        0,
        description="Number of open messages that may be due to be sealed: they may fill a page, or the oldest has "
        "reached `seal_after`.",
    )
    pages_to_age: int = Field(
        0, description="Number of pages that the policy moves to a lower tier, or whose exact text it drops."
    )


class BankInfo(Value):
    """Statistics of a bank."""

    id: BankName = Field(description="Name of the bank.")
    created_at: datetime = Field(description="Time at which it was created.")
    messages: int = Field(description="Number of all messages.")
    open_messages: int = Field(description="Number of messages not yet sealed.")
    threads: int = Field(description="Number of threads.")
    pages: int = Field(description="Number of pages.")
    tiers: dict[str, TierStatistics] = Field(description="Pages by tier, sharpest first.")
    bytes: BankBytes = Field(description="Size of the bank in the database.")
    due: DueWork = Field(DueWork(), description="What is due.")
    first_at: datetime | None = Field(description="Time of the first message; null without messages.")
    last_at: datetime | None = Field(description="Time of the last message; null without messages.")


class Banks(Value):
    """A list of banks, with a cursor."""

    banks: list[BankInfo] = Field(description="Banks in the order of their names.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class BankEnd(Value):
    """A bank and the time of its last message."""

    bank: BankName = Field(description="Name of the bank.")
    last_at: datetime = Field(description="Time of its last message.")
