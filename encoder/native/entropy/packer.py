"""Pages of symbols ↔ vision tokens of any size, by what the prior expects.

A token row's vision tokens share their bytes. In them lies one stream of events for every few rows of cells, the
smallest that divide the token row: of each cell its symbol and how sure the encoder was of it. Where the events do not
fit, each stream ends early, all of a token row at the same cell; the prior fills the rest, and the reader is told that
it is guessed.

    words of 16 bits:  cells kept │ lengths of all streams but the last │ streams
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foxing.encoder.errors import CodecError, TokensError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.parallel import shared_out

from . import rans
from .alphabet import LEFT, N_SYMBOLS, Alphabet, Symbols
from .confidence import SHOWN, Doubts, levels
from .halves import MOST_RARE, N_RIGHT
from .prior import COLUMNS, LAGS, START, Ints, Prior, context_ids, hashed, windows

STREAM_ROWS = 5  # at most
ROOMY_BITS = 6  # a cell
CHUNK = 400  # cells whose probabilities are in memory at once: what they take stays in the cache
BLOCK = 16  # symbols that are added up together
N_BLOCKS = N_SYMBOLS // BLOCK
RARE_SLOTS = rans.SLOTS // MOST_RARE  # of each position in the list of rare characters
EVENTS = 3  # of a cell: its symbol, its rare character, how sure it is
SPARE_CELLS = 8

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Packed:
    """What stands in packed tokens: symbols, positions of rare characters, confidence (0 where the prior filled a cell
    in) and whether it did, [B, rows, 160] each."""

    symbols: Symbols
    rare: Symbols
    sure: npt.NDArray[np.float32]
    guessed: npt.NDArray[np.bool_]


class Packer:
    """Packs and unpacks with one prior; `doubts`: how likely each level of doubt is."""

    def __init__(self, prior: Prior, doubts: Doubts, charset: Charset, alphabet: Alphabet) -> None:
        self._prior = prior
        self._doubts = doubts
        self._rare_class = charset.rare_class
        self._n_rare = len(charset.rare)
        #: symbols that no guess is made of; by right half, those that make a character with a left half
        self._never = [charset.rare_class, charset.wide_class, charset.hangul_class, charset.unreadable_class]
        self._rights = alphabet.rights

    def pack(
        self, symbols: Symbols, rare: Symbols, sure: npt.NDArray[np.float32], token_rows: int, room: int
    ) -> npt.NDArray[np.uint8]:
        """[B, rows, 160] each → uint8 [B, rows / token_rows, room]: the bytes of each token row. `token_rows`: rows of
        cells in a token row. Raises `CodecError` where there is no room for as much as empty streams."""
        return self.write([self.events(symbols, rare, sure, token_rows, room)], len(symbols), token_rows, room)

    def events(
        self, symbols: Symbols, rare: Symbols, sure: npt.NDArray[np.float32], token_rows: int, room: int
    ) -> tuple[Ints, Ints]:
        """[B, rows, 160] each → starts and sizes, in slots, of S streams of T cells: of each cell's symbol, its rare
        character and how sure it is, [S, 3·T]. `token_rows` and `room` as in `pack`."""
        shape = (-1, stream_rows(token_rows, room) * COLUMNS)
        symbols, rare, sure = symbols.reshape(shape), rare.reshape(shape), sure.reshape(shape)
        rows = hashed(*windows(context_ids(symbols)))
        chosen = symbols.ravel()
        low, high, total = (np.empty(len(chosen)) for _ in range(3))
        for first in range(0, len(chosen), CHUNK):
            part = slice(first, first + CHUNK)
            weights = self._prior.weights(rows[:, part])
            low[part], high[part], total[part] = _shares(weights, chosen[part])
        starts, sizes = (part.reshape(symbols.shape) for part in _slots(low, high, total, chosen))
        right = np.zeros(symbols.shape, dtype=bool)
        right[:, 1:] = symbols[:, :-1] >= LEFT
        named = (symbols == self._rare_class) & ~right
        found = levels(sure)
        found[:, 1:] = np.where(right[:, 1:], found[:, :-1], found[:, 1:])
        doubt_starts, doubt_sizes = self._doubts.events(found, right)
        all_starts = np.stack([starts, np.where(named, rare * RARE_SLOTS, 0), doubt_starts], axis=-1)
        all_sizes = np.stack([sizes, np.where(named, RARE_SLOTS, 0), doubt_sizes], axis=-1)
        return all_starts.reshape(len(symbols), -1), all_sizes.reshape(len(symbols), -1)

    def write(
        self, events: Sequence[tuple[Ints, Ints]], n_pages: int, token_rows: int, room: int
    ) -> npt.NDArray[np.uint8]:
        """As `pack`, of what `events` said of these pages: all of them in step, which is what makes it fast."""
        starts, sizes = (np.concatenate(parts) for parts in zip(*events, strict=True))
        each = token_rows // stream_rows(token_rows, room)
        first, capacity = each, room // 2
        if capacity < first + each * rans.STATE_WORDS:
            raise CodecError(f"{room} bytes are too few for a row of vision tokens")
        kept = _kept(sizes, each, capacity - first)
        streams = _encoded(starts, sizes, kept, each)
        while len(over := _over(streams, each, capacity - first)):  # rounding took more than was reckoned with
            kept[over] = np.maximum(kept[over] - SPARE_CELLS, 0)
            part = (over[:, None] * each + np.arange(each)).ravel()
            for number, words in zip(part, _encoded(starts[part], sizes[part], kept[over], each), strict=True):
                streams[number] = words
        result = np.zeros((len(kept), capacity), dtype="<u2")
        for band, words in enumerate(result):
            parts = streams[band * each : (band + 1) * each]
            filled = np.concatenate([kept[band : band + 1], [len(part) for part in parts[:-1]], *parts])
            words[: len(filled)] = filled
        shaped = np.pad(result.view(np.uint8), ((0, 0), (0, room % 2)))
        return shaped.reshape(n_pages, -1, room)

    def unpack(self, data: npt.NDArray[np.uint8], token_rows: int) -> Packed:
        """The inverse of `pack`. Raises `TokensError` for bytes that `pack` does not write."""
        n_pages, n_bands, room = data.shape
        rows = stream_rows(token_rows, room)
        each, cells = token_rows // rows, rows * COLUMNS
        words = np.ascontiguousarray(data[..., : room // 2 * 2]).view("<u2").reshape(n_pages * n_bands, -1)
        words = words.astype(np.int64)
        kept, lengths = words[:, 0], words[:, 1:each]
        begins = each + np.cumsum(np.pad(lengths, ((0, 0), (1, 0))), axis=1)
        if (kept > cells).any() or (kept % 2).any() or (begins[:, -1] > words.shape[1] - rans.STATE_WORDS).any():
            raise TokensError("these vision tokens make no sense: what they say of their own size is impossible")
        streams = [row[begin:] for row, row_begins in zip(words, begins, strict=True) for begin in row_begins]
        kept_of = np.repeat(kept, each)
        # all in step on one thread: threads that took a part each would wait for the interpreter's lock
        read = shared_out(lambda part: self._read(part, kept_of, cells), [streams])
        symbols, rare, doubted, taken = read[0]
        if (taken.reshape(-1, each)[:, :-1] != lengths).any():
            raise TokensError("these vision tokens make no sense: their parts have other lengths than they say")
        guessed = (np.arange(cells) >= kept_of[:, None]).reshape(n_pages, -1, COLUMNS)
        sure = np.where(guessed, np.float32(0), SHOWN[doubted].reshape(guessed.shape))
        return Packed(symbols.reshape(guessed.shape), rare.reshape(guessed.shape), sure, guessed)

    def _read(self, streams: Sequence[Ints], kept: Ints, length: int) -> tuple[Symbols, Symbols, Ints, Ints]:
        """Symbols, rare characters and levels of doubt, [S, T] each, and the words that each stream took, [S]. `kept`:
        cells of each stream that are written in it, [S]."""
        decoder = rans.Decoder(streams)
        walk = _Walk(self, len(streams), length)
        rare, doubted = (np.zeros((len(streams), length), dtype=np.int64) for _ in range(2))
        level = np.zeros(len(streams), dtype=np.int64)
        possible = np.ones(len(streams), dtype=bool)
        for t in range(length):
            weights = walk.expect(t)
            written = kept > t
            chosen, low, high, total = _found(weights, decoder.slots)
            start, size = _slots(low, high, total, chosen)
            decoder.take(start, np.where(written, size, 0))
            named = (chosen == self._rare_class) & ~walk.right & written
            if named.any():
                index = np.where(named, decoder.slots // RARE_SLOTS, 0)
                decoder.take(index * RARE_SLOTS, np.where(named, RARE_SLOTS, 0))
                possible &= index < self._n_rare
                rare[:, t] = np.minimum(index, self._n_rare - 1)
            level = self._doubts.take(decoder, level, written & ~walk.right)
            doubted[:, t] = level
            # a left half stands in an even column, and after it a right half
            wrong = (chosen >= N_RIGHT) & (walk.right | bool(t % 2))
            possible &= ~(wrong & written)
            chosen = np.where(wrong, 0, chosen)
            if not written.all():
                chosen = np.where(written, chosen, walk.guess(t, weights))
            walk.put(t, chosen)
        if not (possible & decoder.finished).all():
            raise TokensError("these vision tokens make no sense: no encoder writes what stands in them")
        return walk.symbols, rare, doubted, decoder.taken


class _Walk:
    """Streams on their way from cell to cell, as the reader knows them."""

    def __init__(self, packer: Packer, n_streams: int, length: int) -> None:
        self._prior = packer._prior
        self._never, self._rights = packer._never, packer._rights
        self._ids = np.full((COLUMNS + length + 1, n_streams), START, dtype=np.int64)
        self.symbols = np.zeros((n_streams, length), dtype=np.int64)
        #: whether the next cell is the right half of a character
        self.right = np.zeros(n_streams, dtype=bool)

    def expect(self, t: int) -> Tensor:
        """Weights of the symbols at cell `t`, float32 [S, 416]."""
        here = COLUMNS + t
        return self._prior.weights(hashed(self._ids[here - LAGS : here][::-1], self._ids[t : t + 2]))

    def guess(self, t: int, weights: Tensor) -> Ints:
        """The likeliest symbol that a reader can be shown, [S]."""
        narrow = weights.numpy().copy()
        narrow[:, self._never] = 0
        if t % 2:
            narrow[:, LEFT:] = 0
        best: Ints = narrow.argmax(-1)
        if self.right.any():
            lefts = np.maximum(self.symbols[:, t - 1] - LEFT, 0)
            halves = weights[:, :N_RIGHT].numpy() * self._rights[lefts]
            best = np.where(self.right, halves.argmax(-1), best)
        return best

    def put(self, t: int, symbols: Ints) -> None:
        self.symbols[:, t] = symbols
        self._ids[COLUMNS + t] = np.where(self.right, symbols + N_SYMBOLS, symbols)
        self.right = ~self.right & (symbols >= LEFT)


SCALED = rans.SLOTS - N_SYMBOLS


def _shares(weights: Tensor, symbols: Ints) -> tuple[Doubles, Doubles, Doubles]:
    """Weights float32 [N, 416] and a symbol for each, [N] → the weights of all symbols before it, the same with its
    own, and of all, [N] each. All are whole numbers below 2^24."""
    at, block, place = np.arange(len(weights)), symbols // BLOCK, symbols % BLOCK
    blocks = weights.view(-1, N_BLOCKS, BLOCK)
    by_block = blocks.sum(-1).cumsum(1).numpy()
    own = _cumulated(blocks.numpy()[at, block])
    high = by_block[at, block] - own[:, -1] + own[at, place]
    return high - weights.numpy()[at, symbols], high, by_block[:, -1].astype(np.float64)


def _found(weights: Tensor, slots: Ints) -> tuple[Ints, Doubles, Doubles, Doubles]:
    """Weights float32 [N, 416] and a slot for each, [N] → the symbol that it lies in, and of that what `_shares` says.
    The block of the symbol is looked for first."""
    at = np.arange(len(weights))
    blocks = weights.view(-1, N_BLOCKS, BLOCK)
    by_block = blocks.sum(-1).cumsum(1, dtype=torch.float64).numpy()
    total, target = by_block[:, -1], slots[:, None]
    stops = np.floor(by_block * SCALED / total[:, None]) + BLOCK * np.arange(1, N_BLOCKS + 1)
    block = np.minimum((stops <= target).sum(-1), N_BLOCKS - 1)
    own = blocks.numpy()[at, block]
    sums = _cumulated(own)
    sums += (by_block[at, block] - sums[:, -1])[:, None]
    stops = np.floor(sums * SCALED / total[:, None]) + (block * BLOCK)[:, None] + np.arange(1, BLOCK + 1)
    place = np.minimum((stops <= target).sum(-1), BLOCK - 1)
    high = sums[at, place]
    return block * BLOCK + place, high - own[at, place], high, total


def _cumulated(numbers: npt.NDArray[np.float32]) -> Doubles:
    """Sums along the rows, by torch, which is several times as fast where rows are short."""
    sums: Doubles = torch.from_numpy(numbers).cumsum(1, dtype=torch.float64).numpy()
    return sums


def _slots(low: Doubles, high: Doubles, total: Doubles, symbols: Ints) -> tuple[Ints, Ints]:
    """Shares [low, high) of `total`, of these symbols → start and size in slots, each at least one."""
    start = np.floor(low * SCALED / total).astype(np.int64) + symbols
    stop = np.floor(high * SCALED / total).astype(np.int64) + symbols + 1
    return start, stop - start


def _kept(sizes: Ints, each: int, capacity: int) -> Ints:
    """Cells of each stream that fit, by token row, [bands]: an even number, so that no character is cut in half.
    `sizes`: [S, 3·T]; `each`: streams in a token row; `capacity`: words that they may take."""
    bits = np.where(sizes > 0, rans.SLOT_BITS - np.log2(np.maximum(sizes, 1)), 0.0)
    spent = np.cumsum(bits.reshape(len(sizes), -1, 2 * EVENTS).sum(-1), axis=1)  # after each pair of cells
    # the state of a stream and what rounding may add
    words = np.ceil(spent / rans.SLOT_BITS + 0.01) + rans.STATE_WORDS
    fits: Ints = 2 * (words.reshape(-1, each, words.shape[1]).sum(1) <= capacity).sum(-1)
    return fits


def _encoded(starts: Ints, sizes: Ints, kept: Ints, each: int) -> list[rans.Words]:
    """The words of all streams, of `kept` cells in each of a token row's."""
    written = np.arange(sizes.shape[1]) < EVENTS * np.repeat(kept, each)[:, None]
    return rans.encode(starts, np.where(written, sizes, 0))


def _over(streams: Sequence[rans.Words], each: int, room: int) -> Ints:
    """Token rows whose streams take more than `room` words."""
    lengths = np.array([len(words) for words in streams]).reshape(-1, each)
    return np.flatnonzero(lengths.sum(1) > room)


def stream_rows(token_rows: int, room: int) -> int:
    """Rows of cells in a stream, which divide the token row. Short streams are read faster, and cost more: where there
    is room for 6 bits a cell it is one row, else the most up to `STREAM_ROWS`."""
    if room * 8 >= ROOMY_BITS * token_rows * COLUMNS:
        return 1
    return next(rows for rows in range(STREAM_ROWS, 0, -1) if token_rows % rows == 0)
