"""Training of the scorer of statements: pairs made from written sentences, and weights fitted to them."""

from pathlib import Path

import pytest

from foxing.memory.text.statements.scorer import Weights
from training.updates.pairs import LANGUAGES, examples_of, written_pairs
from training.updates.train import fit, save


@pytest.mark.parametrize("code", LANGUAGES)
def test_pairs_are_whole_sentences_and_both_sorts_are_among_them(code: str) -> None:
    pairs = written_pairs(200, codes=(code,))
    assert pairs == written_pairs(200, codes=(code,))
    assert {pair.follows for pair in pairs} == {True, False}
    assert not [pair for pair in pairs if "{" in f"{pair.before}{pair.after}{pair.ask}"]


def test_weights_of_one_command_tell_pairs_that_were_not_seen(tmp_path: Path) -> None:
    examples = [each for pair in written_pairs(250, codes=("en",)) for each in examples_of(pair)]
    weights = fit(*zip(*examples, strict=True))
    save(weights, tmp_path / "one.npz")
    save(fit(*zip(*examples, strict=True)), tmp_path / "other.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()
    assert _share_right(weights) > 0.8


def _share_right(weights: Weights) -> float:
    unseen = [each for pair in written_pairs(100, seed=1, codes=("en",)) for each in examples_of(pair)]
    return sum((weights.score(features) > 0) == follows for features, follows, _ in unseen) / len(unseen)
