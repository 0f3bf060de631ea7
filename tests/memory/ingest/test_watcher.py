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
from foxing.memory.errors import StorageError
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


def test_a_log_that_is_truncated_rotated_or_replaced(memory: Memory, tmp_path: Path) -> None:
    lines = histories.codex_lines()
    sessions = folder(tmp_path / "sessions", {"a.jsonl": json_lines(*lines)})
    path = sessions / "a.jsonl"
    watcher = HistoryWatcher(memory, [sessions], "b")
    assert [each.report and each.report.stored for each in watcher.poll()] == [4]
    path.write_text(json_lines(*lines[:4]))
    assert [each.report and each.report.stored for each in watcher.poll()] == [0]
    path.rename(sessions / "a.1.jsonl")
    path.write_text(json_lines(*histories.claude_code_lines()))
    assert sorted(each.report.stored for each in watcher.poll() if each.report) == [0, 5]
    assert memory.bank("b").messages == 9
    # another file of the same size and time, as a copy that keeps times puts it there
    before = path.stat()
    other = sessions / "other"
    other.write_text(json_lines(*histories.claude_code_lines()).replace("s1", "s2"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.stat().st_size == before.st_size
    other.replace(path)
    assert [each.path for each in watcher.poll()] == [path]


def test_a_huge_line_is_reported_once_and_ends_nothing(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxing.memory.ingest.importers.source.MAX_LINE_BYTES", 10_000)
    huge = json.dumps({"type": "user", "text": "x" * 20_000}) + "\n"
    files = {
        "a.jsonl": json_lines(*histories.claude_code_lines()) + huge,
        "b.jsonl": json_lines(*histories.codex_lines()),
    }
    watcher = HistoryWatcher(memory, [folder(tmp_path / "sessions", files)], "b")
    found = {each.path.name: each for each in watcher.poll()}
    assert "longer than" in (found["a.jsonl"].error or "")
    assert found["b.jsonl"].report is not None
    assert found["b.jsonl"].report.stored == 4
    assert list(watcher.poll()) == []


def test_a_file_that_failed_with_the_database_is_tried_again(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise StorageError("the database was locked for too long; try again")

    sessions = folder(tmp_path / "sessions", {"a.jsonl": json_lines(*histories.codex_lines())})
    watcher = HistoryWatcher(memory, [sessions], "b")
    with monkeypatch.context() as patched:
        patched.setattr("foxing.memory.ingest.importers.watcher.import_file", locked)
        [first] = watcher.poll()
        assert "locked" in (first.error or "")
    [second] = watcher.poll()
    assert second.report is not None
    assert second.report.stored == 4
    assert list(watcher.poll()) == []


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
