"""Recall beside labels that people gave."""

import sys
from pathlib import Path

import pytest

from benchmarks.labels import main, measure_labels, read_labels
from foxing.memory import Memory, MemoryOptions


def test_labels_of_the_console_are_read_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "foxing.db"
    with Memory(database, options=MemoryOptions(embedder="none")) as memory:
        said = [{"id": f"m{n}", "role": "user", "content": f"{word} is blue"} for n, word in enumerate(("Sky", "Sea"))]
        memory.store("ana", said)
        for verdict, key in (("wrong", "m0"), ("right", "m0"), ("wrong", "m1")):
            memory.operations.labels.add("ana", "Is the sky blue?", verdict, key)  # type: ignore[arg-type]
        path = memory.operations.labels.path
        assert path is not None
        labels = read_labels(path)
        assert labels == {("ana", "Is the sky blue?"): {"m0": True, "m1": False}}
        row = measure_labels(memory, labels, 1, lambda done, total: None)
    assert (row.questions, row.belonging, row.recalled, row.foreign, row.wrong) == (1, 1, 1, 1, 0)
    command = ["labels", "--labels", str(path), "--database", str(database), "--embedder", "none", "--json"]
    monkeypatch.setattr(sys, "argv", command)
    main()
    assert '"questions": 1' in capsys.readouterr().out
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="line 1"):
        read_labels(path)
