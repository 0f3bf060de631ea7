"""The benchmark of context."""

import json
from pathlib import Path

import pytest

from benchmarks.context import speed
from benchmarks.context.__main__ import main


def test_evidence_is_shown_within_each_budget(
    locomo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "context.svg"
    readers = ("--reader", "text", "--reader", "gemini-2", "--budget", "300", "--budget", "2000")
    assert main(["--locomo", str(locomo_file), *readers, "--tier", "open", "--plot", str(plot), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["context"]
    assert [(row["reader"], row["budget"], row["show"]) for row in rows] == [
        *(("text", budget, show) for budget in (300, 2000) for show in ("text", "newest")),
        *(
            ("gemini-2", budget, show)
            for budget in (300, 2000)
            for show in ("best", "text", "images", "newest", "random")
        ),
    ]
    assert all(0 <= row["evidence"] <= 1 and row["billed_tokens"] <= row["budget"] for row in rows)
    # messages that are open have no page
    assert all(row["evidence"] == 1 for row in rows if row["show"] not in ("images", "random"))
    assert all(row["images"] == 0 for row in rows if row["show"] in ("text", "newest"))
    assert b"</svg>" in plot.read_bytes()


def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, locomo_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--locomo", str(tmp_path / "none.json")]) == 1
    assert "is not a LoCoMo file" in capsys.readouterr().err
    assert main(["--locomo", str(locomo_file), "--reader", "cluade", "--tier", "open"]) == 1
    assert "did you mean 'claude'" in capsys.readouterr().err


def test_context_is_timed_in_a_large_bank(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--messages", "200", "--different", "100", "--reader", "gemini-3", "--questions", "2", "--json")
    assert speed.main(arguments) == 0
    (row,) = json.loads(capsys.readouterr().out)["speed"]
    assert (row["reader"], row["messages"], row["questions"]) == ("gemini-3", 200, 2)
    assert min(row["first_p50_ms"], row["cached_p50_ms"]) > 0
    assert speed.main((*arguments, "--reader", "cluade")) == 1
    assert "did you mean 'claude'" in capsys.readouterr().err
