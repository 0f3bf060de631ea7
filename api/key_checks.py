"""Checks of API keys in the database, without waiting for it."""

import asyncio
import time
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread

from foxing.memory import KeyInfo, LiveKeys, Memory
from foxing.renderer import FoxingError

from .logs import get_logger

#: Seconds after which the keys are read again: a key that was revoked works no longer than that.
REREAD_S = 5.0
#: The same for a key that is not among them: one that was just created elsewhere works after that.
REREAD_UNKNOWN_S = 1.0
#: Seconds between two notes of the last use of a key.
USE_S = 60.0


class KeyChecks:
    """The keys of a database, held in memory. While the database cannot be read, those that were read last work on."""

    def __init__(self, memory: Memory, *, always: bool = False, stamp: Path | None = None) -> None:
        """`always`: True if callers have something else than keys to show, and need either. `stamp`: file that the
        processes of a service touch when they have changed keys."""
        self.always = always
        self._keys = memory.operations.keys
        self._now = memory.now
        self._live: LiveKeys | None = None
        self._read_at = 0.0
        self._stamp = stamp
        #: Time of the last change of `stamp` when the keys were read last, in nanoseconds.
        self._stamped_at = 0
        self._reading = anyio.Lock()
        #: id → monotonic time of the last note of its use, and the uses to note.
        self._noted: dict[str, float] = {}
        self._uses: dict[str, datetime] = {}
        self._noting: asyncio.Task[None] | None = None

    async def required(self) -> bool:
        """Returns True if callers need a key, since one has been created. Raises `StorageError` if that has never been
        read."""
        return self.always or (await self._read(REREAD_S)).required

    async def find(self, key: str) -> KeyInfo | None:
        """Returns a key that works, and notes its use; None if it does not. Raises `StorageError`."""
        live = await self._read(REREAD_S)
        info = live.find(key, self._now())
        if info is None and (reread := await self._read(REREAD_UNKNOWN_S)) is not live:
            info = reread.find(key, self._now())
        if info is not None:
            self._note(info.id)
        return info

    @property
    def are_required(self) -> bool:
        """True if a caller needed a key when the keys were read last."""
        return self.always or (self._live is not None and self._live.required)

    async def by_id(self, key_id: str) -> tuple[KeyInfo, bytes] | None:
        """Returns the key with an id, if it works, and its digest, for signatures. Raises `StorageError`."""
        return (await self._read(REREAD_S)).by_id(key_id, self._now())

    def expire(self) -> None:
        """Has the next check read the keys, in all processes of this service, after a change by this one."""
        self._read_at = 0.0
        if self._stamp is not None:
            with suppress(OSError):  # the others read them a few seconds later
                self._stamp.touch()

    def _last_stamp(self) -> int:
        if self._stamp is None:
            return 0
        try:
            return self._stamp.stat().st_mtime_ns
        except OSError:
            return 0

    async def _read(self, max_age_s: float) -> LiveKeys:
        if self._live is not None and self._is_current(max_age_s):
            return self._live
        async with self._reading:
            if self._live is None or not self._is_current(max_age_s):  # they have not been read meanwhile
                started = time.monotonic()
                self._stamped_at = self._last_stamp()
                try:
                    self._live = await anyio.to_thread.run_sync(self._keys.live)
                except FoxingError as error:
                    if self._live is None:
                        raise
                    get_logger().warning("API keys cannot be read", reason=str(error))
                self._read_at = started
            return self._live

    def _is_current(self, max_age_s: float) -> bool:
        return time.monotonic() - self._read_at < max_age_s and self._last_stamp() == self._stamped_at

    def _note(self, key_id: str) -> None:
        last = self._noted.get(key_id)
        now = time.monotonic()
        if last is not None and now - last < USE_S:
            return
        self._noted[key_id] = now
        self._uses[key_id] = self._now()
        if self._noting is None or self._noting.done():
            # in an empty context, not in the trace of this request
            self._noting = asyncio.get_running_loop().create_task(self._write(), context=Context())

    async def _write(self) -> None:
        while self._uses:
            uses = self._uses
            self._uses = {}
            try:
                await anyio.to_thread.run_sync(self._keys.note_uses, uses)
            except FoxingError as error:
                get_logger().warning("the last use of API keys was not noted", reason=str(error))

    async def close(self) -> None:
        """Waits until uses are noted."""
        if self._noting is not None:
            await asyncio.wait([self._noting])
