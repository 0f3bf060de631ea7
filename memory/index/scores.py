"""Scores of passages, and the fusion of lexical and semantic scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from foxing.memory.text.passages import document_key, message_of, passage_of

SEMANTIC_WEIGHT = 1.0  # weight of the semantic z-score, relative to the lexical one
SEMANTIC_FLOOR = -0.5  # semantic z-score below which a passage gains nothing

#: int64[n], document keys or message ids.
Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Scores of distinct passages."""

    #: int64[n], document keys
    documents: Keys
    #: float64[n]
    values: npt.NDArray[np.float64]
    #: float64[n], see `Hit.share`; None where scores are not those of lexical hits
    shares: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, wanted: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Scores":
        return Scores(self.documents[wanted], self.values[wanted], None if self.shares is None else self.shares[wanted])

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


def fuse(lexical: Scores, semantic: Scores) -> Scores:
    """Returns the weighted sum of lexical and semantic scores, each divided by its standard deviation over these
    passages. Every passage in `lexical` is in the result; others only if their similarity is above the floor. If
    `semantic` is empty, returns `lexical` unchanged."""
    if not len(semantic):
        return lexical
    documents = np.union1d(lexical.documents, semantic.documents)
    words, similarity = np.zeros(len(documents)), np.full(len(documents), np.nan)
    words[np.searchsorted(documents, lexical.documents)] = lexical.values
    similarity[np.searchsorted(documents, semantic.documents)] = semantic.values
    words /= words.std() or words.max() or 1.0
    z_score = (similarity - np.nanmean(similarity)) / (np.nanstd(similarity) or 1.0)
    gain = np.maximum(np.nan_to_num(z_score) - SEMANTIC_FLOOR, 0.0)  # a passage not embedded yet has z-score 0
    scores = Scores(documents, words + SEMANTIC_WEIGHT * gain)
    return scores[(scores.values > 0) | scores.is_in(lexical.documents)]
