"""Queue that batches decoding requests of all threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition

from foxing.encoder import Codec, CodecError, ReadFailed, Reading, TokensError, VisionTokens, capabilities_of

BATCH = 16  # token sequences in one call of the codec


@dataclass(eq=False)
class _Ticket:
    tokens: VisionTokens
    result: Reading | Exception | None = None


class DecodeQueue:
    """Brings decoding requests of all threads into batches. Whoever finds the codec free decodes for all that wait. For
    a codec that reads elsewhere nobody waits: it limits itself."""

    def __init__(self, load: Callable[[], Codec]) -> None:
        self._load = load
        self._waiting: list[_Ticket] = []
        self._busy = False
        self._changed = Condition()

    @property
    def depth(self) -> int:
        """Token sequences that wait."""
        return len(self._waiting)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """For each what `Codec.decode` gives, or why these tokens cannot be read, ever (`TokensError`) or this time
        (`ReadFailed`); blocks until all are done. Other errors are raised."""
        remote = capabilities_of(self._load()).remote
        if remote is not None:
            return remote.decode_each(tokens)
        tickets = [_Ticket(item) for item in tokens]
        with self._changed:
            self._waiting.extend(tickets)
        try:
            for ticket in tickets:
                self._await(ticket)
        except BaseException:  # an interrupt: nobody waits for the rest
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

    def _await(self, ticket: _Ticket) -> None:
        while True:
            with self._changed:
                while self._busy and ticket.result is None:
                    self._changed.wait()
                if ticket.result is not None:
                    return
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                self._busy = True
            try:
                self._run(batch)
            finally:
                with self._changed:
                    # after an interrupt, those who wait for the rest of the batch go on with it
                    self._waiting = [other for other in batch if other.result is None] + self._waiting
                    self._busy = False
                    self._changed.notify_all()

    def _run(self, batch: list[_Ticket]) -> None:
        try:
            for ticket, reading in zip(batch, self._load().decode([t.tokens for t in batch]), strict=True):
                ticket.result = reading
        except Exception as error:
            if len(batch) == 1:
                batch[0].result = error
                return
            for ticket in batch:  # one bad page must not fail the others
                self._run([ticket])
