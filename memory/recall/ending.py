"""End of an answer: the first match whose score is a small share of the best one's.

The shares are calibrated on LoCoMo's questions, within 2,048 tokens: ending there loses 0.8 % of the evidence, and an
answer of one fact takes a third of the tokens.
"""

from typing import NamedTuple

import numpy as np

from foxing.memory.index.scores import Scores
from foxing.memory.text.questions import asks_for_one_fact, is_small_talk


class Ending(NamedTuple):
    """End of an answer."""

    #: Share of the best score below which nothing is given.
    share: float
    #: Number of matches that are given in any case.
    least: int


ONE_FACT, SEVERAL, SMALL_TALK = Ending(0.43, 10), Ending(0.2, 10), Ending(0.95, 1)


def ending_of(query: str) -> Ending:
    """Returns where the answer to a query ends."""
    if is_small_talk(query):
        return SMALL_TALK
    return ONE_FACT if asks_for_one_fact(query) else SEVERAL


def ended(ranking: Scores, ending: Ending) -> Scores:
    """Returns the matches of an answer. `ranking`: all, best first."""
    if not len(ranking):
        return ranking
    below = np.flatnonzero(ranking.values < ending.share * ranking.values[0])
    return ranking[: max(ending.least, int(below[0]))] if len(below) else ranking
