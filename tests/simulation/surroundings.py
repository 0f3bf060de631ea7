"""What a process has that no seed decides otherwise: its clock, its random numbers."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from unittest import mock

from foxing.renderer import clock

START = datetime(2024, 2, 27, 8, tzinfo=UTC)


class Clock:
    """The clock of the machine, which a simulation moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Moves the clock, back for a negative number."""
        self.now += timedelta(seconds=seconds)


_real = clock.utc_now
#: The clock of the simulation that runs.
_clocks: list[Clock] = []


def _now() -> datetime:
    return _clocks[-1]() if _clocks else _real()


@contextmanager
def owned(seed: int, time: Clock) -> Iterator[None]:
    """Has all modules of Foxing take the time from `time`, and what is random from `seed`."""
    rng = Random(f"surroundings {seed}")
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):  # modules that are imported later take the function of `clock`
            if name.startswith("foxing.") and getattr(module, "utc_now", None) is _real:
                module.utc_now = _now  # type: ignore[attr-defined]
        _clocks.append(time)
        stack.callback(_clocks.pop)

        def uuid4() -> uuid.UUID:
            return uuid.UUID(int=rng.getrandbits(128), version=4)

        stack.enter_context(mock.patch("uuid.uuid4", uuid4))
        stack.enter_context(mock.patch("foxing.memory.lifecycle.changes.uuid4", uuid4))
        stack.enter_context(mock.patch("secrets.randbits", rng.getrandbits))
        stack.enter_context(mock.patch("secrets.token_hex", lambda n=32: rng.randbytes(n).hex()))
        stack.enter_context(mock.patch("os.urandom", rng.randbytes))
        yield


@contextmanager
def small_batches() -> Iterator[None]:
    """Has a few pages and messages fill batches and segments, so that work has several transactions."""
    with ExitStack() as stack:
        for name, number in (
            ("ingest.seal.PAGES_AT_ONCE", 2),
            ("lifecycle.rewrite.BATCH", 2),
            ("lifecycle.undo.BATCH", 2),
            ("lifecycle.erase.BATCH", 2),
            ("lifecycle.embed.BATCH", 8),
            ("index.packed_index.SEGMENT", 16),
            ("index.packed_index.SEGMENT_POSTINGS", 600),
            ("index.packed_index.RECENT", 6),
        ):
            stack.enter_context(mock.patch(f"foxing.memory.{name}", number))
        yield
