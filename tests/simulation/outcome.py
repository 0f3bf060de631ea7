"""Outcome of a call."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foxing.renderer import FoxingError


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    result: Any = None
    error: FoxingError | None = None
    killed: bool = False
    #: Whether a fault happened during it that lets it fail.
    fault: bool = False
    #: Times of the clock before and after it, if the clock moved.
    clock_times: tuple[datetime, datetime] | None = None
    #: Whether another process erased something meanwhile.
    beside: bool = False

    @property
    def done(self) -> bool:
        return self.error is None and not self.killed

    @property
    def calm(self) -> bool:
        """Whether nothing happened beside it that changes what it may answer."""
        return not self.fault and self.clock_times is None and not self.beside
