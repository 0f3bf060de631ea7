"""Scores of passages, and the fusion of lexical and semantic scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from foxing.memory.ascending import distinct, is_first, is_in
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

    def __getitem__(self, selection: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Scores":
        return Scores(
            self.documents[selection], self.values[selection], None if self.shares is None else self.shares[selection]
        )

    @classmethod
    def of(cls, scores: Mapping[int, float]) -> Self:
        """Returns the scores of a mapping of document key → score, in its order."""
        return cls(np.array(list(scores), dtype=np.int64), np.array(list(scores.values()), dtype=np.float64))

    @classmethod
    def summed(cls, documents: Keys, values: npt.NDArray[np.float64]) -> Self:
        """Returns the sum of `values` for each passage, sorted by document key."""
        order = np.argsort(documents, kind="stable")
        ordered = documents[order]
        starts = np.flatnonzero(is_first(ordered))
        sums = np.add.reduceat(values[order], starts) if len(starts) else np.zeros(0)
        return cls(ordered[starts], np.asarray(sums, dtype=np.float64))

    def followed_by(self, others: "Scores") -> "Scores":
        """Returns these and then `others`, of other passages. Both have shares, or neither has."""
        shares = None
        if self.shares is not None and others.shares is not None:
            shares = np.concatenate([self.shares, others.shares])
        documents = np.concatenate([self.documents, others.documents])
        return Scores(documents, np.concatenate([self.values, others.values]), shares)

    def ordered(self) -> "Scores":
        """Returns them sorted by score, highest first; equal scores newest message first, then by passage."""
        return self[np.lexsort((_rank(self.documents), -self.values))]

    def after(self, document: int, score: float) -> "Scores":
        """Returns those that follow a document with that score in the order of `ordered`; not sorted."""
        later = _rank(self.documents) > _rank(np.array([document]))[0]
        return self[(self.values < score) | ((self.values == score) & later)]

    def is_in(self, documents: Keys) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for passages that are among `documents`, ascending."""
        return is_in(self.documents, documents)

    @property
    def by_document(self) -> "Scores":
        """The scores sorted by document key."""
        return self[np.argsort(self.documents)]


NO_SCORES = Scores(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


def _rank(documents: Keys) -> Keys:
    return np.asarray(document_key(-message_of(documents), passage_of(documents)), dtype=np.int64)


def semantic_parts(semantic: Scores) -> Scores:
    """Returns what each similarity adds to a fused score, see `fuse`."""
    if not len(semantic):
        return semantic
    return Scores(semantic.documents, SEMANTIC_WEIGHT * _gain(_z_scores(semantic)))


def _z_scores(semantic: Scores) -> npt.NDArray[np.float64]:
    centred = semantic.values - semantic.values.mean()
    return np.asarray(centred / (centred.std() or 1.0), dtype=np.float64)


def _gain(z_scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.maximum(z_scores - SEMANTIC_FLOOR, 0.0)


def fuse(lexical: Scores, semantic: Scores) -> Scores:
    """Returns the weighted sum of lexical and semantic scores, each divided by its standard deviation over these
    passages. Every passage in `lexical` is in the result; others only if their similarity is above the floor. If
    `semantic` is empty, returns `lexical` unchanged. All are sorted by document."""
    if not len(semantic):
        return lexical
    documents = distinct(np.concatenate([lexical.documents, semantic.documents]))
    in_words = np.searchsorted(documents, lexical.documents)
    words = np.zeros(len(documents))  # 0 for a passage not embedded yet
    z_score = np.zeros(len(documents))
    words[in_words] = lexical.values
    z_score[np.searchsorted(documents, semantic.documents)] = _z_scores(semantic)
    words /= words.std() or words.max() or 1.0
    scores = Scores(documents, words + SEMANTIC_WEIGHT * _gain(z_score))
    stays = scores.values > 0
    stays[in_words] = True
    return scores[stays]
