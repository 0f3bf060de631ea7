"""Fading: the choice of the words that stay on a page, so that what is left, laid out again, fits."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foxing.renderer.breaks import Edge, whole_word_range
from foxing.renderer.typeset import Entry

from .faded_text import FadedText, faded
from .words import Word, is_punctuation

#: Bytes that entries take, typeset on one page and encoded; more than any capacity if one page cannot hold them.
Size = Callable[[Sequence[Entry]], int]
#: Bits of a gap: its mark and a blank.
GAP_BITS = 4.0
#: Bits of the mark alone, where there are many. Words that take no more stay.
MARK_BITS = 2.5
#: The words kept grow in steps of this factor in bits, from `_FIRST_BITS` on. Steps that do not depend on the page make
#: fading it twice the same as fading it once.
_STEP = 1.02
_FIRST_BITS = 8.0
#: Bytes that a bit of a guess takes on most pages, where words stand without those that were beside them.
BYTES_PER_BIT = 1.04 / 8
#: Share of the capacity that is enough, and the share that is aimed at.
_ENOUGH, _AIM = 0.98, 0.99
#: Sizes asked for by guessing alone; after these, a guess that does not halve what is left is followed by a bisection.
_GUESSES = 4

_Kept = list[npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class MessageWords:
    """A message on a page, and its words."""

    #: Its content is the part of the message that the page holds.
    entry: Entry
    #: As `words_of` gives them.
    words: Sequence[Word]
    #: float64[words]: bits that each word takes on the page; a guide.
    bits: npt.NDArray[np.float64]


@dataclass(frozen=True)
class FadedPage:
    """What is left on a page."""

    #: What to typeset, without headers where anything has faded. A message of which nothing is left is not among them,
    #: unless nothing is left of any.
    entries: tuple[Entry, ...]
    #: What is left of each message.
    texts: tuple[FadedText, ...]
    #: bool[words] for each message: the words that stay.
    kept: tuple[npt.NDArray[np.bool_], ...]
    #: As `Size` gives it.
    size: int
    #: Bytes that a bit of a guess took: what `fade` does well to begin with where it fades this page again.
    bytes_per_bit: float


def fade(
    messages: Sequence[MessageWords],
    salience: Sequence[npt.NDArray[np.float64]],
    capacity: int,
    size: Size,
    bytes_per_bit: float = BYTES_PER_BIT,
) -> FadedPage:
    """What is left of `messages` in `capacity` bytes: all of them, else all without headers, else the words with the
    most salience.

    `salience`: float64[words] for each message, at least 0. Its whole number is a rank: a word of a lower rank fades
    before any of a higher one. Words of a rank fade in the order of the fraction per bit. Punctuation fades with the
    first word beside it, and a word that a page break may have cut before all others. At least 97 % of the capacity is
    used where a step allows it. A word that stays stays in any capacity that is 3 % larger too, provided that `size`
    grows with the words. `size` is called two or three times, once with the `bytes_per_bit` of the page.
    """
    entries = [message.entry for message in messages]
    order = _WordOrder(messages, salience)
    least = BYTES_PER_BIT * sum(float(message.bits.sum()) for message in messages) / 2
    headed = any(entry.header for entry in entries) and not order.cut.any()
    if least <= capacity and headed and (whole := size(entries)) <= capacity:
        every = [np.ones(len(message.words), bool) for message in messages]
        return FadedPage(tuple(entries), tuple(order.texts(every)), tuple(every), whole, bytes_per_bit)
    level, taken = _largest(order, capacity, size, bytes_per_bit)
    kept, scale = order.kept(level), taken / max(order.guess(level), 1.0)
    return FadedPage(tuple(order.entries(kept)), tuple(order.texts(kept)), tuple(kept), taken, scale)


class _WordOrder:
    """The words of a page in the order in which they stay, and levels: how many of them do."""

    def __init__(self, messages: Sequence[MessageWords], salience: Sequence[npt.NDArray[np.float64]]) -> None:
        self.messages = messages
        #: What is left of a message, by its number and the words that are kept.
        self._texts: dict[tuple[int, bytes], FadedText] = {}
        self.ends = np.cumsum([len(message.words) for message in messages])
        #: bool[words]: those that a page break may have cut.
        self.cut = np.concatenate([np.zeros(0, dtype=bool), *map(_cut_words, messages)])
        bits = np.concatenate([np.zeros(0), *(message.bits for message in messages)])
        values = np.concatenate([np.zeros(0), *salience])
        rank, total = np.floor(values), len(values)
        order = np.lexsort((np.arange(total), -(values - rank) / (bits + GAP_BITS), -rank))
        #: int64[words]: how many words stay before each does.
        self.place = np.empty(total, dtype=np.int64)
        self.place[order] = np.arange(total)
        self._follow_neighbours()
        #: float64[words + 1]: bits of the words that stay, by their number.
        self.bits = np.concatenate([[0.0], np.cumsum(np.bincount(self.place, bits, total))])
        steps = np.log(np.maximum(self.bits, _FIRST_BITS) / _FIRST_BITS) // np.log(_STEP)
        #: int64[levels], ascending: the words that stay at each level, from none to all.
        self.levels = np.union1d([0, total], np.flatnonzero(np.diff(steps) > 0))

    def _follow_neighbours(self) -> None:
        """Gives punctuation the place of the first word beside it to fade, a question mark that of the word before. The
        end of a message, which tells no more than where it stands, fades before all words."""
        start, last = 0, len(self.place) - 1
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

    def kept(self, level: int) -> _Kept:
        """bool[words] for each message: what stays at `level`, and what takes no more bits than a gap."""
        kept, cut = (np.split(flags, self.ends[:-1]) for flags in (self.place < self.levels[level], self.cut))
        bridged = (_bridged(message, stays) for message, stays in zip(self.messages, kept, strict=True))
        return [stays & ~gone for stays, gone in zip(bridged, cut, strict=True)]

    def texts(self, kept: _Kept) -> list[FadedText]:
        """What is left of the messages with the words that are `kept`."""
        return [self._text(number, stays) for number, stays in enumerate(kept)]

    def _text(self, number: int, kept: npt.NDArray[np.bool_]) -> FadedText:
        key = number, kept.tobytes()
        if key not in self._texts:
            message = self.messages[number]
            self._texts[key] = _left_of(message, kept)
        return self._texts[key]

    def entries(self, kept: _Kept) -> list[Entry]:
        """The messages with the words that are `kept`, those without any left out."""
        texts = self.texts(kept)
        entries = [text.entry(message.entry) for message, text in zip(self.messages, texts, strict=True)]
        return [entry for entry, text in zip(entries, texts, strict=True) if not text.gone] or entries[:1]

    def guess(self, level: int) -> float:
        """About the bits that the words of `level` take, gaps included."""
        stays = self.place < self.levels[level]
        gaps = np.count_nonzero(stays[:-1] & ~stays[1:])
        return float(self.bits[self.levels[level]]) + GAP_BITS * (gaps + len(self.messages))


def _left_of(message: MessageWords, kept: npt.NDArray[np.bool_]) -> FadedText:
    """What is left of a message with the words that are `kept`."""
    entry = message.entry
    return faded(entry.content, message.words, kept, entry.gaps, continues_after=entry.end != Edge.WHOLE)


def _cut_words(message: MessageWords) -> npt.NDArray[np.bool_]:
    """bool[words]: those that go on beyond an end of the part where a page may have cut a word."""
    first, last = whole_word_range(message.entry.content, message.entry.begin, message.entry.end)
    return np.array([word.start < first or word.stop > last for word in message.words], dtype=bool)


def _bridged(message: MessageWords, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """`kept` with the runs of faded words that take no more than `MARK_BITS`, if anything of the message is kept."""
    if kept.all() or not kept.any():
        return kept
    edges = np.flatnonzero(np.diff(np.concatenate([[1], kept.astype(np.int8), [1]])))
    before = np.concatenate([[0.0], np.cumsum(message.bits)])
    result = kept.copy()
    for start, stop in edges.reshape(-1, 2).tolist():
        result[start:stop] = before[stop] - before[start] <= MARK_BITS
    return result


def _largest(order: _WordOrder, capacity: int, size: Size, scale: float) -> tuple[int, int]:
    """A level that takes at most `capacity` bytes, and what it takes: one that takes `_ENOUGH` of them, or else the
    highest; the lowest level if none does. `scale`: bytes that a bit of a guess is taken for at first."""
    low, high = 0, len(order.levels)
    taken: dict[int, int] = {}
    guesses = [order.guess(level) for level in range(high)]
    narrowed = True
    while high - low > 1 or low not in taken:
        width = high - low
        level = bisect_right(guesses, _AIM * capacity / scale, low, high) - 1 if narrowed else (low + high) // 2
        level = max(low + (low in taken), min(level, high - 1))
        taken[level] = size(order.entries(order.kept(level)))
        scale = taken[level] / max(guesses[level], 1.0)
        if _ENOUGH * capacity <= taken[level] <= capacity:
            return level, taken[level]
        if taken[level] <= capacity:
            low = level
        elif level == 0:
            break
        else:
            high = level
        narrowed = high - low <= width / 2 or len(taken) < _GUESSES
    return low, taken[low]
