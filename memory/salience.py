"""Salience of the words of a page beyond what their text says.

A refinement changes the salience of the words of a page; `foxing.renderer.fading.fade` says what the numbers mean.
Pages that are pinned do not age, so that none of their words fades.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from foxing.encoder import Refinement
from foxing.memory.text.terms import term_runs
from foxing.renderer.fading import MessageWords, Salience

#: How much the salience of the words of a message grows for every doubling of how often it was recalled.
_PER_DOUBLING = 0.25
#: Share of a word's salience within its rank that does not depend on the bank.
_OWN_SHARE = 0.5


def fade_last(ranges: Sequence[Sequence[tuple[int, int]]]) -> Refinement:
    """Words in `ranges` of the characters of each message fade after all others: what is kept as text costs its bytes
    whether or not the page shows it."""

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        result = []
        for message, own, scores in zip(messages, ranges, salience, strict=True):
            inside = [any(start < word.stop and word.start < stop for start, stop in own) for word in message.words]
            result.append(scores + np.array(inside, dtype=np.float64))
        return result

    return refine


def by_recall_weight(strengths: Sequence[float]) -> Refinement:
    """Words of messages that recall has found are worth more than others of their rank: a quarter more when
    it found them once, twice as much after fifteen times. Ranks stay as they are, so that no negation of one message
    fades for an adjective of another.

    `strengths`: recall weight of each message, at least 0.
    """
    factors = 1 + _PER_DOUBLING * np.log2(1 + np.array(strengths, dtype=np.float64))

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        most = factors.max(initial=1.0)  # the fraction of the most recalled stays, that of others shrinks
        return [np.floor(own) + (own - np.floor(own)) * f / most for own, f in zip(salience, factors, strict=True)]

    return refine


def by_rarity(frequencies: Mapping[str, int]) -> Refinement:
    """Words that few messages of the bank hold are worth more than others of their rank: what is said everywhere is
    lost nowhere.

    `frequencies`: index term → how many messages of the bank hold it. A word without terms keeps what it is worth.
    """

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        return [_by_rarity(message, own, frequencies) for message, own in zip(messages, salience, strict=True)]

    return refine


def _by_rarity(message: MessageWords, salience: Salience, frequencies: Mapping[str, int]) -> Salience:
    text = message.entry.content
    rarest = np.full(len(text) + 1, np.inf)  # at each character, of the terms that hold it
    for term, start, stop in term_runs(text):
        rarest[start:stop] = np.minimum(rarest[start:stop], frequencies.get(term, 1))
    held = np.array([rarest[start:stop].min() for start, stop in message.words], dtype=np.float64)
    share = np.where(np.isfinite(held), _OWN_SHARE + (1 - _OWN_SHARE) / (1 + np.log2(np.maximum(held, 1))), 1.0)
    rank = np.floor(salience)
    result: Salience = rank + (salience - rank) * share
    return result
