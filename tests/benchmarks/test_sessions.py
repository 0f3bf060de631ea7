"""The benchmark of long sessions, on recordings of the real clients whose own texts are made."""

from pathlib import Path

import pytest

from benchmarks.sessions.recording import read_session
from benchmarks.sessions.replay import price_of, replay

RECORDINGS = sorted((Path(__file__).parent / "sessions").iterdir())


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name.partition("-long")[0])
def test_a_recorded_session_is_folded_and_none_of_its_requests_is_refused(path: Path) -> None:
    session, _ = read_session(path)
    report = replay(path, reader="text", budget=8_000)
    assert report.refused == report.refused_beside == 0
    assert report.folds >= 1
    assert report.most_sent < report.most_unfolded
    assert report.typed == report.decisions == len(session.decisions) > 5
    assert report.reachable_values >= 0.98
    assert report.billed is not None


def test_a_session_ends_after_so_many_calls() -> None:
    path = RECORDINGS[0]
    report = replay(path, calls=5, beside=False, compacted_price=price_of(path, 5))
    assert report.calls in (5, 6)  # the last answer may call two tools
    assert report.folds == 0
    assert report.billed is None
    assert report.billed_beside_compaction == 1.0
