"""Effects of storage dtypes on the decoder's logits, and their report by `foxing codec bench`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.encoder import QuantizableCodec, StorageEffect, load_codec
from foxing.encoder.conformance import sample_page
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.got import GotOcr2
from foxing.encoder.vision.models.model import VisionModel
from foxing.encoder.vision.models.qwen import QwenVl
from foxing.encoder.vision.storage_effects import DTYPES, storage_effects
from foxing.renderer import PageLayout, render

KINDS: dict[str, tuple[type[VisionModel], str]] = {
    "deepseek": (DeepSeekOcr, "tiny"),
    "got_ocr2": (GotOcr2, "base"),
    "qwen2_5_vl": (QwenVl, "tiny"),
    "qwen2_vl": (QwenVl, "tiny"),
    "qwen3_vl": (QwenVl, "tiny"),
}
#: Columns by which the page is moved: on one page, a single choice that the random weights nearly toss up would decide.
SHIFTS = range(8)


@pytest.fixture(scope="module")
def measured(
    model_folder: Callable[[str], Path], deepseek_folder: Path, small_page: PageLayout
) -> Callable[[str], dict[str, StorageEffect]]:
    """Effects by dtype for a model type."""

    def measure(name: str) -> dict[str, StorageEffect]:
        kind, tier = KINDS[name]
        folder = deepseek_folder if name == "deepseek" else model_folder(name)
        model = kind.load(locate(str(folder), None), torch.device("cpu"), torch.float32)
        page = sample_page(VisionCodec(model, "w", layout=small_page))
        images = [render(np.roll(page.cells, shift, axis=1), page.layout, tier) for shift in SHIFTS]
        effects = storage_effects(model, images, [page.text] * len(SHIFTS), tier, ("float32", *DTYPES))
        return {effect.dtype: effect for effect in effects}

    return measure


@pytest.mark.parametrize(
    "name", ["deepseek", *(pytest.param(name, marks=pytest.mark.slow) for name in KINDS if name != "deepseek")]
)
def test_logits_change_little_and_less_with_int8_than_with_float8(
    measured: Callable[[str], dict[str, StorageEffect]], name: str
) -> None:
    effects = measured(name)
    assert effects["float32"].largest == effects["float32"].mean == 0
    assert effects["float32"].same_choice == 1
    assert effects["float32"].steps > 40
    exact = effects["bfloat16"].bytes_per_page
    assert effects["float8_e4m3"].bytes_per_page * 2 == exact
    assert effects["float8_e4m3"].bytes_per_page < effects["int8"].bytes_per_page < 0.57 * exact
    assert 0 < effects["float16"].mean < effects["bfloat16"].mean < effects["int8"].mean < effects["float8_e4m3"].mean
    for effect in effects.values():
        assert effect.mean <= effect.largest
    assert effects["bfloat16"].mean < 0.02 * effects["bfloat16"].spread
    assert effects["int8"].mean < 0.05 * effects["int8"].spread
    assert effects["int8"].same_choice > 0.9


def test_pages_without_texts_are_rejected(deepseek: DeepSeekOcr) -> None:
    with pytest.raises(ValueError, match="with their texts"):
        storage_effects(deepseek, [], [], "tiny")


@pytest.fixture
def small_codec(
    deepseek_folder: Path, small_page: PageLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> VisionCodec:
    """The configured codec, with short pages to keep generation fast."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOXING_CODEC", "deepseek-ocr")
    monkeypatch.setenv("FOXING_CODECS__DEEPSEEK_OCR__MODEL", str(deepseek_folder))
    from foxing.api.settings import load_settings

    settings = load_settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs[settings.codec])
    assert isinstance(codec, VisionCodec)
    monkeypatch.setattr(codec, "layout", small_page)
    monkeypatch.setattr(codec, "max_new_tokens", small_page.cells + small_page.rows + 1)
    return codec


@pytest.mark.slow
def test_the_bench_reports_storage_effects(small_codec: VisionCodec) -> None:
    assert isinstance(small_codec, QuantizableCodec)
    assert not isinstance(load_codec("native", "cpu"), QuantizableCodec)
    arguments = ["codec", "bench", "--pages", "1", "--tier", "small", "--tier", "tiny", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [row["tier"] for row in document["rows"]] == ["small", "tiny"]
    rows = document["storage"]
    dtypes = ("bfloat16", "float16", "float8_e4m3", "int8")
    assert [(row["tier"], row["dtype"]) for row in rows] == [(t, d) for t in ("small", "tiny") for d in dtypes]
    assert [row["bytes_per_page"] for row in rows] == [n * size for n in (100, 64) for size in (64, 64, 32, 36)]
    for row in rows:
        assert 0 < row["mean"] < row["largest"]
        assert row["mean"] < row["spread"]
        assert 0.5 < row["same_choice"] <= 1
        assert row["steps"] > 20


@pytest.mark.slow
def test_the_bench_shows_storage_effects(small_codec: VisionCodec) -> None:
    arguments = ["codec", "bench", "--pages", "1", "--tier", "small", "--tier", "tiny"]
    shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "250"}).stdout
    assert "same argmax" in shown
    assert "float8_e4m3" in shown
