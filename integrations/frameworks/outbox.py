"""Messages on their way into a bank. What cannot be stored now is stored before the next messages."""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from foxing.integrations.client import Connection, Refused, ServiceFailed
from foxing.memory.errors import InvalidTime, Unavailable
from foxing.memory.values.base import Fields
from foxing.memory.values.messages import StoreResult
from foxing.renderer.clock import utc_now
from foxing.renderer.errors import FoxingError

from .batches import batches
from .call_sequences import CallSequence, ask, run, run_async

log = logging.getLogger(__name__)

MOST_KEPT = 10_000

#: Failures of the service, after which the same messages may be stored later.
FAILURES = (Unavailable, ServiceFailed, Refused)


class Outbox:
    """Stores messages in a bank. If the service fails, they are kept in this process with their times, and stored
    before the next ones. Thread-safe; messages have ids, so that none is stored twice."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        #: Messages of each call of `put` that failed, the oldest first.
        self._kept: list[list[Fields]] = []

    @property
    def pending(self) -> int:
        """Number of messages that are kept."""
        with self._lock:
            return sum(map(len, self._kept))

    def put(self, messages: Sequence[Fields]) -> CallSequence[None]:
        """Stores messages, which have ids, after those that are kept. A message without `created_at` is given the
        current time. Does not raise if the service fails, unless more than `MOST_KEPT` messages would be kept. Raises
        `InvalidInput` or `Conflict` for messages that the bank refuses, which are not kept."""
        now = utc_now()
        new: list[Fields] = [
            {"created_at": (now + timedelta(microseconds=number)).isoformat(), **message}
            for number, message in enumerate(messages)
        ]
        if not new:
            return
        try:
            yield from self._send([*self._take(), new], new)
        except FAILURES as error:
            if self.pending > MOST_KEPT:
                with self._lock:
                    self._kept = [put for put in self._kept if put is not new]
                raise
            log.warning("%d messages will be stored later: %s", self.pending, error)

    def flush(self) -> CallSequence[None]:
        """Stores the messages that are kept. Raises `FoxingError` if the service fails."""
        yield from self._send(self._take(), None)

    def _take(self) -> list[list[Fields]]:
        """Returns what is kept, which no other call then stores."""
        with self._lock:
            kept, self._kept = self._kept, []
        return kept

    def _send(self, puts: Sequence[list[Fields]], own: list[Fields] | None) -> CallSequence[None]:
        """Stores messages, and keeps those that it could not. Raises the error of the put `own` if it is refused;
        other messages that are refused are given up."""
        left = list(puts)
        try:
            while left:
                try:
                    for batch in batches(left[0]):
                        yield from self._store(batch)
                except FAILURES:
                    raise
                except FoxingError as error:
                    undated = [{name: each[name] for name in each if name != "created_at"} for each in left[0]]
                    if isinstance(error, InvalidTime) and left[0] is not own and undated != left[0]:
                        left[0] = undated  # the clock was set back since
                        continue
                    refused = left.pop(0)
                    if refused is own:
                        raise
                    log.warning("%d messages were refused: %s", len(refused), error)
                else:
                    del left[0]
        finally:
            with self._lock:
                self._kept = [*left, *self._kept]

    def close(self) -> None:
        """Stores the messages that are kept, and closes the connection. Raises `FoxingError` if the service fails."""
        try:
            run(self._connection, self.flush())
        finally:
            self._connection.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        try:
            await run_async(self._connection, self.flush())
        finally:
            await self._connection.aclose()

    def _store(self, messages: Sequence[Fields]) -> CallSequence[StoreResult]:
        return ask(lambda memory: memory.store(self._connection.bank, messages))
