"""Pages that are read by a server, many at once and each by itself."""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from threading import RLock

from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import VisionTokens

from .endpoint import CLOSED, Endpoint
from .thread_pool import Pool, join


class Asking:
    """Reads pages through an endpoint, as many at once as it may be asked."""

    def __init__(
        self, endpoint: Endpoint, check: Callable[[VisionTokens], None], read: Callable[[VisionTokens], Reading]
    ) -> None:
        """`check` raises `TokensError` for tokens that cannot be read; `read` asks for one page and raises
        `CodecError`."""
        self.endpoint = endpoint
        self._check = check
        self._read = read
        self._pool: Pool[VisionTokens, Reading] = Pool(endpoint.options.concurrency, "foxing-remote")
        self._asked: dict[VisionTokens, Future[Reading]] = {}
        self._lock = RLock()  # a future that is done already calls back at once

    def close(self) -> None:
        """Cancels what waits and what is being read, whose callers get `ReadFailed`, and closes the connections. Who
        asks again opens new ones."""
        threads = self._pool.close()
        self.endpoint.close()
        join(threads)

    def all(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec.decode`. All pages are asked for before the first failure is raised."""
        for item in tokens:
            self._check(item)
        outcomes = _outcomes([self._pool.submit(self._counted, item) for item in tokens])
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
                results.append(self._ask(item))
            except TokensError as error:
                results.append(error)
        return _outcomes(results)

    def _ask(self, tokens: VisionTokens) -> Future[Reading]:
        """A reading that is on its way; the one that was asked for already, if there is one."""
        with self._lock:
            future = self._asked.get(tokens)
            if future is None:
                future = self._asked[tokens] = self._pool.submit(self._counted, tokens)
                future.add_done_callback(lambda _: self._forget(tokens))
            return future

    def _forget(self, tokens: VisionTokens) -> None:
        with self._lock:
            self._asked.pop(tokens, None)

    def _counted(self, tokens: VisionTokens) -> Reading:
        try:
            reading = self._read(tokens)
        except CodecError:
            self.endpoint.meter.page(failed=True)
            raise
        except Exception as error:  # whatever a server may bring about concerns this page alone
            self.endpoint.meter.page(failed=True)
            said = f"{type(error).__name__}: {self.endpoint.clean(str(error))}"
            raise ReadFailed(f"the page could not be read: {said}; report this") from error
        self.endpoint.meter.page(failed=False)
        return reading


def _outcomes(asked: Sequence[Future[Reading] | CodecError]) -> list[Reading | CodecError]:
    """Waits for all. An interrupt cancels those that wait."""
    try:
        return [item if isinstance(item, CodecError) else _outcome(item) for item in asked]
    except BaseException:
        for item in asked:
            if isinstance(item, Future):
                item.cancel()
        raise


def _outcome(future: Future[Reading]) -> Reading | CodecError:
    try:
        return future.result()
    except CancelledError:
        return ReadFailed(CLOSED)
    except CodecError as error:
        return error
