"""Pages that are read by a server, many at once and each by itself."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import RLock

from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import VisionTokens

from .endpoint import Endpoint


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
        self._pool = ThreadPoolExecutor(endpoint.options.concurrency, thread_name_prefix="foxing-remote")
        self._asked: dict[VisionTokens, Future[Reading]] = {}
        self._lock = RLock()  # a future that is done already calls back at once

    def close(self) -> None:
        """Waits for what is being read, and closes the connections."""
        self._pool.shutdown(cancel_futures=True)
        self.endpoint.close()

    def all(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec.decode`. All pages are asked for before the first failure is raised."""
        for item in tokens:
            self._check(item)
        futures = [self._pool.submit(self._counted, item) for item in tokens]
        failures = [error for error in (future.exception() for future in futures) if error is not None]
        if failures:
            raise failures[0]
        return [future.result() for future in futures]

    def each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """See `foxing.encoder.ElsewhereCodec.decode_each`."""
        results: list[Future[Reading] | TokensError] = []
        for item in tokens:
            try:
                self._check(item)
                results.append(self._ask(item))
            except TokensError as error:
                results.append(error)
        return [item if isinstance(item, TokensError) else _outcome(item) for item in results]

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


def _outcome(future: Future[Reading]) -> Reading | CodecError:
    """Errors that are no codec's are raised: they are faults, not failures."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, CodecError):
        return error
    raise error
