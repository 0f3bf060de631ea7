"""Decoding pages on demand: concurrent readers share batches, rows already read are kept for a while."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Lock
from time import monotonic
from typing import Self

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.encoder import Codec, CodecError, ElsewhereCodec, ReadFailed, Reading, TokensError, VisionTokens
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import BLANK, Cells, PageLayout

BATCH = 16  # token sequences in one call of the codec
CACHED_PAGES = 256  # about 100 kB each
ZSTD_LEVEL = 19
FAILED_FOR_S = 10.0  # how long a page that could not be read elsewhere is not asked for again


def pack_cells(cells: Cells) -> bytes:
    """A grid as the exact text that is kept: zstd with a checksum over the UTF-8 of its cells."""
    text = cells.astype("<u4").tobytes().decode("utf-32-le")
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(text.encode())


def unpack_cells(blob: bytes, columns: int) -> Cells:
    """The inverse of `pack_cells`. Raises `TokensDamaged`."""
    try:
        text = zstandard.ZstdDecompressor().decompress(blob).decode()
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint32).reshape(-1, columns)
    except (zstandard.ZstdError, ValueError) as error:
        raise TokensDamaged(f"the kept text of a page is damaged ({error}); restore a backup") from error


@dataclass
class PageState:
    """A page as far as it is read. `cells`, `confidence`: [rows, columns]; `known`: bool[n], of the bands
    that can be read by themselves."""

    tier: str
    source: str  # "text" or "decoded"
    flag_below: float
    cells: Cells
    confidence: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """A page that is read whole."""
        known = np.ones(1, dtype=bool)
        return cls(reading.tier, "decoded", reading.flag_below, reading.cells, reading.confidence, known)


@dataclass(eq=False)
class _Ticket:
    tokens: VisionTokens
    result: Reading | Exception | None = None


class DecodeQueue:
    """Brings decoding requests of all threads into batches. Whoever finds the codec free decodes for all that wait. For
    a codec that reads elsewhere nobody waits: it limits itself."""

    def __init__(self, load: Callable[[], Codec]) -> None:
        self._load = load
        self._waiting: list[_Ticket] = []
        self._busy = False
        self._changed = Condition()

    @property
    def depth(self) -> int:
        """Token sequences that wait."""
        return len(self._waiting)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """For each what `Codec.decode` gives, or why these tokens cannot be read, ever (`TokensError`) or this time
        (`ReadFailed`); blocks until all are done. Other errors are raised."""
        codec = self._load()
        if isinstance(codec, ElsewhereCodec):
            return codec.decode_each(tokens)
        tickets = [_Ticket(item) for item in tokens]
        with self._changed:
            self._waiting.extend(tickets)
        try:
            for ticket in tickets:
                self._await(ticket)
        except BaseException:  # an interrupt: nobody waits for the rest
            with self._changed:
                self._waiting = [ticket for ticket in self._waiting if ticket not in tickets]
            raise
        results: list[Reading | CodecError] = []
        for ticket in tickets:
            if isinstance(ticket.result, (Reading, TokensError, ReadFailed)):
                results.append(ticket.result)
            else:
                assert ticket.result is not None
                raise ticket.result
        return results

    def _await(self, ticket: _Ticket) -> None:
        while True:
            with self._changed:
                while self._busy and ticket.result is None:
                    self._changed.wait()
                if ticket.result is not None:
                    return
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                self._busy = True
            try:
                self._run(batch)
            finally:
                with self._changed:
                    # after an interrupt, those who wait for the rest of the batch go on with it
                    self._waiting = [other for other in batch if other.result is None] + self._waiting
                    self._busy = False
                    self._changed.notify_all()

    def _run(self, batch: list[_Ticket]) -> None:
        try:
            for ticket, reading in zip(batch, self._load().decode([t.tokens for t in batch]), strict=True):
                ticket.result = reading
        except Exception as error:
            if len(batch) == 1:
                batch[0].result = error
                return
            for ticket in batch:  # one bad page must not fail the others
                self._run([ticket])


@dataclass(frozen=True)
class _Request:
    """Bands `first`…`stop` of a page, to be read from `tokens`, which begin `above` bands higher."""

    page: PageRow
    state: PageState
    first: int
    stop: int
    above: int
    tokens: VisionTokens


class PageDecoder:
    """Reads pages out of what the database holds of them. `load` gives the codec; it is asked for one only when a page
    must be decoded. `others` gives the codec of a name, for pages that another one wrote; it raises `CodecError` where
    that is not to be had. `seconds`: a clock."""

    def __init__(
        self,
        load: Callable[[], Codec],
        others: Callable[[str], Codec] | None = None,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self.load = load
        self.queue = DecodeQueue(load)
        self._others = others
        self._queues: dict[str, DecodeQueue] = {}
        self._seconds = seconds
        self._cache: OrderedDict[tuple[str, int], PageState] = OrderedDict()
        self._failed: OrderedDict[tuple[str, int], tuple[float, ReaderFailed]] = OrderedDict()
        self._lock = Lock()

    def read(
        self,
        pages: Sequence[PageRow],
        contents: dict[int, tuple[bytes, bytes | None]],
        wanted: dict[int, list[tuple[int, int]]] | None = None,
    ) -> dict[int, PageState | Unreadable]:
        """Page id → its state, read at least in the cell ranges `wanted` (None: everywhere).

        A page that keeps its exact text is not decoded, unless that text is damaged. What cannot be read comes back as
        the error.
        """
        states: dict[int, PageState | Unreadable] = {}
        requests: list[_Request] = []
        for page in pages:
            if page.id in states:
                continue
            tokens_blob, text_blob = contents[page.id]
            try:
                state = self._state(page, text_blob)
                states[page.id] = state
                if state.source == "text":
                    continue
                ranges = None if wanted is None else wanted[page.id]
                missing = self._missing(state, ranges)
                if missing:
                    failure = self._failure(page)
                    if failure is not None:
                        states[page.id] = failure
                        continue
                    tokens = VisionTokens.from_bytes(tokens_blob)
                    if not _fits(tokens, page, state):
                        raise TokensError("its tokens are those of another page")
                    parts = self._crops(tokens, page, len(state.known), missing)
                    requests += [_Request(page, state, *part) for part in parts]
            except TokensError as error:
                states[page.id] = TokensDamaged(f"page {page.key} cannot be read: {error}")
        if requests:
            self._fill(requests, states)
        return states

    def read_tokens(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """Decodes whole pages past the cache; an error for those that cannot be read."""
        results: dict[int, Reading | CodecError] = {}
        by_codec: dict[str, list[int]] = {}
        for number, item in enumerate(tokens):
            by_codec.setdefault(item.codec, []).append(number)
        for name, numbers in by_codec.items():
            try:
                queue = self._queue(name)
            except TokensError as error:
                results |= dict.fromkeys(numbers, error)
                continue
            results |= zip(numbers, queue.decode([tokens[number] for number in numbers]), strict=True)
        return [results[number] for number in range(len(tokens))]

    def codec_of(self, name: str) -> Codec:
        """The codec called `name`, which wrote a page. Raises `TokensError` where it is not at hand."""
        codec = self.load()
        if codec.name == name:
            return codec
        try:
            if self._others is not None:
                return self._others(name)
            reason = f"this is '{codec.name}'"
        except CodecError as error:
            reason = str(error)
        raise TokensError(f"its tokens were written by the codec '{name}': {reason}")

    def _queue(self, name: str) -> DecodeQueue:
        codec = self.codec_of(name)
        if codec.name == self.load().name:  # it may be the same one writing tokens of other sizes
            return self.queue
        with self._lock:
            return self._queues.setdefault(name, DecodeQueue(lambda: codec))

    def _state(self, page: PageRow, text_blob: bytes | None) -> PageState:
        key = (page.key, page.version)  # not the id: a database may give that of a deleted page to a new one
        with self._lock:
            state = self._cache.get(key)
            if state is not None:
                self._cache.move_to_end(key)
                return state
        state = self._kept(page, text_blob) or self._unread(page)
        with self._lock:
            state = self._cache.setdefault(key, state)
            while len(self._cache) > CACHED_PAGES:
                self._cache.popitem(last=False)
        return state

    @staticmethod
    def _kept(page: PageRow, text_blob: bytes | None) -> PageState | None:
        """The page as its exact text has it; None without one, or when it is damaged and the tokens must do."""
        if text_blob is None:
            return None
        try:
            cells = unpack_cells(text_blob, PageLayout.from_dict(page.layout).columns)
        except TokensDamaged:
            return None
        return PageState(page.tier, "text", 0.0, cells, np.ones(cells.shape, np.float32), np.ones(1, dtype=bool))

    def _unread(self, page: PageRow) -> PageState:
        """The page with nothing decoded yet."""
        layout = PageLayout.from_dict(page.layout)
        codec = self.codec_of(page.codec)
        if page.tier not in codec.tiers:
            raise TokensError(f"the {codec.name} codec has no tier '{page.tier}'")
        rows = layout.cropped_rows(page.rows_used, page.tier)
        return PageState(
            page.tier,
            "decoded",
            codec.tiers[page.tier].flag_below,
            np.full((rows, layout.columns), BLANK, dtype=np.uint32),
            np.zeros((rows, layout.columns), dtype=np.float32),
            np.zeros(layout.bands(page.rows_used, page.tier), dtype=bool),
        )

    @staticmethod
    def _missing(state: PageState, ranges: list[tuple[int, int]] | None) -> list[tuple[int, int]]:
        """Runs of bands that are needed and not known yet."""
        needed = np.ones(len(state.known), dtype=bool)
        if ranges is not None:
            needed[:] = False
            per_band = state.cells.size // len(state.known)
            for start, stop in ranges:
                needed[start // per_band : max(start, stop - 1) // per_band + 1] = True
        edges = np.flatnonzero(np.diff(np.concatenate([[False], needed & ~state.known, [False]]).astype(np.int8)))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    def _crops(
        self, tokens: VisionTokens, page: PageRow, total: int, missing: list[tuple[int, int]]
    ) -> list[tuple[int, int, int, VisionTokens]]:
        """(first needed band of `total`, one past the last, bands of context above, tokens to decode)."""
        codec = self.codec_of(page.codec)
        context = codec.context_rows
        # retired weights may look further than the present ones
        if context is None or total == 1 or tokens.weights != codec.weights:
            return [(0, total, 0, tokens)]
        margin = -(-context // PageLayout.from_dict(page.layout).rows_per_token(page.tier))
        crops = []
        for first, stop in missing:
            above = min(margin, first)
            crops.append((first, stop, above, tokens.crop(first - above, min(total, stop + margin))))
        return crops

    def _failure(self, page: PageRow) -> ReaderFailed | None:
        """Why the page could not be read a moment ago."""
        with self._lock:
            at, failure = self._failed.get((page.key, page.version), (None, None))
        return failure if at is not None and self._seconds() - at < FAILED_FOR_S else None

    def _fill(self, requests: Sequence[_Request], states: dict[int, PageState | Unreadable]) -> None:
        readings = self.read_tokens([request.tokens for request in requests])
        for request, reading in zip(requests, readings, strict=True):
            page, state, first, above = request.page, request.state, request.first, request.above
            if isinstance(reading, ReadFailed):
                failure = ReaderFailed(f"page {page.key} could not be read this time: {reading}")
                states[page.id] = failure
                with self._lock:
                    self._failed[page.key, page.version] = (self._seconds(), failure)
                    while len(self._failed) > CACHED_PAGES:
                        self._failed.popitem(last=False)
                continue
            if not isinstance(reading, Reading):
                states[page.id] = TokensDamaged(f"page {page.key} cannot be read: {reading}")
                continue
            per_band = state.cells.shape[0] // len(state.known)
            with self._lock:
                state.flag_below = reading.flag_below  # of the weights that wrote the tokens
                for row in range(first, request.stop):
                    if state.known[row]:
                        continue  # read by another thread meanwhile, and perhaps in use: what is known never changes
                    source = slice((above + row - first) * per_band, (above + row - first + 1) * per_band)
                    target = slice(row * per_band, (row + 1) * per_band)
                    state.cells[target] = reading.cells[source]
                    state.confidence[target] = reading.confidence[source]
                    state.known[row] = True


def _fits(tokens: VisionTokens, page: PageRow, state: PageState) -> bool:
    """Whether these can be the tokens of the page: of its tier and, where it is cropped, of its height."""
    whole = not PageLayout.from_dict(page.layout).cropped
    same = (tokens.codec, tokens.tier) == (page.codec, page.tier)
    return same and (whole or tokens.shape[0] == len(state.known))
