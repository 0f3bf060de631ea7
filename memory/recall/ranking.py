"""Ranking: scores by words and by meaning, added up, lent to neighbours, and moved by a time that the question says.

People answer each other: the message that answers a question often shares no word with it, and stands beside one that
does. So a message lends part of its score to those before and after it in its thread, and a passage to those beside it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from foxing.memory.storage.repositories.sealed.neighbours import Neighbours
from foxing.memory.text.passages import document_key, message_of, passage_of

from .preference import TimePreference

SHARE = 0.4  # of its score that a passage lends to the next one; more finds more, but less of it first
REACH = 3  # passages to either side; each further one gets less
LENDERS = 400  # passages that lend, the best ones

_SHARES = [SHARE * (1 - distance / REACH) for distance in range(REACH)]

MEANING_WEIGHT = 1.0  # of a standard deviation of nearness, beside one of the scores of words
MEANING_FLOOR = -0.5  # standard deviations from the mean; what is farther from the question does not count


class RankedPassage(NamedTuple):
    """A passage and its score for a query."""

    document: int
    score: float


def fuse(words: Mapping[int, float], meaning: Mapping[int, float]) -> dict[int, float]:
    """Passage → score by its words and by its meaning, both in standard deviations over these passages. All that are
    in `words` have a score, others only if they are not too far from the question. The scores of words alone stay.
    """
    if not meaning:
        return dict(words)
    documents = sorted({*words, *meaning})
    by_words = np.array([words.get(i, 0.0) for i in documents])
    near = np.array([meaning.get(i, np.nan) for i in documents])
    by_words /= by_words.std() or by_words.max() or 1.0
    from_mean = np.nan_to_num((near - np.nanmean(near)) / (np.nanstd(near) or 1.0))  # 0 if not embedded yet
    by_meaning = np.maximum(from_mean - MEANING_FLOOR, 0.0)
    scores = by_words + MEANING_WEIGHT * by_meaning
    return {i: float(score) for i, score in zip(documents, scores, strict=True) if score > 0 or i in words}


def lenders(scores: Mapping[int, float]) -> list[int]:
    """The passages that lend: those with the highest scores, which are positive."""
    best = sorted(scores, key=lambda document: (-scores[document], -document))[:LENDERS]
    return [document for document in best if scores[document] > 0]


def lend(
    scores: Mapping[int, float], lending: Iterable[int], around: Mapping[int, Neighbours], passages: Mapping[int, int]
) -> dict[int, float]:
    """Passage → its own score and what those beside it lend it, added up.

    `lending`: the passages that lend. `around`: message id → those around it in its thread. `passages`: message id → in
    how many passages it is, for those that are several.
    """
    result = dict(scores)
    for document in lending:
        sides = around.get(message_of(document), Neighbours((), ()))
        if passages:
            besides = _before(document, sides.before, passages), _after(document, sides.after, passages)
        else:  # every message is one passage
            besides = (document_key(i, 0) for i in sides.before), (document_key(i, 0) for i in sides.after)
        score = scores[document]
        for beside in besides:
            for share, near in zip(_SHARES, beside, strict=False):
                result[near] = result.get(near, 0.0) + share * score
    return result


def ranked(
    scores: Mapping[int, float], preference: TimePreference | None, times: Mapping[int, datetime]
) -> list[RankedPassage]:
    """The passages by score, moved by `preference`; of equal scores those of the newest message first.

    `times`: message id → when it was said; needed only with a preference.
    """
    if preference is not None:
        scores = {
            i: score * preference.factor(times[message_of(i)]) for i, score in scores.items() if message_of(i) in times
        }
    documents, values = np.array(list(scores), dtype=np.int64), np.array(list(scores.values()), dtype=np.float64)
    order = np.lexsort((passage_of(documents), -message_of(documents), -values))
    return list(map(RankedPassage, documents[order].tolist(), values[order].tolist()))


def _before(document: int, earlier: Iterable[int], passages: Mapping[int, int]) -> Iterator[int]:
    """The passages before one, the nearest first. `earlier`: the messages before its message, the nearest first."""
    message_id = message_of(document)
    yield from (document_key(message_id, n) for n in reversed(range(passage_of(document))))
    for near in earlier:
        yield from (document_key(near, n) for n in reversed(range(passages.get(near, 1))))


def _after(document: int, later: Iterable[int], passages: Mapping[int, int]) -> Iterator[int]:
    """The passages after one, the nearest first. `later`: the messages after its message, the nearest first."""
    message_id = message_of(document)
    following = range(passage_of(document) + 1, passages.get(message_id, 1))
    yield from (document_key(message_id, n) for n in following)
    for near in later:
        yield from (document_key(near, n) for n in range(passages.get(near, 1)))
