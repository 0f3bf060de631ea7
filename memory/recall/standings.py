"""Standings: how much of a query each episode holds, and whether one of them stands out.

A word counts by its rarity among episodes, not among messages: the name of a customer is in one episode, however often,
and “exchange” is in most of them. What is spread over an episode (a name, a thing, a number) is summed.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from math import log1p

from foxing.memory.index.bm25 import inverse_frequency

#: A word adds n / (n + SATURATION) of its rarity where n messages of an episode have it.
SATURATION = 0.6
#: Weight of the best matches of an episode, relative to the words that its messages have together.
OF_MATCHES = 0.4
#: Place of the episode that the best one is compared with. Two or three may be about the same thing.
COMPARED = 3
#: Least sum of `lead` and `share` with which episodes answer, calibrated on interrupted tasks and on other text.
LEAST = 1.1


@dataclass(frozen=True)
class Standings:
    """How much of a query each episode holds."""

    #: Rarity of each word of the query among the episodes.
    rarities: Mapping[str, float]
    #: Sum of the saturated rarities of the words of each episode.
    words: Mapping[Hashable, float]
    #: Share of the weight of the best matches that each episode has, 0 to 1.
    shares: Mapping[Hashable, float]

    @classmethod
    def of(
        cls, held: Mapping[int, Collection[str]], episodes: Mapping[int, Hashable], weights: Mapping[int, float]
    ) -> "Standings":
        """Returns the standings. `held`: message id → words of the query that it has; `episodes`: message id → key of
        its episode; `weights`: message id → share of the weight of the best matches."""
        counts: dict[Hashable, Counter[str]] = {key: Counter() for key in episodes.values()}
        shares: Counter[Hashable] = Counter()
        for message_id, key in episodes.items():
            counts[key].update(held.get(message_id, ()))
            shares[key] += weights.get(message_id, 0.0)  # type: ignore[assignment]
        frequencies = Counter(word for of_episode in counts.values() for word in of_episode)
        rarities = {word: inverse_frequency(len(counts), number) for word, number in frequencies.items()}
        words = {
            key: sum(rarities[word] * number / (number + SATURATION) for word, number in of_episode.items())
            for key, of_episode in counts.items()
        }
        return cls(rarities, words, shares)

    def best_first(self) -> list[Hashable]:
        """Returns the keys of the episodes, best first."""
        return sorted(self.words, key=lambda key: -self.value(key))

    def value(self, key: Hashable) -> float:
        """Returns how much of the query an episode holds, 1 at most without the share of its matches."""
        most = max(self.words.values()) or 1.0
        largest = max(self.shares.values()) or 1.0
        return self.words[key] / most + OF_MATCHES * self.shares[key] / largest

    @property
    def stands_out(self) -> bool:
        """Whether the best episode, or a few of them, have more of the query than others."""
        if not self.words:
            return False
        ordered = sorted(self.words.values(), reverse=True)
        lead = ordered[0] - ordered[min(COMPARED, len(ordered) - 1)]
        return log1p(lead) + self.shares[self.best_first()[0]] >= LEAST
