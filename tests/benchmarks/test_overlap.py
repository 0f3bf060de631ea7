"""The share of held-out text that stands in training text."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.overlap import WINDOW, main, window_hashes

SHARED = "the loop stops at the first empty part of the file, and so does the test for it"
NEW = "nobody has written this sentence down before, as far as anybody here can remember"


def write(path: Path, *contents: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": "d", "messages": [{"role": "user", "content": content} for content in contents]}))


def test_windows_that_stand_in_training_text_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "train" / "en_a.jsonl.gz", f"He said that {SHARED}, which is true.")
    write(tmp_path / "eval" / "en_a.jsonl.gz", SHARED, NEW)
    write(tmp_path / "eval" / "de_b.jsonl.gz", NEW, "short")
    main(["--data", str(tmp_path), "--json"])
    rows = {row["group"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    inside, outside = len(SHARED) - WINDOW + 1, len(NEW) - WINDOW + 1
    assert rows["en_a"]["windows"] == inside + outside
    assert rows["en_a"]["overlap"] == pytest.approx(inside / (inside + outside))
    assert rows["de_b"] == {"group": "de_b", "windows": outside, "overlap": 0.0}


def test_windows_differ_if_any_character_does() -> None:
    text = SHARED[:WINDOW]
    changed = {int(window_hashes(text[:i] + "~" + text[i + 1 :])[0]) for i in range(WINDOW)}
    assert len(changed) == WINDOW
    assert int(window_hashes(text)[0]) not in changed
    assert len(window_hashes("short")) == 0


def test_a_folder_without_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has no train"):
        main(["--data", str(tmp_path)])
