"""The measurement of proof-reading."""

import json
from pathlib import Path

import pytest

from benchmarks.proof_reading import main


def test_a_row_for_each_file_and_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = [{"role": "user", "content": "The order W4923227 of shelf 8 is late, see src/api/main.py."}] * 40
    path = tmp_path / "orders.jsonl"
    path.write_text(json.dumps({"id": "orders", "lang": "en", "messages": said}) + "\n", encoding="utf-8")
    readers = ("--reader", "claude-fable-5", "--reader", "claude-opus-5")
    assert main(["--texts", str(path), *readers, "--json"]) == 0
    dense, legible = json.loads(capsys.readouterr().out)["proof_reading"]
    assert (dense["reader"], legible["reader"]) == ("claude-fable-5", "claude-opus-5")
    for row in (dense, legible):
        assert (row["texts"], row["messages"], row["inexact"]) == ("orders", 40, 0)
        assert row["proof_ms"] < 200
        assert 0.02 < row["reference_share"] < 0.2
    assert dense["doubtful_words"] == 3
    assert dense["doubtful_beside_keepsakes"] == 2
    assert {"8", "t"} <= set(dense["doubtful_characters"])
    assert (legible["doubtful_words"], legible["doubtful_characters"]) == (0, "")
    assert main(["--texts", str(path), "--reader", "text"]) == 1
    assert "accepts no images" in capsys.readouterr().err
