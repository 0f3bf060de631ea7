"""Usage counters: requests, pages, tokens and cost."""

from dataclasses import replace

from foxing.encoder.capabilities import RemoteUsage


class UsageMeter:
    """`RemoteUsage` counters, for one event loop. Prices are per million tokens."""

    def __init__(self, prompt_price: float, completion_price: float) -> None:
        self._prices = (prompt_price, completion_price)
        self._usage = RemoteUsage()

    @property
    def usage(self) -> RemoteUsage:
        """Usage so far."""
        return self._usage

    def count_request(
        self, seconds: float, prompt_tokens: int = 0, completion_tokens: int = 0, *, failed: bool
    ) -> None:
        """Counts a completed request, which took `seconds`."""
        prompt_price, completion_price = self._prices
        now = self._usage
        self._usage = replace(
            now,
            requests=now.requests + 1,
            failures=now.failures + failed,
            prompt_tokens=now.prompt_tokens + prompt_tokens,
            completion_tokens=now.completion_tokens + completion_tokens,
            seconds=now.seconds + seconds,
            cost=now.cost + (prompt_tokens * prompt_price + completion_tokens * completion_price) / 1e6,
        )

    def count_page(self, *, failed: bool) -> None:
        """Counts a page that was read or that failed after all attempts."""
        now = self._usage
        self._usage = replace(now, pages=now.pages + (not failed), pages_failed=now.pages_failed + failed)
