"""The `foxing` command: in process for what it says, as a process for how it starts and ends."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from foxing.api.cli.context import marked, printable
from foxing.api.cli.main import app
from foxing.memory import Memory

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Foxing:
    """Runs the command on one database and tells what came of it."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.runner = CliRunner()

    def run(self, *arguments: str, stdin: str | None = None) -> Any:
        return self.runner.invoke(app, ["--database", str(self.database), *arguments], input=stdin)

    def text(self, *arguments: str) -> str:
        """What it prints for people."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        """The one document that it prints with --json."""
        result = self.run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    def failure(self, *arguments: str, status: int = 1) -> dict[str, Any]:
        """The problem document on stderr. For people the same is one sentence, without a traceback."""
        told = self.run(*arguments)
        assert told.exit_code == status, told.output
        assert told.stdout == ""
        assert "Traceback" not in told.stderr
        result = self.run(*arguments, "--json")
        assert result.exit_code == status
        assert result.stdout == ""
        document: dict[str, Any] = json.loads(result.stderr)
        assert document["detail"].split()[0] in told.stderr
        return document


@pytest.fixture
def foxing(database_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Foxing:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return Foxing(database_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A conversation in JSON Lines."""
    messages = [
        {
            "role": "user" if number % 2 == 0 else "assistant",
            "content": f"note {number}: Titan ships on 14 March" if number % 3 == 0 else f"note {number}: 점심 먹자",
            "created_at": (BEGIN + timedelta(minutes=number)).isoformat(),
        }
        for number in range(12)
    ]
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"id": "titan", "messages": messages}) + "\n", encoding="utf-8")
    return path


def test_every_command_has_help() -> None:
    runner = CliRunner()
    top = runner.invoke(app, ["--help"])
    assert top.exit_code == 0
    names = ("demo", "serve", "worker", "import", "export", "recall", "read", "pages", "banks", "seal", "age", "policy")
    for name in (*names, "train", "codec list", "codec check", "codec bench", "db upgrade", "db current"):
        assert name.split()[0] in top.stdout
        shown = runner.invoke(app, [*name.split(), "--help"])
        assert shown.exit_code == 0, shown.output
        assert "--json" in shown.stdout


def test_help_does_not_load_the_network() -> None:
    code = "import sys, foxing.api.cli.main; print([m for m in ('torch', 'fastapi', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_usage_errors_end_with_2(foxing: Foxing) -> None:
    for arguments in (
        ["recall", "x"],
        ["nonsense"],
        ["recall", "x", "--bank", "b", "--limit", "0"],
        ["serve", "--port", "x"],
    ):
        assert foxing.run(*arguments).exit_code == 2


