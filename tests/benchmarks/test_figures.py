"""The figures of the documentation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.context.plot import plot as plot_context
from benchmarks.figures import __main__ as command
from benchmarks.figures import results as stored
from benchmarks.figures.pictures import PART_CELLS, SHOWN_TIERS, _aged_pages, _demo_entries, _enlarged, _overview
from benchmarks.figures.results import Results, conditions
from benchmarks.figures.runs import Run, RunFailed, all_runs, run_json
from benchmarks.figures.tables import TABLES, Table
from benchmarks.relevance.plot import plot as plot_relevance
from foxing.encoder import load_codec

NOW = {"commit": "c1", "weights": "w1", "day": "2026-12-02"}
IDLE = {"banks": 20_000, "p50_ms": 8, "max_ms": 14}
SERVICE = {"requests": 500, "p50_ms": 1.46, "p95_ms": 1.87, "max_ms": 67.74}


def made(tmp_path: Path, **runs: Any) -> Results:
    results = Results(tmp_path / "made.json")
    for name, result in runs.items():
        results.store(name.replace("_", " "), NOW, result)
    return results


def lines_of(name: str, results: Results) -> list[str]:
    """The rows of a table, without its head and the line below it."""
    _, _, *lines = TABLES[name].text(results).split("\n\n")[0].splitlines()
    return lines


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Figures and one document with a table, in place of those of the repository."""
    Results(tmp_path / "figures.json").store("service", NOW, SERVICE)
    document = tmp_path / "page.md"
    document.write_text("Before\n<!-- figures:served -->\nold\n<!-- /figures -->\nAfter\n", encoding="utf-8")
    monkeypatch.setattr(command, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(command, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(command, "DOCUMENTS", (document,))
    monkeypatch.setattr(command, "conditions", lambda: NOW)
    return tmp_path


def test_documents_hold_the_tables_of_the_stored_figures() -> None:
    results = Results(command.FIGURES)
    used = set()
    for document in command.DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert command.with_tables(text, results) == text, document.name
        used |= {name for name in TABLES if f"<!-- figures:{name} -->" in text}
    assert used == set(TABLES)


def test_every_run_of_a_table_is_declared_and_every_run_has_a_table() -> None:
    runs = set(all_runs(Path("data"), Path("locomo.jsonl")))
    assert {name for table in TABLES.values() for name in table.runs} == runs


def test_none_only_writes_tables(workspace: Path) -> None:
    before = (workspace / "figures.json").read_bytes()
    command.main(["--only", "none"])
    text = (workspace / "page.md").read_text(encoding="utf-8")
    assert text.startswith("Before\n<!-- figures:served -->\n| figure | measured |\n|---|---|\n")
    assert "| storing a message over HTTP, p50 (p95) | 1.5 ms (1.9 ms) |" in text
    assert "| `foxing recall` alone | – s, – MiB |" in text
    assert "*`service`: 2026-12-02, commit c1; not measured: `commands`, `recall latency`, `idle`*" in text
    assert text.endswith("\n<!-- /figures -->\nAfter\n")
    assert (workspace / "figures.json").read_bytes() == before
    assert not (workspace / "images").exists()


def runner(results: dict[str, object], calls: list[str]) -> Callable[[Run], object]:
    def run(each: Run) -> object:
        calls.append(each.module)
        if each.module not in results:
            raise RunFailed("no data")
        return results[each.module]

    return run


def test_what_is_stored_is_not_measured_again_and_a_failure_stops_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(command, "run_json", runner({"benchmarks.idle_banks": IDLE}, calls))
    only = ["--only", "service", "--only", "commands", "--only", "idle"]
    with pytest.raises(SystemExit, match="not measured: commands"):
        command.main(only)
    assert calls == ["benchmarks.commands", *2 * ["benchmarks.idle_banks"]]
    assert "commands: failed: no data" in capsys.readouterr().err
    assert "| 8 ms (14 ms), 20,000 banks |" in (workspace / "page.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        command.main(only)  # goes on where it stopped
    assert calls[3:] == ["benchmarks.commands"]
    monkeypatch.setattr(command, "conditions", lambda: {**NOW, "commit": "c2"})
    with pytest.raises(SystemExit):
        command.main(only)
    assert calls[4:] == ["benchmarks.service", "benchmarks.commands", *2 * ["benchmarks.idle_banks"]]
    text = (workspace / "page.md").read_text(encoding="utf-8")
    assert "*`service`: 2026-12-02, commit c1; `idle`: 2026-12-02, commit c2; not measured" in text


def test_the_plan_says_what_is_stored_and_how_long_the_rest_takes(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Results(workspace / "figures.json").store("commands", {**NOW, "seconds": 90}, {})
    command.main(["--plan", "--only", "service", "--only", "commands", "--only", "recall tiny"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["service", "commands", "recall"]
    assert "1.5 min  2026-12-02, commit c1" in lines[1]
    assert lines[2].endswith("~  10.0 min  not measured")
    assert lines[-1].startswith("about 0.1 h")


def test_figures_are_only_of_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"status": " M memory/memory.py", "rev-parse": "0123456789ab"}
    monkeypatch.setattr(stored, "_git", lambda verb, *_: answers[verb])
    with pytest.raises(SystemExit, match=r"commit or stash first:\n M memory/memory\.py"):
        conditions()
    answers["status"] = ""
    now = conditions()
    assert (now["commit"], now["weights"]) == ("0123456789ab", load_codec("native").weights)


def test_benchmarks_run_in_their_own_process_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_LOG_LEVEL", "nonsense")
    assert run_json(Run("benchmarks.service", ("--requests", "10"), 1))["requests"] == 10
    with pytest.raises(RunFailed, match="must be at least 10"):
        run_json(Run("benchmarks.service", ("--requests", "1"), 1))


def test_missing_fields_are_dashes_and_shares_are_not_rounded_up(tmp_path: Path) -> None:
    table = Table(("service",), lambda _: [{"share": 0.9999999}, {"share": 1.0}, {}], {"share": "{share:exact}"})
    text = table.text(made(tmp_path, service={}))
    assert text.splitlines()[2:5] == ["| 99.999% |", "| 100.000% |", "| – |"]
    assert table.text(Results(tmp_path / "none.json")).startswith("Not measured yet: ")


def test_answers_by_age_have_tables(tmp_path: Path) -> None:
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
    tiers = {f"decay_{tier}": {"decay": [{**row, "memory": f"foxing at {tier}"}]} for tier in ("small", "micro")}
    results = made(tmp_path, decay_ages={"decay": rows}, decay_packages={"decay": [package]}, **tiers)
    ages = lines_of("decay", results)
    assert [line.split(" | ")[1] for line in ages] == ["30, 180", "365", "30"]
    assert ages[0].endswith("| 0.250 | 0.750 | 0.250 | 0.750 | – | 0.500 | 0 | 2.00 | 50% | 4 |")
    assert ages[2].startswith("| mem0 without a model, full text | 30 | 0.250 | 0.750 | – | – |")
    assert [line.split(" | ")[0] for line in lines_of("decay-tiers", results)] == ["| `small`", "| `micro`"]
    assert lines_of("decay-tools", results) == []
    (facts,) = lines_of("decay-facts", results)
    assert facts.startswith("| English chats (LoCoMo) | 0.750 (4) | 1.000 | 0.000 |")
    assert facts.endswith("| 0.500 (2) | 0.125 | 0 | 0.500 | 1,200 (1,216) |")


def test_ageing_step_by_step_stands_beside_going_there_directly(tmp_path: Path) -> None:
    row = {"tier": "micro", "language": "en_irc", "condition": "clean", "accuracy": 1.0, "silent_errors_per_10k": 1.0}
    row |= {"kept_share": 0.5, "bytes_per_page": 9.0, "invented_words_per_million": 2.0, "path": "direct"}
    aged = {**row, "path": "aged", "kept_share": 0.25, "silent_errors_per_10k": 3.0}
    altered = [{**row, "condition": "blur 0.5 px", "accuracy": accuracy} for accuracy in (0.5, 1.0)]
    results = made(tmp_path, repeated={"rows": [row, *altered, aged]})
    assert lines_of("ageing", results) == ["| `micro` | 25.00% | 50.00% | 100.000% | 100.000% | 3.0 | 1.0 | 2 | 9 |"]
    assert lines_of("altered", results) == ["| blur 0.5 px | 50.00% | 50.00% | 75.00% | 50.00% | – | – | 2 |"]


def test_context_by_reader_and_budget(tmp_path: Path) -> None:
    row = {"reader": "claude", "tier": "small", "budget": 512, "questions": 3, "billed_tokens": 500.0, "images": 1.0}
    rows = [row | {"show": show, "evidence": share} for show, share in (("text", 0.5), ("images", 0.6), ("best", 0.75))]
    (line,) = lines_of("context", made(tmp_path, context_dense={"context": rows}))
    assert line.startswith("| `claude` | – · – · 0.50 · 0.60 · 0.75 | – · –")
    plot_context(rows, tmp_path / "context.svg")
    assert b"</svg>" in (tmp_path / "context.svg").read_bytes()


def test_relevance_has_a_plot(tmp_path: Path) -> None:
    bins = [{"spans": 9, "relevance": 0.04, "evidence": 0.05}]
    plot_relevance([{"embedder": "use", "calibration_error": 0.1, "bins": bins}], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


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
