"""Salience: what the words of a page are worth beside what their text says.

A refinement changes the salience of the words of a page; `foxing.renderer.ink.fade` says what the numbers mean. Pages
that are pinned do not age, so that none of their words fades.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from foxing.encoder import Refinement
from foxing.memory.text.terms import term_runs
from foxing.renderer.ink import Worth, WrittenMessage

#: How much more the words of a message are worth for every doubling of how often it was recalled.
_REHEARSED = 0.25
#: Share of a word's worth within its rank that does not depend on the bank.
_OWN_WORTH = 0.5


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


def rehearsed(strengths: Sequence[float]) -> Refinement:
    """Words of messages that recall has found are worth more than others of their rank: a quarter more after one
    rehearsal, twice as much after fifteen. Ranks stay as they are, so that no negation of one message fades for an
    adjective of another.

    `strengths`: how many rehearsals of the present each message is worth, at least 0.
    """
    factors = 1 + _REHEARSED * np.log2(1 + np.array(strengths, dtype=np.float64))

    def refined(messages: Sequence[WrittenMessage], worth: Sequence[Worth]) -> list[Worth]:
        most = factors.max(initial=1.0)  # the fraction of the most rehearsed stays, that of others shrinks
        return [np.floor(own) + (own - np.floor(own)) * f / most for own, f in zip(worth, factors, strict=True)]

    return refined


def rare_in_bank(frequencies: Mapping[str, int]) -> Refinement:
    """Words that few messages of the bank hold are worth more than others of their rank: what is said everywhere is
    lost nowhere.

    `frequencies`: index term → how many messages of the bank hold it. A word without terms keeps what it is worth.
    """

    def refined(messages: Sequence[WrittenMessage], worth: Sequence[Worth]) -> list[Worth]:
        return [_by_rarity(message, own, frequencies) for message, own in zip(messages, worth, strict=True)]

    return refined


def _by_rarity(message: WrittenMessage, worth: Worth, frequencies: Mapping[str, int]) -> Worth:
    text = message.entry.content
    rarest = np.full(len(text) + 1, np.inf)  # at each character, of the terms that hold it
    for term, start, stop in term_runs(text):
        rarest[start:stop] = np.minimum(rarest[start:stop], frequencies.get(term, 1))
    held = np.array([rarest[start:stop].min() for start, stop in message.words], dtype=np.float64)
    share = np.where(np.isfinite(held), _OWN_WORTH + (1 - _OWN_WORTH) / (1 + np.log2(np.maximum(held, 1))), 1.0)
    rank = np.floor(worth)
    result: Worth = rank + (worth - rank) * share
    return result
