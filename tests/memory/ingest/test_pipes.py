"""Pipes, sockets and devices where a file is expected: they are refused, and nothing waits for them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.histories import folder, json_lines

from foxing.integrations.client.requests import import_request
from foxing.integrations.hooks.intake import session_folder
from foxing.memory import InvalidInput, Memory
from foxing.memory.ingest.importers import HistoryFiles, HistoryWatcher

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
LINE = json_lines({"role": "user", "content": "hello", "created_at": "2026-01-01T00:00:00Z"})


@pytest.fixture(params=["pipe", "socket", "device", "link"])
def not_a_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "history.jsonl"
    if request.param == "device":
        yield Path("/dev/zero")
        return
    if request.param == "socket":
        monkeypatch.chdir(tmp_path)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
            yield path
        return
    os.mkfifo(tmp_path / "pipe" if request.param == "link" else path)
    if request.param == "link":
        path.symlink_to(tmp_path / "pipe")
    yield path


def test_a_path_that_is_no_file_is_refused(not_a_file: Path, tmp_path: Path) -> None:
    foxing = Foxing(str(tmp_path / "a.db"))
    for arguments in (("import",), ("import", "--dry-run"), ("watch",)):
        name, *options = arguments
        problem = foxing.failure(name, str(not_a_file), *options, "--bank", "b")
        assert "neither a file nor a folder" in problem["detail"] or "cannot be read" in problem["detail"]
    with pytest.raises(InvalidInput, match="neither a file nor a folder"):
        import_request("b", not_a_file, {}, dry_run=False)
    with pytest.raises(InvalidInput):
        HistoryFiles.of(not_a_file)


def test_what_is_no_file_in_a_folder_is_left_out_and_counted(not_a_file: Path, tmp_path: Path) -> None:
    if not_a_file.parent != tmp_path or not_a_file.is_symlink():
        pytest.skip("stands elsewhere")
    (tmp_path / "a.jsonl").write_text(LINE)
    with Memory(tmp_path / "data" / "a.db") as memory:
        foxing = Foxing(str(tmp_path / "data" / "a.db"))
        sessions = folder(tmp_path / "sessions", {"a.jsonl": LINE})
        not_a_file.rename(sessions / "pipe.jsonl")
        [imported] = foxing.json("import", str(sessions), "--bank", "b")["files"]
        assert (imported["stored"], imported["left_out"][0]["count"]) == (1, 1)
        assert "pipes, devices and sockets" in imported["left_out"][0]["reason"]
        assert [each.path.name for each in HistoryWatcher(memory, [sessions], "b").poll()] == ["a.jsonl"]


def test_a_session_log_of_an_agent_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    assert session_folder(tmp_path / "a.jsonl") is None


def test_standard_input_may_be_a_pipe(tmp_path: Path) -> None:
    foxing = Foxing(str(tmp_path / "a.db"))
    assert foxing.json("import", "-", "--bank", "b", stdin=LINE)["files"][0]["stored"] == 1
