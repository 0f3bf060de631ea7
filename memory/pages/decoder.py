"""Decoding of pages on demand: requests of all threads are batched, and decoded rows are cached."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple, Self

import numpy as np
from cachetools import LRUCache, TTLCache

from foxing.encoder import Codec, CodecError, ReadFailed, Reading, TokensError, VisionTokens
from foxing.encoder.alignment.misread import known_misread
from foxing.memory.errors import ReaderFailed, TokensDamaged, Unreadable
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import PageLayout
from foxing.renderer.page import BLANK

from .content import PageState, StoredContents, unpack_tokens
from .decode_queue import DecodeQueue
from .exact_text import Differences, is_self_contained, unpack_differences, unpack_text

PAGE_CACHE_BYTES = 64 << 20  # 64 MiB
FAILED_FOR_S = 10.0  # before a page that a remote codec failed to read is requested again
MAX_FAILED = 256  # failures cached
WRONG_PAGE = "its tokens belong to another page"

#: A page's id and version. Not its row id: a database may reuse that of a deleted page.
_CacheKey = tuple[str, int]

#: Ranges of cells, start and stop, counted from the first cell of a page.
CellRanges = Sequence[tuple[int, int]]


class _PageError(NamedTuple):
    """A page that cannot be read."""

    page_id: int
    error: Unreadable


@dataclass(frozen=True)
class _Request:
    """Bands of a page to be decoded."""

    page: PageRow
    state: PageState
    #: first band, and the one after the last
    first: int
    stop: int
    #: bands of context that `tokens` holds above `first`
    above: int
    tokens: VisionTokens


def _page_cache(max_bytes: int) -> LRUCache[_CacheKey, PageState]:
    """Returns an LRU cache of page states that holds at most `max_bytes`."""
    return LRUCache(max_bytes, getsizeof=lambda state: state.memory_bytes)


@dataclass
class _Shared:
    """State shared by all views of a decoder. `lock` guards the other fields and the cached states."""

    #: queue of the current codec
    queue: DecodeQueue
    #: page states, complete or partial
    cache: LRUCache[_CacheKey, PageState]
    max_bytes: int
    #: pages that a remote codec failed to read recently
    failed: MutableMapping[_CacheKey, ReaderFailed]
    #: codec name → queue, for codecs other than the current one
    queues: dict[str, DecodeQueue] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


class PageDecoder:
    """Reads stored pages, from their kept text or by decoding their tokens. Safe to share between threads."""

    def __init__(
        self,
        load: Callable[[], Codec],
        others: Callable[[str], Codec] | None = None,
        cache_bytes: int = PAGE_CACHE_BYTES,
    ) -> None:
        """`load` returns the current codec and is called only when a page must be decoded. `others` returns the codec
        of a given name, for pages that another codec wrote, and raises `CodecError` if it is not available.
        `cache_bytes`: capacity of the cache of decoded pages."""
        self.load = load
        self._others = others
        self._codecs: dict[str, Codec] = {}
        failed: MutableMapping[_CacheKey, ReaderFailed] = TTLCache(MAX_FAILED, FAILED_FOR_S)
        self._shared = _Shared(DecodeQueue(load), _page_cache(cache_bytes), cache_bytes, failed)

    def with_codecs(self, others: Callable[[str], Codec]) -> Self:
        """Returns a view of this decoder that finds other codecs with `others`. It shares queues and caches."""
        view = copy(self)
        view._others = others
        view._codecs = {}
        return view

    @property
    def queue_depth(self) -> int:
        """Number of token sequences waiting to be decoded, over all codecs."""
        with self._shared.lock:
            queues = [self._shared.queue, *self._shared.queues.values()]
        return sum(queue.depth for queue in queues)

    @property
    def free_bytes(self) -> int:
        """Free bytes in the page cache."""
        shared = self._shared
        with shared.lock:
            return int(shared.max_bytes - shared.cache.currsize)

    def keep(self, page: PageRow, state: PageState) -> None:
        """Caches the state of a page that was just written, if it fits without evicting other pages."""
        cache = self._shared.cache
        with self._shared.lock:
            if cache.currsize + state.memory_bytes <= cache.maxsize:
                cache[page.key, page.version] = state

    def read(
        self,
        pages: Sequence[PageRow],
        contents: StoredContents,
        ranges: Mapping[int, CellRanges] | None = None,
    ) -> dict[int, PageState | Unreadable]:
        """Returns page id → state of the page, or the error that prevents reading it.

        `ranges`: page id → the cells that are needed (None: all cells of all pages); only their bands are decoded.
        Intact kept text is used without decoding, unless it is stored as corrections to the tokens.
        """
        states: dict[int, PageState | Unreadable] = {}
        requests: list[_Request] = []
        for page in {page.id: page for page in pages}.values():
            tokens, text = contents[page.id]
            try:
                states[page.id] = state = self._state(page, text)
                missing = _missing_bands(state, None if ranges is None else ranges[page.id])
                failure = self._recent_failure(page) if missing else None
                if failure is not None:
                    states[page.id] = failure
                elif missing:
                    requests += self._requests(page, state, tokens, missing)
            except TokensError as error:
                states[page.id] = TokensDamaged(f"page {page.key} cannot be read: {error}")
        readings = self.read_tokens([request.tokens for request in requests])
        errors = [self._take(request, reading) for request, reading in zip(requests, readings, strict=True)]
        return states | {error.page_id: error.error for error in errors if error is not None}

    def read_tokens(
        self, tokens: Sequence[VisionTokens], readings: Sequence[Reading | None] | None = None
    ) -> list[Reading | CodecError]:
        """Decodes `tokens` as complete pages, bypassing the cache. Returns one result for each, a reading or an error
        as from `DecodeQueue.decode`. Cells known to be misread have confidence 0. `readings`: existing readings of the
        tokens, None where there is none."""
        results: dict[int, Reading | CodecError] = {
            number: reading for number, reading in enumerate(readings or ()) if reading is not None
        }
        by_codec: dict[str, list[int]] = {}
        for number, item in enumerate(tokens):
            if number not in results:
                by_codec.setdefault(item.codec, []).append(number)
        for name, numbers in by_codec.items():
            try:
                queue = self._queue(name)
            except TokensError as error:
                results |= dict.fromkeys(numbers, error)
                continue
            read = queue.decode([tokens[number] for number in numbers])
            results |= {number: _flagged(item, tokens[number]) for number, item in zip(numbers, read, strict=True)}
        return [results[number] for number in range(len(tokens))]

    def codec_named(self, name: str) -> Codec:
        """Returns the codec called `name`. Raises `TokensError` if it is not available."""
        codec = self._codecs.get(name)
        if codec is None:
            codec = self._codecs[name] = self._find_codec(name)
        return codec

    def _find_codec(self, name: str) -> Codec:
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
        codec = self.codec_named(name)
        shared = self._shared
        if codec.name == self.load().name:
            return shared.queue
        with shared.lock:
            return shared.queues.setdefault(name, DecodeQueue(lambda: codec))

    def _state(self, page: PageRow, text: bytes | None) -> PageState:
        key = (page.key, page.version)
        shared = self._shared
        with shared.lock:
            state = shared.cache.get(key)
        if state is not None:
            return state
        state = _kept_state(page, text) or self._blank_state(page, text)
        with shared.lock:
            if state.memory_bytes > shared.max_bytes:  # kept by the caller only
                return state
            return shared.cache.setdefault(key, state)

    def _blank_state(self, page: PageRow, text: bytes | None) -> PageState:
        """Returns the state of a page before anything is decoded."""
        layout = PageLayout.from_dict(page.layout)
        codec = self.codec_named(page.codec)
        if page.tier not in codec.tiers:
            raise TokensError(f"the {codec.name} codec has no tier '{page.tier}'")
        rows = layout.cropped_rows(page.rows_used, page.tier)
        bands = layout.bands(page.rows_used, page.tier)
        blank = np.full((rows, layout.columns), BLANK, dtype=np.uint32)
        differences = _differences(text)
        if differences is not None:
            return PageState.verified(page.tier, blank, bands, differences)
        confidence = np.zeros((rows, layout.columns), dtype=np.float32)
        spec = codec.tiers[page.tier]
        known = np.zeros(bands, dtype=bool)
        # streams decode identically everywhere, so the comparison made on writing still holds
        compared = spec.streamed and text is None
        return PageState(page.tier, "decoded", spec.flag_below, blank, confidence, known, compared=compared)

    def _requests(
        self, page: PageRow, state: PageState, blob: bytes, missing: Sequence[tuple[int, int]]
    ) -> list[_Request]:
        """Returns requests for the `missing` runs of bands, cropped to the bands that each depends on. A band of a
        stream depends on all bands before it. Raises `TokensError`."""
        tokens = unpack_tokens(blob)
        total = len(state.known)
        if not _fits(tokens, page, total):
            raise TokensError(WRONG_PAGE)
        codec = self.codec_named(page.codec)
        if not tokens.has_rows and not tokens.misread and not state.known.any():
            # a stream is decoded from its start: first up to the last band needed, in full if more is needed later
            stop = missing[-1][1]
            return [_Request(page, state, 0, stop, 0, tokens.head(stop * (len(state.cells) // total)))]
        context = codec.context_rows
        # `context_rows` holds for the current weights only, and cropped tokens have no map of misread cells
        if context is None or total == 1 or tokens.weights != codec.weights or tokens.misread:
            return [_Request(page, state, 0, total, 0, tokens)]
        margin = -(-context // PageLayout.from_dict(page.layout).rows_per_token(page.tier))
        requests = []
        for first, stop in missing:
            above = min(margin, first)
            part = tokens.crop(first - above, min(total, stop + margin))
            requests.append(_Request(page, state, first, stop, above, part))
        return requests

    def _take(self, request: _Request, reading: Reading | CodecError) -> _PageError | None:
        """Copies a reading into the state of its page. Returns the error if the page could not be read."""
        page = request.page
        shared = self._shared
        if isinstance(reading, Reading):
            if not _fills(request, reading):
                return _PageError(page.id, TokensDamaged(f"page {page.key} cannot be read: {WRONG_PAGE}"))
            with shared.lock:
                _fill(request, reading)
            return None
        if isinstance(reading, ReadFailed):
            failure = ReaderFailed(f"page {page.key} could not be read this time: {reading}")
            with shared.lock:
                shared.failed[page.key, page.version] = failure
            return _PageError(page.id, failure)
        return _PageError(page.id, TokensDamaged(f"page {page.key} cannot be read: {reading}"))

    def _recent_failure(self, page: PageRow) -> ReaderFailed | None:
        with self._shared.lock:
            return self._shared.failed.get((page.key, page.version))


def _flagged(read: Reading | CodecError, tokens: VisionTokens) -> Reading | CodecError:
    """Returns the reading of `tokens` with the cells known to be misread flagged, or the error."""
    try:
        return known_misread(read, tokens) if isinstance(read, Reading) else read
    except TokensError as error:
        return error


def _kept_state(page: PageRow, text: bytes | None) -> PageState | None:
    """Returns the page as its kept text has it; None if the tokens must be decoded, because there is no text, or it is
    damaged or stored as corrections to the tokens."""
    if text is None or not is_self_contained(text):
        return None
    try:
        cells = unpack_text(text, PageLayout.from_dict(page.layout).columns)
    except TokensDamaged:
        return None
    return PageState.kept(page.tier, cells)


def _differences(text: bytes | None) -> Differences | None:
    """Returns the corrections to the tokens' reading, if exact text is stored as such; None if it is not, or is
    damaged."""
    if text is None or is_self_contained(text):
        return None
    try:
        return unpack_differences(text)
    except TokensDamaged:
        return None


def _missing_bands(state: PageState, ranges: CellRanges | None) -> list[tuple[int, int]]:
    """Returns the runs of bands, as (first, stop), that are needed and have not been read."""
    needed = np.ones(len(state.known), dtype=bool)
    if ranges is not None:
        needed[:] = False
        per_band = state.cells.size // len(state.known)
        for start, stop in ranges:
            needed[start // per_band : max(start, stop - 1) // per_band + 1] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], needed & ~state.known, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _fits(tokens: VisionTokens, page: PageRow, bands: int) -> bool:
    """True if `tokens` can belong to `page`: same codec, tier and, for a cropped page, height."""
    by_rows = tokens.has_rows and PageLayout.from_dict(page.layout).cropped
    same = (tokens.codec, tokens.tier) == (page.codec, page.tier)
    return same and (not by_rows or tokens.shape[0] == bands)


def _fills(request: _Request, reading: Reading) -> bool:
    """True if the reading has the rows and columns of the request. Blank rows below those in use may be missing."""
    rows, columns = request.state.cells.shape
    per_band = rows // len(request.state.known)
    used = min(request.page.rows_used, request.stop * per_band)
    needed = used - (request.first - request.above) * per_band
    return bool(reading.cells.shape[1] == columns and needed <= len(reading.cells) <= rows)


def _fill(request: _Request, reading: Reading) -> None:
    """Copies the bands of `request` into its state, except those that another thread has filled meanwhile: their arrays
    may be in use."""
    state = request.state
    above = request.above
    per_band = state.cells.shape[0] // len(state.known)
    exact = state.source == "text"
    if not exact:
        state.flag_below = reading.flag_below  # threshold of the weights that wrote the tokens
    for band in range(request.first, request.stop):
        if state.known[band]:
            continue
        start = above + band - request.first
        source = slice(start * per_band, min((start + 1) * per_band, len(reading.cells)))
        target = slice(band * per_band, band * per_band + max(0, source.stop - source.start))
        state.cells[target] = reading.cells[source]
        if exact:
            state.differences.apply(state.cells[band * per_band : (band + 1) * per_band], band * per_band)
        else:
            state.confidence[target] = reading.confidence[source]
        state.known[band] = True
