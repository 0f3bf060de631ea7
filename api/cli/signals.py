"""SIGTERM and Ctrl-C, for commands that run until they are told to stop."""

import signal
from queue import SimpleQueue
from types import FrameType


class StopSignals:
    """Handles signals from its construction on. Until `wait` is called, as long as the command still starts, the first
    one ends the process with status 0, through all open contexts."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self._received: SimpleQueue[int] = SimpleQueue()  # an Event may deadlock when it is set in a handler
        self._waiting = False
        for number in numbers:
            signal.signal(number, self._receive)

    def wait(self) -> None:
        """Returns once a signal has come, even if that was before."""
        self._waiting = True
        self._received.get()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        first = self._received.empty()
        self._received.put(number)
        if first and not self._waiting:
            raise SystemExit(0)
