"""Watching of the sessions of coding agents."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import histories
from support.command_line import start
from support.histories import folder, json_lines

from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import HistoryWatcher


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none")) as opened:
        yield opened


def test_what_is_there_then_what_is_added(memory: Memory, tmp_path: Path) -> None:
    lines = histories.claude_code_lines()
    sessions = folder(tmp_path / "projects", {"p/s1.jsonl": json_lines(*lines[:5]), "p/notes.jsonl": '{"a": 1}\n'})
    watcher = HistoryWatcher(memory, [sessions, tmp_path / "absent"], "b")
    first = {each.path.name: each for each in watcher.poll()}
    assert first["s1.jsonl"].report is not None
    assert first["s1.jsonl"].report.stored == 1
    assert "not recognised" in (first["notes.jsonl"].error or "")
    assert list(watcher.poll()) == []
    with (sessions / "p/s1.jsonl").open("a") as file:
        file.write(json_lines(*lines[5:])[:-30])  # the last line is being written
    [second] = watcher.poll()
    assert second.report is not None
    assert (second.report.stored, second.report.duplicates) == (4, 1)
    with (sessions / "p/s1.jsonl").open("w") as file:
        file.write(json_lines(*lines))
    os.utime(sessions / "p/s1.jsonl", (1, 1))
    [third] = watcher.poll()
    assert third.report is not None
    assert (third.report.stored, third.report.duplicates) == (0, 5)


def test_a_session_that_is_removed_or_empty(memory: Memory, tmp_path: Path) -> None:
    sessions = folder(tmp_path / "sessions", {"a.jsonl": json_lines(*histories.codex_lines()), "b.jsonl": ""})
    watcher = HistoryWatcher(memory, [sessions], "b")
    assert [each.path.name for each in watcher.poll()] == ["a.jsonl"]
    (sessions / "a.jsonl").unlink()
    assert list(watcher.poll()) == []
    assert memory.bank("b").messages == 4


@pytest.mark.slow
def test_the_command_stores_until_it_is_stopped(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/a.db"
    sessions = folder(tmp_path / "sessions", {"a.jsonl": json_lines(*histories.codex_lines()[:4])})
    process = start("--database", database, "watch", str(sessions), "--bank", "b", "--every", "0.1", "--json")
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["report"]["stored"] == 1
        (sessions / "a.jsonl").write_text(json_lines(*histories.codex_lines()))
        assert json.loads(process.stdout.readline())["report"]["stored"] == 3
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    with Memory(database) as memory:
        assert memory.bank("b").messages == 4
