"""Prompt caches of the providers, with a clock that a test moves, and the bills that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: Prices of tokens, relative to fresh input.
READ = 0.1
WRITE_SHORT = 1.25
WRITE_LONG = 2.0
#: Seconds that an entry lives after its last use, by TTL.
TTL_S = {"5m": 300.0, "1h": 3600.0, "30m": 1800.0, "12h": 43200.0}


class MovableClock:
    """A clock that stands still until it is moved. Without a start it shows the time of the machine, plus what it was
    moved by."""

    def __init__(self, start: datetime | None = datetime(2026, 11, 1, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._moved = timedelta()

    def now(self) -> datetime:
        """Returns the time."""
        return (self._start or datetime.now(UTC)) + self._moved

    def advance(self, seconds: float) -> None:
        """Moves the clock."""
        self._moved += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Bill:
    """Tokens of a call by price. `price` is their cost in fresh input tokens, without output."""

    #: Input that was neither read from the cache nor written to it.
    fresh: int
    read: int = 0
    #: Written for 5 or 30 minutes.
    written: int = 0
    #: Written for an hour, at twice the price of input, or for 12 hours, at 1.25 times.
    written_long: int = 0
    output: int = 0
    thinking: int = 0
    #: Price of a token that is written for long.
    long_price: float = WRITE_LONG

    @property
    def input(self) -> int:
        """All input tokens, whatever their price."""
        return self.fresh + self.read + self.written + self.written_long

    @property
    def price(self) -> float:
        """Cost of the input in fresh input tokens."""
        return self.fresh + READ * self.read + WRITE_SHORT * self.written + self.long_price * self.written_long


@dataclass(frozen=True)
class PromptBlock:
    """A block of a prompt, in the order in which the provider reads them."""

    #: Digest of this block and everything before it.
    prefix: str
    tokens: int
    #: TTL of the mark on this block; None without a mark.
    mark: str | None = None


class PromptCache:
    """Entries of prefixes, by the key of what they are cached for (model, key of the caller)."""

    def __init__(self, clock: MovableClock) -> None:
        self._clock = clock
        self._expires: dict[tuple[str, str], tuple[datetime, float]] = {}

    def bill(
        self,
        key: str,
        segments: Sequence[PromptBlock],
        *,
        least: int,
        lookback: int | None,
        long: str,
        long_price: float,
    ) -> Bill:
        """Returns the bill of a prompt without its output, and writes its marked prefixes. `least`: tokens of the
        shortest prefix that is cached. `lookback`: blocks before a mark that are looked up as well; None: all.
        `long`: TTL that costs `long_price`."""
        now = self._clock.now()
        sums = [0]
        for segment in segments:
            sums.append(sums[-1] + segment.tokens)
        marks = [place for place, segment in enumerate(segments) if segment.mark and sums[place + 1] >= least]
        read_to = max((self._found(key, segments, mark, lookback, now) for mark in marks), default=0)
        if marks and read_to:
            self._refresh(key, segments[read_to - 1].prefix, now)
        writes = [mark for mark in marks if mark + 1 > read_to]
        long_to = max((mark + 1 for mark in writes if segments[mark].mark == long), default=read_to)
        short_to = max((mark + 1 for mark in writes), default=read_to)
        for mark in marks:
            life = TTL_S[segments[mark].mark or long]
            self._expires[key, segments[mark].prefix] = (now + timedelta(seconds=life), life)
        short = sums[max(short_to, long_to)] - sums[long_to]
        return Bill(
            fresh=sums[-1] - sums[max(short_to, long_to)],
            read=sums[read_to],
            written=short,
            written_long=sums[long_to] - sums[read_to],
            long_price=long_price,
        )

    def _found(self, key: str, segments: Sequence[PromptBlock], mark: int, lookback: int | None, now: datetime) -> int:
        """Number of blocks of the longest cached prefix that ends at most `lookback` blocks before a mark."""
        first = 0 if lookback is None else max(0, mark - lookback + 1)
        for place in range(mark, first - 1, -1):
            expires, _ = self._expires.get((key, segments[place].prefix), (now, 0.0))
            if expires > now:
                return place + 1
        return 0

    def _refresh(self, key: str, prefix: str, now: datetime) -> None:
        _, life = self._expires[key, prefix]
        self._expires[key, prefix] = (now + timedelta(seconds=life), life)
