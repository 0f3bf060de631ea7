"""Queue that batches the decoding requests of all threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition

from foxing.encoder import Codec, CodecError, ReadFailed, Reading, TokensError, VisionTokens
from foxing.encoder.capabilities import RemoteCodec, capabilities_of
from foxing.memory.telemetry import operation

BATCH = 16  # token sequences in one call of the codec


@dataclass(eq=False)
class _Ticket:
    """A token sequence in the queue, and its result once there is one."""

    tokens: VisionTokens
    result: Reading | Exception | None = None


class DecodeQueue:
    """Batches decoding requests across threads: the thread that finds the codec idle decodes for all waiting threads.

    A remote codec limits its own concurrency, so its requests bypass the queue.
    """

    def __init__(self, load: Callable[[], Codec]) -> None:
        """`load` returns the codec; it is called with each request, so nothing is loaded before the first one."""
        self._load = load
        self._waiting: list[_Ticket] = []
        self._requested = 0  # token sequences at a remote codec
        self._busy = False
        self._changed = Condition()

    @property
    def depth(self) -> int:
        """Number of token sequences waiting, or requested from a remote codec."""
        return len(self._waiting) + self._requested

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """Decodes `tokens` and returns one result for each, in order. Blocks until all are done.

        A result is a reading, a `TokensError` for tokens that can never be read, or a `ReadFailed` for tokens that a
        later call may read. Raises any other error.
        """
        remote = capabilities_of(self._load()).remote
        if remote is not None:
            return self._request(remote, tokens)
        tickets = [_Ticket(item) for item in tokens]
        with self._changed:
            self._waiting.extend(tickets)
        try:
            for ticket in tickets:
                while batch := self._next_batch(ticket):
                    try:
                        self._run(batch)
                    finally:
                        self._end(batch)
        except BaseException:  # interrupted: the remaining results are no longer needed
            with self._changed:
                self._waiting = [ticket for ticket in self._waiting if ticket not in tickets]
            raise
        results: list[Reading | CodecError] = []
        for ticket in tickets:
            if isinstance(ticket.result, (Reading, TokensError, ReadFailed)):
                results.append(ticket.result)
            else:
                assert ticket.result is not None
                raise ticket.result
        return results

    def _request(self, codec: RemoteCodec, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        with self._changed:
            self._requested += len(tokens)
        try:
            with operation("decode", pages=len(tokens)):
                return codec.decode_each(tokens)
        finally:
            with self._changed:
                self._requested -= len(tokens)

    def _next_batch(self, ticket: _Ticket) -> list[_Ticket]:
        """Returns the next tickets for this thread to decode; empty once `ticket` has its result."""
        with self._changed:
            while self._busy and ticket.result is None:
                self._changed.wait()
            if ticket.result is not None:
                return []
            batch = self._waiting[:BATCH]
            self._waiting = self._waiting[BATCH:]
            self._busy = True
            return batch

    def _end(self, batch: list[_Ticket]) -> None:
        with self._changed:
            # if this thread was interrupted, the threads waiting for the rest of the batch take over
            self._waiting = [other for other in batch if other.result is None] + self._waiting
            self._busy = False
            self._changed.notify_all()

    def _run(self, batch: list[_Ticket]) -> None:
        try:
            with operation("decode", pages=len(batch)):
                readings = self._load().decode([ticket.tokens for ticket in batch])
            for ticket, reading in zip(batch, readings, strict=True):
                ticket.result = reading
        except Exception as error:
            if len(batch) == 1:
                batch[0].result = error
                return
            for ticket in batch:  # one bad page must not fail the others
                self._run([ticket])
