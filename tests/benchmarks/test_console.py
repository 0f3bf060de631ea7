"""The benchmark of the console."""

from pathlib import Path

import pytest

from benchmarks.console import make_bank, measure_many_banks, measure_pages
from benchmarks.load.banks import BANK, open_database

pytestmark = pytest.mark.slow


def test_every_page_of_a_bank(tmp_path: Path, forked_services: None) -> None:
    make_bank(tmp_path, 120, 40, 30.0)
    with open_database(tmp_path) as memory:
        assert memory.bank(BANK).messages == 120
        said = [span.created_at for span in memory.export(BANK)]
        assert said == sorted(said)
        assert len(set(said)) == 118  # each copy begins when the one before it ends
    rows = {row.page: row for row in measure_pages(tmp_path, 2)}
    assert {"banks", "overview", "timeline, search", "message", "recall", "context", "policy"} <= set(rows)
    for row in rows.values():
        assert 0 < row.p50_ms <= row.complete_p95_ms
        assert row.html_bytes > 1_000
        assert row.first_paint_ms is None


def test_a_list_of_banks(tmp_path: Path, forked_services: None) -> None:
    rows = measure_many_banks(tmp_path, 5, 2)
    searches = ["banks, search of 5", "banks, search of a word of one bank of 5"]
    assert [row.page for row in rows] == ["banks of 5", *searches, "health of 5"]
    for row in rows:
        assert row.requests == 2
        assert 0 < row.p50_ms <= row.complete_p95_ms
