"""Mentions: where people say the words of a piece of a result, close together.

Of twenty variants that a tool lists, a choice names one by three words in a row; each of these words stands in many.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import fsum

from foxing.memory.text.terms import term_runs

#: Terms within which the words of a mention stand.
REACH = 12
#: What a further mention is worth of the one before it, and the first message relative to the last.
FURTHER, FIRST = 0.5, 0.5
#: Worth of a mention that another piece explains.
EXPLAINED = 0.2


@dataclass(frozen=True)
class Mention:
    """Worth of the mentions of a piece, and the places of its words in them."""

    value: float
    places: frozenset[int]


class Mentions:
    """Places of terms in messages of people. A place is a number of a term, counted over all messages."""

    def __init__(self, texts: Sequence[str]) -> None:
        """`texts`: in order; a further one is a message of its own."""
        self._places: dict[str, list[int]] = {}
        #: Number of the message of each place.
        self._messages: list[int] = []
        for number, text in enumerate(texts):
            for run in term_runs(text):
                self._places.setdefault(run.term, []).append(len(self._messages))
                self._messages.append(number)
        self._last = max(len(texts) - 1, 1)

    def value(self, words: Collection[str], worth: Mapping[str, float], explained: Collection[int]) -> Mention:
        """Returns what the mentions of `words` are worth: in each message the terms that stand closest, more than in
        proportion to their share of all. `worth`: that of each word; `explained`: places that count less."""
        total = fsum(worth.get(word, 0.0) for word in words)
        places = sorted((place, word) for word in words for place in self._places.get(word, ()))
        mentions = []
        for message, of_message in groupby(places, lambda mention: self._messages[mention[0]]):
            value, near_places = self._closest(list(of_message), worth, explained)
            recent = FIRST + (1 - FIRST) * message / self._last
            mentions.append((value * value / total * recent if total else 0.0, near_places))
        mentions.sort(key=lambda mention: -mention[0])
        value = sum(mention * FURTHER**n for n, (mention, _) in enumerate(mentions))
        return Mention(value, frozenset().union(*(near_places for _, near_places in mentions)))

    def _closest(
        self, places: Sequence[tuple[int, str]], worth: Mapping[str, float], explained: Collection[int]
    ) -> tuple[float, frozenset[int]]:
        """Returns the value of the terms within `REACH` that are worth most, and their places."""
        best: tuple[float, frozenset[int]] = 0.0, frozenset()
        for first, (begin, _) in enumerate(places):
            values: dict[str, float] = {}
            near_places = []
            for place, word in places[first:]:
                if place - begin > REACH:
                    break
                own = worth.get(word, 0.0) * (EXPLAINED if place in explained else 1.0)
                values[word] = max(own, values.get(word, 0.0))
                near_places.append(place)
            value = fsum(values.values())
            if value > best[0]:
                best = value, frozenset(near_places)
        return best
