"""Fading: choosing the words to keep, so that the page fits its capacity when it is typeset again."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foxing.renderer.breaks import Edge, whole_word_range
from foxing.renderer.typeset import Entry

from .faded_text import FadedText, faded
from .units import units_of
from .words import Word, is_punctuation

#: Entries → their bytes when typeset on one page and encoded; more than any capacity if they do not fit on one page.
Size = Callable[[Sequence[Entry]], int]
#: Rank of facts: words of this rank and above fade only where they alone exceed the capacity for facts.
FACT = 3
#: Rank of the words that determine what a clause is worth.
CLAUSE = 2
#: Cost in bits above which words of a clause are kept one by one where the clause does not fit.
LARGE_CLAUSE_BITS = 300.0
#: Cost in bits of a gap: its mark and a blank.
GAP_BITS = 4.0
#: Cost in bits of a gap mark on a page with many gaps. A run of words that costs no more is kept.
MARK_BITS = 2.5
#: Levels grow by this factor in bits, from `_FIRST_BITS` on. Steps that do not depend on the page make fading
#: idempotent.
_STEP = 1.02
_FIRST_BITS = 8.0
#: Bytes per estimated bit on most pages. Words cost more without their former neighbours as context.
BYTES_PER_BIT = 1.04 / 8
#: Shares of the capacity: where the search stops, and what it aims at.
_ENOUGH = 0.98
_AIM = 0.99
#: Number of interpolation steps; after these, a step that does not halve the interval is followed by a bisection.
_GUESSES = 4

_Kept = list[npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class MessageWords:
    """Message on a page, split into words."""

    #: Its content is the part of the message on this page.
    entry: Entry
    #: Result of `words_of` for the content.
    words: Sequence[Word]
    #: float64[words]: estimated cost of each word on the page in bits.
    bits: npt.NDArray[np.float64]
    #: int64[words]: number of the clause of each word, which fades as a whole; -1 for a word that fades by itself.
    #: None: all words do.
    clauses: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class FadedPage:
    """Result of `fade`."""

    #: Entries to typeset, without headers if anything has faded. Messages without a remaining word are left out, except
    #: the first if no message has one.
    entries: tuple[Entry, ...]
    #: Remaining text of each message.
    texts: tuple[FadedText, ...]
    #: bool[words] for each message: the kept words.
    kept: tuple[npt.NDArray[np.bool_], ...]
    #: Size in bytes as measured by `Size`.
    size: int
    #: Bytes per estimated bit on this page: a good initial value for fading the page again.
    bytes_per_bit: float
    #: Whether facts have faded for lack of capacity.
    facts_faded: bool = False


def fade(
    messages: Sequence[MessageWords],
    salience: Sequence[npt.NDArray[np.float64]],
    capacity: int,
    size: Size,
    bytes_per_bit: float = BYTES_PER_BIT,
    fact_capacity: int | None = None,
) -> FadedPage:
    """Fades `messages` to `capacity` bytes: keeps everything if it fits, else everything but headers, else the most
    salient words. Where the words of rank `FACT` and above alone take more, these stay, in up to `fact_capacity` bytes
    (by default, `capacity`).

    `salience`: float64[words] for each message, at least 0. The integer part is a rank: words of a lower rank fade
    first. Within a rank, words fade in ascending order of the fractional part per bit. Below `FACT`, the words of a
    clause fade together, in ascending order of the sum of its fractional parts per bit, but one by one where the clause
    is large and does not fit. A unit of notation, see `units_of`, is kept whole with its most salient word. Punctuation
    fades with the first word beside it; a word that a page break may have cut fades before all others. `size`: called
    two or three times,
    once if `bytes_per_bit`, the initial estimate of bytes per bit, is that of the page.

    At least 97 % of the capacity is used where the levels allow it. A kept word is also kept in any capacity that is
    3 % larger, provided that `size` is monotonic in the words. If not even the lowest level fits, it is returned.
    """
    entries = [message.entry for message in messages]
    order = _WordOrder(messages, salience)
    minimum = BYTES_PER_BIT * sum(float(message.bits.sum()) for message in messages) / 2
    headed = any(entry.header for entry in entries) and not order.cut.any()
    if minimum <= capacity and headed and (whole := size(entries)) <= capacity:
        all_words = [np.ones(len(message.words), bool) for message in messages]
        return FadedPage(tuple(entries), tuple(order.texts(all_words)), tuple(all_words), whole, bytes_per_bit)
    level, room = _largest(order, capacity, size, bytes_per_bit)
    if level < order.facts and fact_capacity is not None and fact_capacity > capacity:
        level, room = _facts(order, fact_capacity, size, room / max(order.guess(level), 1.0))
    flags = order.kept(level)
    scale = room / max(order.guess(level), 1.0)
    return FadedPage(
        tuple(order.entries(flags)), tuple(order.texts(flags)), tuple(flags), room, scale, level < order.facts
    )


class _WordOrder:
    """Words of a page in the order in which they are kept, and levels: numbers of kept words."""

    def __init__(self, messages: Sequence[MessageWords], salience: Sequence[npt.NDArray[np.float64]]) -> None:
        self.messages = messages
        #: (number of the message, kept words as bytes) → remaining text.
        self._texts: dict[tuple[int, bytes], FadedText] = {}
        self.ends = np.cumsum([len(message.words) for message in messages])
        #: bool[words]: words that a page break may have cut.
        self.cut = np.concatenate([np.zeros(0, dtype=bool), *map(_cut_words, messages)])
        bits = np.concatenate([np.zeros(0), *(message.bits for message in messages)])
        values = np.concatenate([np.zeros(0), *salience])
        rank = np.floor(values)
        total = len(values)
        order, whole = _order_of_keeping(messages, values, bits)
        #: int64[words]: rank of each word in the order of keeping, from 0.
        self.place = np.empty(total, dtype=np.int64)
        self.place[order] = np.arange(total)
        self._follow_neighbours()
        #: int64[words] for each message: its units of notation.
        self.units = [units_of(m.entry.content, m.words, m.entry.gaps) for m in messages]
        self._keep_units_whole()
        #: float64[words + 1]: cumulative cost in bits of the first n words in that order.
        self.bits = np.concatenate([[0.0], np.cumsum(np.bincount(self.place, bits, total))])
        ends = np.flatnonzero(np.concatenate([whole, [True]]))
        steps = np.log(np.maximum(self.bits[ends], _FIRST_BITS) / _FIRST_BITS) // np.log(_STEP)
        chosen = ends[:-1][np.diff(steps) > 0]
        #: int64[levels], ascending: number of words kept at each level, from none to all.
        self.levels = np.union1d([0, int((rank >= FACT).sum()), total], chosen)
        #: Lowest level that keeps all facts.
        self.facts = int(np.searchsorted(self.levels, (rank >= FACT).sum()))

    def _follow_neighbours(self) -> None:
        """Gives punctuation the place of the first word beside it to fade, and a question mark that of the word before
        it. Punctuation at the end of a message carries no information and fades before all words."""
        start = 0
        last = len(self.place) - 1
        for message, stop in zip(self.messages, self.ends.tolist(), strict=True):
            text = message.entry.content
            units = [text[word.start : word.stop] for word in message.words]
            marks = np.array([is_punctuation(unit) for unit in units], dtype=bool)
            words = np.flatnonzero(~marks)
            place = self.place[start:stop]
            for number in np.flatnonzero(marks).tolist() if len(words) else ():
                after = int(np.searchsorted(words, number))
                asks = "?" in units[number]
                sides = words[max(0, after - 1) : after + (after == 0 or not asks)]
                tells = asks or after < len(words) or message.entry.end != Edge.WHOLE
                place[number] = place[sides].max() if tells else last
            start = stop

    def _keep_units_whole(self) -> None:
        """Gives all words of a unit of notation the place of the first of them to be kept, and has a unit fade first
        that a page break may have cut."""
        for message, units, stop in zip(self.messages, self.units, self.ends.tolist(), strict=True):
            start = stop - len(message.words)
            for unit in range(int(units.max(initial=-1)) + 1):
                words = start + np.flatnonzero(units == unit)
                if len(words):
                    self.place[words] = self.place[words].min()
                    self.cut[words] |= self.cut[words].any()

    def kept(self, level: int) -> _Kept:
        """Returns bool[words] for each message: the words kept at `level`, and those that cost no more than a gap."""
        chosen, cut = (np.split(flags, self.ends[:-1]) for flags in (self.place < self.levels[level], self.cut))
        parts = zip(self.messages, self.units, chosen, strict=True)
        bridged = (_bridged(message, stays) & (stays | (units < 0)) for message, units, stays in parts)
        return [stays & ~gone for stays, gone in zip(bridged, cut, strict=True)]

    def texts(self, flags: _Kept) -> list[FadedText]:
        """Returns the remaining text of each message."""
        return [self._text(number, stays) for number, stays in enumerate(flags)]

    def _text(self, number: int, flags: npt.NDArray[np.bool_]) -> FadedText:
        key = number, flags.tobytes()
        if key not in self._texts:
            message = self.messages[number]
            self._texts[key] = _left_of(message, flags)
        return self._texts[key]

    def entries(self, flags: _Kept) -> list[Entry]:
        """Returns the entries to typeset, without the messages that keep no word."""
        texts = self.texts(flags)
        entries = [text.entry(message.entry) for message, text in zip(self.messages, texts, strict=True)]
        return [entry for entry, text in zip(entries, texts, strict=True) if not text.gone] or entries[:1]

    def guess(self, level: int) -> float:
        """Returns the estimated cost of `level` in bits, gaps included."""
        stays = self.place < self.levels[level]
        gaps = np.count_nonzero(stays[:-1] & ~stays[1:])
        return float(self.bits[self.levels[level]]) + GAP_BITS * (gaps + len(self.messages))


def _order_of_keeping(
    messages: Sequence[MessageWords], values: npt.NDArray[np.float64], bits: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Returns int64[words], the words in the order of keeping, and bool[words]: whether a page may end before each of
    them in that order, which it may not within a clause, unless the clause is large.

    `values`: salience of the words of all messages; `bits`: their costs.
    """
    total = len(values)
    rank = np.floor(values)
    share = values - rank
    clause = _clauses(messages, (rank < FACT) & ((rank > 0) | (share == 0)))
    joined = np.bincount(clause, minlength=total)[clause] > 1
    cost = np.bincount(clause, bits, total)
    own_density = share / (bits + GAP_BITS)
    worth = np.bincount(clause, np.where(rank >= CLAUSE, share, 0.0), total)
    density = np.where(joined, worth[clause] / (cost[clause] + GAP_BITS), own_density)
    order = np.lexsort(
        (
            np.arange(total),
            np.where(joined, -rank - own_density, 0.0),  # within a clause
            np.where(joined, clause, -1),
            -density,
            -np.where(joined, CLAUSE, rank),
        )
    )
    return order, _may_end_before(clause[order], joined[order], cost[clause[order]] > LARGE_CLAUSE_BITS)


