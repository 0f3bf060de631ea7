"""Standings of episodes."""

import pytest

from foxing.memory.recall.standings import Standings, rarities_in_language
from foxing.memory.text.terms import query_terms, terms

ASKED = "Hello, please go on with my telescope now, again."
ABOUT = ("My telescope wobbles.", "A telescope can be exchanged.", "The telescope comes with a tripod.")
BESIDE = ("Please go.", "Hello there.", "Good, a telescope for the garden now.", "Fine, again.")


def held(texts: tuple[str, ...], first: int) -> dict[int, set[str]]:
    return {first + n: query_terms(ASKED).keys() & terms(text).keys() for n, text in enumerate(texts)}


def test_frequent_words_of_a_language_do_not_choose_an_episode() -> None:
    about, beside = held(ABOUT, 0), held(BESIDE, 10)
    episodes = {**dict.fromkeys(about, "about"), **dict.fromkeys(beside, "beside")}
    shares = dict.fromkeys(episodes, 1 / len(episodes))
    known = Standings.of({**about, **beside}, episodes, shares, 10, rarities_in_language(ASKED))
    unknown = Standings.of({**about, **beside}, episodes, shares, 10, {})
    assert known.words["about"] > 0.5 * known.words["beside"]
    assert unknown.words["about"] < 0.3 * unknown.words["beside"]


@pytest.mark.parametrize("query", ["", "4711", "тест телескопа"])
def test_a_query_in_no_known_language_has_words_of_any_rarity(query: str) -> None:
    assert all(0 < rarity <= 1 for rarity in rarities_in_language(query).values())
