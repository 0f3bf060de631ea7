"""Entropy coder for many streams at once: range asymmetric numeral systems (rANS) after Duda, arXiv:1311.2540.

The state of a stream lies in [2^16, 2^32) and moves 16 bits at a time. An event is the interval [start, start + size)
of 2^16 slots; an event of size 0 is skipped. Encoding runs backwards and needs all events; decoding runs forwards.

Written here rather than taken from a library: the slots of an event are integers that the prior computes from the
events decoded just before, for many streams in one numpy step.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SLOT_BITS = 16
SLOTS = 1 << SLOT_BITS
STATE_WORDS = 2  # words of a stream without events

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint16]


class Events(NamedTuple):
    """Events of S streams, N each."""

    #: int64 [S, N]: first slot of each event.
    starts: Ints
    #: int64 [S, N]: number of slots of each event; 0 where there is no event.
    sizes: Ints


def encode(starts: Ints, sizes: Ints) -> list[Words]:
    """The words of each stream, from `Events` of S streams."""
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
        quotient, remainder = np.divmod(state, np.maximum(size, 1))
        state = np.where(size > 0, (quotient << SLOT_BITS) + remainder + start, state)
    for word in (state & (SLOTS - 1), state >> SLOT_BITS):
        words[streams, filled] = word
        filled += 1
    return [row[:n][::-1] for row, n in zip(words, filled, strict=True)]


class Decoder:
    """Decodes streams in lockstep. Words past the end of a stream read as zeros."""

    def __init__(self, streams: Sequence[Words | Ints]) -> None:
        longest = max(map(len, streams)) + STATE_WORDS
        self._words = np.zeros((len(streams), longest), dtype=np.int64)
        for row, words in zip(self._words, streams, strict=True):
            row[: len(words)] = words
        self._last = longest - 1
        self._streams = np.arange(len(streams))
        self._position = np.full(len(streams), STATE_WORDS)
        self._state = self._words[:, 0] << SLOT_BITS | self._words[:, 1]

    @property
    def slots(self) -> Ints:
        """int64 [S]: the slot that holds the next event of each stream."""
        return self._state & (SLOTS - 1)

    @property
    def finished(self) -> npt.NDArray[np.bool_]:
        """bool [S]: whether a stream is back in the state from which encoding started, as after its last event."""
        finished: npt.NDArray[np.bool_] = self._state == SLOTS
        return finished

    @property
    def words_read(self) -> Ints:
        """int64 [S]: words read so far."""
        return self._position

    def advance(self, starts: Ints, sizes: Ints) -> None:
        """Consumes the events that hold the current slots, [S] each; a stream whose size is 0 does not move."""
        active = sizes > 0
        state = np.where(active, sizes * (self._state >> SLOT_BITS) + self.slots - starts, self._state)
        low = active & (state < SLOTS)
        word = self._words[self._streams, np.minimum(self._position, self._last)]
        self._state = np.where(low, state << SLOT_BITS | word, state)
        self._position += low
