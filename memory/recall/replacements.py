"""Replacements: of recalled messages that say the same with another value, the newest comes first.

Messages are compared in pairs: those near in meaning, where they have embeddings, whose sentences share their subject.
Nothing is stored: which message replaces another is found anew at each recall, from what is left of their texts.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foxing.memory.index.scores import Keys
from foxing.memory.text.identifiers import identifiers_in
from foxing.memory.text.statements import Sentence, names_rather, quantities_in, replaces, sentences, value_words
from foxing.memory.text.terms import terms
from foxing.memory.values.messages import RecalledMessage

#: Number of matches that are compared at least and at most, those ranked best. A shorter answer is compared with those
#: ranked next, lest it give an old statement alone.
LEAST_COMPARED, COMPARED = 6, 32
#: Cosine of messages below which they are not compared.
LEAST_COSINE = 0.2


#: Key of the metadata in which a message names the id of the one that it replaces, whatever their words.
REPLACES = "replaces"


class Near(NamedTuple):
    """Which passages are near in meaning."""

    #: int64[n], document keys
    documents: Keys
    #: bool[n, n]
    near: npt.NDArray[np.bool_]

    def among(self, documents: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Returns bool[m, m] for some of the passages; others are near none."""
        known = {document: place for place, document in enumerate(self.documents.tolist())}
        places = np.array([known.get(document, -1) for document in documents])
        found = self.near[np.ix_(places, places)]
        known_both = (places >= 0)[:, None] & (places >= 0)
        return np.asarray(found & known_both, dtype=np.bool_)


class LinkedOrder(NamedTuple):
    """The order in which an answer gives its matches."""

    #: index of each match
    indexes: Sequence[int]
    #: index of a match → index of the match whose place it takes
    places: Mapping[int, int]


class _Said(NamedTuple):
    """A message that is compared."""

    place: int
    sentences: Sequence[Sentence]
    #: Whether a sentence may replace one of another message.
    may_replace: bool
    #: Terms that name one thing, such as an order.
    identifiers: frozenset[str]


def find_replaced(spans: Sequence[RecalledMessage], near: npt.NDArray[np.bool_] | None = None) -> dict[int, int]:
    """Returns the index of each span that a later one replaces → the index of the newest that does, directly or through
    others. `near`: bool[n, n], which are near in meaning; None if it is not known."""
    said = [_said(index, span.text) for index, span in enumerate(spans)]
    said.sort(key=lambda each: spans[each.place].created_at)
    replaced = _named(spans)
    for place in range(len(said) - 1, 0, -1):
        after = said[place]
        if not after.may_replace:
            continue
        newer = spans[after.place]
        for before in said[:place]:
            if (
                before.place in replaced
                or not before.sentences
                or not (near is None or near[before.place, after.place])
            ):
                continue
            older = spans[before.place]
            if older.created_at == newer.created_at or older.message_id == newer.message_id:
                continue
            if older.thread != newer.thread and _name_other_things(before.identifiers, after.identifiers):
                continue
            one_speaker = (older.role, older.name) == (newer.role, newer.name)
            each_other = {older.role, newer.role} == {"user", "assistant"}
            if replaces(after.sentences, before.sentences, same_speaker=one_speaker, to_each_other=each_other):
                replaced[before.place] = after.place
    return {older: _last(newest, replaced) for older, newest in replaced.items()}


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


def named_first(spans: Sequence[RecalledMessage], question: str) -> list[int]:
    """Returns the indexes of spans in their order, but for those that say of the thing which a question names, by a
    number, a code or a day, what others say of another one: they come before these."""
    order = list(range(len(spans)))
    if not quantities_in(question):
        return order
    said = [sentences(span.text) for span in spans]
    for place, index in enumerate(order[:]):
        passed = (at for at in range(place) if names_rather(question, said[index], said[order[at]]))
        order.insert(next(passed, place), order.pop(place))
    return order


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


def _said(index: int, text: str) -> _Said:
    found = sentences(text)
    may_replace = any(sentence.may_replace for sentence in found)
    named = identifiers_in(terms(text)) if found else ()
    # a number alone is more often a value than a name
    return _Said(index, found, may_replace, frozenset(term for term in named if not term.isdigit()))


def _name_other_things(before: Collection[str], after: frozenset[str]) -> bool:
    """Returns True if messages of two threads are about different orders, files or people, by the identifiers in them.
    One alone in each may be the value that has changed, such as a code."""
    return bool(before) and after.isdisjoint(before) and not len(before) == len(after) == 1


def _last(index: int, replaced: Mapping[int, int]) -> int:
    while index in replaced:
        index = replaced[index]
    return index


def ordered(
    times: Sequence[datetime], replaced: Mapping[int, int], *, oldest_first: bool, until: datetime | None
) -> LinkedOrder:
    """Returns the order of matches given best first. The newest of those that replace each other takes the place of
    the best one, and the others follow it, not before their own place.

    `times`: when each was said; `oldest_first`: whether the question asks for the past; `until`: the end of the time
    that the question mentions, if any: what was said by then comes before what was said later.
    """
    groups: dict[int, list[int]] = {}
    for older, newest in replaced.items():
        groups.setdefault(newest, [newest]).append(older)
    keys = {index: (index, 0) for index in range(len(times))}
    places: dict[int, int] = {}
    for group in groups.values():
        best = min(group)
        group.sort(key=lambda index: times[index], reverse=not oldest_first)
        if until is not None and not oldest_first:
            group.sort(key=lambda index: times[index] >= until)
        for position, index in enumerate(group):
            best = best if position == 0 else max(best, index)
            keys[index] = (best, position)
            places[index] = best
    return LinkedOrder(sorted(keys, key=lambda index: keys[index]), places)
