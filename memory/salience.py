"""Salience: what the words of a page are worth beside what their text says.

A refinement changes the salience of the words of a page; `foxing.renderer.ink.fade` says what the numbers mean.
"""

from collections.abc import Sequence

import numpy as np

from foxing.encoder import Refinement
from foxing.renderer.ink import Worth, WrittenMessage


def keeping(ranges: Sequence[Sequence[tuple[int, int]]]) -> Refinement:
    """Words in `ranges` of the characters of each message fade after all others: what is kept as text costs its bytes
    whether or not the page shows it."""

    def refined(messages: Sequence[WrittenMessage], worth: Sequence[Worth]) -> list[Worth]:
        result = []
        for message, own, worths in zip(messages, ranges, worth, strict=True):
            inside = [any(start < word.stop and word.start < stop for start, stop in own) for word in message.words]
            result.append(worths + np.array(inside, dtype=np.float64))
        return result

    return refined
