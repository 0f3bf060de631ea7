"""Standing facts of a bank: clauses of its messages that state what holds."""

from collections.abc import Sequence
from typing import Annotated, Literal

from .base import OPEN

FactKind = Literal["promise", "goal", "constraint", "value", "state"]
#: Kinds, the one first that a clause with signs of several is of.
KINDS: Sequence[FactKind] = ("promise", "goal", "constraint", "value", "state")
Kind = Annotated[FactKind, OPEN]
