"""Concurrent reading of pages through a server, each page independently."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial

from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import VisionTokens

from .endpoint import CLOSED, Endpoint


class PageDispatcher:
    """Dispatcher of pages to an endpoint, with up to `concurrency` pages at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        check: Callable[[VisionTokens], None],
        read: Callable[[VisionTokens], Awaitable[Reading]],
    ) -> None:
        """`check`: raises `TokensError` for tokens that cannot be read; `read`: reads one page, raises `CodecError`."""
        self.endpoint = endpoint
        self._check = check
        self._read = read
        self._slots = asyncio.Semaphore(endpoint.options.concurrency)
        self._in_flight: dict[VisionTokens, Future[Reading]] = {}
        self._lock = threading.RLock()  # re-entrant: a future that is already done runs its callback immediately

    def close(self) -> None:
        """Closes the endpoint, see `Endpoint.close`; callers with queued or running pages get `ReadFailed`."""
        self.endpoint.close()

    def all(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """Implements `foxing.encoder.Codec.decode`. Raises the first failure after every page has been attempted."""
        for item in tokens:
            self._check(item)
        outcomes = _wait([self._submit(item) for item in tokens])
        readings = []
        for outcome in outcomes:
            if isinstance(outcome, CodecError):
                raise outcome
            readings.append(outcome)
        return readings

    def each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """Implements `foxing.encoder.RemoteCodec.decode_each`."""
        results: list[Future[Reading] | CodecError] = []
        for item in tokens:
            try:
                self._check(item)
                results.append(self._submit_once(item))
            except TokensError as error:
                results.append(error)
        return _wait(results)

    def _submit(self, tokens: VisionTokens) -> Future[Reading]:
        return self.endpoint.submit(partial(self._read_counted, tokens))

    def _submit_once(self, tokens: VisionTokens) -> Future[Reading]:
        """Returns the future of a page; the existing one if the page is already in flight."""
        with self._lock:
            future = self._in_flight.get(tokens)
            if future is None:
                future = self._in_flight[tokens] = self._submit(tokens)
                future.add_done_callback(lambda _: self._forget(tokens))
            return future

    def _forget(self, tokens: VisionTokens) -> None:
        with self._lock:
            self._in_flight.pop(tokens, None)

    async def _read_counted(self, tokens: VisionTokens) -> Reading:
        failed = True
        try:
            async with self._slots:
                reading = await self._read(tokens)
            failed = False
        except CodecError:
            raise
        except Exception as error:  # an unexpected failure must not affect other pages
            cause = f"{type(error).__name__}: {self.endpoint.clean(str(error))}"
            raise ReadFailed(f"the page could not be read: {cause}; report this") from error
        finally:
            self.endpoint.meter.count_page(failed=failed)
        return reading


def _wait(pages: Sequence[Future[Reading] | CodecError]) -> list[Reading | CodecError]:
    """Waits for all pages. An interrupt cancels them."""
    try:
        return [page if isinstance(page, CodecError) else _outcome(page) for page in pages]
    except BaseException:
        for page in pages:
            if isinstance(page, Future):
                page.cancel()
        raise


def _outcome(future: Future[Reading]) -> Reading | CodecError:
    try:
        return future.result()
    except CancelledError:
        return ReadFailed(CLOSED)
    except CodecError as error:
        return error
