"""SIGTERM and Ctrl-C, for commands that run until they are stopped."""

import signal
from queue import Empty, SimpleQueue
from types import FrameType


class StopSignals:
    """Handles stop signals from construction on. Before `started` is called, the first signal raises `SystemExit(0)`,
    which closes all open contexts; afterwards it makes `wait` return."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self._received: SimpleQueue[int] = SimpleQueue()  # setting an Event in a signal handler may deadlock
        self._started = False
        for number in numbers:
            self.handle(number)

    def handle(self, number: signal.Signals) -> None:
        """Handles a further signal."""
        signal.signal(number, self._receive)

    def started(self) -> None:
        """Makes signals end `wait` from now on, instead of the process."""
        self._started = True

    def wait(self, timeout_s: float | None = None) -> bool:
        """Returns True when a signal has been received, including one received before the call; False if none is within
        `timeout_s` seconds."""
        try:
            self._received.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        first = self._received.empty()
        self._received.put(number)
        if first and not self._started:
            raise SystemExit(0)
