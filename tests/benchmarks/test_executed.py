"""Executed tokens, measured on a bank as the benchmark makes it."""

import json
from pathlib import Path

import pytest

from benchmarks import executed

pytestmark = pytest.mark.slow


def greeting(name: str) -> str:
    """Returns a greeting."""

    def polite(text: str) -> str:
        return text.title()

    return polite(name)  # the comment does not count


def test_tokens_of_a_function_leave_out_what_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executed, "_OURS", (str(Path(__file__)),))
    steps = executed.traced(lambda: greeting("Mina"))
    # `greeting` has 15 tokens without docstring, comment and `polite`, which has 16, and the lambda 6
    assert (steps.functions, steps.tokens) == (3, 37)


def test_the_benchmark_reports_every_verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["executed", "--json"])
    executed.main()
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"store", "recall", "context", "bank"}
    assert all(figures[verb]["tokens"] > 0 for verb in figures)
