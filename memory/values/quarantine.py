"""Quarantined messages of a bank."""

from datetime import datetime

from pydantic import Field, JsonValue

from .base import Value
from .messages import Role
from .trust import Trust


class QuarantinedMessage(Value):
    """A message that its bank's policy has quarantined."""

    message_id: str = Field(description="Id of the message.")
    thread: str = Field(description="Thread of the message.")
    role: Role = Field(description="Role of the speaker.")
    name: str | None = Field(description="Name of the speaker or the tool.")
    trust: Trust = Field(description="Trust class of the message.")
    rule: str = Field(description="Name of the rule that recognised instructions to a model in it.")
    created_at: datetime = Field(description="Time of the message.")
    arrived_at: datetime = Field(description="Time of its arrival.")
    expires_at: datetime | None = Field(description="Time at which it expires; null if it does not.")
    text: str = Field(description="The text, with parts rendered.")
    metadata: dict[str, JsonValue] = Field(description="Metadata of the message; empty if there is none.")


class QuarantineList(Value):
    """A list of quarantined messages, with a cursor."""

    messages: list[QuarantinedMessage] = Field(description="Messages in the order of their arrival.")
    next_cursor: str | None = Field(description="Cursor of the next page of the list; null at its end.")
