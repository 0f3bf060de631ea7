"""Decoding pages on demand: concurrent readers share batches, rows already read are kept for a while."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Lock

import numpy as np
import numpy.typing as npt
import zstandard

from foxing.encoder import Codec, CodecError, Reading, VisionTokens
from foxing.renderer import BLANK, Cells, PageLayout

from .errors import TokensDamaged
from .repositories.pages import PageRow

BATCH = 16  # token sequences in one call of the codec
CACHED_PAGES = 256  # about 100 kB each
ZSTD_LEVEL = 19


def pack_cells(cells: Cells) -> bytes:
    """A grid as the exact text that is kept: zstd over the UTF-8 of its cells."""
    text = cells.astype("<u4").tobytes().decode("utf-32-le")
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(text.encode())


def unpack_cells(blob: bytes, columns: int) -> Cells:
    """The inverse of `pack_cells`. Raises `TokensDamaged`."""
    try:
        text = zstandard.ZstdDecompressor().decompress(blob).decode()
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint32).reshape(-1, columns)
    except (zstandard.ZstdError, ValueError) as error:
        raise TokensDamaged(f"the kept text of a page is damaged ({error}); restore a backup") from error


@dataclass
class PageState:
    """A page as far as it is read. `cells`, `confidence`: [rows, columns]; `known`: bool[token rows]."""

    tier: str
    source: str  # "text" or "decoded"
    flag_below: float
    cells: Cells
    confidence: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]


@dataclass
class _Ticket:
    tokens: VisionTokens
    reading: Reading | None = None
    error: Exception | None = None
    done: bool = field(default=False)


class DecodeQueue:
    """Brings decoding requests of all threads into batches. Whoever finds the codec free decodes for all that wait."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._waiting: list[_Ticket] = []
        self._busy = False
        self._changed = Condition()

    @property
    def depth(self) -> int:
        """Token sequences that wait."""
        return len(self._waiting)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """Like `Codec.decode`; blocks until all are read."""
        tickets = [_Ticket(item) for item in tokens]
        with self._changed:
            self._waiting.extend(tickets)
        for ticket in tickets:
            while not ticket.done:
                with self._changed:
                    if self._busy:
                        self._changed.wait()
                        continue
                    if ticket.done:
                        break
                    batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                    self._busy = True
                try:
                    self._run(batch)
                finally:
                    with self._changed:
                        self._busy = False
                        self._changed.notify_all()
        readings = []
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error
            assert ticket.reading is not None
            readings.append(ticket.reading)
        return readings

    def _run(self, batch: list[_Ticket]) -> None:
        try:
            for ticket, reading in zip(batch, self._codec.decode([t.tokens for t in batch]), strict=True):
                ticket.reading, ticket.done = reading, True
        except Exception as error:
            if len(batch) == 1:
                batch[0].error, batch[0].done = error, True
                return
            for ticket in batch:  # one bad page must not fail the others
                self._run([ticket])


