"""The bank behind the proxy: asked within limits, and left alone for a moment after it failed."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from foxing.integrations.client import Call, Connection, ServiceOptions, Target, connect
from foxing.memory import Closed, FoldRequest, FoldResult
from foxing.renderer import Announcement, FoxingError

from .options import ProxyOptions

log = logging.getLogger(__name__)

R = TypeVar("R")

#: Threads that wait for folds and for what is stored.
_THREADS = 8
#: Seconds that a service may take to answer when the proxy starts.
_GREETING_S = 2.0
#: Seconds in which turns that wait are brought to the bank before a fold.
_FLUSH_S = 0.5
_TEXT = "text"
#: What the note of a model says that nobody has measured.
_MEASURES = "run foxing calibrate"
_LEAST_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True)
class LocalService(ServiceOptions):
    """A service on this machine, found by its announcement."""

    announcement: Announcement = field(kw_only=True, repr=False)

    def client_options(self) -> dict[str, Any]:
        """See `ServiceOptions`."""
        from .local_service import LocalTransport

        return {**super().client_options(), "transport": LocalTransport(self.announcement)}


class BankFailed(Exception):
    """The bank is down or slow. `made`: whether it may have made a fold nevertheless; `late`: the fold that it still
    makes."""

    def __init__(self, reason: str, *, made: bool = False, late: asyncio.Future[FoldResult] | None = None) -> None:
        super().__init__(reason)
        self.made = made
        self.late = late


class FoldRefused(Exception):
    """The bank does not fold this conversation; the message says why."""


class BankLink:
    """Connection to the bank. What it is asked runs in threads, so that a slow bank delays no request beyond its
    limit."""

    def __init__(self, find: Callable[[], Target], options: ProxyOptions) -> None:
        """`find`: returns the service or memory that holds the bank; called again after a failure."""
        self._find = find
        self._options = options
        self._lock = threading.Lock()
        self._opened: tuple[Connection, Target] | None = None
        self._closed = False
        self._rests_until = 0.0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="foxing proxy")
        #: Models without a profile.
        self._unknown: set[str] = set()
        #: Brings the turns that passed before a fold to the bank, with their times, within so many seconds.
        self.flush: Callable[[float], bool] = lambda _: True

    @property
    def rests(self) -> bool:
        """True for a moment after the bank has failed."""
        return time.monotonic() < self._rests_until

    def lacks_profile(self, model: str, notes: Sequence[str]) -> bool:
        """Returns True if a model has been folded for as text because nobody has measured it. `notes`: those of the
        fold."""
        return model in self._unknown or any(_MEASURES in note for note in notes)

    async def open(self) -> None:
        """Opens the connection, and loads what the first fold needs. Raises the errors of an unusable memory."""
        connection, target = await asyncio.to_thread(self._connection)
        if isinstance(target, ServiceOptions):
            async with asyncio.timeout(_GREETING_S):
                await _greet(target)
        else:
            from foxing.encoder.text_tokens import load_vocabulary

            await asyncio.to_thread(load_vocabulary)
        first = FoldRequest(
            session="first",
            wire="openai",
            messages=({"role": "user", "content": "hello"},),
            reader=_TEXT,
            budget=1_000,
        )
        # stores nothing
        ready = self._submit(lambda: connection.run(lambda memory: memory.fold(self._options.bank, first)))
        if not await self._in_time(ready):
            raise TimeoutError(f"the bank has not answered in {self._options.fold_s:g} s")
        ready.result()

    async def fold(self, request: FoldRequest) -> FoldResult:
        """Returns a folded conversation. Raises `BankFailed`, and `FoldRefused`."""
        if self.rests:
            raise BankFailed("the bank has failed a moment ago")
        await self._probe()
        reader = self._options.reader or request.reader
        if reader in self._unknown:
            reader = _TEXT
        made = self._submit(lambda: self._fold(request.model_copy(update={"reader": reader})))
        if not await self._in_time(made):
            self._rest()
            raise BankFailed(f"the bank has not folded in {self._options.fold_s:g} s", made=True, late=made)
        return made.result()

    def _fold(self, request: FoldRequest) -> FoldResult:
        self.flush(_FLUSH_S)
        connection, _ = self._connection()
        try:
            return connection.run(lambda memory: memory.fold(self._options.bank, request))
        except FoxingError as error:
            if error.kind.slug == "unknown-reader" and request.reader != _TEXT:
                log.warning("%s has no reader profile; it gets folded history as text", request.reader)
                self._unknown.add(request.reader)
                return self._fold(request.model_copy(update={"reader": _TEXT}))
            if error.retry == "never":
                raise FoldRefused(str(error)) from error
            self.fail(error)
            raise BankFailed(str(error), made=True) from error
        except Exception as error:
            self.fail(error)
            raise BankFailed(f"{type(error).__name__}: {error}", made=True) from error

    @property
    def name(self) -> str:
        """Name of the bank."""
        return self._options.bank

    def run(self, call: Call[R]) -> R:
        """Runs a call and returns its result. Raises the errors of the call; after one that is no refusal, the bank is
        left alone for a moment."""
        connection, _ = self._connection()
        try:
            return connection.run(call)
        except Exception as error:
            if not isinstance(error, FoxingError) or error.retry != "never":
                self.fail(error)
            raise

    def _submit(self, call: Callable[[], FoldResult]) -> asyncio.Future[FoldResult]:
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        future.add_done_callback(lambda each: each.cancelled() or each.exception())  # it may not be awaited
        return future

    async def _in_time(self, future: asyncio.Future[FoldResult]) -> bool:
        done, _ = await asyncio.wait([future], timeout=self._options.fold_s)
        return bool(done)

    def _connection(self) -> tuple[Connection, Target]:
        with self._lock:
            if self._closed:
                raise Closed("the proxy is stopping")
            if self._opened is None:
                target = self._find()
                self._opened = connect(target, self._options.bank), target
            return self._opened

    def fail(self, error: Exception) -> None:
        """Leaves the bank alone for a moment, and looks for it anew afterwards."""
        log.warning("the bank cannot be used, and requests go out unfolded: %s", error)
        self._rest()
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(Exception):
                opened[0].close()

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + self._options.pause_s

    def _reopen(self) -> None:
        try:
            self._connection()
        except Exception as error:
            self.fail(error)

    async def _probe(self) -> None:
        """Returns if a service answers. Raises `BankFailed` after `probe_s` seconds."""
        opened = self._opened
        if opened is None:  # after a failure
            self._pool.submit(self._reopen)
            raise BankFailed("the bank is being opened again")
        if not isinstance(opened[1], ServiceOptions):
            return
        try:
            async with asyncio.timeout(self._options.probe_s):
                await _greet(opened[1])
        except TimeoutError as error:  # busy, perhaps for this moment only: the next request asks again
            raise BankFailed("the service does not answer") from error
        except OSError as error:
            failure = BankFailed("the service is down")
            self.fail(failure)
            raise failure from error

    def close(self) -> None:
        """Closes the connection."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            self._closed = True
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[0].close()


async def _greet(service: ServiceOptions) -> None:
    """Waits for the first bytes of a service. Raises `OSError`."""
    parts = urlsplit(service.url)
    host, port = parts.hostname or "", parts.port or _LEAST_PORT[parts.scheme]
    reader, writer = await asyncio.open_connection(host, port)
    try:
        if parts.scheme == "http":
            writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            if not await reader.read(64):
                raise ConnectionError("the service closed the connection")
    finally:
        writer.close()
