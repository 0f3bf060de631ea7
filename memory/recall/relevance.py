"""Relevance: the probability that a match belongs to an answer.

It is the product of two probabilities, each by a logistic regression: that the bank answers the question at all, from
its best matches, and that this match is part of the answer if so. `training.relevance` fits both, on questions with and
without embeddings, and writes the coefficients to `relevance.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import log, sqrt
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from foxing.memory.index.hybrid import CandidatePool
from foxing.memory.index.scores import Keys, Scores

FILE = Path(__file__).with_name("relevance.json")
#: Bounds of closeness: texts that are equal are far closer than texts that are about the same.
LEAST_CLOSENESS, MOST_CLOSENESS = -3.0, 8.0

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Signals:
    """Signals of a question and its matches."""

    #: int64[n], document keys of the matches
    documents: Keys
    #: float64[q], maxima over the matches: share of the question's words, and with embeddings closeness, followed by
    #: what the latter would be by chance in a bank of this size
    question: Values
    #: float64[n, m], of each match: share of the question's words, score as a share of the best, logarithm of the rank,
    #: and with embeddings closeness
    matches: Values
    #: whether the passages of the bank have embeddings
    embedded: bool


@dataclass(frozen=True)
class Logistic:
    """A logistic regression."""

    intercept: float
    #: float64[m]
    weights: Values

    def probability(self, signals: Values) -> Values:
        """Returns float64[n], the probabilities. `signals`: float64[n, m]."""
        return np.asarray(1 / (1 + np.exp(-(self.intercept + signals @ self.weights))), dtype=np.float64)

    @classmethod
    def parse(cls, coefficients: Mapping[str, Any]) -> Self:
        """Returns the regression with these coefficients, as in the file."""
        return cls(float(coefficients["intercept"]), np.array(coefficients["weights"], dtype=np.float64))


@dataclass(frozen=True)
class RelevanceModel:
    """The regressions for questions with embeddings, or for those without."""

    #: probability that the bank answers the question
    answered: Logistic
    #: probability that a match is part of the answer, if the bank answers the question
    part: Logistic

    def relevance(self, signals: Signals) -> Values:
        """Returns float64[n], the relevance of each match."""
        answered = float(self.answered.probability(signals.question[None])[0])
        return answered * self.part.probability(signals.matches)


@cache
def load_models() -> tuple[RelevanceModel, RelevanceModel]:
    """Returns the models without and with embeddings, loaded once per process."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    words, both = (
        RelevanceModel(Logistic.parse(document[name]["answered"]), Logistic.parse(document[name]["part"]))
        for name in ("words", "words and meaning")
    )
    return words, both


def signals_of(pool: CandidatePool, ranking: Scores, start: int, stop: int) -> Signals:
    """Returns the signals of the matches `start` to `stop` of a ranking. `ranking`: all matches of the pool, best
    first."""
    part = ranking[start:stop]
    best = float(ranking.values[0]) if len(ranking) else 0.0
    score = np.clip(part.values / best, 0, 1) if best > 0 else np.zeros(len(part))
    rank = np.log1p(np.arange(start, start + len(part), dtype=np.float64))
    question = [float(pool.shares.values.max(initial=0.0))]
    matches = [values_of(pool.shares, part.documents), score, rank]
    codes = pool.codes
    close = None if codes is None else codes.closeness(codes.scores(np.sort(part.documents)))
    if codes is None or close is None or pool.closeness is None:
        return Signals(part.documents, np.array(question), np.stack(matches, axis=1), embedded=False)
    chance = sqrt(2 * log(len(codes.documents)))  # of Gaussian closeness
    question += [float(_bounded(pool.closeness.values).max(initial=LEAST_CLOSENESS)), chance]
    matches.append(_bounded(values_of(close, part.documents)))
    return Signals(part.documents, np.array(question), np.stack(matches, axis=1), embedded=True)


def relevance_of(signals: Signals) -> Values:
    """Returns float64[n], the relevance of each match, 0 to 1."""
    return load_models()[signals.embedded].relevance(signals)


def _bounded(closeness: Values) -> Values:
    return np.clip(closeness, LEAST_CLOSENESS, MOST_CLOSENESS)


def values_of(known: Scores, documents: Keys) -> Values:
    """Returns float64[n], the values of `documents` in `known`, which is sorted by document; 0 for others."""
    if not len(known):
        return np.zeros(len(documents))
    places = np.searchsorted(known.documents, documents)
    places[places == len(known)] = 0
    return np.where(known.documents[places] == documents, known.values[places], 0.0)
