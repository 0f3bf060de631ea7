"""An entropy coder over many streams at once: range asymmetric numeral systems (rANS) after Duda, arXiv:1311.2540.

A stream's state lies in [2^16, 2^32) and moves 16 bits at a time. An event is the part [start, start + size) of 2^16
slots; an event of size 0 is none. Encoding runs backwards, so all events have to be known; decoding runs forwards.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SLOT_BITS = 16
SLOTS = 1 << SLOT_BITS
STATE_WORDS = 2  # a stream without events

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint16]


def encode(starts: Ints, sizes: Ints) -> list[Words]:
    """[S, N] each → the words of each stream."""
    n_streams, n_events = sizes.shape
    state = np.full(n_streams, SLOTS, dtype=np.int64)
    words = np.zeros((n_streams, n_events + STATE_WORDS), dtype=np.uint16)
    filled = np.zeros(n_streams, dtype=np.int64)
    streams = np.arange(n_streams)
    by_event = np.ascontiguousarray(starts.T), np.ascontiguousarray(sizes.T)
    for start, size in zip(by_event[0][::-1], by_event[1][::-1], strict=True):
        if not size.any():
            continue
        full = (size > 0) & (state >= size << SLOT_BITS)
        words[streams[full], filled[full]] = state[full] & (SLOTS - 1)
        filled += full
        state = np.where(full, state >> SLOT_BITS, state)
        whole, rest = np.divmod(state, np.maximum(size, 1))
        state = np.where(size > 0, (whole << SLOT_BITS) + rest + start, state)
    for word in (state & (SLOTS - 1), state >> SLOT_BITS):
        words[streams, filled] = word
        filled += 1
    return [row[:n][::-1] for row, n in zip(words, filled, strict=True)]


class Decoder:
    """Reads streams in step. What is missing at the end of a stream reads as zeros."""

    def __init__(self, streams: Sequence[Words | Ints]) -> None:
        longest = max(map(len, streams)) + STATE_WORDS
        self._words = np.zeros((len(streams), longest), dtype=np.int64)
        for row, words in zip(self._words, streams, strict=True):
            row[: len(words)] = words
        self._last = longest - 1
        self._streams = np.arange(len(streams))
        self._at = np.full(len(streams), STATE_WORDS)
        self._state = self._words[:, 0] << SLOT_BITS | self._words[:, 1]

    @property
    def slots(self) -> Ints:
        """[S]: the slot in which each stream's next event lies."""
        return self._state & (SLOTS - 1)

    @property
    def finished(self) -> npt.NDArray[np.bool_]:
        """[S]: whether a stream is in the state that encoding began with, as it is after its last event."""
        done: npt.NDArray[np.bool_] = self._state == SLOTS
        return done

    @property
    def taken(self) -> Ints:
        """[S]: words read so far."""
        return self._at

    def take(self, starts: Ints, sizes: Ints) -> None:
        """The events, [S] each, that the slots lie in; a stream whose size is 0 stays where it is."""
        on = sizes > 0
        state = np.where(on, sizes * (self._state >> SLOT_BITS) + self.slots - starts, self._state)
        low = on & (state < SLOTS)
        word = self._words[self._streams, np.minimum(self._at, self._last)]
        self._state = np.where(low, state << SLOT_BITS | word, state)
        self._at += low
