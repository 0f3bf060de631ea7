"""BM25 scoring over the postings of a bank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
import numpy.typing as npt

from foxing.memory.ascending import places_in
from foxing.memory.text.passages import MAX_PASSAGES, document_key, message_of

from .postings import Postings
from .scores import Keys, Scores

#: The usual constants: term frequency saturation and length normalization.
K1 = 1.2
B = 0.75

LEAST_WEIGHT = 0.005  # minimum weight relative to the query's rarest term; below, about 95 % of documents have the term
MAX_TERMS = 256  # terms of a query that are searched for, rarest first; a pasted text has thousands

Places = npt.NDArray[np.int64]
SHARED_TERMS = 12  # rarest terms of a query whose weight a message with a share of 1 has; questions are rarely longer
_FIRST = np.zeros(1, dtype=np.int64)  # the first passage of a message
_NO_PLACES: Places = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class _Part:
    """Postings of which only the first documents are visible."""

    postings: Postings
    #: number of visible documents
    visible: int

    @property
    def total(self) -> float:
        """Total length of the visible documents, in terms."""
        whole = self.visible == len(self.postings.documents)
        return self.postings.total if whole else float(self.postings.lengths[: self.visible].sum())

    def ranges(self, terms: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Returns int64[2, t], the start and stop of the visible postings of each term."""
        postings = self.postings
        at = np.searchsorted(postings.terms, terms)
        at[at == len(postings.terms)] = 0
        is_present = postings.terms[at] == terms
        starts = np.where(is_present, postings.starts[at], 0)
        stops = np.where(is_present, postings.starts[at + 1], 0)
        if self.visible < len(postings.documents):
            for n in np.flatnonzero(is_present):
                stops[n] = starts[n] + np.searchsorted(postings.places[starts[n] : stops[n]], self.visible)
        return np.stack([starts, stops])


