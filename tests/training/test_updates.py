"""Training of the scorer of statements: pairs made from written sentences, and weights fitted to them."""

from pathlib import Path

import pytest

from foxing.memory.text.statements.scorer import weights
from training.updates.pairs import LANGUAGES, examples_of, written_pairs
from training.updates.train import fit, save


@pytest.mark.parametrize("code", LANGUAGES)
def test_pairs_are_whole_sentences_and_both_sorts_are_among_them(code: str) -> None:
    pairs = written_pairs(200, codes=(code,))
    assert pairs == written_pairs(200, codes=(code,))
    assert {pair.follows for pair in pairs} == {True, False}
    assert not [pair for pair in pairs if "{" in f"{pair.before}{pair.after}{pair.ask}"]


def test_pairs_make_the_same_weights_each_time(tmp_path: Path) -> None:
    examples = [each for pair in written_pairs(60, codes=("en",)) for each in examples_of(pair)]
    features, follows, counts = zip(*examples, strict=True)
    for name in ("one", "other"):
        save(fit(features, follows, counts), tmp_path / f"{name}.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_weights_tell_most_pairs_that_were_not_drawn(code: str) -> None:
    examples = [each for pair in written_pairs(80, seed=1, codes=(code,)) for each in examples_of(pair)]
    right = sum((weights().score(features) > 0) == follows for features, follows, _ in examples)
    assert right > 0.7 * len(examples)
