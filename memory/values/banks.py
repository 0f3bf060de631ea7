"""Banks in numbers."""

from datetime import datetime

from pydantic import Field

from .base import Value


class TierStatistics(Value):
    """The pages of a bank at one tier."""

    pages: int = Field(description="How many there are.")
    vision_tokens: int = Field(description="Vision tokens they take.")
    token_bytes: int = Field(description="Bytes of those tokens.")


class BankBytes(Value):
    """What the database holds of a bank, in bytes."""

    tokens: int = Field(description="Vision tokens.")
    text: int = Field(description="Open messages and kept text.")
    index: int = Field(description="Index terms.")
    embeddings: int = Field(description="Embeddings of messages.")
    keepsakes: int = Field(description="Exact identifiers kept as text.")
    metadata: int = Field(description="Everything else: messages, recall weights, pages, threads, idempotency keys.")
    records: int = Field(description="Records of agent frameworks.")
    trash: int = Field(description="What ageing dropped and undo can restore.")
    total: int = Field(description="All of these together.")


class BankInfo(Value):
    """A bank in numbers."""

    id: str = Field(description="Name of the bank.")
    created_at: datetime = Field(description="When it was created.")
    messages: int = Field(description="All messages.")
    open_messages: int = Field(description="Messages not yet sealed.")
    threads: int = Field(description="Threads.")
    pages: int = Field(description="Pages.")
    tiers: dict[str, TierStatistics] = Field(description="Pages by tier, the sharpest first.")
    bytes: BankBytes = Field(description="What the database holds of it.")
    first_at: datetime | None = Field(description="Time of the first message; null without messages.")
    last_at: datetime | None = Field(description="Time of the last message; null without messages.")


class Banks(Value):
    """Banks, by name."""

    banks: list[BankInfo] = Field(description="Banks in the order of their names.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
