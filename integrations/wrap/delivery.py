"""Delivery of the journal to the memory, in the background and in order."""

import logging
import threading
import time
from collections.abc import Sequence

from foxing.memory.errors import Conflict, InvalidInput, InvalidTime, MessageTooLarge
from foxing.memory.values.base import Fields

from .journal import Pending, TurnJournal
from .recollection import Recollection

log = logging.getLogger(__name__)

_AT_ONCE = 200
_FIRST_PAUSE_S = 0.2  # doubles with every failure
_LONGEST_PAUSE_S = 30.0
#: Least pause in which delivered turns stay in the log of the journal: emptying it waits for the disk.
_FORGET_S = 1.0


class Delivery:
    """A thread that stores what the journal holds. What cannot be stored is tried again until it is."""

    def __init__(self, journal: TurnJournal, memory: Recollection, bank: str) -> None:
        self._journal = journal
        self._memory = memory
        self._bank = bank
        self._changed = threading.Condition()
        self._noted = 0
        self._looked = 0
        self._retiring = False
        #: Whether the log of the journal may hold delivered turns, and when it was last emptied.
        self._may_hold = False
        self._emptied_at = -_FORGET_S
        self._thread = threading.Thread(target=self._run, name="foxing delivery", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Says that the journal holds something new."""
        with self._changed:
            self._noted += 1
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything is stored that the journal holds, and returns whether it is."""
        self.notify()
        with self._changed:
            wanted = self._noted
            self._changed.wait_for(lambda: self._looked >= wanted or not self._thread.is_alive(), timeout_s)
            return self._looked >= wanted

    @property
    def ended(self) -> bool:
        """True once the thread has ended."""
        return not self._thread.is_alive()

    def retire(self) -> None:
        """Ends the thread once everything is stored, or the memory fails. What is not stored stays in the journal."""
        with self._changed:
            self._retiring = True
            self._changed.notify_all()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            with self._changed:
                seen, retiring = self._noted, self._retiring
            try:
                while self._deliver():
                    pause = _FIRST_PAUSE_S
                self._forget()
            except Exception as error:
                log.debug("turns are stored later: %s", error)
                with self._changed:
                    if not retiring:
                        self._changed.wait_for(lambda: self._retiring, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self._wait_for_more(seen)
            if retiring:
                self._memory.close()
                self._journal.close()
                return

    def _wait_for_more(self, seen: int) -> None:
        with self._changed:
            self._looked = max(self._looked, seen)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._retiring or self._noted > seen, _FORGET_S if self._may_hold else None)

    def _forget(self) -> None:
        """Empties the log of the journal if it may hold delivered turns."""
        if self._may_hold and time.monotonic() >= self._emptied_at + _FORGET_S:
            self._may_hold = not self._journal.forget()
            self._emptied_at = time.monotonic()

    def _deliver(self) -> bool:
        """Stores the oldest messages, and returns whether there were any. Raises the errors of an unusable memory."""
        pending = self._journal.pending(_AT_ONCE)
        if not pending:
            return False
        try:
            self._store([_message(each) for each in pending])
        except (Conflict, InvalidInput, MessageTooLarge):
            for each in pending:
                self._store_alone(each)
        self._journal.delivered([each.number for each in pending])
        self._may_hold = True
        return True

    def _store_alone(self, pending: Pending) -> None:
        """Stores a message that may be invalid. Such a message is given up, since it will never be valid."""
        message = _message(pending)
        try:
            try:
                self._store([message])
            except (Conflict, InvalidTime):  # stored before this journal at another time, or the clock was set back
                del message["created_at"]
                self._store([message])
        except (Conflict, InvalidInput, MessageTooLarge) as error:
            log.warning("a turn was not stored: %s", error)

    def _store(self, messages: Sequence[Fields]) -> None:
        self._memory.connection().run(lambda memory: memory.store(self._bank, messages))


def _message(pending: Pending) -> Fields:
    return {**pending.message, "thread": pending.thread}
