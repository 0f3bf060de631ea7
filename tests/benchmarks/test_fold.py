"""The benchmark of folding: a strict upstream refuses nothing, and what was said and kept is in what is sent."""

import pytest
from support.conversations import LOREM

from benchmarks.fold import compress
from benchmarks.fold.run import Report, run
from benchmarks.fold.sessions import make_session

TEXTS = {
    "user": [f"Please look at module {n} of the project next." for n in range(40)],
    "assistant": [f"I will read module {n} and then run its tests." for n in range(40)],
    "tool": [f"{n}: {LOREM}" for n in range(80)],
}


@pytest.mark.parametrize(
    ("wire", "reader"),
    [
        ("anthropic", "claude-fable-5"),
        ("anthropic", "text"),
        ("openai", "gemini-3.6-flash"),
        ("openai-responses", "gemini-3.6-flash"),
    ],
)
def test_no_request_is_refused(wire: str, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fold.run.BUDGET", 12_000)
    session, subs = make_session(TEXTS, 26_000, calls=60), [make_session(TEXTS, 3_000, seed, 8) for seed in (2, 3, 4)]
    report = run(session, subs, Report(reader, wire, "cold", 26_000))
    assert report.refused == 0
    assert report.folds > 2
    assert report.kept_exactly
    assert report.billed < 0.8
    assert report.identifiers == 1.0


def test_compressed_requests_are_not_refused() -> None:
    report = compress.run(make_session(TEXTS, 80_000, calls=80), compress.Report(80_000))
    assert report.refused == 0
    assert report.steps >= 1
    assert report.after < 0.8 * report.before
    assert report.identifiers == report.retrieved == 1.0
