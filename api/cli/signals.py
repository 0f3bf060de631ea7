"""SIGTERM and Ctrl-C, for commands that run until they are told to stop."""

import signal
from queue import SimpleQueue
from types import FrameType


class StopSignals:
    """Handles signals from its construction on. Until `started` is called, the first one ends the process with status
    0, through all open contexts; after that it ends `wait`."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self._received: SimpleQueue[int] = SimpleQueue()  # an Event may deadlock when it is set in a handler
        self._started = False
        for number in numbers:
            signal.signal(number, self._receive)

    def started(self) -> None:
        """Leaves it to the caller to `wait`, and to stop what it starts from now on."""
        self._started = True

    def wait(self) -> None:
        """Returns once a signal has come, even if that was before."""
        self._received.get()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        first = self._received.empty()
        self._received.put(number)
        if first and not self._started:
            raise SystemExit(0)
