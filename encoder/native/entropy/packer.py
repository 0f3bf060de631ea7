"""Packs pages of symbols into vision tokens of any size, and unpacks them.

The vision tokens of a token row share their bytes. These hold one stream of events per few rows of cells: for each cell
its symbol and the encoder's confidence in it. Where the events do not fit, all streams of a token row end early, at the
same cell; the prior fills in the rest, and those cells are marked as guessed.

    words of 16 bits:  cells kept │ lengths of all streams but the last │ streams

Shapes: B pages, S streams of T cells, N cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foxing.encoder.errors import CodecError, TokensError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.parallel import map_parallel

from . import rans
from .alphabet import COLUMNS, LEFT, N_SYMBOLS, Alphabet, Symbols, right_halves
from .confidence import LEVEL_CONFIDENCE, ConfidenceCoder, quantize
from .halves import MAX_RARE, N_RIGHT
from .prior import LAGS, START, Prior, context_ids, context_rows, context_windows
from .rans import Events, Ints

MAX_STREAM_ROWS = 5
ROOMY_BITS = 6  # per cell; from here on, each row of cells is a stream
CHUNK_CELLS = 400  # cells whose symbol weights are in memory at once; few enough for the cache
BLOCK = 16  # symbols summed together
N_BLOCKS = N_SYMBOLS // BLOCK
SCALED_SLOTS = rans.SLOTS - N_SYMBOLS  # slots shared out by probability, after one for each symbol
RARE_SLOTS = rans.SLOTS // MAX_RARE  # for each rare narrow character
EVENTS_PER_CELL = 3  # symbol, rare character, confidence
SPARE_CELLS = 8

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UnpackedPages:
    """The contents of packed tokens, [B, rows, 160] each."""

    #: int64: the symbol of each cell.
    symbols: Symbols
    #: int64: index into the rare narrow characters; 0 elsewhere.
    rare: Symbols
    #: float32 in [0, 1]: confidence of the encoder; 0 for guessed cells.
    confidence: npt.NDArray[np.float32]
    #: bool: cells that the prior filled in.
    guessed: npt.NDArray[np.bool_]


class _Intervals(NamedTuple):
    """Where N symbols lie in the cumulated weights of all symbols, float64 [N] each, integers below 2^24."""

    low: Doubles
    high: Doubles
    total: Doubles


class _DecodedStreams(NamedTuple):
    """Symbols, rare characters and confidence levels, int64 [S, T] each, and the words read of each stream, [S]."""

    symbols: Symbols
    rare: Symbols
    levels: Ints
    words_read: Ints


class Packer:
    """Packs and unpacks pages with one prior. Safe to share between threads."""

    def __init__(self, prior: Prior, confidence: ConfidenceCoder, charset: Charset, alphabet: Alphabet) -> None:
        self.prior = prior
        self._confidence = confidence
        self._rare_class = charset.rare_class
        self._n_rare = len(charset.rare)
        #: Symbols that are never guessed.
        self.never_guessed = [
            charset.rare_class,
            charset.wide_class,
            charset.hangul_class,
            charset.unreadable_class,
        ]
        self.valid_rights = alphabet.valid_rights

    def pack(
        self, symbols: Symbols, rare: Symbols, confidence: npt.NDArray[np.float32], token_rows: int, row_bytes: int
    ) -> npt.NDArray[np.uint8]:
        """uint8 [B, rows / token_rows, row_bytes]: the bytes of each token row, from [B, rows, 160] each of symbols,
        rare characters and confidence. `token_rows`: rows of cells in a token row. Raises `CodecError` if `row_bytes`
        cannot hold even empty streams."""
        events = self.events(symbols, rare, confidence, token_rows, row_bytes)
        return self.write([events], len(symbols), token_rows, row_bytes)

    def events(
        self, symbols: Symbols, rare: Symbols, confidence: npt.NDArray[np.float32], token_rows: int, row_bytes: int
    ) -> Events:
        """The events of S streams, [S, 3·T]: for each cell its symbol, its rare character and its confidence.
        Arguments as for `pack`."""
        shape = (-1, stream_rows(token_rows, row_bytes) * COLUMNS)
        symbols, rare, confidence = symbols.reshape(shape), rare.reshape(shape), confidence.reshape(shape)
        by_symbol = self._symbol_events(symbols)
        right = right_halves(symbols)
        named = (symbols == self._rare_class) & ~right
        levels = quantize(confidence)
        levels[:, 1:] = np.where(right[:, 1:], levels[:, :-1], levels[:, 1:])
        by_level = self._confidence.events(levels, right)
        starts = np.stack([by_symbol.starts, np.where(named, rare * RARE_SLOTS, 0), by_level.starts], axis=-1)
        sizes = np.stack([by_symbol.sizes, np.where(named, RARE_SLOTS, 0), by_level.sizes], axis=-1)
        return Events(starts.reshape(len(symbols), -1), sizes.reshape(len(symbols), -1))

    def _symbol_events(self, symbols: Symbols) -> Events:
        """The events of the symbols alone, [S, T]."""
        rows = context_rows(*context_windows(context_ids(symbols)))
        chosen = symbols.ravel()
        intervals = _Intervals(*(np.empty(len(chosen)) for _ in range(3)))
        for first in range(0, len(chosen), CHUNK_CELLS):
            part = slice(first, first + CHUNK_CELLS)
            found = _symbol_intervals(self.prior.weights(rows[:, part]), chosen[part])
            intervals.low[part], intervals.high[part], intervals.total[part] = found
        starts, sizes = _slot_ranges(intervals, chosen)
        return Events(starts.reshape(symbols.shape), sizes.reshape(symbols.shape))

    def write(self, events: Sequence[Events], n_pages: int, token_rows: int, row_bytes: int) -> npt.NDArray[np.uint8]:
        """The bytes of the pages whose `events` these are, as from `pack`. Encoding all streams in lockstep is what
        makes it fast."""
        starts, sizes = (np.concatenate(parts) for parts in zip(*events, strict=True))
        each = token_rows // stream_rows(token_rows, row_bytes)  # streams per token row
        header, capacity = each, row_bytes // 2
        if capacity < header + each * rans.STATE_WORDS:
            raise CodecError(f"{row_bytes} bytes are too few for a row of vision tokens")
        kept = _cells_that_fit(sizes, each, capacity - header)
        streams = _encode_kept(starts, sizes, kept, each)
        while len(over := _overfull_rows(streams, each, capacity - header)):  # rounding took more than estimated
            kept[over] = np.maximum(kept[over] - SPARE_CELLS, 0)
            part = (over[:, None] * each + np.arange(each)).ravel()
            for number, words in zip(part, _encode_kept(starts[part], sizes[part], kept[over], each), strict=True):
                streams[number] = words
        result = np.zeros((len(kept), capacity), dtype="<u2")
        for band, words in enumerate(result):
            parts = streams[band * each : (band + 1) * each]
            filled = np.concatenate([kept[band : band + 1], [len(part) for part in parts[:-1]], *parts])
            words[: len(filled)] = filled
        padded = np.pad(result.view(np.uint8), ((0, 0), (0, row_bytes % 2)))
        return padded.reshape(n_pages, -1, row_bytes)

    def unpack(self, data: npt.NDArray[np.uint8], token_rows: int) -> UnpackedPages:
        """The inverse of `pack`. Raises `TokensError` for bytes that `pack` does not write."""
        n_pages, n_bands, row_bytes = data.shape
        rows = stream_rows(token_rows, row_bytes)
        each, length = token_rows // rows, rows * COLUMNS
        words = np.ascontiguousarray(data[..., : row_bytes // 2 * 2]).view("<u2").reshape(n_pages * n_bands, -1)
        words = words.astype(np.int64)
        kept, lengths = words[:, 0], words[:, 1:each]
        begins = each + np.cumsum(np.pad(lengths, ((0, 0), (1, 0))), axis=1)
        if (kept > length).any() or (kept % 2).any() or (begins[:, -1] > words.shape[1] - rans.STATE_WORDS).any():
            raise TokensError("these vision tokens are invalid: their header states an impossible size")
        streams = [row[begin:] for row, row_begins in zip(words, begins, strict=True) for begin in row_begins]
        kept_of_stream = np.repeat(kept, each)
        # one thread decodes all streams in lockstep; several would wait for the interpreter lock
        [decoded] = map_parallel(lambda part: self._decode(part, kept_of_stream, length), [streams])
        if (decoded.words_read.reshape(-1, each)[:, :-1] != lengths).any():
            raise TokensError("these vision tokens are invalid: the lengths of their streams do not match the header")
        guessed = (np.arange(length) >= kept_of_stream[:, None]).reshape(n_pages, -1, COLUMNS)
        confidence = np.where(guessed, np.float32(0), LEVEL_CONFIDENCE[decoded.levels].reshape(guessed.shape))
        return UnpackedPages(
            decoded.symbols.reshape(guessed.shape), decoded.rare.reshape(guessed.shape), confidence, guessed
        )

    def _decode(self, streams: Sequence[Ints], kept: Ints, length: int) -> _DecodedStreams:
        """Decodes S streams of `length` cells, of which `kept`, [S], were written. Raises `TokensError`."""
        decoder = rans.Decoder(streams)
        text = _DecodedText(self, len(streams), length)
        rare, levels = (np.zeros((len(streams), length), dtype=np.int64) for _ in range(2))
        level = np.zeros(len(streams), dtype=np.int64)
        possible = np.ones(len(streams), dtype=bool)
        for t in range(length):
            weights = text.next_weights(t)
            written = kept > t
            chosen, interval = _symbols_at(weights, decoder.slots)
            start, size = _slot_ranges(interval, chosen)
            decoder.advance(start, np.where(written, size, 0))
            named = (chosen == self._rare_class) & ~text.right & written
            if named.any():
                index = np.where(named, decoder.slots // RARE_SLOTS, 0)
                decoder.advance(index * RARE_SLOTS, np.where(named, RARE_SLOTS, 0))
                possible &= index < self._n_rare
                rare[:, t] = np.minimum(index, self._n_rare - 1)
            level = self._confidence.decode(decoder, level, written & ~text.right)
            levels[:, t] = level
            # a left half must be in an even column, and a right half must follow it
            wrong = (chosen >= N_RIGHT) & (text.right | bool(t % 2))
            possible &= ~(wrong & written)
            chosen = np.where(wrong, 0, chosen)
            if not written.all():
                chosen = np.where(written, chosen, text.guess(t, weights))
            text.append(t, chosen)
        if not (possible & decoder.finished).all():
            raise TokensError("these vision tokens are invalid: no encoder writes such streams")
        return _DecodedStreams(text.symbols, rare, levels, decoder.words_read)


class _DecodedText:
    """The symbols decoded so far from S streams in lockstep, and what the prior expects next."""

    def __init__(self, packer: Packer, n_streams: int, length: int) -> None:
        self._prior = packer.prior
        self._never_guessed, self._valid_rights = packer.never_guessed, packer.valid_rights
        self._ids = np.full((COLUMNS + length + 1, n_streams), START, dtype=np.int64)
        self.symbols = np.zeros((n_streams, length), dtype=np.int64)
        #: bool [S]: whether the next cell is the right half of a character.
        self.right = np.zeros(n_streams, dtype=bool)

    def next_weights(self, t: int) -> Tensor:
        """float32 [S, 416]: weights of the symbols at cell `t`."""
        here = COLUMNS + t
        return self._prior.weights(context_rows(self._ids[here - LAGS : here][::-1], self._ids[t : t + 2]))

    def guess(self, t: int, weights: Tensor) -> Ints:
        """int64 [S]: the likeliest symbol at cell `t` that may be guessed."""
        narrow = weights.numpy().copy()
        narrow[:, self._never_guessed] = 0
        if t % 2:
            narrow[:, LEFT:] = 0
        best: Ints = narrow.argmax(-1)
        if self.right.any():
            lefts = np.maximum(self.symbols[:, t - 1] - LEFT, 0)
            halves = weights[:, :N_RIGHT].numpy() * self._valid_rights[lefts]
            best = np.where(self.right, halves.argmax(-1), best)
        return best

    def append(self, t: int, symbols: Ints) -> None:
        """Sets the symbols of cell `t`, [S]."""
        self.symbols[:, t] = symbols
        self._ids[COLUMNS + t] = np.where(self.right, symbols + N_SYMBOLS, symbols)
        self.right = ~self.right & (symbols >= LEFT)


def _symbol_intervals(weights: Tensor, symbols: Ints) -> _Intervals:
    """Intervals of the given `symbols`, [N], in `weights`, float32 [N, 416]."""
    at, block, place = np.arange(len(weights)), symbols // BLOCK, symbols % BLOCK
    blocks = weights.view(-1, N_BLOCKS, BLOCK)
    by_block = blocks.sum(-1).cumsum(1).numpy()
    own = _cumulative(blocks.numpy()[at, block])
    high = by_block[at, block] - own[:, -1] + own[at, place]
    return _Intervals(high - weights.numpy()[at, symbols], high, by_block[:, -1].astype(np.float64))


def _symbols_at(weights: Tensor, slots: Ints) -> tuple[Ints, _Intervals]:
    """The symbols, [N], whose intervals in `weights`, float32 [N, 416], contain `slots`, [N]; and the intervals. Finds
    the block of a symbol first."""
    at = np.arange(len(weights))
    blocks = weights.view(-1, N_BLOCKS, BLOCK)
    by_block = blocks.sum(-1).cumsum(1, dtype=torch.float64).numpy()
    total, target = by_block[:, -1], slots[:, None]
    stops = np.floor(by_block * SCALED_SLOTS / total[:, None]) + BLOCK * np.arange(1, N_BLOCKS + 1)
    block = np.minimum((stops <= target).sum(-1), N_BLOCKS - 1)
    own = blocks.numpy()[at, block]
    sums = _cumulative(own)
    sums += (by_block[at, block] - sums[:, -1])[:, None]
    stops = np.floor(sums * SCALED_SLOTS / total[:, None]) + (block * BLOCK)[:, None] + np.arange(1, BLOCK + 1)
    place = np.minimum((stops <= target).sum(-1), BLOCK - 1)
    high = sums[at, place]
    return block * BLOCK + place, _Intervals(high - own[at, place], high, total)


def _cumulative(numbers: npt.NDArray[np.float32]) -> Doubles:
    """Cumulative sums along the last axis; torch is several times as fast as numpy on short rows."""
    sums: Doubles = torch.from_numpy(numbers).cumsum(1, dtype=torch.float64).numpy()
    return sums


def _slot_ranges(intervals: _Intervals, symbols: Ints) -> tuple[Ints, Ints]:
    """Start and size in slots of the intervals of `symbols`, int64 [N] each; every size is at least 1."""
    low, high, total = intervals
    start = np.floor(low * SCALED_SLOTS / total).astype(np.int64) + symbols
    stop = np.floor(high * SCALED_SLOTS / total).astype(np.int64) + symbols + 1
    return start, stop - start


def _cells_that_fit(sizes: Ints, each: int, capacity: int) -> Ints:
    """Cells of each stream that fit, by token row, int64 [bands]; even, so that no character is cut in half.
    `sizes`, [S, 3·T]: of events; `each`: streams per token row; `capacity`: words for them."""
    bits = np.where(sizes > 0, rans.SLOT_BITS - np.log2(np.maximum(sizes, 1)), 0.0)
    spent = np.cumsum(bits.reshape(len(sizes), -1, 2 * EVENTS_PER_CELL).sum(-1), axis=1)  # after each pair of cells
    # the final state of a stream, and a margin for rounding
    words = np.ceil(spent / rans.SLOT_BITS + 0.01) + rans.STATE_WORDS
    fits: Ints = 2 * (words.reshape(-1, each, words.shape[1]).sum(1) <= capacity).sum(-1)
    return fits


def _encode_kept(starts: Ints, sizes: Ints, kept: Ints, each: int) -> list[rans.Words]:
    """The words of all streams, with only the first `kept` cells, [bands], of each stream of a token row."""
    written = np.arange(sizes.shape[1]) < EVENTS_PER_CELL * np.repeat(kept, each)[:, None]
    return rans.encode(starts, np.where(written, sizes, 0))


def _overfull_rows(streams: Sequence[rans.Words], each: int, capacity: int) -> Ints:
    """Token rows whose streams take more than `capacity` words."""
    lengths = np.array([len(words) for words in streams]).reshape(-1, each)
    return np.flatnonzero(lengths.sum(1) > capacity)


def stream_rows(token_rows: int, row_bytes: int) -> int:
    """Rows of cells in a stream, a divisor of `token_rows`. Short streams decode faster but cost more bytes: one row
    where there are 6 bits for each cell, otherwise as many as possible up to `MAX_STREAM_ROWS`."""
    if row_bytes * 8 >= ROOMY_BITS * token_rows * COLUMNS:
        return 1
    return next(rows for rows in range(MAX_STREAM_ROWS, 0, -1) if token_rows % rows == 0)
