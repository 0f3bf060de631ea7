"""Ranking: scores by words and by meaning, added up, lent to neighbours, and moved by a time that the question says.

People answer each other: the message that answers a question often shares no word with it, and stands beside one that
does. So a message lends part of its score to those before and after it in its thread.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from foxing.memory.storage.repositories.messages import Neighbours

from .preference import TimePreference

SHARE = 0.4  # of its score that a message lends to the next one; more finds more, but less of it first
REACH = 3  # messages to either side; each further one gets less
LENDERS = 400  # messages that lend, the best ones


MEANING_WEIGHT = 1.0  # of a standard deviation of nearness, beside one of the scores of words
MEANING_FLOOR = -0.5  # standard deviations from the mean; what is farther from the question does not count


class RankedMessage(NamedTuple):
    """A message and its score for a query."""

    message_id: int
    score: float


def fuse(words: Mapping[int, float], meaning: Mapping[int, float]) -> dict[int, float]:
    """Message id → score by its words and by its meaning, both in standard deviations over these messages. All that are
    in `words` have a score, others only if they are not too far from the question. The scores of words alone stay.
    """
    if not meaning:
        return dict(words)
    ids = sorted({*words, *meaning})
    by_words = np.array([words.get(i, 0.0) for i in ids])
    near = np.array([meaning.get(i, np.nan) for i in ids])
    by_words /= by_words.std() or by_words.max() or 1.0
    from_mean = np.nan_to_num((near - np.nanmean(near)) / (np.nanstd(near) or 1.0))  # 0 if not embedded yet
    by_meaning = np.maximum(from_mean - MEANING_FLOOR, 0.0)
    scores = by_words + MEANING_WEIGHT * by_meaning
    return {i: float(score) for i, score in zip(ids, scores, strict=True) if score > 0 or i in words}


def lenders(scores: Mapping[int, float]) -> list[int]:
    """Ids of the messages that lend: those with the highest scores, which are positive."""
    best = sorted(scores, key=lambda message_id: (-scores[message_id], -message_id))[:LENDERS]
    return [message_id for message_id in best if scores[message_id] > 0]


def lend(scores: Mapping[int, float], neighbours: Mapping[int, Neighbours]) -> dict[int, float]:
    """Message id → its own score and what its neighbours lend it, added up.

    `neighbours`: message id → those around it, for the messages that lend.
    """
    result = dict(scores)
    for message_id, sides in neighbours.items():
        for side in sides:
            for distance, neighbour in enumerate(side[:REACH]):
                lent = SHARE * (1 - distance / REACH) * scores[message_id]
                result[neighbour] = result.get(neighbour, 0.0) + lent
    return result


def ranked(
    scores: Mapping[int, float], preference: TimePreference | None, times: Mapping[int, datetime]
) -> list[RankedMessage]:
    """The messages by score, moved by `preference`; of equal scores the newest first.

    `times`: message id → when it was said; needed only with a preference.
    """
    if preference is not None:
        scores = {i: score * preference.factor(times[i]) for i, score in scores.items() if i in times}
    ids, values = np.array(list(scores), dtype=np.int64), np.array(list(scores.values()), dtype=np.float64)
    order = np.lexsort((-ids, -values))
    return list(map(RankedMessage, ids[order].tolist(), values[order].tolist()))
