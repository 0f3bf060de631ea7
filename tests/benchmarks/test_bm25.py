"""BM25, and its evidence recall on LoCoMo."""

from math import log
from pathlib import Path

import pytest

from benchmarks.bm25 import Bm25, plain_words, take_within
from benchmarks.bm25_locomo import main

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


def test_every_analysis_and_parameter_has_a_line(locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(locomo_file)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[0] == "plain words, names not in the text, k1=1.2 b=0.75: 1.0000"
    assert lines[-1].startswith("index terms, names in the text, k1=0.9 b=0.4: ")
