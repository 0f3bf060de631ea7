"""Legal holds: what is neither erased nor aged, and why."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from .base import MemoryRequest, Value

#: Name of a speaker, as messages have it in `name`. Names are compared without case.
PersonName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class HoldRequest(MemoryRequest):
    """A legal hold to set, on a bank or on a person."""

    bank: Annotated[str, Field(min_length=1, max_length=251)] | None = Field(
        default=None, description="Name of the bank that is held. Not with `person`."
    )
    person: PersonName | None = Field(
        default=None,
        description="Name of a speaker, compared without case: what they said is held in all banks of the caller, also "
        "in those that come later. Not with `bank`.",
    )
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]*$")] = Field(
        description="Why it is held, such as the number of a case.", examples=["case 2026-114"]
    )

    @model_validator(mode="after")
    def _check_one(self) -> "HoldRequest":
        if (self.bank is None) == (self.person is None):
            raise PydanticCustomError("one_held", "give bank or person: a hold keeps one bank, or what one person said")
        return self


class Hold(Value):
    """A legal hold."""

    id: str = Field(description="Public id.")
    bank: str | None = Field(description="Bank that is held; null for a hold on a person.")
    person: str | None = Field(description="Speaker whose messages are held; null for a hold on a bank.")
    reason: str = Field(description="Why it is held.")
    since: datetime = Field(description="Time at which it was set.")
    key_id: str | None = Field(description="Id of the key that set it; null for the operator.")


class Holds(Value):
    """The legal holds of a caller."""

    holds: list[Hold] = Field(description="Holds in the order in which they were set.")
