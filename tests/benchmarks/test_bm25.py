"""BM25."""

from math import log

from benchmarks.bm25 import Bm25, plain_words, take_within

DOCUMENTS = {"a": "the cat sat", "b": "the dog sat on the mat", "c": "a bird", "d": "the CAT, sat"}


def test_documents_are_ranked_by_score_and_ties_by_order() -> None:
    index = Bm25({key: plain_words(text) for key, text in DOCUMENTS.items()})
    assert index.rank(["cat"]) == ["a", "d"]
    assert index.rank(["dog", "cat"])[0] == "b"
    assert index.rank(["fish"]) == []


def test_rarer_terms_weigh_more() -> None:
    index = Bm25({"both": plain_words("x y"), "common": plain_words("x z"), "rare": plain_words("y w")}, b=0)
    assert log(1 + 1.5 / 2.5) < log(1 + 2.5 / 1.5)
    assert index.rank(["x", "w"]) == ["rare", "both", "common"]


def test_documents_that_exceed_the_budget_are_passed_over() -> None:
    assert take_within(5, ["a", "b", "c"], {"a": 2, "b": 4, "c": 1}) == {"a", "c"}
    assert take_within(7, ["a", "b", "c"], {"a": 2, "b": 4, "c": 1}) == {"a", "b", "c"}
