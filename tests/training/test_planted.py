"""Training of the recognition of instructions to a model: texts made from sentences, and weights fitted to them."""

from pathlib import Path

import pytest

from foxing.memory.text.planted import planted_form, planted_weights, windows_of
from training.planted.texts import LANGUAGES, examples
from training.planted.train import fit, save, scores_of


def test_texts_have_no_slots_and_are_the_same_each_time() -> None:
    texts = examples(20)
    assert texts == examples(20)
    assert {example.planted for example in texts} == {True, False}
    assert [example.text for example in texts if "{mail}" in example.text or "{product}" in example.text] == []


def test_texts_make_the_same_weights_each_time(tmp_path: Path) -> None:
    texts = examples(12)
    windows = [windows_of(example.text) for example in texts]
    planted = [example.planted for example in texts]
    for name in ("one", "other"):
        save(fit(windows, planted, [1.0] * len(texts)), tmp_path / f"{name}.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()
    scores = scores_of(windows, planted_weights(tmp_path / "one.npz"))
    assert sum((score > 0) == label for score, label in zip(scores, planted, strict=True)) > 0.7 * len(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_weights_tell_texts_that_were_not_drawn(language: str) -> None:
    texts = [example for example in examples(60, seed=1) if example.language == language]
    planted = [planted_form(example.text) is not None for example in texts if example.planted]
    ordinary = [planted_form(example.text) is not None for example in texts if not example.planted]
    assert sum(planted) > 0.5 * len(planted)
    assert sum(ordinary) <= 0.03 * len(ordinary)
