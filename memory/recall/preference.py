"""A time said in a question, as a preference: it moves the ranking and excludes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from foxing.memory.text.times.window import Window

AFTERWARDS = timedelta(days=14)  # what happened is often told some days later
AFTERWARDS_FACTOR = 0.95
ELSEWHERE_FACTOR = 0.5


@dataclass(frozen=True)
class TimePreference:
    """Prefers the messages of a window, and those written up to `AFTERWARDS` after it."""

    window: Window

    @property
    def reach(self) -> Window:
        """The window with the time after it."""
        return Window(self.window.since, self._stop)

    def factor(self, at: datetime) -> float:
        """What the score of a message written at `at` is multiplied by, at most 1."""
        since, until = self.window.since, self.window.until
        if (since is not None and at < since) or (self._stop is not None and at >= self._stop):
            return ELSEWHERE_FACTOR
        return 1.0 if until is None or at < until else AFTERWARDS_FACTOR

    @property
    def _stop(self) -> datetime | None:
        until = self.window.until
        if until is None:
            return None
        return until + min(AFTERWARDS, datetime.max.replace(tzinfo=UTC) - until)