class Corpus:
    """The documents of a bank, up to a given message."""

    def __init__(self, postings: Sequence[Postings], newest: int | None = None) -> None:
        """`newest`: id of the last message that counts, None for all."""
        parts = [_Part(segment, _visible(segment, newest)) for segment in postings]
        self._parts = [part for part in parts if part.visible]
        self.documents = sum(part.visible for part in self._parts)

    @cached_property
    def mean_length(self) -> float:
        """Mean length of the documents, in terms; at least 1."""
        return max(1.0, sum(part.total for part in self._parts) / max(1, self.documents))

    def frequencies(self, hashes: Sequence[int]) -> list[int]:
        """Returns the document frequency of each term hash."""
        ranges = self._ranges(hashes)
        counts: list[int] = (ranges[:, 1] - ranges[:, 0]).sum(axis=0).tolist()
        return counts

    def rare(self, hashes: Sequence[int], limit: int) -> list[bool]:
        """Returns for each term hash whether at most `limit` messages contain it."""
        ranges = self._ranges(hashes)
        frequencies = (ranges[:, 1] - ranges[:, 0]).sum(axis=0).tolist()
        return [passages <= limit or self._in_at_most(ranges[:, :, n], limit) for n, passages in enumerate(frequencies)]

    def containing(self, hashes: Sequence[int], message_ids: Sequence[int]) -> list[set[int]]:
        """Returns for each term hash those of the messages that contain it."""
        holders: list[set[int]] = [set() for _ in hashes]
        ids = np.array(sorted(message_ids), dtype=np.int64)
        for part, (starts, stops) in zip(self._parts, self._ranges(hashes).tolist(), strict=True):
            documents = part.postings.documents[: part.visible]
            first, last = (np.searchsorted(documents, document_key(bound, _FIRST)) for bound in (ids, ids + 1))
            of_messages = np.concatenate([_NO_PLACES, *map(np.arange, first[last > first], last[last > first])])
            for messages, start, stop in zip(holders, starts, stops, strict=True):
                places = part.postings.places[start:stop]
                at = np.searchsorted(places, of_messages)
                at[at == len(places)] = 0
                hit = of_messages[places[at] == of_messages] if len(places) else _NO_PLACES
                messages.update(message_of(documents[hit]).tolist())
        return holders

    def occurrences(self, documents: Keys) -> tuple[npt.NDArray[np.uint64], Keys]:
        """Returns the terms of documents: uint64[p] term hashes, and int64[p] the document of each. `documents`:
        document keys, ascending."""
        terms = [np.zeros(0, dtype=np.uint64)]
        holding = [_NO_PLACES]
        for part in self._parts:
            postings = part.postings
            at, is_present = places_in(postings.documents[: part.visible], documents)
            if not is_present.any():
                continue
            of_documents, starts = postings.by_document
            for place in at[is_present].tolist():
                hashes = postings.terms[of_documents[starts[place] : starts[place + 1]]]
                terms.append(hashes)
                holding.append(np.repeat(postings.documents[place : place + 1], len(hashes)))
        return np.concatenate(terms), np.concatenate(holding)

    def contain(self, documents: Keys, hashes: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Returns bool[n]: True for documents that contain any of the terms. `documents`: int64[n]."""
        result = np.zeros(len(documents), dtype=np.bool_)
        for part, (starts, stops) in zip(self._parts, self._ranges(hashes).tolist(), strict=True):
            holding = np.zeros(part.visible, dtype=np.bool_)
            for start, stop in zip(starts, stops, strict=True):
                holding[part.postings.places[start:stop]] = True
            at, is_present = places_in(part.postings.documents[: part.visible], documents)
            result |= is_present & holding[at]
        return result

    def _in_at_most(self, ranges: Places, limit: int) -> bool:
        """True if at most `limit` messages contain a term of several passages. `ranges`: int64[parts, 2], its postings.
        Looks at twice as many postings each time, since most frequent terms are in as many messages as passages."""
        messages: set[int] = set()
        for part, (start, stop) in zip(self._parts, ranges.tolist(), strict=True):
            size = 2 * limit + 1
            while start < stop:
                places = part.postings.places[start : min(stop, start + size)]
                messages.update(message_of(part.postings.documents[places]).tolist())
                if len(messages) > limit:
                    return False
                start = start + size
                size = 2 * size
        return True

    def search(self, counts: Mapping[int, float]) -> Scores:
        """Returns the scores of the documents that contain a term of the query, unsorted. `counts`: term hash → number
        of occurrences in the query, or its weight."""
        hashes = sorted(counts)
        ranges = self._ranges(hashes)
        frequencies = (ranges[:, 1] - ranges[:, 0]).sum(axis=0).tolist()
        rarities = [inverse_frequency(self.documents, n) for n in frequencies]
        weights = _informative(
            {term: counts[term] * rarity for term, rarity, n in zip(hashes, rarities, frequencies, strict=True) if n}
        )
        columns = [hashes.index(term) for term in weights]
        values = np.array(list(weights.values()))
        shares = np.array(rarities)[columns] / (sum(sorted(rarities)[-SHARED_TERMS:]) or 1.0)
        parts = [
            self._scored(part, starts, stops, values, shares)
            for part, (starts, stops) in zip(self._parts, ranges[:, :, columns], strict=True)
        ]
        return Scores(
            np.concatenate([np.zeros(0, dtype=np.int64), *(scores.documents for scores in parts)]),
            np.concatenate([np.zeros(0), *(scores.values for scores in parts)]),
            np.concatenate([np.zeros(0), *(scores.shares for scores in parts if scores.shares is not None)]),
        )

    def _ranges(self, hashes: Sequence[int]) -> npt.NDArray[np.int64]:
        """Returns int64[parts, 2, t], the start and stop of the visible postings of each term in each part."""
        terms = np.array(hashes, dtype=np.uint64)
        ranges = [part.ranges(terms) for part in self._parts]
        return np.array(ranges, dtype=np.int64).reshape(len(self._parts), 2, len(hashes))

    def _scored(
        self,
        part: _Part,
        starts: Places,
        stops: Places,
        weights: npt.NDArray[np.float64],
        shares: npt.NDArray[np.float64],
    ) -> Scores:
        """Returns the scores and shares of the documents of `part` that contain a term. `starts`, `stops`: int64[t],
        the ranges of the terms' postings; `weights`, `shares`: float64[t], what each adds to score and share."""
        postings = part.postings
        slices = [slice(start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        if not slices:
            return Scores(postings.documents[:0], np.zeros(0), np.zeros(0))
        places = np.concatenate([postings.places[of_term] for of_term in slices])
        counts = np.concatenate([postings.counts[of_term] for of_term in slices]).astype(np.float64)
        saturation = K1 * (1 - B + B * postings.lengths[places] / self.mean_length)
        gains = np.repeat(weights, stops - starts) * counts * (K1 + 1) / (counts + saturation)
        values = np.bincount(places, weights=gains, minlength=part.visible).astype(np.float64, copy=False)
        matched = np.bincount(places, weights=np.repeat(shares, stops - starts), minlength=part.visible)
        hit = np.flatnonzero(values)
        return Scores(postings.documents[hit], values[hit], np.minimum(matched[hit], 1.0))


def _visible(postings: Postings, newest: int | None) -> int:
    if newest is None:
        return len(postings.documents)
    return int(np.searchsorted(postings.documents, document_key(newest, MAX_PASSAGES - 1), side="right"))


def _informative(weights: Mapping[int, float]) -> dict[int, float]:
    """Returns term hash → weight for the `MAX_TERMS` rarest terms. Beside a rarer term, a term that nearly all
    documents contain is skipped: it hardly affects the ranking and is the slowest to score."""
    min_weight = LEAST_WEIGHT * max(weights.values(), default=0.0)
    informative = {term: weight for term, weight in weights.items() if weight >= min_weight}
    return dict(sorted(informative.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS])


def inverse_frequency(documents: int, containing: int) -> float:
    """Returns the BM25 inverse document frequency of a term in `containing` of `documents` documents; never
    negative."""
    return log(1 + (documents - containing + 0.5) / (containing + 0.5))
