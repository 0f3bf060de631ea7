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
    Asked,
    Sentence,
    ShortAnswer,
    replaces,
    sentences,
    value_words,
)
from foxing.memory.text.terms import query_terms, terms
from foxing.memory.values.messages import REPLACES, RecalledMessage

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

    def is_about(self, before: "_Focused") -> bool:
        """Returns True if it is about what is asked, as an earlier sentence is."""
        if not before.stems:
            return not self.stems
        return len(before.stems & self.stems) >= ABOUT * len(before.stems)


class Statements:
    """Recalled spans beside the question that found them, as statements that may replace each other."""

    def __init__(self, spans: Sequence[RecalledMessage], said: Sequence[SaidAt], question: str) -> None:
        self.spans, self.said, self._asked = spans, said, Asked(question)
        self.sentences = [sentences(span.text) for span in spans]
        self._stems = [self._asked.stems_in(of_one) for of_one in self.sentences]

    def best_first(self, *, newest: bool, whole: bool, has_value: Sequence[bool] | None = None) -> list[int]:
        """Returns the indexes of the spans, given best first, in the order of an answer. If `whole`, those with a
        sentence that has nearly all words of the question come first; those without a value of the kind that is asked
        for count for less, `has_value`; if `newest`, the newest of messages that answer about equally come before the
        others; and those that say of the thing which the question names what others say of another one, before
        these."""
        order = list(self.whole_first if whole else range(len(self.spans)))
        if has_value is not None:
            worth = [
                (place.score or 0.0) * (1.0 if has_value[index] else WITHOUT_VALUE)
                for place, index in zip(self.spans, order, strict=True)
            ]
            order = [order[place] for place in sorted(range(len(order)), key=lambda place: -worth[place])]
        short = [answer is not None and bool(answer.named) for answer in self._answers]
        if newest:
            _move(order, short, self._answers_as_well)
        mentioned = [answer is not None and self._asked.may_name(answer.sentences) for answer in self._answers]
        _move(order, [a or bool(b) for a, b in zip(mentioned, self._names, strict=True)], self._names_rather)
        return order

    @cached_property
    def _identified(self) -> Sequence[frozenset[str]]:
        """The identifiers of the question, such as an order, that each span has."""
        asked = identifiers_in(query_terms(self._asked.question))
        return [asked & terms(span.text).keys() if asked else frozenset[str]() for span in self.spans]

    def _may_pass(self, one: int, other: int) -> bool:
        """Returns True if a span may come before another one: of another message, and with its identifiers."""
        return self.said[one].message != self.said[other].message and self._identified[one] >= self._identified[other]

    @cached_property
    def _answers(self) -> Sequence[ShortAnswer | None]:
        return [self._asked.answer(of_one) for of_one in self.sentences]

    @cached_property
    def _names(self) -> Sequence[Sequence[Sentence]]:
        """The sentences of each span that have a number, a code or a day of the question."""
        return [self._asked.names_one_of(of_one) for of_one in self.sentences]

    def _answers_as_well(self, newer: int, older: int) -> bool:
        """Returns True if a span is later than another one and answers about as well."""
        new, old = self._answers[newer], self._answers[older]
        if new is None or old is None or not new.named or self.said[newer] <= self.said[older]:
            return False
        if not self._may_pass(newer, older):
            return False
        if self._scores_well(newer, older, LEAST_SCORE) and new.is_as_good_as(old):
            return True
        return self._scores_well(newer, older, LEAST_RESUMED) and self._resumes(newer, older)

    def _scores_well(self, newer: int, older: int, share: float) -> bool:
        """Returns True if a span has at least a share of the score of an earlier one."""
        return (self.spans[newer].score or 0.0) >= share * (self.spans[older].score or 0.0)

    def _resumes(self, newer: int, older: int) -> bool:
        """Returns True if a later span tells in other words what has become of what an earlier one says."""
        new, old = self._answers[newer], self._answers[older]
        if new is None or old is None or self.said[newer] <= self.said[older]:
            return False
        return self._may_be_about_one(newer, older) and new.resumes(old)

    def _may_be_about_one(self, one: int, other: int) -> bool:
        """Returns True if two spans share what the question asks for: a word of it that few have, or most of them."""
        shared = self._all_stems[one] & self._all_stems[other]
        few = min((self._stem_counts[stem] for stem in shared), default=MANY) < MANY
        return few or (bool(shared) and len(shared) >= ABOUT * len(self._stem_counts))

    def _is_singled_out(self, one: int, other: int) -> bool:
        """Returns True if the question has a word that of all spans one alone has, and with another one it shares only
        what many have."""
        mine, others, counts = self._all_stems[one], self._all_stems[other], self._stem_counts
        common = min((counts[stem] for stem in mine & others), default=0)
        return common >= MANY and any(counts[stem] == 1 for stem in mine - others)

    @cached_property
    def _stem_counts(self) -> Mapping[str, int]:
        """Stem of the question → number of spans that have it."""
        return Counter(chain.from_iterable(self._all_stems))

    @cached_property
    def _all_stems(self) -> Sequence[frozenset[str]]:
        """Stems of the question in each span."""
        return [frozenset[str]().union(*of_one) for of_one in self._stems]

    def _names_rather(self, one: int, other: int) -> bool:
        """Returns True if a span says of the thing which the question names what another one says of another."""
        if not self._may_pass(one, other) or self._is_singled_out(other, one):
            return False
        rather = self._asked.names_rather(
            self._names[one], self.sentences[other], self._answers[one], self._answers[other]
        )
        return rather and not self._resumes(other, one)

    @cached_property
    def whole_first(self) -> list[int]:
        """Returns the indexes of the spans, first those with a sentence that has most of the words of the question
        that any has, if these are nearly all."""
        known = frozenset[str]().union(*chain.from_iterable(self._stems))
        counts = [max(map(len, of_one), default=0) for of_one in self._stems]
        most = max(counts, default=0)
        # what a question identifies, such as an order, is ranked by its identifier
        if len(known) < FEWEST_WORDS or most < WHOLE * len(known) or any(self._identified):
            return list(range(len(counts)))
        return sorted(range(len(counts)), key=lambda index: counts[index] < most)

    @cached_property
    def _focus(self) -> Sequence[_Focused]:
        """The sentences of each span that have the most words of the question, at most `MOST_FOCUSED`."""
        focus: list[_Focused] = []
        for index, (of_one, stems_of_one) in enumerate(zip(self.sentences, self._stems, strict=True)):
            most = max(map(len, stems_of_one), default=0)
            # a sentence that is said again is compared once
            best = {
                sentence.text: _Focused(index, sentence, stems)
                for sentence, stems in zip(of_one, stems_of_one, strict=True)
                if len(stems) == most
            }
            focus += islice(best.values(), MOST_FOCUSED)
        return focus

    def replaced(self, near: npt.NDArray[np.bool_] | None = None) -> dict[int, int]:
        """Returns the index of each span that a later one replaces → the index of the newest that does, directly or
        through others. `near`: bool[n, n], which are near in meaning; None if it is not known."""
        by_word: dict[str, set[int]] = {}
        for number, each in enumerate(self._focus):
            for word in self._words_in_common(each):
                by_word.setdefault(word, set()).add(number)
        replaced = _named(self.spans)
        close = None if near is None else near.tolist()
        ages = {index: age for age, index in enumerate(sorted(range(len(self.spans)), key=self.said.__getitem__))}
        for after in sorted(self._focus, key=lambda each: -ages[each.place]):
            newer = after.place
            for number in set[int]().union(*(by_word[word] for word in self._words_in_common(after))):
                before = self._focus[number]
                older = before.place
                if (
                    ages[older] < ages[newer]
                    and older not in replaced
                    and (close is None or close[older][newer])
                    and self._replaces(after, before)
                ):
                    replaced[older] = newer
        return {older: _last(newest, replaced) for older, newest in replaced.items()}

    def _words_in_common(self, one: _Focused) -> Collection[str]:
        """Returns the words of a sentence of which another one that is compared with it has one at least: things, and
        stems of the question that few have."""
        return one.sentence.things | {stem for stem in one.stems if self._stem_counts[stem] < MANY}

    def _replaces(self, after: _Focused, before: _Focused) -> bool:
        newer, older = after.place, before.place
        new, old = self.spans[newer], self.spans[older]
        now, then = self._answers[newer], self._answers[older]
        one_speaker = (old.role, old.name) == (new.role, new.name)
        each_other = {old.role, new.role} == {"user", "assistant"}
        same = (
            after.is_about(before)
            and not (now and then and not after.sentence.changed and now.lacks_a_place_of(then))
            and replaces(after.sentence, before.sentence, same_speaker=one_speaker, to_each_other=each_other)
        )
        if not same and now and then and self._may_resume(newer, older):
            same = now.ends(then, same_speaker=one_speaker, to_each_other=each_other)
        return same and (
            old.thread == new.thread or not _name_other_things(_identifiers(old.text), _identifiers(new.text))
        )

    def _may_resume(self, newer: int, older: int) -> bool:
        """Returns True if two spans have enough of what the question asks for that one may have become of the other."""
        return (
            self._may_be_about_one(newer, older)
            and self._may_pass(newer, older)
            and self._scores_well(newer, older, LEAST_RESUMED)
        )


