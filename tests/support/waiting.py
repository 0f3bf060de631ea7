"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable

WAIT_S = 180.0  # reached only by a test that fails


def wait_until(condition: Callable[[], bool], subject: str = "the condition") -> None:
    """Returns once another thread or process has made `condition` true; fails after three minutes, naming `subject`."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{subject} did not come about within {WAIT_S:.0f} s"
        time.sleep(0.005)
