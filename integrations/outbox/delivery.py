"""Delivery of an outbox to its bank, oldest first. Each error says itself whether it is tried again."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from foxing.integrations.frameworks.call_sequences import CallRunner, CallSequence, run, store_all
from foxing.memory import Fields, InvalidTime, Unavailable
from foxing.renderer import FoxingError

from .file import OutboxEntry, OutboxFile

log = logging.getLogger(__name__)

#: Pauses after a failure of which it is not known how long it lasts; the first doubles with every failure. A message
#: whose time is further ahead is one from before the clock was set back.
_FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
#: Least pause in which delivered messages stay in the log of the file: emptying it waits for the disk.
_FORGET_S = 1.0
#: Number of threads whose messages fail after which it is not because of the messages.
_MOST_FAILED = 3
_TOO_LARGE = "the service does not take so large a message"


def refuses(error: FoxingError) -> bool:
    """Returns whether a message that met this error is not offered again as it is."""
    is_far = isinstance(error, InvalidTime) and (error.retry_after_s or 0.0) > LONGEST_PAUSE_S
    return error.retry == "never" or is_far


def deliver(file: OutboxFile, bank: str) -> CallSequence[int]:
    """Stores the oldest messages, and returns how many have left the outbox. A message that the bank refuses is given
    up, since it will never be valid; one with which it fails holds up its thread alone. Raises the error of a call that
    is to be made again; nothing is lost then."""
    entries = file.pending()
    if not entries:
        return 0
    try:
        yield from store_all(bank, [entry.message for entry in entries])
    except FoxingError as error:
        if isinstance(error, Unavailable):
            raise
        yield from _deliver_singly(file, bank, entries)
    else:
        file.remove(entries)
    return len(entries)


def _deliver_singly(file: OutboxFile, bank: str, entries: Sequence[OutboxEntry]) -> CallSequence[None]:
    failed: dict[object, FoxingError] = {}
    for entry in entries:
        thread = entry.message.get("thread")
        if thread in failed:
            continue
        try:
            yield from _deliver_alone(file, bank, entry)
        except FoxingError as error:
            failed[thread] = error
            if isinstance(error, Unavailable) or len(failed) == _MOST_FAILED:
                raise
    for failure in failed.values():
        raise failure


def _deliver_alone(file: OutboxFile, bank: str, entry: OutboxEntry) -> CallSequence[None]:
    refusal: FoxingError | None = None
    for message in _versions(entry.message):
        try:
            yield from store_all(bank, [message])
        except FoxingError as error:
            if not refuses(error):
                raise
            refusal = refusal or error
        else:
            file.remove([entry])
            return
    log.warning("a message was not stored: %s", refusal)
    file.remove([entry], refused=True)


def _versions(message: Fields) -> Iterator[Fields]:
    """Yields a message as it is, then with the images that a memory takes, then without any; each also without its
    time: another door may have stored it at another, or the clock was set back."""
    offered: list[Fields] = []
    changes: Sequence[Callable[[], Fields]] = (
        lambda: message,
        lambda: _with_images(message),
        lambda: _with_images(message, _TOO_LARGE),
    )
    for change in changes:
        changed = change()
        for version in (changed, {name: value for name, value in changed.items() if name != "created_at"}):
            if version not in offered:
                offered.append(version)
                yield version


def _with_images(message: Fields, refused: str | None = None) -> Fields:
    content: Any = message.get("content")
    if not isinstance(content, list) or all(part.get("type") != "image" for part in content):
        return message
    from foxing.memory.fold.images import with_sound_images

    return with_sound_images(message, refused)


class Pauses:
    """Pauses between tries: as long as the error says, else doubling."""

    def __init__(self) -> None:
        self._next_s = _FIRST_PAUSE_S

    def after(self, error: Exception) -> float:
        """Returns the seconds to wait after an error."""
        if isinstance(error, FoxingError) and error.retry_after_s is not None:
            return error.retry_after_s
        pause_s = self._next_s
        self._next_s = min(2 * self._next_s, LONGEST_PAUSE_S)
        return pause_s

    def end(self) -> None:
        """Begins anew, after a try that succeeded."""
        self._next_s = _FIRST_PAUSE_S


class Delivery:
    """A thread that delivers an outbox. What cannot be stored is tried again until it is."""

    def __init__(
        self,
        file: OutboxFile,
        deliver: Callable[[], CallSequence[int]],
        runner: Callable[[], CallRunner],
        on_end: Callable[[], None],
        settle_s: float = 0.0,
    ) -> None:
        """`deliver`: brings the oldest entries to the bank, and returns how many have left. `runner`: returns what
        calls the memory; asked before each delivery. `on_end`: called at the end of the thread. `settle_s`: seconds
        that something new waits for more, so that what follows it at once is not slowed by its delivery."""
        self._file = file
        self._deliver = deliver
        self._runner = runner
        self._on_end = on_end
        self._settle_s = settle_s
        self._changed = threading.Condition()
        self._noted = 0
        self._looked = 0
        #: Callers of `flush`.
        self._waiting = 0
        self._retiring = False
        #: Whether the log of the file may hold delivered messages, and when it was last emptied.
        self._may_hold = False
        self._emptied_at = -_FORGET_S
        self._thread = threading.Thread(target=self._run, name="foxing delivery", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Says that the outbox holds something new."""
        with self._changed:
            self._noted += 1
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything is stored that the outbox holds, and returns whether it is."""
        with self._changed:
            self._waiting += 1
        self.notify()
        with self._changed:
            target = self._noted
            self._changed.wait_for(lambda: self._looked >= target or not self._thread.is_alive(), timeout_s)
            self._waiting -= 1
            return self._looked >= target

    @property
    def ended(self) -> bool:
        """True once the thread has ended."""
        return not self._thread.is_alive()

    def retire(self, timeout_s: float = 0.0) -> None:
        """Ends the thread once everything is stored, or the memory fails, and waits for it for up to `timeout_s`
        seconds. What is not stored stays in the outbox."""
        with self._changed:
            self._retiring = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pauses = Pauses()
        while True:
            with self._changed:
                seen = self._noted
                retiring = self._retiring
            try:
                while run(self._runner(), self._deliver()):
                    pauses.end()
                    self._may_hold = True
                self._forget()
            except Exception as error:
                log.debug("messages are stored later: %s", error)
                with suppress(Exception):  # the disk may be full
                    self._file.note_failure(error)
                with self._changed:
                    if not retiring:
                        self._changed.wait_for(lambda: self._retiring, pauses.after(error))
            else:
                self._wait_for_more(seen)
            if retiring:
                self._on_end()
                return

    def _wait_for_more(self, seen: int) -> None:
        with self._changed:
            self._looked = max(self._looked, seen)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._retiring or self._noted > seen, _FORGET_S if self._may_hold else None)
            if self._settle_s and self._noted > seen:
                self._changed.wait_for(lambda: self._retiring or self._waiting > 0, self._settle_s)

    def _forget(self) -> None:
        """Empties the log of the file if it may hold delivered messages."""
        if self._may_hold and time.monotonic() >= self._emptied_at + _FORGET_S:
            self._may_hold = not self._file.forget()
            self._emptied_at = time.monotonic()
