"""Messages on their way into a bank. What cannot be stored now is stored before the next messages."""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from foxing.integrations.client import Connection, Refused, ServiceFailed
from foxing.memory.errors import Unavailable
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
    """Stores messages in a bank in the order in which they were put. If the service fails, they are kept in this
    process, and stored before the next ones. Thread-safe; messages have ids, so that none is stored twice."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        #: Messages of each call of `put`, the oldest first.
        self._puts: list[list[Fields]] = []

    @property
    def pending(self) -> int:
        """Number of messages that are not stored yet."""
        with self._lock:
            return sum(map(len, self._puts))

    def put(self, messages: Sequence[Fields]) -> CallSequence[None]:
        """Stores messages, which have ids, after those that are kept. A message without `created_at` is given the
        current time. Does not raise if the service fails, unless `MOST_KEPT` messages are kept already. Raises
        `InvalidInput` or `Conflict` for messages that the bank refuses, which are not kept."""
        now = utc_now()
        new: list[Fields] = [
            {"created_at": (now + timedelta(microseconds=number)).isoformat(), **message}
            for number, message in enumerate(messages)
        ]
        if not new:
            return
        if self.pending + len(new) > MOST_KEPT:
            yield from self.flush()
        with self._lock:
            self._puts.append(new)
        try:
            yield from self._flush(new)
        except FAILURES as error:
            log.warning("%d messages will be stored later: %s", self.pending, error)

    def flush(self) -> CallSequence[None]:
        """Stores the messages that are kept. Raises `FoxingError` if the service fails."""
        yield from self._flush(None)

    def _flush(self, own: list[Fields] | None) -> CallSequence[None]:
        """Stores what is kept, put by put. Raises the error of the put `own` if it is refused; others are given up."""
        with self._lock:
            puts = list(self._puts)
        for put in puts:
            try:
                for batch in batches(put):
                    yield from self._store(batch)
            except FAILURES:
                raise
            except FoxingError as error:
                self._remove(put)
                if put is own:
                    raise
                log.warning("%d messages were refused: %s", len(put), error)
            else:
                self._remove(put)

    def close(self) -> None:
        """Stores the messages that are kept, and closes the connection. Raises `FoxingError` if the service fails."""
        try:
            run(self._connection, self.flush())
        finally:
            self._connection.close()

    async def close_async(self) -> None:
        """Like `close`, without blocking the event loop."""
        try:
            await run_async(self._connection, self.flush())
        finally:
            await self._connection.close_async()

    def _store(self, messages: Sequence[Fields]) -> CallSequence[StoreResult]:
        return ask(lambda memory: memory.store(self._connection.bank, messages))

    def _remove(self, put: list[Fields]) -> None:
        with self._lock:
            self._puts = [each for each in self._puts if each is not put]