def _may_end_before(
    clause: npt.NDArray[np.int64], joined: npt.NDArray[np.bool_], large: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Returns bool[words]: whether a page may end before each word, in the order of keeping. `clause`, `joined`,
    `large`: the clause of each word, whether it has other words, and whether it is large."""
    begins = np.ones(len(clause), dtype=bool)
    begins[1:] = (clause[1:] != clause[:-1]) | ~joined[1:] | large[1:]
    return begins


def _clauses(messages: Sequence[MessageWords], joined: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Returns int64[words] of all messages: a number for each clause, and for each word that fades by itself. `joined`:
    bool[words], words that fade with their clause."""
    numbers = np.arange(len(joined))
    start = 0
    for message in messages:
        stop = start + len(message.words)
        if message.clauses is not None:
            own = message.clauses
            positions = np.arange(start, stop)
            grouped = (own >= 0) & joined[start:stop]
            firsts = np.full(int(own.max(initial=-1)) + 1, len(joined))
            np.minimum.at(firsts, own[grouped], positions[grouped])
            numbers[start:stop] = np.where(grouped, firsts[np.maximum(own, 0)] if len(firsts) else 0, positions)
        start = stop
    return numbers


def _left_of(message: MessageWords, flags: npt.NDArray[np.bool_]) -> FadedText:
    """Returns the remaining text of a message."""
    entry = message.entry
    return faded(entry.content, message.words, flags, entry.gaps, continues_after=entry.end != Edge.WHOLE)


def _cut_words(message: MessageWords) -> npt.NDArray[np.bool_]:
    """Returns bool[words]: words that a page break may have cut at an edge of the message part."""
    first, last = whole_word_range(message.entry.content, message.entry.begin, message.entry.end)
    return np.array([word.start < first or word.stop > last for word in message.words], dtype=bool)


def _bridged(message: MessageWords, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Returns `flags` with the runs of faded words that cost no more than `MARK_BITS`, if any word is kept."""
    if flags.all() or not flags.any():
        return flags
    edges = np.flatnonzero(np.diff(np.concatenate([[1], flags.astype(np.int8), [1]])))
    before = np.concatenate([[0.0], np.cumsum(message.bits)])
    result = flags.copy()
    for start, stop in edges.reshape(-1, 2).tolist():
        result[start:stop] = before[stop] - before[start] <= MARK_BITS
    return result


def _facts(order: _WordOrder, capacity: int, size: Size, scale: float) -> tuple[int, int]:
    """Returns the lowest level that keeps all facts and its size if it takes at most `capacity` bytes, else the result
    of `_largest`."""
    room = size(order.entries(order.kept(order.facts)))
    return (order.facts, room) if room <= capacity else _largest(order, capacity, size, scale)


def _largest(order: _WordOrder, capacity: int, size: Size, scale: float) -> tuple[int, int]:
    """Returns a level that takes at most `capacity` bytes and its size: one that uses a share of at least `_ENOUGH`,
    else the highest; the lowest level if none fits. `scale`: initial estimate of bytes per bit."""
    low = 0
    high = len(order.levels)
    rooms: dict[int, int] = {}
    guesses = [order.guess(level) for level in range(high)]
    narrowed = True
    while high - low > 1 or low not in rooms:
        width = high - low
        level = bisect_right(guesses, _AIM * capacity / scale, low, high) - 1 if narrowed else (low + high) // 2
        level = max(low + (low in rooms), min(level, high - 1))
        rooms[level] = size(order.entries(order.kept(level)))
        scale = rooms[level] / max(guesses[level], 1.0)
        if _ENOUGH * capacity <= rooms[level] <= capacity:
            return level, rooms[level]
        if rooms[level] <= capacity:
            low = level
        elif level == 0:
            break
        else:
            high = level
        narrowed = high - low <= width / 2 or len(rooms) < _GUESSES
    return low, rooms[low]
