"""Import of histories of assistants other than ChatGPT and Claude."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.histories import AI_STUDIO, GEMINI, GROK, HISTORIES, MEM0, file

from foxing.memory import InvalidTime, Memory, MemoryOptions
from foxing.memory.ingest.importers import ImportOptions, ImportReport, import_file


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: now) as opened:
        yield opened


def said(memory: Memory) -> list[tuple[str | None, str, str]]:
    """Thread, role and text of each message."""
    return [(each.thread, each.role, each.text) for each in memory.export("b")]


def left_out(report: ImportReport) -> dict[str, int]:
    return {each.reason: each.count for each in report.left_out}


def test_gemini(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Gemini, Takeout"][1](tmp_path / "takeout.zip"), bank="b")
    assert said(memory) == [
        ("gemini:2026-02-02T07:20:00.000Z", "user", "Hi"),
        ("gemini:2026-02-02T07:20:00.000Z", "assistant", "Hello"),
        ("gemini:2026-02-02T07:22:00.000Z", "user", "What is it?\n[file: image_89-1e98.png]"),
        ("gemini:2026-02-02T07:22:00.000Z", "assistant", "A fox"),
        ("gemini:2026-02-02T07:22:00.000Z:2", "user", "Eingegebener Prompt: Hallo"),
        ("gemini:2026-02-02T07:22:00.000Z:2", "assistant", "Grüße"),
        ("gemini:d830", "user", "How high?"),
        ("gemini:d830", "assistant", "A fence is\n- high"),
        ("gemini:d830", "user", "And how deep?"),
        ("gemini:d830", "assistant", "Two"),
        ("gemini:d830", "assistant", "Three"),
    ]
    first = memory.message("b", "gemini:2026-02-02T07:24:02.806Z:prompt")
    assert first.created_at == datetime(2026, 2, 2, 7, 24, 2, 806000, tzinfo=UTC)
    assert left_out(report) == {"activities without a prompt or an answer": 1}


def test_a_longer_activity_of_gemini_and_one_that_is_cut(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "MyActivity.json", json.dumps(GEMINI[1:]))
    assert import_file(memory, path, bank="b").stored == 8
    file(path, json.dumps(GEMINI))
    assert import_file(memory, path, bank="b").stored == 3
    file(path, json.dumps(GEMINI)[:-40])
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.duplicates) == (0, 9)
    assert left_out(report)["what follows a damaged place in the file"] == 1


def test_ai_studio(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["AI Studio"][1](tmp_path / "Fox")
    report = import_file(memory, path, bank="b")
    [thread] = {each.thread for each in memory.export("b")}
    assert thread is not None
    assert [memory.message("b", f"{thread}:{key}").text for key in ("system", 0, 1, 3)] == [
        "Be brief",
        "Look",
        "[image]",
        "A fox",
    ]
    assert [memory.message("b", f"{thread}:{key}").role for key in ("system", 0, 3)] == ["system", "user", "assistant"]
    assert memory.message("b", f"{thread}:3").created_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert left_out(report) == {"thoughts of the model": 1}
    chunks: list[dict[str, Any]] = AI_STUDIO["chunkedPrompt"]["chunks"]  # type: ignore[index,assignment]
    longer = AI_STUDIO | {"chunkedPrompt": {"chunks": [*chunks, {"text": "Thanks", "role": "user"}]}}
    file(path, json.dumps(longer))
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.duplicates, report.threads) == (1, 4, 1)


def test_mem0(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["mem0, results"][1](tmp_path / "memories.json")
    import_file(memory, path, bank="b")
    assert said(memory) == [
        ("mem0:ann", "user", "Ann is allergic to nuts"),
        ("mem0:bo", "user", "Bo plays the cello"),
    ]
    assert memory.message("b", "mem0:m1").created_at == datetime(2026, 3, 1, 18, tzinfo=UTC)
    file(path, json.dumps([*MEM0, {"id": "m9", "memory": "new", "created_at": "2026-03-03T10:00:00"}, {"id": "m8"}]))
    with pytest.raises(InvalidTime, match=r"item 3: .*no timezone; give that of the file"):
        import_file(memory, path, bank="b")
    report = import_file(memory, path, bank="b", options=ImportOptions(timezone="America/Los_Angeles"))
    assert (report.stored, report.duplicates) == (1, 2)
    assert left_out(report) == {"messages that cannot be read": 1}


def test_grok(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["Grok"][1](tmp_path / "prod-grok-backend.json")
    report = import_file(memory, path, bank="b")
    assert said(memory) == [("grok:g1", "user", "How high?"), ("grok:g1", "assistant", "1.8 m")]
    assert memory.message("b", "grok:g1:r1").created_at == datetime(2026, 2, 28, 22, 10, 1, 500000, tzinfo=UTC)
    assert memory.message("b", "grok:g1:r2").created_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert left_out(report) == {"messages without text": 1}
    other: dict[str, Any] = json.loads(json.dumps(GROK["conversations"][0]))
    other["conversation"]["id"] = "g2"
    file(path, json.dumps({"conversations": [*GROK["conversations"], other]})[:-5])
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.duplicates) == (0, 2)
    assert left_out(report)["what follows a damaged place in the file"] == 1
