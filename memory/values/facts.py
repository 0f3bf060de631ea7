"""Standing facts of a bank: clauses of its messages that state what holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from .base import INTEGRAL, OPEN, Input, Value
from .trust import Trust

FactKind = Literal["promise", "goal", "constraint", "value", "state"]
#: Kinds, the one first that a clause with signs of several is of.
KINDS: Sequence[FactKind] = ("promise", "goal", "constraint", "value", "state")
Kind = Annotated[FactKind, OPEN]
#: Tokens of a list of facts by default and at most.
FACT_TOKENS = 2_000
MAX_FACT_TOKENS = 20_000
FactTokens = Annotated[int, Field(ge=1, le=MAX_FACT_TOKENS), INTEGRAL]
MAX_SUBJECT_CHARS = 200
MAX_CORRECTION_CHARS = 2_000


class Clause(NamedTuple):
    """A clause of a message that states what holds, or says that something has changed."""

    #: Half-open range of characters.
    start: int
    stop: int
    #: None if it only says that something has changed.
    kind: FactKind | None
    #: Whether an earlier statement may end with it.
    changes: bool


class MarkedClause(NamedTuple):
    """A clause with the marks by which it is found again once words of its message have faded."""

    clause: Clause
    #: A byte for each of its words.
    marks: bytes


class Fact(Value):
    """A clause of a message that states what holds. Its words are those of the message as remembered now."""

    fact_id: str = Field(description="Id: the reference of the message and the offset of the clause, such as k7q-12.")
    kind: Kind = Field(description="What it states.")
    subject: str = Field(
        description="Whom it is about: who the clause begins with, else the name or the role of the speaker."
    )
    text: str = Field(description="The clause as remembered now, with a gap mark where words have faded.")
    said_at: datetime = Field(description="Time of the message.")
    message_id: str = Field(description="Id of the message.")
    ref: str = Field(description="Reference of the message, for `fetch`.")
    start: int = Field(description="Offset of the first character of the clause in the message as it was stored.")
    stop: int = Field(description="Offset after its last character.")
    thread: str = Field(description="Thread of the message.")
    role: str = Field(description="Role of the speaker.")
    name: str | None = Field(description="Name of the speaker.")
    trust: Trust = Field(description="Trust class of the message.")
    pinned: bool = Field(False, description="Whether it is pinned: listed first, whatever its age.")


class Facts(Value):
    """List of what holds: pinned facts, then the others, the newest first."""

    facts: list[Fact] = Field(description="The facts.")
    rendered: str = Field(description="The same as text for a model.")
    text_tokens: int = Field(description="Tokens of `rendered`.")
    left_out: int = Field(description="Number of facts beyond `max_tokens`, of those examined.")
    faded: int = Field(description="Number of facts of which too few words are left.")


class FactCorrection(Input):
    """A statement in place of a fact."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_CORRECTION_CHARS)] = Field(
        description="What holds instead, which is stored as a message of the user."
    )
