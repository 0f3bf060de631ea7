"""The benchmark of recall weights."""

import json
from pathlib import Path

import pytest

from benchmarks.recall_weight.__main__ import main


def test_what_is_asked_before_is_measured(locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--locomo", str(locomo_file), "--times", "0", "2", "--json"])
    never, twice = json.loads(capsys.readouterr().out)["recall_weight"]
    assert (never["times"], twice["times"]) == (0, 2)
    assert never["words"] == twice["words"] > 0
    assert never["other_words"] == 0
    for row in (never, twice):
        assert 0 <= row["asked_kept"] <= 1
        assert 0 < row["characters_kept"] <= 1


def test_what_is_not_locomo_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"other\.json is not a LoCoMo file"):
        main(["--locomo", str(tmp_path / "other.json")])
