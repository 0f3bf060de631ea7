"""Decoding pages on demand: concurrent readers share batches, rows already read are kept for a while."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic

import numpy as np

from foxing.encoder import Codec, CodecError, ReadFailed, Reading, TokensError, VisionTokens
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import BLANK, PageLayout

from .content import PageState, unpack_cells
from .decode_queue import DecodeQueue

CACHED_PAGES = 256  # about 100 kB each
FAILED_FOR_S = 10.0  # how long a page that could not be read elsewhere is not asked for again


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
        contents: Mapping[int, tuple[bytes, bytes | None]],
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
