"""The benchmark of long sessions: none is refused, and what the user typed is in the last request."""

import pytest
from support.conversations import LOREM

from benchmarks.sessions import DECISIONS, SessionReport, make_calls, run

TEXTS = [f"{n}: src/part_{n}/module_{n * 7}.py: {LOREM}" for n in range(80)]


@pytest.mark.parametrize("client", ["claude-code", "loop"])
def test_decisions_are_sent_and_no_request_is_refused(client: str) -> None:
    calls = list(make_calls(TEXTS, 56, turns=client != "loop"))
    report = run(calls, SessionReport(client, 56))
    assert report.refused == 0
    assert report.folds >= 1
    assert report.reachable_decisions == DECISIONS
    assert report.decisions == DECISIONS or client == "loop"  # one message of all decisions counts as pasted
    assert report.reachable_values >= 0.98
    assert report.billed <= 1.02
    assert report.counted_bytes < 0.2
