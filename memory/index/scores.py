"""Scores of passages: by words, by meaning, and both added up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from foxing.memory.text.passages import document_key, message_of, passage_of

MEANING_WEIGHT = 1.0  # of a standard deviation of nearness, beside one of the scores of words
MEANING_FLOOR = -0.5  # standard deviations from the mean; what is farther from the question does not count

#: int64[n], keys of passages or ids of messages.
Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Passages, each once, and a number for each."""

    #: int64[n]
    documents: Keys
    #: float64[n]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, wanted: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Scores":
        return Scores(self.documents[wanted], self.values[wanted])

    @classmethod
    def of(cls, scores: Mapping[int, float]) -> Self:
        """Those of a mapping, in its order."""
        return cls(np.array(list(scores), dtype=np.int64), np.array(list(scores.values()), dtype=np.float64))

    @classmethod
    def summed(cls, documents: Keys, values: npt.NDArray[np.float64]) -> Self:
        """What belongs to the same passage added up, by passage."""
        found, places = np.unique(documents, return_inverse=True)
        return cls(found, np.asarray(np.bincount(places, weights=values, minlength=len(found)), dtype=np.float64))

    def ordered(self) -> "Scores":
        """By score; of equal scores the newest message first, and its passages in their order."""
        return self[np.lexsort((_rank(self.documents), -self.values))]

    def after(self, document: int, score: float) -> "Scores":
        """Those that come after a document with that score in this order."""
        later = _rank(self.documents) > _rank(np.array([document]))[0]
        return self[(self.values < score) | ((self.values == score) & later)]

    def is_in(self, documents: Keys) -> npt.NDArray[np.bool_]:
        """bool[n], which of its passages are among others."""
        return np.isin(self.documents, documents)


def _rank(documents: Keys) -> Keys:
    return np.asarray(document_key(-message_of(documents), passage_of(documents)), dtype=np.int64)


def fuse(words: Scores, meaning: Scores) -> Scores:
    """Scores by words and by meaning, both in standard deviations over these passages. All that are in `words` have a
    score, others only if they are not too far from the question. The scores of words alone stay.
    """
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
