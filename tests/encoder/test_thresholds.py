"""Thresholds of flags: how they are chosen, and their file."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from support.synthetic_pages import PageGenerator

from foxing.encoder import CodecError, load_codec
from foxing.encoder.bench import calibrate, measure_thresholds, texts_of
from foxing.encoder.bench.comparison import CellComparison
from foxing.encoder.flag_thresholds import FlagThresholds, TierThreshold
from foxing.encoder.vision.codec import VisionCodec

TINY_READER = Path(__file__).parent / "vision" / "data" / "tiny-reader"
SEED = 77_000_208  # which training never uses


@pytest.fixture(scope="module")
def codec() -> VisionCodec:
    """The tiny reader, at its lowest tier alone."""
    pytest.importorskip("transformers", reason="needs transformers (the extra 'gpu')")
    whole = load_codec("deepseek-ocr", "cpu", {"model": str(TINY_READER)})
    assert isinstance(whole, VisionCodec)
    model = copy(whole.model)  # a loaded codec is shared by all who load it
    model.tiers = MappingProxyType({"tiny": 512})  # type: ignore[misc]
    return VisionCodec(model, whole.weights, layout=whole.layout, source="tiny-reader")


@pytest.mark.slow
def test_thresholds_of_a_model_that_reads(codec: VisionCodec, tmp_path: Path) -> None:
    generator = PageGenerator(SEED)
    messages = [{"role": "user", "content": generator.text()} for _ in range(120)]
    texts = texts_of([{"id": "words", "lang": "en", "messages": messages}], codec, 12)
    done: list[tuple[int, int]] = []
    calibration = measure_thresholds(codec, {"en": texts}, ["tiny"], lambda *numbers: done.append(numbers))
    assert done == [(1, 1)]
    threshold = calibration.tiers["tiny"]
    assert threshold.flag_below > 0.8, "the threshold of a model that was not measured lets too many errors through"
    assert threshold.silent_errors < 0.01

    file = tmp_path / "calibration.json"
    calibration.write(file)
    assert FlagThresholds.read(file) == calibration
    options = {"model": str(TINY_READER), "calibration": str(file)}
    calibrated = load_codec("deepseek-ocr", "cpu", options)
    assert calibrated.tiers["tiny"].flag_below == threshold.flag_below
    replace(calibration, weights="0123456789ab").write(file)
    with pytest.raises(CodecError, match=r"weights 0123456789ab.*foxing codec bench --calibration"):
        load_codec("deepseek-ocr", "cpu", {**options, "revision": "1"})


def cells(wrong_below: float, count: int = 2000) -> CellComparison:
    """A page whose characters are wrong below a confidence."""
    sure = np.linspace(0, 1, count, dtype=np.float32)
    return CellComparison(sure >= wrong_below, sure)


def test_the_lowest_threshold_that_lets_few_errors_through_is_chosen() -> None:
    codec = load_codec("native", "cpu")
    readings = {"base": [cells(0.7), cells(0.75)], "small": [cells(0.3)], "tiny": [cells(0.7, 100)]}
    tiers = calibrate(codec, readings).tiers
    assert set(tiers) == {"base", "small"}, "a tier with few characters keeps its threshold"
    assert tiers["base"].flag_below == 0.7
    assert tiers["base"].silent_errors == pytest.approx(0.05, abs=0.002), "on a page that it was not chosen on"
    assert tiers["small"].flag_below == 0.3
    assert tiers["small"].flagged == pytest.approx(0.3, abs=0.01)


def test_thresholds_of_a_model_on_a_server_belong_to_that_model(tmp_path: Path) -> None:
    pytest.importorskip("httpx", reason="needs the extra 'remote'")
    options = {"url": "http://127.0.0.1:9/v1", "model": "a-model"}
    file = tmp_path / "calibration.json"
    calibrate(load_codec("remote", options=options), {"base": [cells(0.7), cells(0.7)]}).write(file)
    assert FlagThresholds.read(file).model == "a-model"
    calibrated = load_codec("remote", options={**options, "calibration": str(file)})
    assert {tier: spec.flag_below for tier, spec in calibrated.tiers.items() if tier in ("base", "small")} == {
        "base": 0.7,
        "small": 0.8,
    }
    with pytest.raises(CodecError, match=r"model a-model, not with the codec remote.*model another"):
        load_codec("remote", options={**options, "model": "another", "calibration": str(file)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "'format'"),
        ("<html>", "is not a calibration file"),
        ('{"format": "another"}', "its format is 'another'"),
        ('{"format": "foxing-calibration-1", "codec": "c", "weights": "w", "tiers": {"base": {}}}', "missing"),
    ],
)
def test_another_file_is_no_calibration(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(text)
    with pytest.raises(CodecError, match=message):
        FlagThresholds.read(file)


def test_a_threshold_is_a_probability(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    FlagThresholds("c", "w", {"base": TierThreshold(1.5, 2000, 0.0, 0.0)}).write(file)
    with pytest.raises(CodecError, match="not a probability"):
        FlagThresholds.read(file)
    with pytest.raises(CodecError, match="cannot be written"):
        FlagThresholds("c", "w", {}).write(tmp_path / "missing" / "calibration.json")
