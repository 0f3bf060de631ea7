"""The benchmarks of the proxy: nothing is refused, prefixes stay, and no turn is lost or doubled."""

import pytest
from support.conversations import LOREM

from benchmarks.fold.sessions import make_session
from benchmarks.proxy import kills
from benchmarks.proxy.run import ProxyReport, run

TEXTS = {
    "user": [f"Please look at module {n} of the project next." for n in range(40)],
    "assistant": [f"I will read module {n} and then run its tests." for n in range(40)],
    "tool": [f"{n}: {LOREM}" for n in range(80)],
}


@pytest.mark.slow
@pytest.mark.parametrize(("wire", "service"), [("anthropic", True), ("openai", False), ("openai-responses", False)])
def test_sessions_pass_through_the_proxy(wire: str, service: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.proxy.run.BUDGET", 12_000)
    session, subs = make_session(TEXTS, 26_000, calls=60), [make_session(TEXTS, 3_000, seed, 8) for seed in (2, 3, 4)]
    monkeypatch.setattr("benchmarks.proxy.run.SUB_AGENTS", (10, 20, 30))
    report = run(session, subs, ProxyReport(wire, "text", 26_000, service))
    assert (report.refused, report.retries) == (0, 0)
    assert report.folds >= 1
    assert (1 - report.prefix_folded) * report.calls <= report.folds  # only a fold may change what was sent
    assert report.stored == report.turns
    assert report.reported == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_no_turn_is_lost_or_doubled_by_kills() -> None:
    report = kills.run(3)
    assert report.kills >= 3
    assert (report.lost, report.doubled, report.refused) == (0, 0, 0)
