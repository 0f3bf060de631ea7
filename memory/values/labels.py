"""Values of labels of recalls."""

from datetime import datetime
from typing import Literal, get_args

from pydantic import Field

from .base import Value

#: right: the message belongs to the answer; wrong: it does not; missing: it belongs to the answer and is not in it.
Verdict = Literal["right", "wrong", "missing"]
VERDICTS: tuple[str, ...] = get_args(Verdict)


class RecallLabel(Value):
    """Verdict of a person on a message in the answer to a question."""

    bank: str = Field(description="Name of the bank when the label was given.")
    bank_id: int = Field(description="Number of the bank in its database, which stays when it is renamed.")
    query: str = Field(description="The question, as it was asked.")
    message_id: str = Field(description="Id of the message.")
    verdict: Verdict = Field(
        description="right: it belongs to the answer; wrong: it does not; missing: it belongs to it and is not in it."
    )
    at: datetime = Field(description="Time of the label.")
