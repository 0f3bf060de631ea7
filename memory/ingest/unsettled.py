"""Calls of which it is unknown whether they were committed, because the database was lost meanwhile."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

#: Seconds for which the same call is taken for a second attempt.
KEPT_S = 600.0
#: Maximum number of calls.
MOST = 10_000


class UnsettledCalls:
    """The ids that such calls had reserved for their messages. A caller that tries again is given what was stored under
    them, and stores nothing twice. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        #: Digest of a call → when it is forgotten, and the reserved ids; None for a message with an id of its own.
        self._calls: OrderedDict[bytes, tuple[float, Sequence[int | None]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, digest: bytes, ids: Sequence[int | None]) -> None:
        """Notes a call."""
        with self._lock:
            self._calls[digest] = time.monotonic() + KEPT_S, ids
            self._calls.move_to_end(digest)
            while len(self._calls) > MOST:
                self._calls.popitem(last=False)

    def take(self, digest: bytes) -> Sequence[int | None]:
        """Returns the ids of a call that is tried again, which is then settled; none if there is no such call."""
        with self._lock:
            until, ids = self._calls.pop(digest, (0.0, ()))
            return ids if time.monotonic() < until else ()
