"""Replacements: of recalled messages that say the same with another value, the newest comes first.

Messages are compared in pairs: those near in meaning, where they have embeddings, whose sentences share their subject.
Nothing is stored: which message replaces another is found anew at each recall, from what is left of their texts.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.memory.text.identifiers import identifiers_in
from foxing.memory.text.statements import (
    AnswerPairs,
    Asked,
    Pairs,
    Sentence,
    SentencePairs,
    Speakers,
    in_common,
    incidence,
    lacking,
    sentences,
    value_words,
)
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import REPLACES, RecalledMessage
from foxing.memory.values.trust import rank, recall_rank

#: Number of matches that are compared at least and at most, those ranked best. A shorter answer is compared with those
#: ranked next, lest it give an old statement alone.
LEAST_COMPARED, COMPARED = 32, 32
#: Cosine of messages below which they are not compared.
LEAST_COSINE = 0.2
#: Share of the score of an earlier message that a later one has at least if it answers about as well.
LEAST_SCORE = 0.5
#: The same for one that tells of a change in its own words, and so has fewer of the question.
LEAST_RESUMED = 0.1
#: Share of the words of the question that a later statement has in common with the earlier one that it replaces.
ABOUT = 0.5
#: Share of those words of the question that any match has which a sentence has that says what is asked, and their
#: least number.
WHOLE, FEWEST_WORDS = 0.75, 2
#: Number of spans with a word of the question from which on it tells them apart no more.
MANY = 4
#: Most sentences of a span that are compared: the work grows with their square.
MOST_FOCUSED = 4
#: Share that is left of the score of a match without a value of the kind that is asked for.
WITHOUT_VALUE = 0.5


class LinkedOrder(NamedTuple):
    """The order in which an answer gives its matches."""

    #: index of each match
    indexes: Sequence[int]
    #: index of a match → index of the match whose place it takes
    places: Mapping[int, int]


class SaidAt(NamedTuple):
    """When a span was said: those of one time are in the order in which they were stored."""

    at: datetime
    message: int
    passage: int


class _Focused(NamedTuple):
    """A sentence of a span that answers the question best."""

    place: int
    sentence: Sentence
    #: Stems of the question in it.
    stems: frozenset[str]


class Statements:
    """Recalled spans beside the question that found them, as statements that may replace each other. What two of them
    state is compared only if the words of both admit that it changes the answer, which arrays tell of all pairs."""

    def __init__(self, spans: Sequence[RecalledMessage], said: Sequence[SaidAt], question: str) -> None:
        self.spans, self._asked = spans, Asked(question)
        self.sentences = [sentences(span.text) for span in spans]
        self._stems = [self._asked.stems_in(of_one) for of_one in self.sentences]
        self._answers = AnswerPairs(self._asked, self.sentences)
        #: Place of each in the order in which they were said.
        self._ages = np.argsort(sorted(range(len(said)), key=said.__getitem__))
        self._messages = np.array([entry.message for entry in said])
        self._scores = np.array([span.score or 0.0 for span in spans])

    def best_first(self, *, newest: bool, has_value: Sequence[bool] | None = None) -> list[int]:
        """Returns the indexes of the spans, given best first, in the order of an answer. Those with a sentence
        that has nearly all words of the question come first; those without a value of the kind that is asked
        for count for less, `has_value`; if `newest`, the newest of messages that answer about equally come before the
        others; and those that say of the thing which the question names what others say of another one, before
        these."""
        order = list(self.whole_first)
        if has_value is not None:
            worth = [
                score * (1.0 if has_value[index] else WITHOUT_VALUE)
                for score, index in zip(self._scores.tolist(), order, strict=True)
            ]
            order = [order[place] for place in sorted(range(len(order)), key=lambda place: -worth[place])]
        if newest:
            as_good = self._answers.as_good & self._scores_well(LEAST_SCORE)
            may_pass = self._is_later & self._may_pass & self._is_as_trusted & (as_good | self._may_resume)
            _move(order, may_pass, lambda newer, older: self._answers_as_well(newer, older, as_good=as_good))
        rather = self._answers.names_rather(self._may_pass & ~self._singled_out.T)
        _move(order, rather, lambda one, other: not self._resumes(other, one))
        return order

    def _answers_as_well(self, newer: int, older: int, *, as_good: Pairs) -> bool:
        """Returns True if a later span answers about as well as another one, or tells what has become of it.
        `as_good`: whether it has the words and the score for that."""
        if as_good[newer, older] and self._answers.are_as_good(newer, older):
            return True
        return self._resumes(newer, older)

    def _resumes(self, newer: int, older: int) -> bool:
        """Returns True if a later span tells in other words what has become of what an earlier one says."""
        pair = newer, older
        return bool(self._is_later[pair] and self._are_about_one[pair]) and self._answers.resume(newer, older)

    @cached_property
    def _identified(self) -> Sequence[frozenset[str]]:
        """The identifiers of the question, such as an order, that each span has."""
        words = identifiers_in(query_terms(self._asked.question))
        return [words & terms(span.text).keys() if words else frozenset[str]() for span in self.spans]

    @cached_property
    def _is_as_trusted(self) -> Pairs:
        """bool[n, n]: whether the first of two spans may come before the other one by its trust class."""
        ranks = np.array([recall_rank(span.trust, suspicious=span.suspicious) for span in self.spans])
        return np.asarray(ranks[:, None] <= ranks)

    @cached_property
    def _is_later(self) -> Pairs:
        return np.asarray(self._ages[:, None] > self._ages)

    @cached_property
    def _may_pass(self) -> Pairs:
        """bool[n, n]: whether a span may come before another one: of another message, and with its identifiers."""
        others = self._messages[:, None] != self._messages
        return np.asarray(others & ~lacking(self._identified, self._identified))

    @cached_property
    def _may_resume(self) -> Pairs:
        """bool[n, n]: whether a span may tell what has become of what another one says."""
        return self._are_about_one & self._scores_well(LEAST_RESUMED) & self._answers.may_resume

    def _scores_well(self, share: float) -> Pairs:
        """Returns whether a span has at least a share of the score of another one."""
        return np.asarray(self._scores[:, None] >= share * self._scores)

    @cached_property
    def _rows(self) -> npt.NDArray[np.float32]:
        """float32[n, stems]: stems of the question in each span."""
        return incidence([frozenset[str]().union(*of_one) for of_one in self._stems])

    @cached_property
    def _stem_counts(self) -> npt.NDArray[np.float32]:
        """float32[stems]: number of spans that have each."""
        return np.asarray(self._rows.sum(axis=0))

    @cached_property
    def _share_few(self) -> Pairs:
        """bool[n, n]: whether two spans share a stem of the question that few have."""
        return np.asarray((self._rows * (self._stem_counts < MANY)) @ self._rows.T > 0)

    @cached_property
    def _are_about_one(self) -> Pairs:
        """bool[n, n]: whether two spans share what the question asks for: a word of it that few have, or most of
        them."""
        shared = self._rows @ self._rows.T
        return np.asarray(self._share_few | ((shared > 0) & (shared >= ABOUT * len(self._stem_counts))))

    @cached_property
    def _singled_out(self) -> Pairs:
        """bool[n, n]: whether the question has a word that of all spans one alone has, and with another one it shares
        only what many have."""
        single = np.asarray(self._rows @ (self._stem_counts == 1) > 0)
        return np.asarray(single[:, None] & (self._rows @ self._rows.T > 0) & ~self._share_few)

    @cached_property
    def whole_first(self) -> list[int]:
        """Returns the indexes of the spans, first those with a sentence that has most of the words of the question
        that any has, if these are nearly all."""
        words, counts = len(self._stem_counts), [max(map(len, of_one), default=0) for of_one in self._stems]
        highest = max(counts, default=0)
        # what a question identifies, such as an order, is ranked by its identifier
        if words < FEWEST_WORDS or highest < WHOLE * words or any(self._identified):
            return list(range(len(counts)))
        return sorted(range(len(counts)), key=lambda index: counts[index] < highest)

    @cached_property
    def _focus(self) -> Sequence[_Focused]:
        """The sentences of each span that have the most words of the question, at most `MOST_FOCUSED`."""
        focus: list[_Focused] = []
        for index, (of_one, stems_of_one) in enumerate(zip(self.sentences, self._stems, strict=True)):
            highest = max(map(len, stems_of_one), default=0)
            # a sentence that is said again is compared once
            best = {
                sentence.text: _Focused(index, sentence, stems)
                for sentence, stems in zip(of_one, stems_of_one, strict=True)
                if len(stems) == highest
            }
            focus += islice(best.values(), MOST_FOCUSED)
        return focus

    def replaced(self, near: Pairs | None = None) -> dict[int, int]:
        """Returns the index of each span that a later one replaces → the index of the newest that does, directly or
        through others. `near`: bool[n, n], which are near in meaning; None if it is not known."""
        replaced = _named(self.spans)
        if self._focus:
            pairs = SentencePairs([entry.sentence for entry in self._focus])
            places = np.array([entry.place for entry in self._focus])
            by_rules, may_end = self._by_rules(pairs, places), self._may_pass & self._may_resume
            candidates = self._is_later if near is None else self._is_later & near
            candidates = candidates[places][:, places] & self._have_common_words
            candidates &= by_rules | may_end[places][:, places]
            for after in np.argsort(-self._ages[places], kind="stable").tolist():
                newer = self._focus[after].place
                for before in np.flatnonzero(candidates[after]).tolist():
                    older = self._focus[before].place
                    if older not in replaced and self._replaces(
                        newer,
                        older,
                        (pairs, after, before) if by_rules[after, before] else None,
                        ends=bool(may_end[newer, older]),
                    ):
                        replaced[older] = newer
        return {older: _last(newest, replaced) for older, newest in replaced.items()}

    def _by_rules(self, pairs: SentencePairs, places: npt.NDArray[np.int64]) -> Pairs:
        """Returns bool[after, before]: whether the words of sentences admit that one replaces the other by rules: it
        has half of the words of the question that the earlier one has, and its words that say where or when."""
        common = in_common([entry.stems for entry in self._focus])
        counts = common.diagonal()
        is_about = np.where(counts, common >= ABOUT * counts, (counts == 0)[:, None])
        changed = np.array([entry.sentence.changed for entry in self._focus])
        elsewhere = self._answers.lack_a_place[places][:, places] & ~changed[:, None]
        return np.asarray(pairs.candidates & is_about & ~elsewhere)

    @property
    def _have_common_words(self) -> Pairs:
        """bool[n, n]: whether sentences share a word: a thing, or a stem of the question that few have."""
        counts = Counter(chain.from_iterable(frozenset[str]().union(*of_one) for of_one in self._stems))
        few = {stem for stem, count in counts.items() if count < MANY}
        return np.asarray(in_common([entry.sentence.things | (entry.stems & few) for entry in self._focus]) > 0)

    def _replaces(
        self, newer: int, older: int, statement: tuple[SentencePairs, int, int] | None, *, ends: bool
    ) -> bool:
        """Returns True if a later span replaces another one. `statement`: its sentence and that of the other one, if
        rules may tell that; `ends`: whether it may say in other words that the other one holds no more."""
        new, old = self.spans[newer], self.spans[older]
        if rank(new.trust) > rank(old.trust):  # a tool or a page does not correct what the user said
            return False
        speakers = Speakers((old.role, old.name) == (new.role, new.name), {old.role, new.role} == {"user", "assistant"})
        by_rules = statement is not None and statement[0].replaces(*statement[1:], speakers)
        if not by_rules and not (ends and self._answers.end(newer, older, speakers)):
            return False
        return old.thread == new.thread or not _name_other_things(_identifiers(old.text), _identifiers(new.text))


def asked_apart(
    replaced: Mapping[int, int], spans: Sequence[RecalledMessage], words: Collection[str]
) -> dict[int, frozenset[str]]:
    """Returns the index of each replaced span → its numbers and words of its value among those of a question that
    the one which replaces it lacks, where there are any."""
    terms_of = {
        index: frozenset(terms(spans[index].text).keys() & set(words)) for pair in replaced.items() for index in pair
    }
    missing_of: dict[int, frozenset[str]] = {}
    for older, newest in replaced.items():
        missing = terms_of[older] - terms_of[newest]
        named = {term for term in missing if not any(map(str.isdigit, term))}
        if named:  # a word of the subject may be missing because the newest puts it otherwise
            values = value_words(sentences(spans[older].text), sentences(spans[newest].text))
            missing -= named - terms(values).keys()
        if missing:
            missing_of[older] = missing
    return missing_of


def _move(order: list[int], may_pass: Pairs, passes: Callable[[int, int], bool]) -> None:
    """Moves each index before the first one that it passes. `may_pass`: which `passes` is asked of."""
    admitted = may_pass.tolist()
    for place, index in enumerate(order[:]):
        others = admitted[index]
        at = next((at for at in range(place) if others[order[at]] and passes(index, order[at])), place)
        if at < place:
            order.insert(at, order.pop(place))


def _named(spans: Sequence[RecalledMessage]) -> dict[int, int]:
    """Returns the index of each span that a later one names as replaced → the index of that one."""
    places = {span.message_id: place for place, span in enumerate(spans)}
    replaced: dict[int, int] = {}
    for newer, span in enumerate(spans):
        named = span.metadata.get(REPLACES)
        older = places.get(named) if isinstance(named, str) else None
        if older is not None and rank(span.trust) > rank(spans[older].trust):
            continue
        # strictly later, so that messages that name each other are no circle
        if older is not None and spans[older].created_at < span.created_at:
            replaced[older] = newer
    return replaced


def _identifiers(text: str) -> frozenset[str]:
    """Returns the terms that name one thing, such as an order."""
    # a number alone is more often a value than a name
    return frozenset(term for term in identifiers_in(terms(text)) if not term.isdigit())


def _name_other_things(before: Collection[str], after: frozenset[str]) -> bool:
    """Returns True if messages of two threads are about different orders, files or people, by the identifiers in them.
    One alone in each may be the value that has changed, such as a code."""
    return bool(before) and after.isdisjoint(before) and not len(before) == len(after) == 1


def _last(index: int, replaced: Mapping[int, int]) -> int:
    while index in replaced:
        index = replaced[index]
    return index


def ordered(
    said: Sequence[SaidAt], replaced: Mapping[int, int], *, oldest_first: bool, until: datetime | None
) -> LinkedOrder:
    """Returns the order of matches given best first. The newest of those that replace each other takes the place of
    the best one, and the others follow it, not before their own place.

    `said`: when each was said; `oldest_first`: whether the question asks for the past; `until`: the end of the time
    that the question mentions, if any: what was said by then comes before what was said later.
    """
    groups: dict[int, list[int]] = {}
    for older, newest in replaced.items():
        groups.setdefault(newest, [newest]).append(older)
    keys = {index: (index, 0) for index in range(len(said))}
    places: dict[int, int] = {}
    for group in groups.values():
        best = min(group)
        group.sort(key=lambda index: said[index], reverse=not oldest_first)
        if until is not None and not oldest_first:
            group.sort(key=lambda index: said[index].at >= until)
        for position, index in enumerate(group):
            best = best if position == 0 else max(best, index)
            keys[index] = (best, position)
            places[index] = best
    return LinkedOrder(sorted(keys, key=lambda index: keys[index]), places)
