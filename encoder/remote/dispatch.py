"""Reading many pages through a server at once, each independently of the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from threading import RLock

from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import VisionTokens

from .endpoint import CLOSED, Endpoint
from .thread_pool import DaemonThreadPool, join_threads


class PageDispatcher:
    """Reads pages through an endpoint, up to the endpoint's `concurrency` at once."""

    def __init__(
        self, endpoint: Endpoint, check: Callable[[VisionTokens], None], read: Callable[[VisionTokens], Reading]
    ) -> None:
        """`check` raises `TokensError` for tokens that cannot be read; `read` requests one page and raises
        `CodecError`."""
        self.endpoint = endpoint
        self._check = check
        self._read = read
        self._pool: DaemonThreadPool[VisionTokens, Reading] = DaemonThreadPool(
            endpoint.options.concurrency, "foxing-remote"
        )
        self._in_flight: dict[VisionTokens, Future[Reading]] = {}
        self._lock = RLock()  # a future that is already done runs its callback at once

    def close(self) -> None:
        """Cancels queued pages and aborts those in progress, whose callers get `ReadFailed`, and closes the
        connections. Later calls open new ones."""
        threads = self._pool.close()
        self.endpoint.close()
        join_threads(threads)

    def all(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec.decode`. Raises the first failure after every page has been attempted."""
        for item in tokens:
            self._check(item)
        outcomes = _wait([self._pool.submit(self._read_counted, item) for item in tokens])
        readings = []
        for outcome in outcomes:
            if isinstance(outcome, CodecError):
                raise outcome
            readings.append(outcome)
        return readings

    def each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """See `foxing.encoder.RemoteCodec.decode_each`."""
        results: list[Future[Reading] | CodecError] = []
        for item in tokens:
            try:
                self._check(item)
                results.append(self._submit_once(item))
            except TokensError as error:
                results.append(error)
        return _wait(results)

    def _submit_once(self, tokens: VisionTokens) -> Future[Reading]:
        """The future of a page; the existing one if the page is already in flight."""
        with self._lock:
            future = self._in_flight.get(tokens)
            if future is None:
                future = self._in_flight[tokens] = self._pool.submit(self._read_counted, tokens)
                future.add_done_callback(lambda _: self._forget(tokens))
            return future

    def _forget(self, tokens: VisionTokens) -> None:
        with self._lock:
            self._in_flight.pop(tokens, None)

    def _read_counted(self, tokens: VisionTokens) -> Reading:
        try:
            reading = self._read(tokens)
        except CodecError:
            self.endpoint.meter.count_page(failed=True)
            raise
        except Exception as error:  # an unforeseen failure must not affect other pages
            self.endpoint.meter.count_page(failed=True)
            cause = f"{type(error).__name__}: {self.endpoint.clean(str(error))}"
            raise ReadFailed(f"the page could not be read: {cause}; report this") from error
        self.endpoint.meter.count_page(failed=False)
        return reading


#: The former name, until every importer uses the new one.
Asking = PageDispatcher


def _wait(pages: Sequence[Future[Reading] | CodecError]) -> list[Reading | CodecError]:
    """Waits for all pages. An interrupt cancels the queued ones."""
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
