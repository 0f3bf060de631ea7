"""The benchmark of lists of banks."""

from pathlib import Path

from benchmarks.list_banks import measure_lists


def test_all_banks_are_listed(tmp_path: Path) -> None:
    result = measure_lists(tmp_path / "foxing.db", 3, 2)
    assert result.banks == 3
    assert 0 < result.p50_s <= result.max_s
