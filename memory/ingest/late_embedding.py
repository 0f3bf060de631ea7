"""Embedding of messages that were stored without: long ones, whose callers do not wait for it."""

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread

from foxing.renderer import FoxingError

log = logging.getLogger(__name__)


class LateEmbedding:
    """Embeds messages in a thread, which ends when nothing is left to do."""

    def __init__(self, embed: Callable[[str], None]) -> None:
        """`embed`: embeds what a bank has without embeddings."""
        self._embed = embed
        self._banks: deque[str] = deque()
        self._thread: Thread | None = None
        self._lock = Lock()

    def embed(self, bank: str) -> None:
        """Has the messages of a bank embedded, without waiting for it."""
        with self._lock:
            if bank not in self._banks:
                self._banks.append(bank)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="foxing-embedding", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Waits until nothing is left to do."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._banks:
                    self._thread = None
                    return
                bank = self._banks.popleft()
            try:
                self._embed(bank)
            except FoxingError as error:  # the schedule has it, and a tick tries again
                log.warning("embedding of the bank '%s' failed: %s", bank, error)
