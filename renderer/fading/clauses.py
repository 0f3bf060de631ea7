"""Clauses: parts of sentences that fade as a whole."""

import re
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from .rules import Rules
from .words import Word

#: Number of each word's clause; -1 for a word that fades by itself.
Clauses = npt.NDArray[np.int64]
#: A clause of more words is split at commas.
_MOST = 40
#: Words of a longer part without a comma fade by themselves.
_LONGEST = 60
#: Between two parts of machine-readable text.
_MACHINE_PART = re.compile(r"(?<=[,\[{}\]]) ?(?=[\"{\[\d-])|\n")
_COMMA = re.compile(r"(?<=[,;、，；])")


def clauses_of(
    text: str,
    words: Sequence[Word],
    sentences: Sequence[int],
    rules: Rules | None,
    gaps: Collection[int] = (),
    *,
    machine: bool = False,
) -> Clauses:
    """Returns int64[words], ascending but for -1: the clause of each word.

    `sentences`: number of the sentence of each word; `rules`: those of the language of `text`, None if it has none:
    then each word fades by itself; `machine`: whether the text is machine-readable.
    """
    if rules is None and not machine:
        return np.full(len(words), -1, dtype=np.int64)
    starts = np.array([word.start for word in words], dtype=np.int64)
    sentence = np.array(sentences, dtype=np.int64)
    pattern = _MACHINE_PART if machine or rules is None else rules.clause
    parts = np.searchsorted(_places(pattern, text), starts, side="right")
    parts += np.searchsorted(np.array(sorted(gaps), dtype=np.int64), starts)
    clause = _numbered(sentence, parts)
    if rules is not None and not machine:
        clause = _joined(clause, sentence, rules.least_words)
    counts = np.bincount(clause, minlength=1)
    if counts.max(initial=0) > _MOST:
        commas = np.searchsorted(_places(_COMMA, text), starts, side="right")
        clause = _numbered(clause, np.where(counts[clause] > _MOST, commas, 0))
        counts = np.bincount(clause, minlength=1)
        clause = np.where(counts[clause] > _LONGEST, -1, clause)
    return clause


def _places(pattern: re.Pattern[str], text: str) -> npt.NDArray[np.int64]:
    """Returns the ends of the matches of `pattern`, where a new part begins."""
    return np.array([match.end() for match in pattern.finditer(text)], dtype=np.int64)


def _numbered(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Returns ascending numbers that change where either argument does."""
    if not len(one):
        return one
    changes = (np.diff(one) != 0) | (np.diff(other) != 0)
    return np.concatenate([[0], np.cumsum(changes)])


def _joined(clause: npt.NDArray[np.int64], sentence: npt.NDArray[np.int64], minimum: int) -> npt.NDArray[np.int64]:
    """Returns `clause` with clauses of fewer than `minimum` words joined to the next one of their sentence."""
    if not len(clause):
        return clause
    firsts = np.flatnonzero(np.diff(clause, prepend=-1))
    lengths = np.diff(firsts, append=len(clause))
    begins = [0]
    size = int(lengths[0])
    for first, length in zip(firsts[1:].tolist(), lengths[1:].tolist(), strict=True):
        same = sentence[first] == sentence[first - 1]
        if same and size < minimum:
            size += length
            continue
        begins.append(first)
        size = length
    marks = np.zeros(len(clause), dtype=np.int64)
    marks[begins[1:]] = 1
    return np.cumsum(marks)
