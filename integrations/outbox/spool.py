"""Spool: the outbox of programs that must not import one, such as hooks. Each event is a file in a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from foxing.renderer import FoxingError
from foxing.renderer.private_files import make_folder

from .delivery import Pauses, refuses

T = TypeVar("T")

#: Name of the folder, in the spool, of events that cannot be read.
DAMAGED = "damaged"


class Spool(Generic[T]):
    """Reader of a spool. Several processes may read it; an event may then be taken in twice."""

    def __init__(
        self, waiting: Callable[[], Sequence[str]], read: Callable[[str], T], note: Callable[[str], None]
    ) -> None:
        """`waiting`: returns the paths of events, the oldest first. `read`: returns the event of a file; raises
        `OSError`, and `ValueError` if it is damaged. `note`: takes a line for the log."""
        self._waiting = waiting
        self._read = read
        self._note = note
        self._pauses = Pauses()
        #: Seconds after which the next try makes sense; 0 after one that succeeded.
        self.pause_s = 0.0
        #: Why the last event waits; None if none does.
        self.last_error: str | None = None

    def take_in(self, handle: Callable[[T], None]) -> int:
        """Calls `handle` with each event, the oldest first, removes it, and returns their number. An event that may be
        handled another time waits, and those after it; one that is damaged is put aside."""
        count = 0
        for path in self._waiting():
            try:
                event = self._read(path)
            except FileNotFoundError:  # another process was faster
                continue
            except (OSError, ValueError) as error:
                self._put_aside(path, error)
                continue
            try:
                handle(event)
            except FoxingError as error:
                if not refuses(error):
                    self._wait(event, error)
                    return count
                self._note(f"{event}: {error}")
            except Exception as error:
                self._put_aside(path, error)
                continue
            Path(path).unlink(missing_ok=True)
            count += 1
        self._pauses.end()
        self.pause_s = 0.0
        self.last_error = None
        return count

    def _wait(self, event: T, error: FoxingError) -> None:
        reason = f"{event} waits: {error}"
        if reason != self.last_error:
            self._note(reason)
        self.pause_s = self._pauses.after(error)
        self.last_error = reason

    def _put_aside(self, path: str, error: Exception) -> None:
        event = Path(path)
        self._note(f"{event.name} cannot be taken in: {type(error).__name__}: {error}")
        aside = event.parent / DAMAGED
        make_folder(aside)
        event.replace(aside / event.stem)
