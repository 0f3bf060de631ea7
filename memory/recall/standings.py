"""Standings of episodes: how much of a query each holds, and whether one of them stands out.

A word counts by its rarity among episodes, not among messages: the name of a customer is in one episode, however often,
and “exchange” is in most of them. What is spread over an episode (a name, a thing, a number) is summed. A word that is
frequent in its language, such as “again” or “go”, counts for less, however few episodes have it.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import fsum, log1p

from foxing.memory.index.bm25 import inverse_frequency
from foxing.memory.text.identifiers import identifiers_in
from foxing.memory.text.terms import term_runs
from foxing.renderer.fading import frequencies_of, languages_of, plain

#: A word adds n / (n + SATURATION) of its rarity where n messages of an episode have it.
SATURATION = 0.6
#: Weight of a word that names one thing, such as an order or a postcode.
NAMED = 2.0
#: Power of the rarity of a word in its language that is its weight.
OF_LANGUAGE = 3.0
#: Weight of the best matches of an episode, relative to the words that its messages have together.
OF_MATCHES = 0.4
#: Place of the episode that the best one is compared with: two or three may be about the same thing, and in a bank of
#: many some more, one in `ONE_IN`.
LEAST_PLACE, MOST_PLACE, ONE_IN = 3, 10, 40
#: Least sum of `lead` and `share` with which episodes answer, calibrated on interrupted tasks and on other text.
LEAST = 0.9


@dataclass(frozen=True)
class Standings:
    """Shares of a query that episodes hold."""

    #: Rarity of each word of the query among the episodes.
    rarities: Mapping[str, float]
    #: Sum of the saturated rarities of the words of each episode.
    words: Mapping[Hashable, float]
    #: Share of the weight of the best matches that each episode has, 0 to 1.
    shares: Mapping[Hashable, float]
    #: Number of episodes.
    every: int

    @classmethod
    def of(
        cls,
        held: Mapping[int, Collection[str]],
        episodes: Mapping[int, Hashable],
        weights: Mapping[int, float],
        every: int,
        language: Mapping[str, float],
    ) -> "Standings":
        """Returns the standings. `held`: message id → words of the query that it has; `episodes`: message id → key of
        its episode; `weights`: message id → share of the weight of the best matches; `every`: least number of
        episodes, of which the others have none of the words; `language`: see `rarities_in_language`."""
        counts: dict[Hashable, Counter[str]] = {key: Counter() for key in episodes.values()}
        shares: dict[Hashable, float] = dict.fromkeys(counts, 0.0)
        for message_id, key in episodes.items():
            counts[key].update(held.get(message_id, ()))
            shares[key] += weights.get(message_id, 0.0)
        frequencies = Counter(word for of_episode in counts.values() for word in of_episode)
        every = max(every, len(counts))
        named = identifiers_in(frequencies)
        rarities = {
            word: inverse_frequency(every, number)
            * (NAMED if word in named else language.get(word, 1.0) ** OF_LANGUAGE)
            for word, number in frequencies.items()
        }
        words = {
            key: fsum(rarities[word] * number / (number + SATURATION) for word, number in of_episode.items())
            for key, of_episode in counts.items()
        }
        return cls(rarities, words, shares, every)

    @cached_property
    def values(self) -> Mapping[Hashable, float]:
        """Share of the query that each episode holds, best first; 1 at most without the share of its matches."""
        most = max(self.words.values(), default=0.0) or 1.0
        largest = max(self.shares.values(), default=0.0) or 1.0
        held = {key: words / most + OF_MATCHES * self.shares[key] / largest for key, words in self.words.items()}
        return dict(sorted(held.items(), key=lambda item: -item[1]))

    @property
    def stands_out(self) -> bool:
        """True if the best episode, or a few of them, have more of the query than others."""
        if not self.words:
            return False
        ordered = sorted(self.words.values(), reverse=True)
        place = min(MOST_PLACE, max(LEAST_PLACE, self.every // ONE_IN))
        others = ordered[place:] or ordered[-1:] * (len(ordered) == self.every) or [0.0]
        lead = ordered[0] - others[0]
        return log1p(lead) + self.shares[next(iter(self.values))] >= LEAST


def rarities_in_language(query: str) -> dict[str, float]:
    """Returns each term of a query → its rarity in the languages of the query, in (0, 1]; empty if these are not
    known."""
    words = [plain(word) for word in query.split()]
    frequencies = frequencies_of(languages_of(words))
    if frequencies is None:
        return {}
    rarities: dict[str, float] = {}
    for term, start, stop in term_runs(query):
        rarity = min(frequencies.rarity(plain(query[start:stop])), frequencies.rarity(term))
        rarities[term] = min(rarity, rarities.get(term, 1.0))
    return rarities
