"""`foxing codec bench` tells what storing the tokens of a vision-language model in fewer bits does."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.encoder import QuantizableCodec, load_codec
from foxing.encoder.vision.codec import VisionCodec
from foxing.renderer import PageLayout

DTYPES = ["bfloat16", "float16", "float8_e4m3", "int8"]


@pytest.fixture
def chosen(
    deepseek_folder: Path, small_page: PageLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> VisionCodec:
    """A page of few cells, lest the model writes for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOXING_CODEC", "deepseek-ocr")
    monkeypatch.setenv("FOXING_CODECS__DEEPSEEK_OCR__MODEL", str(deepseek_folder))
    from foxing.api.settings import load_settings

    settings = load_settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs[settings.codec])
    assert isinstance(codec, VisionCodec)
    monkeypatch.setattr(codec, "layout", small_page)
    monkeypatch.setattr(codec, "bound", small_page.cells + small_page.rows + 1)
    return codec


def test_the_bench_tells_what_storage_does_to_logits(chosen: VisionCodec) -> None:
    assert isinstance(chosen, QuantizableCodec)
    assert not isinstance(load_codec("native", "cpu"), QuantizableCodec)
    arguments = ["codec", "bench", "--pages", "1", "--tier", "small", "--tier", "tiny"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [row["tier"] for row in document["rows"]] == ["small", "tiny"]
    rows = document["storage"]
    assert [(row["tier"], row["dtype"]) for row in rows] == [(t, d) for t in ("small", "tiny") for d in DTYPES]
    assert [row["bytes_per_page"] for row in rows] == [n * size for n in (100, 64) for size in (64, 64, 32, 36)]
    for row in rows:
        assert 0 < row["mean"] < row["largest"]
        assert row["mean"] < row["spread"]
        assert 0.5 < row["same_choice"] <= 1
        assert row["steps"] > 20
    shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "250"}).stdout
    assert "same choice" in shown
    assert "float8_e4m3" in shown
