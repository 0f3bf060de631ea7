"""`codec list`, `codec check` and `codec bench`."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import Foxing

from foxing.encoder.bench import BenchRow


def write_messages(path: Path, language: str, text: str) -> Path:
    """A file of one conversation that fills a small page."""
    messages = [{"role": "user", "content": f"{number}: {text}"} for number in range(40)]
    path.write_text(json.dumps({"id": path.stem, "lang": language, "messages": messages}) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    return [
        write_messages(tmp_path / "english.jsonl", "en", "the second shelf holds the maps of the harbour"),
        write_messages(tmp_path / "german.jsonl", "de", "im zweiten Regal liegen die Karten vom Hafen"),
    ]


def bench_languages(foxing: Foxing, *arguments: str) -> list[str]:
    """Names of the groups that `codec bench` measured."""
    rows = foxing.json("codec", "bench", "--tier", "small", "--pages", "1", *arguments)["rows"]
    return [row["language"] for row in rows]


def test_codec_list_shows_every_codec_and_its_requirements(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_CODECS__REMOTE__URL", "http://127.0.0.1:9/v1")
    codecs = {entry["codec"]: entry for entry in foxing.json("codec", "list")["codecs"]}
    native, remote, deepseek = codecs["native"], codecs["remote"], codecs["deepseek-ocr"]
    assert (native["selected"], native["installed"], native["ready"]) == (True, True, True)
    assert (remote["selected"], remote["extra"], remote["ready"]) == (False, None, False)
    assert (deepseek["extra"], deepseek["requires"], deepseek["ready"]) == ("gpu", [], deepseek["installed"])
    assert remote["requires"] == [
        {"setting": "FOXING_CODECS__REMOTE__URL", "set": True},
        {"setting": "FOXING_CODECS__REMOTE__MODEL", "set": False},
    ]
    assert "FOXING_CODECS__REMOTE__MODEL (not set)" in foxing.text("codec", "list")
    here = next(e for e in foxing.json("codec", "list")["codecs"] if e["codec"] == "got-ocr2")
    assert (here["extra"], here["requires"]) == ("gpu", [])


@pytest.mark.slow
def test_codec_list_loads_no_model() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from foxing.api.cli.main import app; "
        "r = CliRunner().invoke(app, ['codec', 'list']); assert r.exit_code == 0, r.output; "
        "print([m for m in ('torch', 'transformers', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_codec_check_reads_a_page_at_every_tier(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = foxing.json("codec", "check")
    assert (checked["codec"], checked["passed"]) == ("native", True)
    assert {"device", "torch", "python"} <= set(checked["runs_on"])
    assert [row["tier"] for row in checked["tiers"]] == ["large", "base", "small", "tiny", "micro"]
    assert checked["tiers"][0]["accuracy"] > 0.97
    monkeypatch.setenv("FOXING_CODEC", "remote")
    assert "FOXING_CODECS__REMOTE__URL" in foxing.failure("codec", "check")["detail"]


@pytest.mark.slow
def test_codec_bench_takes_several_files_after_one_option(foxing: Foxing, texts: list[Path]) -> None:
    paths = [str(path) for path in texts]
    assert bench_languages(foxing, "--texts", *paths) == ["en", "de"]
    assert bench_languages(foxing, "--texts", *paths, "--pages", "1") == ["en", "de"]


@pytest.mark.slow
def test_codec_bench_reads_standard_input(foxing: Foxing, texts: list[Path]) -> None:
    english, german = (path.read_bytes() for path in texts)
    options = ("--pages", "1", "--tier", "base")
    piped = foxing.json("codec", "bench", "--texts", "port=-", *options, stdin=gzip.compress(german))["rows"]
    assert [row["language"] for row in piped] == ["port"]
    named, again = (
        foxing.json("codec", "bench", "--texts", file, *options, stdin=english)["rows"] for file in (str(texts[0]), "-")
    )
    measured = ("language", "characters", "vision_tokens", "bits_per_character", "accuracy")
    assert [[row[name] for name in measured] for row in again] == [[row[name] for name in measured] for row in named]


@pytest.mark.slow
def test_codec_bench_takes_the_option_repeatedly_and_named_files(foxing: Foxing, texts: list[Path]) -> None:
    english, german = map(str, texts)
    arguments = ("--texts", english, f"port={german}", "--identifiers", "0", "--texts", f"port={english}")
    assert bench_languages(foxing, *arguments) == ["en", "port"]


def test_codec_bench_takes_a_file_name_that_begins_with_a_dash(foxing: Foxing, texts: list[Path]) -> None:
    texts[1].rename("-german.jsonl")
    assert bench_languages(foxing, "--texts=-german.jsonl", "--texts", str(texts[0])) == ["de", "en"]


@pytest.mark.parametrize("arguments", [("--texts",), ("--texts", "--json"), ("--texts", "--", "a.jsonl")])
def test_codec_bench_needs_a_file_after_the_option(foxing: Foxing, arguments: tuple[str, ...]) -> None:
    result = foxing.run("codec", "bench", *arguments)
    assert result.exit_code == 2
    assert "--texts" in result.stderr
    assert "at least one value" in result.stderr


def test_codec_bench_names_a_missing_file(foxing: Foxing, texts: list[Path]) -> None:
    failure = foxing.failure("codec", "bench", "--texts", str(texts[0]), "missing.jsonl")
    assert "missing.jsonl" in failure["detail"]


def test_codec_bench_shows_that_texts_takes_several_files(foxing: Foxing) -> None:
    shown = foxing.text("codec", "bench", "--help")
    assert "--texts FILE…" in shown
    assert "--ageing" in shown


@pytest.mark.slow
def test_codec_bench_prints_every_table(foxing: Foxing, texts: list[Path]) -> None:
    options = ("--tier", "small", "--pages", "1", "--speed", "--ageing")
    arguments = ("codec", "bench", "--texts", *map(str, texts), *options)
    document = foxing.json(*arguments)
    assert list(document) == ["rows", "speed"]
    assert all(set(BenchRow.__dataclass_fields__) <= set(each) for each in document["rows"])
    shown = foxing.text(*arguments)
    for row in document["rows"]:
        assert f"{row['accuracy']:.4g}" in shown
    for head in (
        "kept_share",
        "silent_errors_per_10k",
        "bytes_per_page",
        "compression",
        "words",
        "facts",
    ):
        assert head in shown
    assert "A native vision token is a unit of storage" in shown
    assert "Weights loaded in" in shown


@pytest.mark.slow
def test_the_bench_writes_thresholds(foxing: Foxing, texts: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "thresholds.json"
    arguments = ("--tier", "small", "--pages", "1", "--calibration", str(file))
    document = foxing.json("codec", "bench", *arguments, "--texts", *map(str, texts))
    assert document["calibration"]["tiers"]["small"]["silent_errors"] == 0
    assert json.loads(file.read_text())["tiers"] == document["calibration"]["tiers"]
    assert "flag_below" in foxing.text("codec", "bench", *arguments, "--texts", *map(str, texts))
