"""What Foxing writes can be read by its owner alone, under the usual umask, whatever command writes it."""

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from support.agent_sessions import ClaudeSession
from support.command_line import Foxing, start
from support.service import serve

from foxing.api.running_service import RunningService
from foxing.integrations.hooks import places
from foxing.integrations.hooks.spool import Event, put, waiting
from foxing.integrations.turns.journal import TurnJournal
from foxing.integrations.wrap.journal import WrapJournal
from foxing.memory import DatabaseOptions, Memory
from foxing.renderer import private_files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes say who may read a file")
SAID = [{"role": "user", "content": f"The boiler in flat {n} was serviced by Kovač."} for n in range(60)]


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that others may enter, as a home or a project is."""
    made = tmp_path / "open"
    made.mkdir(mode=0o755)
    return made


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps(message) + "\n" for message in SAID))
    return path


def open_to_others(folder: Path) -> list[str]:
    """Paths in a folder on which others have any right."""
    found = [path for path in folder.rglob("*") if not path.is_symlink()]
    assert found
    return [str(path.relative_to(folder)) for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077]


@pytest.mark.slow
def test_a_database_and_what_commands_make_of_it(folder: Path, messages: Path) -> None:
    foxing = Foxing(str(folder / "data" / "deep" / "a.db"))
    foxing.json("import", str(messages), "--bank", "b", "--timezone", "UTC")
    with Memory(foxing.database) as memory:
        memory.seal("b")
        assert (folder / "data" / "deep" / "a.db-wal").exists()
        foxing.json("db", "backup", str(folder / "backup.db"))
        foxing.json("export", "--bank", "b", "--output", str(folder / "export.jsonl"))
        foxing.json("render", str(messages), "--reader", "claude", "--output", str(folder / "images"))
        prompt = ("context", "boiler", "--bank", "b", "--reader", "claude", "--budget", "2000")
        foxing.json(*prompt, "--images", str(folder / "prompt"))
        assert open_to_others(folder) == []
    foxing.database = str(folder / "restored" / "b.db")
    foxing.json("db", "restore", str(folder / "backup.db"), "--yes")
    assert open_to_others(folder) == []


def test_an_export_over_an_older_one(folder: Path, messages: Path) -> None:
    foxing = Foxing(str(folder / "a.db"))
    foxing.json("import", str(messages), "--bank", "b", "--timezone", "UTC")
    for name in ("export.jsonl", "export.jsonl.part"):
        (folder / name).write_text("older")
        (folder / name).chmod(0o644)
    foxing.json("export", "--bank", "b", "--output", str(folder / "export.jsonl"))
    assert open_to_others(folder) == []


def test_blobs_in_a_folder(folder: Path) -> None:
    pytest.importorskip("obstore")
    blobs = folder / "blobs"
    options = DatabaseOptions(str(folder / "a.db"), blobs_url=blobs.as_uri(), blobs_min_bytes=1)
    with Memory(options) as memory:
        memory.store("b", SAID)
        memory.seal("b")
    assert any(path.is_file() for path in blobs.rglob("*"))
    # The client of the storage makes what is in it; nobody else gets there.
    assert [path for path in open_to_others(folder) if not path.startswith("blobs/")] == []


def test_journals_and_what_hooks_leave(folder: Path) -> None:
    database = str(folder / "data" / "a.db")
    journals = TurnJournal(folder / "proxy" / "proxy.db", "b"), WrapJournal(folder / "wrap" / "wrap.db", "b")
    put(places.spool_of(database), Event("claude-code", "Stop", "", "/", b"{}"))
    places.note(database, "a line")
    assert (folder / "proxy" / "proxy.db-wal").exists()
    assert (folder / "wrap" / "wrap.db-wal").exists()
    assert open_to_others(folder) == []
    for journal in journals:
        journal.close()


def test_settings_that_install_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, project = folder / "home", folder / "project"
    for made in (home, project, project / ".git"):
        made.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("foxing.integrations.hooks.client.start_service", lambda database: True)
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(project)
    foxing = Foxing(str(home / ".local" / "share" / "foxing" / "foxing.db"))
    for tool in ("claude-code", "codex", "cursor"):
        for scope in ("--user", "--project"):
            foxing.json("install", tool, scope, "--yes")
    assert open_to_others(folder) == []


def test_settings_that_are_there_keep_their_rights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".claude").mkdir()
    settings = folder / ".claude" / "settings.json"
    settings.write_text("{}")
    settings.chmod(0o640)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    Foxing(str(folder / "a.db")).json("install", "claude-code", "--user", "--yes", "--no-past")
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert "foxing-hook" in settings.read_text()


def test_files_that_a_service_receives(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    found: list[list[str]] = []
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("a.jsonl", json.dumps(SAID[0]))

    def look(*_: object) -> None:
        found.append(open_to_others(folder))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("foxing.memory.ingest.importers.jobs.check_file", look)
    monkeypatch.setattr("foxing.memory.ingest.importers.jobs.preview_file", look)
    with Memory(tmp_path / "a.db") as memory, serve(memory) as client:
        headers = {"Content-Type": "application/octet-stream"}
        client.post("/v1/banks/b/import", content=archive.getvalue(), headers=headers)
        files = [("file", ("a.jsonl", b"{}")), ("file", ("b.jsonl", b"{}"))]
        own = {"Origin": str(client.base_url).rstrip("/")}
        client.post("/console/banks/b/import", files=files, headers=own)
    assert found == [[], []]


def test_what_is_open_is_closed_at_the_start_with_a_line(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "a.db"
    with Memory(path) as memory:
        memory.store("b", SAID[:1])
        opened = [path, folder / "a.db-wal", folder / "a.db-shm"]
        for each in opened:
            each.chmod(0o644)
        with caplog.at_level(logging.WARNING), Memory(path):
            pass
        assert open_to_others(folder) == []
        [line] = [record.getMessage() for record in caplog.records if record.name == private_files.__name__]
        assert all(str(each) in line for each in opened)
        caplog.clear()
        with Memory(path):
            pass
        assert caplog.records == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755  # which is not Foxing's


def test_journals_are_closed_at_the_start(folder: Path) -> None:
    for name, kind in (("proxy.db", TurnJournal), ("wrap.db", WrapJournal)):
        path = folder / name
        path.touch(mode=0o644)
        assert open_to_others(folder) == [name]
        kind(path, "b").close()
        assert open_to_others(folder) == []


@pytest.mark.slow
def test_a_service_with_hooks_and_what_it_writes(folder: Path, tmp_path: Path) -> None:
    database = folder / "data" / "a.db"
    session = ClaudeSession(tmp_path / "projects", tmp_path, "first")
    session.say(("rename it", "renamed"))
    payload = json.dumps(session.payload("Stop")).encode()
    command = [sys.executable, "-m", "foxing.integrations.hooks.client", "claude-code", "Stop"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([*command, "--database", str(database)], input=payload, check=True, env=environment, timeout=120)
    service = int((Path(places.folder_of(str(database))) / "service-starting").read_text())
    try:
        while RunningService.of(database) is None or waiting(places.spool_of(str(database))):
            os.kill(service, 0)
        assert open_to_others(folder) == []
    finally:
        os.kill(service, signal.SIGKILL)


@pytest.mark.slow
def test_what_hooks_of_an_older_version_left_is_closed_by_the_service(folder: Path) -> None:
    database = folder / "a.db"
    old = Path(places.folder_of(str(database)))
    (old / "spool" / "damaged").mkdir(parents=True)
    (old / "service.log").write_text("")
    assert len(open_to_others(folder)) == 4
    process = start("--database", str(database), "serve", "--port", "0", "--json")
    try:
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(f"{url}/x/hooks/status", timeout=600).status_code == 200
        assert open_to_others(folder) == []
    finally:
        process.kill()
        process.communicate()


def test_a_umask_that_takes_more_is_respected(folder: Path) -> None:
    os.umask(0o377)
    private_files.create(folder / "a")
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o400