class PageDecoder:
    """Reads pages out of what the database holds of them."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.queue = DecodeQueue(codec)
        self._cache: OrderedDict[tuple[int, int], PageState] = OrderedDict()
        self._lock = Lock()

    def read(
        self,
        pages: Sequence[PageRow],
        contents: dict[int, tuple[bytes, bytes | None]],
        wanted: dict[int, list[tuple[int, int]]] | None = None,
    ) -> dict[int, PageState | TokensDamaged]:
        """Page id → its state, read at least in the cell ranges `wanted` (None: everywhere).

        A page that keeps its exact text is not decoded. What is damaged comes back as the error.
        """
        states: dict[int, PageState | TokensDamaged] = {}
        requests: list[tuple[PageState, int, int, int, VisionTokens]] = []
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
                missing = self._missing(state, PageLayout.from_dict(page.layout), page.tier, ranges)
                if missing:
                    tokens = VisionTokens.from_bytes(tokens_blob)
                    requests += [(state, *part) for part in self._crops(tokens, page, missing)]
            except CodecError as error:
                states[page.id] = TokensDamaged(f"page {page.key} cannot be read: {error}")
            except TokensDamaged as error:
                states[page.id] = TokensDamaged(f"page {page.key}: {error}")
        if requests:
            self._fill(requests, states)
        return states

    def read_tokens(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """Decodes whole pages past the cache."""
        return self.queue.decode(tokens)

    def _state(self, page: PageRow, text_blob: bytes | None) -> PageState:
        key = (page.id, page.version)
        with self._lock:
            state = self._cache.get(key)
            if state is not None:
                self._cache.move_to_end(key)
                return state
        layout = PageLayout.from_dict(page.layout)
        if text_blob is not None:
            cells = unpack_cells(text_blob, layout.columns)
            sure = np.ones(cells.shape, dtype=np.float32)
            state = PageState(page.tier, "text", 0.0, cells, sure, np.ones(1, dtype=bool))
        else:
            if page.tier not in self.codec.tiers:
                raise CodecError(f"the {self.codec.name} codec has no tier '{page.tier}'")
            rows = layout.cropped_rows(page.rows_used, page.tier)
            state = PageState(
                page.tier,
                "decoded",
                self.codec.tiers[page.tier].flag_below,
                np.full((rows, layout.columns), BLANK, dtype=np.uint32),
                np.zeros((rows, layout.columns), dtype=np.float32),
                np.zeros(rows // layout.rows_per_token(page.tier), dtype=bool),
            )
        with self._lock:
            state = self._cache.setdefault(key, state)
            while len(self._cache) > CACHED_PAGES:
                self._cache.popitem(last=False)
        return state

    @staticmethod
    def _missing(
        state: PageState, layout: PageLayout, tier: str, ranges: list[tuple[int, int]] | None
    ) -> list[tuple[int, int]]:
        """Runs of token rows that are needed and not known yet."""
        needed = np.ones(len(state.known), dtype=bool)
        if ranges is not None:
            needed[:] = False
            per_token = layout.rows_per_token(tier) * layout.columns
            for start, stop in ranges:
                needed[start // per_token : max(start, stop - 1) // per_token + 1] = True
        edges = np.flatnonzero(np.diff(np.concatenate([[False], needed & ~state.known, [False]]).astype(np.int8)))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    def _crops(
        self, tokens: VisionTokens, page: PageRow, missing: list[tuple[int, int]]
    ) -> list[tuple[int, int, int, VisionTokens]]:
        """(first needed token row, one past the last, rows of context above, tokens to decode)."""
        context = self.codec.context_rows
        total = tokens.shape[0]
        if context is None:
            return [(0, total, 0, tokens)]
        margin = -(-context // PageLayout.from_dict(page.layout).rows_per_token(page.tier))
        crops = []
        for first, stop in missing:
            above = min(margin, first)
            crops.append((first, stop, above, tokens.crop(first - above, min(total, stop + margin))))
        return crops

    def _fill(
        self,
        requests: list[tuple[PageState, int, int, int, VisionTokens]],
        states: dict[int, PageState | TokensDamaged],
    ) -> None:
        try:
            readings: list[Reading | CodecError] = list(self.queue.decode([request[4] for request in requests]))
        except CodecError:
            readings = []
            for request in requests:
                try:
                    readings += self.queue.decode([request[4]])
                except CodecError as error:
                    readings.append(error)
        for (state, first, stop, above, tokens), reading in zip(requests, readings, strict=True):
            if isinstance(reading, CodecError):
                for page_id, known in states.items():
                    if known is state:
                        states[page_id] = TokensDamaged(f"a page cannot be read: {reading}")
                continue
            per_token = reading.cells.shape[0] // tokens.shape[0]
            source = slice(above * per_token, (above + stop - first) * per_token)
            target = slice(first * per_token, stop * per_token)
            state.cells[target] = reading.cells[source]
            state.confidence[target] = reading.confidence[source]
            state.known[first:stop] = True
