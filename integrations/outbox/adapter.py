"""Outbox of an adapter, whose calls store messages themselves: only what a bank does not take goes into the file."""

import logging
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Lock

from foxing.integrations.client import Connection
from foxing.integrations.frameworks.call_sequences import CallSequence, run, run_async, store_all
from foxing.integrations.frameworks.closing import AsyncClosing, Closing
from foxing.memory import Fields
from foxing.renderer import FoxingError, utc_now

from .delivery import deliver, refuses
from .file import OutboxFile, outbox_path, states

log = logging.getLogger(__name__)


class Outbox:
    """Stores messages in a bank. What it does not take now waits in a file, with its time, and is stored before the
    next messages, by this process or another. Thread-safe; messages have ids, so that none is stored twice."""

    def __init__(self, connection: Connection, path: Path | None = None) -> None:
        """`path`: by default a file in the user's data folder, which is made when the first message must wait."""
        self._connection = connection
        self._path = path or outbox_path("frameworks")
        self._lock = Lock()
        self._opened: OutboxFile | None = None

    @property
    def _scope(self) -> str:
        return f"{self._connection.name} {self._connection.bank}"

    @property
    def pending(self) -> int:
        """Number of messages that wait."""
        return sum(state.entries for state in states(self._path) if state.scope == self._scope)

    def put(self, messages: Sequence[Fields]) -> CallSequence[None]:
        """Stores messages, which have ids, after those that wait. A message without `created_at` is given the current
        time. Raises the errors of messages that the bank refuses, which do not wait, and `OutboxFull`."""
        now = utc_now()
        new: list[Fields] = [
            {"created_at": (now + timedelta(microseconds=number)).isoformat(), **message}
            for number, message in enumerate(messages)
        ]
        if not new:
            return
        try:
            yield from self.flush()
            yield from store_all(self._connection.bank, new)
        except FoxingError as error:
            if refuses(error):
                raise
            self._keep(new, error)

    def flush(self) -> CallSequence[None]:
        """Stores the messages that wait. Raises `FoxingError` if the service fails."""
        if not self._path.is_file():
            return
        file = self._file()
        delivered = 0
        while count := (yield from deliver(file, self._connection.bank)):
            delivered += count
        if delivered:
            file.forget()

    def close(self) -> None:
        """Stores the messages that wait, and closes the connection. Raises `FoxingError` if the service fails."""
        try:
            run(self._connection, self.flush())
        finally:
            self._close_file()
            self._connection.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        try:
            await run_async(self._connection, self.flush())
        finally:
            self._close_file()
            await self._connection.aclose()

    def _keep(self, messages: Sequence[Fields], error: FoxingError) -> None:
        try:
            file = self._file()
            with file.writing() as connection:
                file.add(connection, messages)
            file.note_failure(error)
        except (OSError, sqlite3.Error) as unusable:
            log.warning("%s cannot be used (%s); messages are lost", self._path, unusable)
            raise error from unusable
        log.warning("%d messages will be stored later: %s", file.state().entries, error)

    def _file(self) -> OutboxFile:
        with self._lock:
            if self._opened is None:
                self._opened = OutboxFile(self._path, self._scope)
            return self._opened

    def _close_file(self) -> None:
        with self._lock:
            file = self._opened
            self._opened = None
        if file is not None:
            file.close()


class OutboxClosing(Closing, AsyncClosing):
    """Mixin of adapters with an outbox."""

    _outbox: Outbox

    @property
    def pending(self) -> int:
        """Number of messages that could not be stored yet."""
        return self._outbox.pending

    def close(self) -> None:
        """Stores the messages that wait, and closes the connection. Raises `FoxingError` if that must wait."""
        self._outbox.close()

    async def aclose(self) -> None:
        """Like `close`, on this event loop."""
        await self._outbox.aclose()
