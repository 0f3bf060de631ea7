"""Audit events: who did what and when, without words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from pydantic import Field

from .base import Value

AuditLevel: TypeAlias = Literal["off", "changes", "all"]
#: Way in which a caller came.
AuditDoor: TypeAlias = Literal["python", "command", "http", "console", "mcp", "hook", "job"]
#: Default of the days for which events are kept.
AUDIT_DAYS: Final = 365
MAX_AUDIT_EVENTS: Final = 500


class AuditEvent(Value):
    """An event of the audit log."""

    number: int = Field(description="Place in the chain, from 1.")
    at: datetime = Field(description="Time of the event.")
    tenant: str | None = Field(description="Tenant of the bank, else of the caller; null for none.")
    key_id: str | None = Field(description="Id of the key of the caller; null for a caller without one.")
    door: str = Field(description="Way in which the caller came, such as `http` or `command`.")
    action: str = Field(description="What was done, such as `store` or `recall`.")
    bank: str | None = Field(description="Full name of the bank; null for an action that concerns none.")
    subject: str | None = Field(
        description="Id of what was concerned if it was generated, else a keyed digest of it; null for none."
    )
    items: int | None = Field(description="Number of messages or other things concerned; null if not counted.")
    outcome: str = Field(description="`done`, or the type of the problem with which the call failed.")
    hash: str = Field(description="SHA-256 of the hash of the previous event and of this event, in hexadecimal.")


class AuditEvents(Value):
    """A list of audit events, with a cursor."""

    events: Sequence[AuditEvent] = Field(description="Events in the order of the chain, or newest first.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")


class AuditVerification(Value):
    """Result of verifying the chain of audit events."""

    intact: bool = Field(description="True if no event was changed, removed or moved.")
    events: int = Field(description="Number of events that were verified.")
    purged: int = Field(description="Number of events at the beginning of the chain that were purged by age.")
    number: int = Field(description="Number of the last event, to compare with later.")
    hash: str = Field(description="Hash of the last event, to compare with later.")
    broken_at: int | None = Field(description="Number of the first event at which the chain breaks; null if intact.")
    reason: str | None = Field(description="How the chain breaks; null if intact.")
