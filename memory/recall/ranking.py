"""Ranking: spreads scores to neighbouring messages and adjusts them to the time that the query mentions.

In a conversation, the message that answers a question often shares no word with it but follows one that does. So a
message lends part of its score to those before and after it in its thread, and a passage to the adjacent passages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from foxing.memory.ascending import distinct, is_in, places_in
from foxing.memory.index.scores import Keys, Scores
from foxing.memory.text.passages import document_key, message_of, passage_of
from foxing.memory.text.times.window import Window

from .relevance import Values

SHARE = 0.4  # of its score that a passage lends to the next one; more improves recall at the cost of precision
REACH = 3  # passages to either side; the share falls linearly with the distance
LENDERS = 400  # number of passages that lend, those with the highest scores
AFTERWARDS = timedelta(days=14)  # an event is often reported some days later
AFTERWARDS_FACTOR = 0.95
ELSEWHERE_FACTOR = 0.5

#: First place that passages with all words of the best match may take, and how many may.
HOLDERS_PLACE, MOST_HOLDERS = 3, 18
EQUAL = 1e-9  # difference of shares of the same words

_SHARES = np.array([SHARE * (1 - distance / REACH) for distance in range(REACH)])
_DISTANCES = np.arange(1, REACH + 1)


@dataclass(frozen=True)
class TimePreference:
    """A time mentioned in a query: prefers messages in that window, and those up to `AFTERWARDS` after it."""

    window: Window

    @property
    def reach(self) -> Window:
        """The window extended by `AFTERWARDS`."""
        return Window(self.window.since, self._stop)

    def factor(self, at: datetime) -> float:
        """Returns the factor for the score of a message written at `at`, at most 1."""
        since, until = self.window.since, self.window.until
        if (since is not None and at < since) or (self._stop is not None and at >= self._stop):
            return ELSEWHERE_FACTOR
        return 1.0 if until is None or at < until else AFTERWARDS_FACTOR

    @property
    def _stop(self) -> datetime | None:
        until = self.window.until
        if until is None:
            return None
        return until + min(AFTERWARDS, datetime.max.replace(tzinfo=UTC) - until)


def lenders(scores: Scores) -> Scores:
    """Returns the passages that lend: at most `LENDERS`, those with the highest positive scores."""
    best = scores[np.lexsort((-scores.documents, -scores.values))[:LENDERS]]
    return best[best.values > 0]


def lend(scores: Scores, lending: Scores, around: Keys, passages: Mapping[int, int]) -> Scores:
    """Returns the score of each passage plus the shares that its neighbours lend it.

    `lending`: the passages that lend. `around`: int64[m, 1 + 2·REACH], rows of a message id, the ids of the `REACH`
    messages before it in its thread and of those after it, nearest first, 0 where there is none; sorted by message id.
    `passages`: message id → number of its passages, for messages with more than one.
    """
    places, known = places_in(np.ascontiguousarray(around[:, 0]), message_of(lending.documents))
    if not known.any():
        return scores
    lending = lending[known]
    beside = _beside(lending.documents, around[places[known]], passages)
    lent = lending.values[:, None] * np.concatenate([_SHARES, _SHARES])
    there = beside > 0
    return Scores.summed(
        np.concatenate([scores.documents, beside[there]]), np.concatenate([scores.values, lent[there]])
    )


def ranked(scores: Scores, preference: TimePreference | None, times: Mapping[int, datetime]) -> Scores:
    """Returns the passages sorted by score, adjusted by `preference`; equal scores are newest message first.

    `times`: message id → `created_at`; used only with a preference, which drops messages that are not in it.
    """
    if preference is not None:
        known = is_in(message_of(scores.documents), np.array(sorted(times), dtype=np.int64))
        scores = scores[known]
        factors = [preference.factor(times[i]) for i in message_of(scores.documents).tolist()]
        scores = Scores(scores.documents, scores.values * np.array(factors, dtype=np.float64))
    return scores.ordered()


def with_holders(ranking: Scores, shares: Values) -> Scores:
    """Returns a ranking in which passages of long messages that have as much of the query's words as the first match
    follow the first `HOLDERS_PLACE`, each with the score of its place. `shares`: float64[n], see `Hit.share`.

    A passage of a list has many statements, of which the one that was asked for weighs little: where their subjects are
    alike, passages that repeat one word of the question come before it.
    """
    ids, groups = message_of(ranking.documents), np.full(len(ranking), 2)
    parts = is_in(ids, distinct(ids[passage_of(ranking.documents) > 0]))
    if not parts[HOLDERS_PLACE:].any():
        return ranking
    holding = np.flatnonzero(parts & (shares > 0) & (shares >= shares[0] - EQUAL))
    groups[holding[np.argsort(-shares[holding], kind="stable")[:MOST_HOLDERS]]] = 1
    groups[:HOLDERS_PLACE] = 0
    order = np.lexsort((np.where(groups == 1, -shares, 0), groups))
    return Scores(ranking.documents[order], ranking.values)


def _beside(documents: Keys, rows: Keys, passages: Mapping[int, int]) -> Keys:
    """Returns int64[m, 2·REACH], the document keys of the `REACH` passages before each document and of those after it,
    nearest first, 0 where there is none. `rows`: int64[m, 1 + 2·REACH], the row of its message in `around`."""
    several = np.array(sorted(passages), dtype=np.int64)
    places, has_several = places_in(several, rows.ravel())
    counts = np.ones(rows.size, dtype=np.int64)
    counts[has_several] = np.array([passages[i] for i in several.tolist()], dtype=np.int64)[places[has_several]]
    counts = np.where(rows > 0, counts.reshape(rows.shape), 0)
    own = passage_of(documents)
    passages_after = np.maximum(counts[:, 0] - own - 1, 0)
    sides = []
    for first, near, step in ((own, slice(1, 1 + REACH), -1), (passages_after, slice(1 + REACH, None), 1)):
        ids = np.concatenate([rows[:, :1], rows[:, near]], axis=1)
        lengths = np.concatenate([first[:, None], counts[:, near]], axis=1)
        ends = np.cumsum(lengths, axis=1)
        which = (_DISTANCES[:, None] > ends[:, None, :]).sum(axis=2)  # of the messages: 0 for its own, 1 for the next …
        in_reach = which <= REACH
        which = np.minimum(which, REACH)
        into = _DISTANCES - np.take_along_axis(ends - lengths, which, axis=1)
        if step < 0:
            passage = np.take_along_axis(lengths, which, axis=1) - into
        else:
            passage = into + np.where(which == 0, own[:, None], -1)
        sides.append(np.where(in_reach, document_key(np.take_along_axis(ids, which, axis=1), passage), 0))
    return np.concatenate(sides, axis=1)
