"""Scores of passages, and the fusion of lexical and semantic scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from foxing.memory.text.passages import document_key, message_of, passage_of

MEANING_WEIGHT = 1.0  # weight of the semantic z-score, relative to the lexical one
MEANING_FLOOR = -0.5  # semantic z-score below which a passage gains nothing

#: int64[n], document keys or message ids.
Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Scores of distinct passages."""

    #: int64[n], document keys
    documents: Keys
    #: float64[n]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, wanted: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Scores":
        return Scores(self.documents[wanted], self.values[wanted])

    @classmethod
    def of(cls, scores: Mapping[int, float]) -> Self:
        """Returns the scores of a mapping of document key → score, in its order."""
        return cls(np.array(list(scores), dtype=np.int64), np.array(list(scores.values()), dtype=np.float64))

    @classmethod
    def summed(cls, documents: Keys, values: npt.NDArray[np.float64]) -> Self:
        """Returns the sum of `values` for each passage, sorted by document key."""
        found, places = np.unique(documents, return_inverse=True)
        return cls(found, np.asarray(np.bincount(places, weights=values, minlength=len(found)), dtype=np.float64))

    def ordered(self) -> "Scores":
        """Returns them sorted by score, highest first; equal scores newest message first, then by passage."""
        return self[np.lexsort((_rank(self.documents), -self.values))]

    def after(self, document: int, score: float) -> "Scores":
        """Returns those that follow a document with that score in the order of `ordered`; not sorted."""
        later = _rank(self.documents) > _rank(np.array([document]))[0]
        return self[(self.values < score) | ((self.values == score) & later)]

    def is_in(self, documents: Keys) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for passages that are among `documents`."""
        return np.isin(self.documents, documents)


def _rank(documents: Keys) -> Keys:
    return np.asarray(document_key(-message_of(documents), passage_of(documents)), dtype=np.int64)


def fuse(words: Scores, meaning: Scores) -> Scores:
    """Returns the weighted sum of lexical and semantic scores, each divided by its standard deviation over these
    passages. Every passage in `words` is in the result; others only if their similarity is above the floor. If
    `meaning` is empty, returns `words` unchanged."""
    if not len(meaning):
        return words
    documents = np.union1d(words.documents, meaning.documents)
    by_words, near = np.zeros(len(documents)), np.full(len(documents), np.nan)
    by_words[np.searchsorted(documents, words.documents)] = words.values
    near[np.searchsorted(documents, meaning.documents)] = meaning.values
    by_words /= by_words.std() or by_words.max() or 1.0
    from_mean = np.nan_to_num((near - np.nanmean(near)) / (np.nanstd(near) or 1.0))  # 0 if not embedded yet
    by_meaning = np.maximum(from_mean - MEANING_FLOOR, 0.0)
    scores = Scores(documents, by_words + MEANING_WEIGHT * by_meaning)
    return scores[(scores.values > 0) | scores.is_in(words.documents)]
