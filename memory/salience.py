"""Refinements of the salience of words by signals outside the page: keepsakes, recall weight and rarity.

A refinement maps the salience of the words of a page, whose scale `foxing.renderer.fading.fade` defines. Pinned pages
do not age, so their words never fade.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from foxing.encoder.annotation import Refinement
from foxing.memory.text.terms import term_runs
from foxing.renderer.fading import MessageWords, Salience

#: Relative increase of the salience of a message's words per doubling of its recall weight.
_PER_DOUBLING = 0.25
#: Share of a word's salience within its rank that does not depend on its rarity in the bank.
_OWN_SHARE = 0.5


def fade_last(ranges: Sequence[Sequence[tuple[int, int]]]) -> Refinement:
    """Returns a refinement that makes words in `ranges` fade last. `ranges`: for each message, half-open character
    ranges of its keepsakes, which take bytes whether or not the page shows them."""

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        result = []
        for message, own, scores in zip(messages, ranges, salience, strict=True):
            inside = [any(start < word.stop and word.start < stop for start, stop in own) for word in message.words]
            result.append(scores + np.array(inside, dtype=np.float64))
        return result

    return refine


def by_recall_weight(strengths: Sequence[float]) -> Refinement:
    """Returns a refinement that raises the salience of recalled messages within its rank: by a quarter at a recall
    weight of 1, to twice as much at 15. Ranks do not change, so that a negation in one message never fades before an
    adjective in another.

    `strengths`: recall weight of each message, at least 0.
    """
    factors = 1 + _PER_DOUBLING * np.log2(1 + np.array(strengths, dtype=np.float64))

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        largest = factors.max(initial=1.0)  # scales the others down, so that fractions stay below 1
        return [np.floor(own) + (own - np.floor(own)) * f / largest for own, f in zip(salience, factors, strict=True)]

    return refine


def by_rarity(frequencies: Mapping[str, int]) -> Refinement:
    """Returns a refinement that raises the salience of rare words within its rank: a word in many messages is not lost
    with one of them.

    `frequencies`: index term → number of messages of the bank with the term. A word without terms keeps its salience.
    """

    def refine(messages: Sequence[MessageWords], salience: Sequence[Salience]) -> list[Salience]:
        return [_by_rarity(message, own, frequencies) for message, own in zip(messages, salience, strict=True)]

    return refine


def _by_rarity(message: MessageWords, salience: Salience, frequencies: Mapping[str, int]) -> Salience:
    text = message.entry.content
    rarest = np.full(len(text) + 1, np.inf)  # for each character, the frequency of the rarest term that covers it
    for term, start, stop in term_runs(text):
        rarest[start:stop] = np.minimum(rarest[start:stop], frequencies.get(term, 1))
    rarities = np.array([rarest[start:stop].min() for start, stop in message.words], dtype=np.float64)
    share = np.where(np.isfinite(rarities), _OWN_SHARE + (1 - _OWN_SHARE) / (1 + np.log2(np.maximum(rarities, 1))), 1.0)
    rank = np.floor(salience)
    result: Salience = rank + (salience - rank) * share
    return result
