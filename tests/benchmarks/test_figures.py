"""The figures of the documentation."""

import gzip
import json
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.context.plot import plot as plot_context
from benchmarks.figures import __main__ as command
from benchmarks.figures import measurements
from benchmarks.figures.document import Figures
from benchmarks.figures.measurements import MEASUREMENTS, run_json, run_measurement
from benchmarks.figures.pictures import PART_CELLS, SHOWN_TIERS, _aged_pages, _demo_entries, _enlarged, _overview
from benchmarks.figures.tables import TABLES
from benchmarks.relevance.measurement import RelevanceRow
from benchmarks.relevance.plot import plot as plot_relevance
from benchmarks.updates.measurement import UpdatesRow
from foxing.encoder import load_codec
from foxing.encoder.bench import BenchRow

SERVICE = {"measured": {"weights": "w1"}, "requests": 500, "p50_ms": 1.46, "p95_ms": 1.87, "max_ms": 67.74}
COMMANDS = {
    "measured": {"weights": "w1"},
    "messages": 2000,
    "runs": 7,
    "alone_s": 4.67,
    "alone_mib": 312.0,
    "answered_s": 0.58,
    "answered_mib": 41.0,
}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Figures and one document with a table, in place of those of the repository."""
    (tmp_path / "figures.json").write_text(json.dumps({"service": SERVICE, "commands": COMMANDS}), encoding="utf-8")
    document = tmp_path / "page.md"
    document.write_text("Before\n<!-- figures:service -->\nold\n<!-- /figures -->\nAfter\n", encoding="utf-8")
    monkeypatch.setattr(command, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(command, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(command, "DOCUMENTS", (document,))
    return tmp_path


def test_documents_hold_the_tables_of_the_stored_figures() -> None:
    figures = Figures.load(command.FIGURES, MEASUREMENTS)
    used = set()
    for document in command.DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert command.with_tables(text, figures) == text, document.name
        used |= {name for name in TABLES if f"<!-- figures:{name} -->" in text}
    assert used == set(TABLES)


def test_stored_figures_round_trip(tmp_path: Path) -> None:
    Figures.load(command.FIGURES, MEASUREMENTS).save(tmp_path / "figures.json")
    assert (tmp_path / "figures.json").read_bytes() == command.FIGURES.read_bytes()


def test_outdated_figures_are_kept_but_not_read(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, page = workspace / "figures.json", workspace / "page.md"
    codec = {"measured": {"weights": "w1"}, "rows": [{"tier": "small", "field_of_last_year": 1}]}
    path.write_text(json.dumps({"codec": codec, "service": SERVICE}), encoding="utf-8")
    table = "<!-- figures:codec -->\nas measured last year\n<!-- /figures -->\n"
    page.write_text(table, encoding="utf-8")
    command.main(["--only", "none"])
    assert page.read_text(encoding="utf-8") == table
    assert "until measured again: codec" in capsys.readouterr().err
    monkeypatch.setattr(measurements, "run_json", lambda *_: {"requests": 500, "p50_ms": 2.0, "p95_ms": 3.0})
    command.main(["--only", "service"])
    assert json.loads(path.read_text(encoding="utf-8"))["codec"] == codec


def test_answers_by_age_have_tables() -> None:
    row = {
        "memory": "foxing",
        "source": "locomo",
        "age_days": 30,
        "questions": 4,
        **{name: {"512": 0.25, "2048": 0.75} for name in ("found", "support", "whole", "recalled_tokens")},
        "facts": {"number": [3, 1.0], "date": [1, 0.0], "term": [5, 0.0]},
        "asked": {},
        "negations": [2, 0.5],
        "invented": 0,
        "words": 100,
        "alone": 0.125,
        "characters": 800,
        "bytes": 200,
        "tokens_left": 0.5,
        "page_bytes": [1200.0, 1216],
    }
    rows = [row, {**row, "age_days": 180}, {**row, "age_days": 365, "bytes": 100}, {**row, "source": "demo"}]
    package = {**row, "memory": "mem0", "found": {"512": None, "2048": None}, "bytes": None, "facts": {}}
    tiers = [{**row, "memory": "foxing at small"}, {**row, "memory": "foxing at micro"}]
    measured = {"measured": {"weights": "w1"}, "rows": rows, "packages": [package], "tiers": tiers}
    figures = Figures({"decay": measured})
    assert figures.outdated == []
    _, _, *ages = TABLES["decay"].make(figures).splitlines()
    assert [line.split(" | ")[1] for line in ages] == ["30, 180", "365", "30"]
    assert ages[0].endswith("| 0.250 | 0.750 | 0.250 | 0.750 | – | 0.500 | 0 | 2.00 | 50% | 4 |")
    assert ages[2].startswith("| mem0 without a model, full text | 30 | 0.250 | 0.750 | – | – |")
    _, _, *by_tier = TABLES["decay-tiers"].make(figures).splitlines()
    assert [line.split(" | ")[0] for line in by_tier] == ["| `small`", "| `micro`"]
    assert TABLES["decay-tools"].make(figures).startswith("Not measured yet")
    _, _, facts = TABLES["decay-facts"].make(figures).splitlines()
    assert facts.startswith("| English chats (LoCoMo) | 0.750 (4) | 1.000 | 0.000 |")
    assert facts.endswith("| 0.500 (2) | 0.125 | 0 | 0.500 | 1,200 (1,216) |")


def test_relevance_has_a_table_and_a_plot(tmp_path: Path) -> None:
    row = {field.name: 0.5 for field in fields(RelevanceRow)} | {"embedder": "use", "questions": 4, "auc": 0.98}
    row |= {"bins": [{"spans": 9, "relevance": 0.04, "evidence": 0.05}]}
    figures = Figures({"relevance": {"measured": {"weights": "w1"}, "rows": [row]}})
    assert figures.outdated == []
    _, _, line = TABLES["relevance"].make(figures).splitlines()
    assert line == "| `use` | 0.980 | 0.500 | 0.5 | 50.0% | 50.0% | 0.500 | 0.500 | 4 |"
    plot_relevance(figures.relevance, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_updates_have_a_table() -> None:
    row = {field.name: 0.5 for field in fields(UpdatesRow)} | {"embedder": "use", "updates": 200, "lookalikes": 190}
    figures = Figures({"updates": {"measured": {"weights": "w1"}, "rows": [row]}})
    assert figures.outdated == []
    _, _, line = TABLES["updates"].make(figures).splitlines()
    assert line == "| `use` | 0.500 | 0.500 | 0.500 | 0.500 | 0.500 | 200 | 50.0% | 190 | 50.00% |"


def test_ageing_step_by_step_stands_beside_going_there_directly() -> None:
    row = {field.name: 1.0 for field in fields(BenchRow)} | {
        "tier": "micro",
        "language": "en_irc",
        "condition": "clean",
    }
    directly = {**row, "path": "direct", "kept_share": 0.5, "invented_words_per_million": 2.0}
    aged = {**row, "path": "aged", "kept_share": 0.25, "names": None}
    degraded = {**directly, "condition": "blur 0.5 px"}
    figures = Figures({"repeated": {"measured": {"weights": "w1"}, "rows": [directly, degraded, aged]}})
    _, _, *lines = TABLES["ageing"].make(figures).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("| `micro` | English chat rooms (IRC) | 25.00% / 50.00% | – / 100.000% | 100.000% / 100")
    assert "| 1 / 2 | 1 / 1 |" in lines[0]


def test_a_page_is_drawn_as_it_ages(tmp_path: Path) -> None:
    shown = _aged_pages(load_codec("native", "cpu"), _demo_entries()[:40])
    assert [page.tier for page in shown] == list(SHOWN_TIERS)
    kept = [page.kept for page in shown]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 0.99
    assert kept[-1] < 0.9
    assert shown[-1].page.rows_used < shown[0].page.rows_used
    part = _enlarged(shown[0])
    assert part.width == round(1024 * PART_CELLS[0] / 160)
    assert _overview(shown, 800).width == 800


def test_none_only_writes_tables(workspace: Path) -> None:
    before = (workspace / "figures.json").read_bytes()
    command.main(["--only", "none"])
    text = (workspace / "page.md").read_text(encoding="utf-8")
    assert text.startswith("Before\n<!-- figures:service -->\n| figure | measured | on |\n")
    assert "| latency of storing one message over HTTP, p50 (p95) | 1.5 ms (1.9 ms) | 500 requests, SQLite |" in text
    assert "| `foxing recall` without one | 4.67 s, 312 MiB | median of 7, 2,000 sealed messages, SQLite |" in text
    assert text.endswith("\n<!-- /figures -->\nAfter\n")
    assert (workspace / "figures.json").read_bytes() == before
    assert not (workspace / "images").exists()


def test_a_measurement_runs_the_benchmarks_and_replaces_the_stored_one(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, ...]] = []

    def answer(*arguments: str) -> dict[str, object]:
        calls.append(arguments)
        return {"requests": 500, "p50_ms": 2.0, "p95_ms": 3.0, "max_ms": 4.0}

    monkeypatch.setattr(measurements, "run_json", answer)
    command.main(["--only", "service"])
    assert calls == [("benchmarks.service", "--requests", "500")]
    stored = json.loads((workspace / "figures.json").read_text(encoding="utf-8"))["service"]
    assert list(stored) == ["measured", "requests", "p50_ms", "p95_ms", "max_ms"]
    assert list(stored["measured"]) == ["weights", "cores", "processor", "python", "day"]
    assert "2.0 ms (3.0 ms)" in (workspace / "page.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.startswith("service: ")


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("codec", ["foxing.api.cli.main codec bench --texts locomo="]),
        ("speed", ["foxing.api.cli.main codec bench --texts", "benchmarks.bank --texts en_sgd="]),
        ("decay", ["benchmarks.decay --data"] * 4),
        ("recall", ["benchmarks.recall --locomo"] * 3),
        ("recall-speed", ["benchmarks.recall"]),
        ("relevance", ["benchmarks.relevance --locomo"] * 2),
        ("updates", ["benchmarks.updates --locomo"] * 2),
        ("context", ["benchmarks.context --locomo"] * 2),
    ],
)
def test_each_measurement_runs_its_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locomo_file: Path, name: str, modules: list[str]
) -> None:
    calls: list[str] = []
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "locomo_dev.json.gz").write_bytes(gzip.compress(locomo_file.read_bytes()))

    def answer(*arguments: str) -> dict[str, list[object]]:
        calls.append(" ".join(arguments))
        return {
            "rows": [],
            "speed": [],
            "bank": [],
            "decay": [],
            "context": [],
            "relevance": [],
            "updates": [],
        }

    monkeypatch.setattr(measurements, "run_json", answer)
    run_measurement(name, tmp_path)
    assert len(calls) == len(modules)
    assert all(call.startswith(module) for call, module in zip(calls, modules, strict=True))


def test_benchmarks_run_in_their_own_process_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_LOG_LEVEL", "nonsense")
    assert run_json("benchmarks.service", "--requests", "10")["requests"] == 10
    with pytest.raises(SystemExit, match=r"benchmarks\.service --requests 1 --json failed:[^$]*must be at least 10"):
        run_json("benchmarks.service", "--requests", "1")


def test_the_tables_and_the_plot_of_context(tmp_path: Path) -> None:
    row = {"reader": "claude", "tier": "small", "budget": 512, "questions": 3, "billed_tokens": 500.0, "images": 1.0}
    rows = [
        row | {"show": show, "evidence": share, "text_tokens_instead": 600.0}
        for show, share in (("text", 0.5), ("images", 0.6), ("best", 0.75))
    ]
    measured = {"measured": {"weights": "w1"}}
    figures = Figures({"context": measured | {"rows": rows}})
    table = TABLES["context"].make(figures)
    assert table.splitlines()[2] == "| `claude` | 0.50 · 0.60 · 0.75 |"
    assert len(table.splitlines()) == 3
    assert TABLES["context-per-token"].make(figures).splitlines()[2] == "| `claude` | 1.000 · 1.200 · 1.500 |"
    plot_context(rows, tmp_path / "context.svg")
    assert b"</svg>" in (tmp_path / "context.svg").read_bytes()
