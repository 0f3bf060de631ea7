"""Erasure of what a person said."""

from pydantic import Field

from .base import MemoryRequest, Value
from .holds import PersonName
from .messages import RecalledMessage


class PersonErasureRequest(MemoryRequest):
    """A person whose messages are to be erased in all banks of the caller."""

    person: PersonName = Field(description="Name of the speaker, as messages have it in `name`, compared without case.")
    mentions: bool = Field(
        default=False,
        description="Whether to erase messages of others as well that have the name as words of their text.",
    )
    dry_run: bool = Field(default=True, description="Whether to erase nothing and report what would be erased.")


class PersonInBank(Value):
    """Messages of a person in a bank."""

    bank: str = Field(description="Name of the bank.")
    messages: int = Field(description="Number of messages that were erased, or would be.")
    quarantined: int = Field(description="Number of them that are, or were, in quarantine.")
    threads: list[str] = Field(description="Threads that hold them, at most 100.")
    remaining: int = Field(description="Number of messages that remain: in a dry run all, otherwise those not erased.")
    reason: str | None = Field(description="Why messages remain, or a legal hold that would keep them.")


class PersonMessage(RecalledMessage):
    """A message of a person in an export."""

    quarantined: bool = Field(
        False, description="Whether it is in quarantine, where it has no reference; an import leaves it out."
    )


class PersonErasure(Value):
    """The result of erasing what a person said, or of a dry run."""

    person: str = Field(description="Name of the person.")
    mentions: bool = Field(description="Whether messages that mention the person count as well.")
    dry_run: bool = Field(description="Whether it was a dry run, which writes nothing.")
    messages: int = Field(description="Number of messages that were erased, or would be, in all banks.")
    remaining: int = Field(description="Number of messages that remain. Erase again for those that are not held.")
    banks: list[PersonInBank] = Field(description="The banks with such messages, by name.")
    log_erased: bool = Field(
        description="Whether nothing is left in the write-ahead log of SQLite either; the scheduler erases it later."
    )