def test_codec_list_names_every_codec_and_what_it_needs(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_REMOTE_URL", "http://127.0.0.1:9/v1")
    codecs = {entry["codec"]: entry for entry in foxing.json("codec", "list")["codecs"]}
    native, remote, deepseek = codecs["native"], codecs["remote"], codecs["deepseek-ocr"]
    assert (native["chosen"], native["installed"], native["ready"]) == (True, True, True)
    assert (remote["chosen"], remote["extra"], remote["ready"]) == (False, "remote", False)
    assert (deepseek["extra"], deepseek["needs"], deepseek["ready"]) == ("gpu", [], deepseek["installed"])
    assert remote["needs"] == [
        {"setting": "FOXING_REMOTE_URL", "set": True},
        {"setting": "FOXING_REMOTE_MODEL", "set": False},
    ]
    assert "FOXING_REMOTE_MODEL (not set)" in foxing.text("codec", "list")
    monkeypatch.setenv("FOXING_CODEC_DECODER", "remote")
    served, here = [e for e in foxing.json("codec", "list")["codecs"] if e["codec"] in ("deepseek-ocr", "got-ocr2")]
    assert (served["extra"], served["needs"], served["ready"]) == ("gpu,remote", remote["needs"], False)
    assert (here["extra"], here["needs"]) == ("gpu", [])


def test_codec_list_loads_no_model() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from foxing.api.cli.main import app; "
        "r = CliRunner().invoke(app, ['codec', 'list']); assert r.exit_code == 0, r.output; "
        "print([m for m in ('torch', 'transformers', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_codec_check_reads_a_page_at_every_tier(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = foxing.json("codec", "check")
    assert (checked["codec"], checked["passed"]) == ("native", True)
    assert {"device", "torch", "python"} <= set(checked["runs_on"])
    assert [row["tier"] for row in checked["tiers"]] == ["large", "base", "small", "tiny", "micro"]
    assert checked["tiers"][0]["accuracy"] > 0.97
    monkeypatch.setenv("FOXING_CODEC", "remote")
    assert "FOXING_REMOTE_URL" in foxing.failure("codec", "check")["detail"]


def test_import_adds_nothing_the_second_time(foxing: Foxing, file: Path) -> None:
    first = foxing.json("import", str(file), "--bank", "b")
    assert first["files"] == [{"file": str(file), "messages": 12, "stored": 12, "duplicates": 0, "threads": 1}]
    second = foxing.json("import", str(file), str(file), "--bank", "b")
    assert [(f["stored"], f["duplicates"]) for f in second["files"]] == [(0, 12), (0, 12)]
    assert "12 known already" in foxing.text("import", str(file), "--bank", "b")


def test_import_of_naive_times_needs_a_timezone(foxing: Foxing, tmp_path: Path) -> None:
    path = tmp_path / "naive.jsonl"
    line = {"id": "t", "messages": [{"role": "user", "content": "x", "created_at": "2026-01-05T09:00:00"}]}
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert foxing.failure("import", str(path), "--bank", "b")["type"] == "urn:foxing:problem:invalid-time"
    foxing.text("import", str(path), "--bank", "b", "--timezone", "Asia/Seoul")
    with Memory(foxing.database) as memory:
        assert [m.created_at for m in memory.export("b")] == [datetime(2026, 1, 5, 0, tzinfo=UTC)]


def test_export_goes_back_in(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    lines = [json.loads(line) for line in foxing.text("export", "--bank", "b").splitlines()]
    assert len(lines) == 12
    assert lines[1]["content"] == "note 1: 점심 먹자"
    assert {line["source"] for line in lines} == {"open"}
    assert foxing.json("export", "--bank", "b") == {"messages": lines}
    copy = tmp_path / "copy.jsonl"
    assert foxing.json("export", "--bank", "b", "--output", str(copy)) == {"messages": 12, "output": str(copy)}
    foxing.text("import", str(copy), "--bank", "c")
    with Memory(foxing.database) as memory:
        assert [m.model_dump() for m in memory.export("c")] == [m.model_dump() for m in memory.export("b")]
    assert foxing.failure("export", "--bank", "b", "--output", str(tmp_path / "no" / "where.jsonl"))
    assert foxing.failure("export", "--bank", "nobody", "--output", str(tmp_path / "none.jsonl"))["status"] == 404
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["copy.jsonl", "talk.jsonl"]


def test_a_bank_is_sealed_read_and_aged(foxing: Foxing, file: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    assert foxing.json("banks")["banks"][0]["open_messages"] == 12
    sealed = foxing.json("seal", "--bank", "b", "--now", "2026-01-05T12:00:00Z")
    assert sealed["messages"] == 12
    page_id = sealed["pages"][0]
    assert "0 pages sealed" in foxing.text("seal", "--bank", "b")

    pages = foxing.json("pages", "--bank", "b")["pages"]
    assert [(page["id"], page["tier"]) for page in pages] == [(page_id, "base")]
    assert page_id in foxing.text("pages", "--bank", "b")

    later = ("--now", "2026-02-20T12:00:00Z")
    preview = foxing.json("age", "--bank", "b", *later, "--dry-run")
    assert [move["to_tier"] for move in preview["moved"]] == ["tiny"]
    assert "1 pages would move" in foxing.text("age", "--bank", "b", *later, "--dry-run")
    assert "1 pages moved" in foxing.text("age", "--bank", "b", *later)

    reading = foxing.json("read", page_id, "--bank", "b")
    assert (reading["page_id"], reading["tier"], reading["source"]) == (page_id, "tiny", "decoded")
    assert "decoded at tiny" in foxing.text("read", page_id, "--bank", "b")
    assert foxing.json("read", page_id, "--bank", "b", "--tier", "micro")["tier"] == "micro"
    assert foxing.failure("read", page_id, "--bank", "b", "--tier", "base")["type"] == "urn:foxing:problem:forgotten"
    assert "1 tiny" in foxing.text("banks")


def test_recall(foxing: Foxing, file: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    found = foxing.json("recall", "when does Titan ship?", "--bank", "b", "--limit", "2")
    assert len(found["spans"]) == 2
    assert "Titan" in found["spans"][0]["text"]
    shown = foxing.text("recall", "점심", "--bank", "b", "--limit", "1")
    assert "점심 먹자" in shown
    assert "2026-01-05 09:" in shown
    window = ("--since", "yesterday", "--now", "2026-01-06T09:00:00Z", "--timezone", "UTC", "--limit", "500")
    assert len(foxing.json("recall", "--bank", "b", *window)["spans"]) == 12
    assert foxing.json("recall", "--bank", "b", "--thread", "other")["spans"] == []


@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        (("recall", "x", "--bank", "nobody"), "not-found"),
        (("recall", "x", "--bank", "b", "--since", "no time at all"), "invalid-time"),
        (("recall", "x", "--bank", "b", "--now", "2026-01-05T09:00:00"), "invalid-time"),
        (("recall", "x", "--bank", "b", "--now", "noon"), "invalid-time"),
        (("age", "--bank", "b", "--now", "2026-01-05"), "invalid-time"),
        (("read", "nothing", "--bank", "b"), "not-found"),
        (("pages", "--bank", "nobody"), "not-found"),
        (("import", "not-there.jsonl", "--bank", "b"), "invalid-input"),
        (("policy", "--bank", "b", "--set", "not-there.json"), "invalid-policy"),
    ],
)
def test_an_error_is_one_sentence(foxing: Foxing, file: Path, arguments: Sequence[str], slug: str) -> None:
    foxing.text("import", str(file), "--bank", "b")
    assert foxing.failure(*arguments)["type"] == f"urn:foxing:problem:{slug}"


def test_policy_is_shown_and_set(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    shown = json.loads(foxing.text("policy", "--bank", "b"))
    assert shown["fresh"] == "base"
    wanted = tmp_path / "policy.json"
    wanted.write_text(json.dumps({**shown, "keep_text": "always"}), encoding="utf-8")
    assert foxing.json("policy", "--bank", "b", "--set", str(wanted))["keep_text"] == "always"
    assert foxing.json("policy", "--bank", "b") == {**shown, "keep_text": "always"}
    back = foxing.json("policy", "--bank", "b", "--set", "-", stdin=json.dumps(shown))
    assert back == shown
    for text, said in (("{", "not JSON"), ("[]", "object"), ('{"fresh": "huge"}', "fresh")):
        wanted.write_text(text, encoding="utf-8")
        assert said in foxing.failure("policy", "--bank", "b", "--set", str(wanted))["detail"]
    assert foxing.json("policy", "--bank", "b") == shown


def test_database_commands(foxing: Foxing) -> None:
    assert foxing.json("db", "current")["revision"] is None
    upgraded = foxing.json("db", "upgrade")
    assert upgraded["before"] is None
    assert foxing.json("db", "current")["revision"] == upgraded["after"]
    assert "at schema" in foxing.text("db", "upgrade")
    assert str(upgraded["after"]) in foxing.text("db", "current")


def test_a_database_that_is_none_is_named(foxing: Foxing) -> None:
    foxing.database.write_bytes(b"this is no database, whatever its name says" * 100)
    document = foxing.failure("banks")
    assert document["type"] == "urn:foxing:problem:storage"
    assert foxing.database.name in document["detail"]


def test_a_database_of_a_newer_version_is_left_alone(foxing: Foxing) -> None:
    foxing.json("db", "upgrade")
    with closing(sqlite3.connect(foxing.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    for command in (["banks"], ["db", "upgrade"]):
        assert foxing.failure(*command)["type"] == "urn:foxing:problem:database-too-new"
    assert foxing.json("db", "current")["revision"] == "from_the_future"


def test_bad_settings_end_with_2(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    document = foxing.failure("serve", "--host", "0.0.0.0", "--port", "0", status=2)
    assert "FOXING_API_KEY" in document["detail"]
    monkeypatch.setenv("FOXING_PORT", "seven")
    assert "FOXING_PORT" in foxing.failure("banks", status=2)["detail"]


def test_the_option_overrides_the_setting(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    (tmp_path / "foxing.toml").write_text('database_url = "elsewhere.db"\n', encoding="utf-8")
    assert len(foxing.json("banks")["banks"]) == 1
    other = foxing.runner.invoke(app, ["banks", "--json"])
    assert json.loads(other.stdout) == {"banks": [], "next_cursor": None}
    assert (tmp_path / "elsewhere.db").exists()


def test_worker_once_seals_and_ages(foxing: Foxing) -> None:
    with Memory(foxing.database) as memory:
        memory.store("b", [{"role": "user", "content": "old", "created_at": BEGIN}])
    report = foxing.json("worker", "--once")
    assert report["sealed_pages"] == 1
    assert report["failed_banks"] == {}
    assert "0 pages sealed" in foxing.text("worker", "--once")


def test_training_without_data_is_explained(foxing: Foxing, tmp_path: Path) -> None:
    nothing = ("train", "--data", str(tmp_path), "--run", str(tmp_path / "run"))
    assert "training texts" in foxing.failure(*nothing)["detail"]
    assert "nothing to resume" in foxing.failure(*nothing, "--resume")["detail"]


def test_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\x07\r\x7f\x9b\u202e") == "a␛[2Jb␇␍␡⟦9B⟧⟦202E⟧"
    assert printable("lines\nand\ttabs 한국어 🙂") == "lines\nand\ttabs 한국어 🙂"


def test_what_may_be_misread_is_underlined() -> None:
    shown = marked("what[ever] it is", [(0, 4, 0.5), (11, 13, 0.2)])
    assert shown.plain == "what[ever] it is"
    assert [(span.start, span.end) for span in shown.spans if "underline" in str(span.style)] == [(0, 4), (11, 13)]
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system="standard").print(shown)
    assert "\x1b[4" in stream.getvalue()


def _start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "foxing.api.cli.main", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def test_serve_answers_and_ends_on_sigterm(database_path: Path) -> None:
    process = _start("--database", str(database_path), "serve", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        body = json.dumps({"messages": [{"role": "user", "content": "kept"}]}).encode()
        request = urllib.request.Request(
            f"{url}/v1/banks/b/messages", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 201
        process.send_signal(signal.SIGTERM)
        out, log = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert out == ""
    events = [json.loads(line) for line in log.splitlines()]
    assert {"started", "request", "stopped"} <= {event["event"] for event in events}
    assert not any("exception" in event for event in events)
    with Memory(database_path) as memory:
        assert memory.bank("b").messages == 1


def test_worker_ends_on_sigterm_between_ticks(database_path: Path) -> None:
    with Memory(database_path) as memory:
        memory.store("b", [{"role": "user", "content": "old", "created_at": BEGIN}])
    process = _start("--database", str(database_path), "worker", "--json", FOXING_AGEING_INTERVAL_S="3600")
    try:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["event"] == "tick"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert json.loads(out) == {"ticks": 1, "failed": 0}
    with Memory(database_path) as memory:
        assert memory.bank("b").pages == 1


def test_a_port_in_use_is_named(database_path: Path) -> None:
    first = _start("--database", str(database_path), "serve", "--port", "0", "--json")
    try:
        assert first.stdout is not None
        port = json.loads(first.stdout.readline())["url"].rpartition(":")[2]
        second = _start("--database", str(database_path), "serve", "--port", port)
        _, said = second.communicate(timeout=60)
        assert second.returncode == 2
        assert f"port {port}" in said
        assert "Traceback" not in said
    finally:
        first.terminate()
        first.communicate(timeout=60)
    assert first.returncode == 0