def asked_apart(
    replaced: Mapping[int, int], spans: Sequence[RecalledMessage], asked: Collection[str]
) -> dict[int, frozenset[str]]:
    """Returns the index of each replaced span → its numbers and words of its value in the question, `asked`, that the
    one which replaces it lacks, where there are any."""
    found = {
        index: frozenset(terms(spans[index].text).keys() & set(asked)) for pair in replaced.items() for index in pair
    }
    apart: dict[int, frozenset[str]] = {}
    for older, newest in replaced.items():
        missing = found[older] - found[newest]
        words = {term for term in missing if not any(map(str.isdigit, term))}
        if words:  # a word of the subject may be missing because the newest puts it otherwise
            values = value_words(sentences(spans[older].text), sentences(spans[newest].text))
            missing -= words - terms(values).keys()
        if missing:
            apart[older] = missing
    return apart


def _move(order: list[int], movable: Sequence[bool], passes: Callable[[int, int], bool]) -> None:
    """Moves each index that is movable before the first one that it passes."""
    for place, index in enumerate(order[:]):
        if movable[index]:
            order.insert(next((at for at in range(place) if passes(index, order[at])), place), order.pop(place))


def _named(spans: Sequence[RecalledMessage]) -> dict[int, int]:
    """Returns the index of each span that a later one names as replaced → the index of that one."""
    places = {span.message_id: place for place, span in enumerate(spans)}
    replaced: dict[int, int] = {}
    for newer, span in enumerate(spans):
        named = span.metadata.get(REPLACES)
        older = places.get(named) if isinstance(named, str) else None
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
