"""The `foxing` command in process: output, errors and exit statuses."""

import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.databases import execute
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.memory import Memory

SENT_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A conversation in JSON Lines."""
    messages = [
        {
            "role": "user" if number % 2 == 0 else "assistant",
            "content": f"note {number}: Titan ships on 14 March" if number % 3 == 0 else f"note {number}: 점심 먹자",
            "created_at": (SENT_AT + timedelta(minutes=number)).isoformat(),
        }
        for number in range(12)
    ]
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"id": "titan", "messages": messages}) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("arguments", [["proxy", "--help"], ["recall", "--help"], ["--help"]])
def test_the_help_of_all_commands_is_plain_text(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    assert "Options:\n" in shown.stdout
    assert "╭" not in shown.stdout
    if arguments[0] == "proxy":
        assert "https://api.anthropic.com or" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["install", "emacs"], "Invalid value for 'tool': 'emacs' is not one of 'claude-code'"),
        (["context", "x", "-b", "b", "-r", "claude", "--budget", "90", "--as", "yaml"], "'--as': 'yaml' is not one of"),
    ],
)
def test_a_wrong_choice_is_named_with_the_right_ones(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.slow
def test_files_that_are_stored_are_reported_although_the_next_one_fails(foxing: Foxing, file: Path) -> None:
    broken = file.with_name("broken.jsonl")
    broken.write_text('{"role": "user", "content": "x", "created_at": "2026-01-05T09:00:00"}\n')
    result = foxing.run("import", str(file), str(broken), "--bank", "b")
    assert result.exit_code == 1
    assert f"{file}: 12 messages in 1 threads, 12 stored" in result.stdout
    assert "has no timezone; give that of the file (option --timezone)" in result.stderr
    broken.write_text("")
    assert "broken.jsonl is empty; nothing was imported" in foxing.failure("import", str(broken), "-b", "b")["detail"]


def test_recall_says_that_its_embedder_cannot_be_used(
    foxing: Foxing, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foxing.text("import", str(file), "--bank", "b")
    assert "lexical" not in foxing.text("recall", "Titan", "--bank", "b")
    monkeypatch.setenv("FOXING_EMBEDDER", "openai")
    monkeypatch.setenv("FOXING_EMBEDDER_URL", "http://127.0.0.1:9/v1/embeddings")
    monkeypatch.setenv("FOXING_EMBEDDER_MODEL", "nobody")
    found = foxing.text("recall", "Titan", "--bank", "b")
    assert "Titan ships on 14 March" in found
    assert "lexical search only: the embedder 'openai" in found


@pytest.mark.parametrize("setting", ["embedder", "search_index"])
def test_a_model_that_nobody_has_is_refused(foxing: Foxing, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FOXING_{setting.upper()}", "nope")
    refused = foxing.failure("recall", "Titan", "--bank", "b")["detail"]
    assert f"unknown {setting.replace('_', ' ')} 'nope'; choose one of" in refused
    assert f"FOXING_{setting.upper()}" in refused


def without_refs(memory: Memory, bank: str) -> list[dict[str, object]]:
    """The messages of a bank, without their references, which an import makes anew."""
    return [message.model_dump(exclude={"ref"}) for message in memory.export(bank)]


def set_message_ages(foxing: Foxing, bank: str) -> None:
    """Has ages count from when messages were said: what is imported here is old at once."""
    foxing.json("policy", "--bank", bank, "--set", "-", stdin='{"age_from": "message"}')


def test_every_command_has_help() -> None:
    runner = CliRunner()
    top = runner.invoke(app, ["--help"])
    assert top.exit_code == 0
    names = ("demo", "serve", "worker", "import", "export", "recall", "read", "pages", "banks", "seal", "age", "policy")
    names = (*names, "undo", "erase")
    for name in (*names, "reencode", "codec list", "codec check", "codec bench", "db upgrade"):
        assert name.split()[0] in top.stdout
        shown = runner.invoke(app, [*name.split(), "--help"])
        assert shown.exit_code == 0, shown.output
        assert "--json" in shown.stdout


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, foxing.api.cli.main; print([m for m in ('torch', 'fastapi', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_usage_errors_exit_with_status_2(foxing: Foxing) -> None:
    for arguments in (
        ["recall", "x"],
        ["nonsense"],
        ["recall", "x", "--bank", "b", "--limit", "0"],
        ["serve", "--port", "x"],
    ):
        assert foxing.run(*arguments).exit_code == 2


@pytest.mark.slow
def test_importing_a_file_again_adds_nothing(foxing: Foxing, file: Path) -> None:
    first = foxing.json("import", str(file), "--bank", "b")
    ageing = first["files"][0].pop("ageing")
    assert ageing["exact"]
    [report] = first["files"]
    counts = ("messages", "stored", "duplicates", "threads")
    assert [report["file"], *(report[name] for name in counts)] == [str(file), 12, 12, 0, 1]
    second = foxing.json("import", str(file), str(file), "--bank", "b")
    assert [(f["stored"], f["duplicates"]) for f in second["files"]] == [(0, 12), (0, 12)]
    assert "12 already stored" in foxing.text("import", str(file), "--bank", "b")


def test_import_of_naive_times_needs_a_timezone(foxing: Foxing, tmp_path: Path) -> None:
    path = tmp_path / "naive.jsonl"
    line = {"id": "t", "messages": [{"role": "user", "content": "x", "created_at": "2026-01-05T09:00:00"}]}
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert foxing.failure("import", str(path), "--bank", "b")["type"] == "urn:foxing:problem:invalid-time"
    foxing.text("import", str(path), "--bank", "b", "--timezone", "Asia/Seoul")
    with Memory(foxing.database) as memory:
        assert [m.created_at for m in memory.export("b")] == [datetime(2026, 1, 5, 0, tzinfo=UTC)]


@pytest.mark.both_databases
def test_an_export_can_be_imported(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    header, *lines = [json.loads(line) for line in foxing.text("export", "--bank", "b").splitlines()]
    assert header == {"foxing_export": {"bank": "b", "redaction": {"rules": [], "patterns": {}}}}
    assert len(lines) == 12
    assert lines[1]["content"] == "note 1: 점심 먹자"
    assert {line["source"] for line in lines} == {"open"}
    assert foxing.json("export", "--bank", "b") == {**header, "messages": lines}
    copy = tmp_path / "copy.jsonl"
    assert foxing.json("export", "--bank", "b", "--output", str(copy)) == {"messages": 12, "output": str(copy)}
    foxing.text("import", str(copy), "--bank", "c")
    with Memory(foxing.database) as memory:
        assert without_refs(memory, "c") == without_refs(memory, "b")
    assert foxing.failure("export", "--bank", "b", "--output", str(tmp_path / "no" / "where.jsonl"))
    assert foxing.failure("export", "--bank", "nobody", "--output", str(tmp_path / "none.jsonl"))["status"] == 404
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["copy.jsonl", "talk.jsonl"]


def test_an_export_says_which_redaction_rules_are_on(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    with Memory(foxing.database) as memory:
        memory.set_policy("b", {"redact": ["email", "secrets"], "redact_patterns": {"customer": r"CN-\d{6}"}})
        memory.store("b", [{"role": "user", "content": "CN-123456 is ann@example.org", "id": "m"}])
    copy = tmp_path / "copy.jsonl"
    foxing.text("export", "--bank", "b", "--output", str(copy))
    header, message = (json.loads(line) for line in copy.read_text(encoding="utf-8").splitlines())
    rules = {"rules": ["email", "secrets"], "patterns": {"customer": r"CN-\d{6}"}}
    assert header == {"foxing_export": {"bank": "b", "redaction": rules}}
    assert foxing.json("export", "--bank", "b")["foxing_export"]["redaction"] == rules
    assert message["content"] == "[redacted: customer] is [redacted: email]"
    (preview,) = foxing.json("import", str(copy), "--bank", "c", "--dry-run")["files"]
    assert preview["recognised_by"] == "the first line is that of an export of Foxing"
    assert foxing.json("import", str(copy), "--bank", "c")["files"][0]["stored"] == 1


@pytest.mark.both_databases
def test_parts_and_metadata_survive_export_and_import(foxing: Foxing, tmp_path: Path) -> None:
    call = {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": "타이탄"}}
    line = {"id": "m", "role": "assistant", "content": [call], "metadata": {"turn": 3, "user": "ana"}}
    path, copy = tmp_path / "a.jsonl", tmp_path / "copy.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    foxing.text("import", str(path), "--bank", "b")
    foxing.text("export", "--bank", "b", "--output", str(copy))
    exported = json.loads(copy.read_text(encoding="utf-8").splitlines()[1])
    assert (exported["content"], exported["metadata"]) == ([call], line["metadata"])
    foxing.text("import", str(copy), "--bank", "c")
    with Memory(foxing.database) as memory:
        assert without_refs(memory, "c") == without_refs(memory, "b")


def test_recall_where_metadata_has_a_value(foxing: Foxing, tmp_path: Path) -> None:
    metadata = [{"turn": 3, "user": "ana"}, {"turn": "3", "user": "a=b"}, {"turn": 4, "user": "ana", "note": None}]
    path = tmp_path / "a.jsonl"
    lines = [{"id": f"m{i}", "role": "user", "content": "titan", "metadata": m} for i, m in enumerate(metadata)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    foxing.text("import", str(path), "--bank", "b")

    def found(*conditions: str) -> list[str]:
        options = [option for condition in conditions for option in ("--where", condition)]
        spans = foxing.json("recall", "titan", "--bank", "b", *options)["spans"]
        return sorted(span["message_id"] for span in spans)

    assert found() == ["m0", "m1", "m2"]
    assert found("user=ana") == ["m0", "m2"]
    assert found("user=ana", "turn=3") == ["m0"]
    assert found('turn="3"') == found("user=a=b") == ["m1"]
    assert found("note=null") == ["m2"]
    failure = foxing.failure("recall", "titan", "--bank", "b", "--where", "user")
    assert failure["type"] == "urn:foxing:problem:invalid-input"


@pytest.mark.both_databases
def test_a_bank_is_sealed_read_and_aged(foxing: Foxing, file: Path) -> None:
    set_message_ages(foxing, "b")
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


def test_recall(foxing: Foxing, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_EMBEDDER", "none")  # the order is that of words alone
    foxing.text("import", str(file), "--bank", "b")
    result = foxing.json("recall", "when does Titan ship?", "--bank", "b", "--limit", "2")
    assert len(result["spans"]) == 2
    assert "Titan" in result["spans"][0]["text"]
    shown = foxing.text("recall", "점심", "--bank", "b", "--limit", "1")
    assert "점심 먹자" in shown
    assert shown.startswith("5 January 2026\nuser: ")
    details = foxing.text("recall", "점심", "--bank", "b", "--limit", "1", "--details")
    assert "점심 먹자" in details
    assert "2026-01-05 09:08 +00:00" in details
    window = ("--since", "yesterday", "--now", "2026-01-06T09:00:00Z", "--timezone", "UTC", "--limit", "500")
    assert len(foxing.json("recall", "--bank", "b", *window)["spans"]) == 12
    assert foxing.json("recall", "--bank", "b", "--thread", "other")["spans"] == []
    assert 0 < result["spans"][0]["relevance"] <= 1
    assert f"relevance {result['spans'][0]['relevance']:.2f}" in foxing.text(
        "recall", "when does Titan ship?", "--bank", "b", "--limit", "1", "--details"
    )
    nothing = foxing.text("recall", "Titan of the zebra opera", "--bank", "b", "--min-relevance", "0.9")
    assert nothing.startswith("No remembered message matches.")
    moved = [
        {"role": "user", "content": content, "created_at": f"2026-01-0{day}T09:00:00Z", "id": f"v{day}"}
        for day, content in ((7, "The zoo visit is on Monday."), (8, "The zoo visit moved to Friday."))
    ]
    file.write_text("\n".join(map(json.dumps, moved)))
    foxing.text("import", str(file), "--bank", "b")
    spans = foxing.json("recall", "when is the zoo visit?", "--bank", "b", "--limit", "2")["spans"]
    assert [(span["message_id"], span["superseded_by"]) for span in spans] == [("v8", None), ("v7", "v8")]
    details = foxing.text("recall", "when is the zoo visit?", "--bank", "b", "--limit", "2", "--details")
    assert "replaced by v8 on 2026-01-08 09:00 +00:00" in details


def test_fetch(foxing: Foxing, file: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    first, second = foxing.json("recall", "--bank", "b", "--limit", "2")["spans"]
    fetched = foxing.json("fetch", f"[{first['ref']}]", "zzzz", "--bank", "b")
    assert fetched == {"messages": [first], "missing": [{"ref": "zzzz", "reason": "unknown"}]}
    shown = foxing.text("fetch", first["ref"], "zzzz", "--bank", "b", "--timezone", "UTC")
    assert shown.startswith("2026-01-05 09:00 +00:00  user  [titan]  open\nnote 0: Titan ships on 14 March\n")
    assert "zzzz: no message has this reference" in shown
    assert f"user: [{first['ref']}] note 0" in foxing.text("recall", "--bank", "b", "--limit", "1", "--refs")
    foxing.text("erase", "--bank", "b", "--message", first["message_id"], "--yes")
    assert foxing.failure("fetch", first["ref"], "--bank", "b")["type"] == "urn:foxing:problem:forgotten"
    assert f"{first['ref']}: its message was erased" in foxing.text("fetch", first["ref"], second["ref"], "--bank", "b")


@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        (("fetch", "k7", "--bank", "b"), "not-found"),
        (("recall", "x", "--bank", "b", "--since", "no time at all"), "invalid-time"),
        (("recall", "x", "--bank", "b", "--now", "2026-01-05T25:00:00"), "invalid-time"),
        (("recall", "x", "--bank", "b", "--now", "noon or so"), "invalid-time"),
        (("age", "--bank", "b", "--now", "2026-02-30"), "invalid-time"),
        (("seal", "--bank", "b", "--timezone", "Mars/Olympus"), "invalid-time"),
        (("banks", "--timezone", "Mars/Olympus"), "invalid-time"),
        (("read", "nothing", "--bank", "b"), "not-found"),
        (("pages", "--bank", "nobody"), "not-found"),
        (("import", "not-there.jsonl", "--bank", "b"), "invalid-input"),
        (("policy", "--bank", "b", "--set", "not-there.json"), "invalid-policy"),
    ],
)
def test_errors_are_reported_as_problems(foxing: Foxing, file: Path, arguments: Sequence[str], slug: str) -> None:
    foxing.text("import", str(file), "--bank", "b")
    assert foxing.failure(*arguments)["type"] == f"urn:foxing:problem:{slug}"


def test_ageing_of_a_bank_is_paused_and_goes_on(foxing: Foxing, file: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    before = foxing.json("policy", "--bank", "b")
    assert before["paused_until"] is None
    paused = foxing.json("policy", "--bank", "b", "--pause-for", "P1D")
    assert paused == {**before, "paused_until": paused["paused_until"]}
    pause = datetime.fromisoformat(paused["paused_until"]) - datetime.now(UTC)
    assert timedelta(hours=23) < pause <= timedelta(days=1)
    assert "ageing is paused until" in foxing.text("age", "--bank", "b")
    assert "ageing is paused until" in foxing.text("age", "--bank", "b", "--dry-run")
    assert foxing.json("policy", "--bank", "b", "--pause-for", "PT0S") == before
    assert "paused" not in foxing.text("age", "--bank", "b")
    assert "ISO 8601" in foxing.failure("policy", "--bank", "b", "--pause-for", "a day")["detail"]


def test_policy_is_shown_and_set(foxing: Foxing, file: Path, tmp_path: Path) -> None:
    foxing.text("import", str(file), "--bank", "b")
    shown = json.loads(foxing.text("policy", "--bank", "b"))
    assert shown["fresh"] == "base"
    policy_file = tmp_path / "policy.json"
    policy_file.write_text(json.dumps({**shown, "keep_text": "always"}), encoding="utf-8")
    assert foxing.json("policy", "--bank", "b", "--set", str(policy_file))["keep_text"] == "always"
    assert foxing.json("policy", "--bank", "b") == {**shown, "keep_text": "always"}
    back = foxing.json("policy", "--bank", "b", "--set", "-", stdin=json.dumps(shown))
    assert back == shown
    for text, reason in (("{", "not JSON"), ("[]", "object"), ('{"fresh": "huge"}', "fresh")):
        policy_file.write_text(text, encoding="utf-8")
        assert reason in foxing.failure("policy", "--bank", "b", "--set", str(policy_file))["detail"]
    assert foxing.json("policy", "--bank", "b") == shown


def test_database_commands(tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    foxing = Foxing(str(tmp_path / "new.db"))
    assert foxing.json("db", "upgrade", "--dry-run")["before"] is None
    upgraded = foxing.json("db", "upgrade")
    assert upgraded["before"] is None
    assert foxing.json("db", "upgrade", "--dry-run")["before"] == upgraded["after"]
    assert "at schema" in foxing.text("db", "upgrade")
    assert str(upgraded["after"]) in foxing.text("db", "upgrade", "--dry-run")


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "odd.db"
    file.write_bytes(b"this file is not a database, despite its name" * 100)
    document = Foxing(str(file)).failure("banks")
    assert document["type"] == "urn:foxing:problem:storage"
    assert file.name in document["detail"]


@pytest.mark.both_databases
def test_a_database_of_a_newer_version_is_refused(foxing: Foxing) -> None:
    foxing.json("db", "upgrade")
    execute(foxing.database, "UPDATE alembic_version SET version_num = 'from_the_future', oldest = 'from_the_future'")
    for command in (["banks"], ["db", "upgrade"]):
        assert foxing.failure(*command)["type"] == "urn:foxing:problem:database-too-new"
    assert foxing.json("db", "upgrade", "--dry-run")["before"] == "from_the_future"


def test_invalid_settings_exit_with_status_2(foxing: Foxing, monkeypatch: pytest.MonkeyPatch) -> None:
    document = foxing.failure("serve", "--host", "0.0.0.0", "--port", "0", status=2)
    assert "FOXING_API_KEY" in document["detail"]
    monkeypatch.setenv("FOXING_PORT", "seven")
    assert "FOXING_PORT" in foxing.failure("banks", status=2)["detail"]


def test_the_option_overrides_the_setting(
    foxing: Foxing, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foxing.text("import", str(file), "--bank", "b")
    (tmp_path / "foxing.toml").write_text('database_url = "elsewhere.db"\n', encoding="utf-8")
    monkeypatch.setenv("FOXING_SETTINGS_FILE", "foxing.toml")
    assert len(foxing.json("banks")["banks"]) == 1
    other = foxing.runner.invoke(app, ["db", "upgrade", "--json"])
    assert json.loads(other.stdout)["database"].endswith("elsewhere.db")
    assert (tmp_path / "elsewhere.db").exists()


def test_worker_once_seals_and_ages(foxing: Foxing) -> None:
    set_message_ages(foxing, "b")
    with Memory(foxing.database) as memory:
        memory.store("b", [{"role": "user", "content": "old", "created_at": SENT_AT}])
    report = foxing.json("worker", "--once")
    assert report["sealed_pages"] == 1
    assert report["failed_banks"] == {}
    assert "0 pages sealed" in foxing.text("worker", "--once")


def test_read_explains_the_marks_on_a_page_and_shows_no_fillers(foxing: Foxing) -> None:
    with Memory(foxing.database) as memory:
        memory.store("b", [{"role": "user", "content": "a 한국어\nb 여섯 abc 다섯", "created_at": SENT_AT}])
        page_id = memory.seal("b", now=SENT_AT).pages[0]
    shown = foxing.text("read", page_id, "--bank", "b")
    assert "▒" not in shown
    assert "¶ new line" in shown
    assert "times on the page are in UTC" in shown
    assert "한국어¶b" in shown


@pytest.mark.both_databases
def test_worker_once_exits_with_1_if_a_bank_failed_and_does_the_others(foxing: Foxing) -> None:
    """A broken policy stands in for whatever makes a job fail."""
    with Memory(foxing.database) as memory:
        for bank in ("a", "b"):
            set_message_ages(foxing, bank)
            memory.store(bank, [{"role": "user", "content": "old", "created_at": SENT_AT}])
    execute(foxing.database, "UPDATE banks SET policy = :policy WHERE name = 'a'", policy='{"fresh": "none"}')
    result = foxing.run("worker", "--once", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert list(report["failed_banks"]) == ["a"]
    assert "policy is invalid" in report["failed_banks"]["a"]
    assert report["sealed_pages"] == 1


@pytest.mark.slow
def test_ageing_is_undone_and_messages_are_erased(foxing: Foxing, file: Path) -> None:
    set_message_ages(foxing, "ana")
    foxing.json("import", str(file), "--bank", "ana")
    foxing.json("seal", "--bank", "ana", "--now", "2026-01-06T09:00:00Z")
    foxing.json("age", "--bank", "ana", "--now", "2026-01-20T09:00:00Z")
    report = foxing.json("undo", "--bank", "ana", "--now", "2026-01-21T09:00:00Z", "--since", "2 days ago")
    assert [page["to_tier"] for page in report["restored"]] == ["base"]
    assert "0 pages restored" in foxing.text("undo", "--bank", "ana")
    [page] = foxing.json("pages", "--bank", "ana")["pages"]
    assert page["pinned"]

    first, *_ = foxing.json("recall", "Titan", "--bank", "ana")["spans"]
    for arguments in (["--message", first["message_id"]], ["--thread", "titan"], []):
        assert foxing.run("erase", "--bank", "ana", *arguments).exit_code == 2  # nobody to ask
    both = foxing.run("erase", "--bank", "ana", "--message", "a", "--thread", "b", "--yes")
    assert both.exit_code == 2
    assert foxing.json("erase", "--bank", "ana", "--message", first["message_id"], "--yes")["messages"] == 1
    assert foxing.failure("erase", "--bank", "ana", "--message", first["message_id"], "--yes")["status"] == 404
    assert "11 messages erased" in foxing.text("erase", "--bank", "ana", "--thread", "titan", "--yes")
    assert "0 messages erased" in foxing.text("erase", "--bank", "ana", "--yes")
    assert foxing.failure("erase", "--bank", "ana", "--yes")["status"] == 404


_ON_WHAT_IS_THERE = (
    ("banks",),
    ("recall", "titan", "--bank", "b"),
    ("context", "titan", "--bank", "b", "--reader", "claude", "--budget", "500"),
    ("pages", "--bank", "b"),
    ("read", "p", "--bank", "b"),
    ("preview", "p", "--bank", "b"),
    ("export", "--bank", "b"),
    ("policy", "--bank", "b"),
    ("seal", "--bank", "b"),
    ("age", "--bank", "b", "--dry-run"),
    ("age", "--bank", "b"),
    ("undo", "--bank", "b"),
    ("erase", "--bank", "b", "--yes"),
    ("reencode",),
    ("reindex",),
    ("db", "check"),
    ("db", "backup", "backup.db"),
    ("db", "upgrade", "--dry-run"),
)


@pytest.mark.parametrize("command", _ON_WHAT_IS_THERE, ids=" ".join)
def test_commands_that_store_nothing_create_no_database(
    command: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = Foxing(str(tmp_path / "folder" / "x.db"))
    document = missing.failure(*command)
    assert document["type"] == "urn:foxing:problem:storage"
    assert "there is no database at" in document["detail"]
    assert "none was created" in document["detail"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.slow
def test_an_empty_database_stays_empty_until_something_is_stored(
    kind: str, file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        (tmp_path / "empty.db").touch()
        empty = Foxing(str(tmp_path / "empty.db"))
    else:
        empty = Foxing(request.getfixturevalue("postgres_server").new_database(migrated=False))
    assert "there is no database at" in empty.failure("banks")["detail"]
    assert empty.json("db", "upgrade", "--dry-run")["before"] is None
    empty.text("import", str(file), "--bank", "b")
    assert [bank["id"] for bank in empty.json("banks")["banks"]] == ["b"]


def test_setting_a_policy_creates_the_database(tmp_path: Path) -> None:
    missing = Foxing(str(tmp_path / "folder" / "x.db"))
    assert missing.json("policy", "--bank", "b", "--set", "-", stdin='{"undo_window": "P3D"}')["undo_window"] == "P3D"
    assert [bank["id"] for bank in missing.json("banks")["banks"]] == ["b"]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzipped"])
def test_an_export_is_piped_into_an_import(foxing: Foxing, file: Path, tmp_path: Path, compressed: bool) -> None:
    foxing.text("import", str(file), "--bank", "b")
    exported = foxing.run("export", "--bank", "b", "--output", "-").stdout_bytes
    assert exported == foxing.run("export", "--bank", "b").stdout_bytes
    copy = Foxing(str(tmp_path / "copy.db"))
    given = gzip.compress(exported) if compressed else exported
    (report,) = copy.json("import", "-", "--bank", "b", stdin=given)["files"]
    assert (report["file"], report["messages"], report["stored"], report["threads"]) == ("-", 12, 12, 1)
    assert copy.json("import", "-", "--bank", "b", stdin=given)["files"][0]["duplicates"] == 12
    texts = [
        [(m["id"], m["content"]) for m in f.json("export", "--bank", "b", "--json")["messages"]] for f in (foxing, copy)
    ]
    assert texts[0] == texts[1]


def test_a_mistake_on_standard_input_stores_nothing_and_is_placed(foxing: Foxing) -> None:
    lines = ['{"role": "user", "content": "hello"}'] * 2000 + ["nonsense"]
    result = foxing.run("import", "-", "--bank", "b", stdin="\n".join(lines))
    assert result.exit_code == 1
    assert "standard input, line 2001: invalid JSON" in " ".join(result.stderr.split())
    assert foxing.json("banks")["banks"] == []


def test_an_export_is_json_whatever_was_said(foxing: Foxing, tmp_path: Path) -> None:
    with Memory(foxing.database) as memory:
        memory.store("b", [{"role": "user", "content": "한국어 é 😀 \x00", "id": "m"}])
    for exported in (
        foxing.run("export", "--bank", "b").stdout_bytes,
        foxing.run("export", "--bank", "b", "-o", "out.jsonl") and (tmp_path / "out.jsonl").read_bytes(),
    ):
        assert json.loads(exported.splitlines()[1])["content"] == "한국어 é 😀 \x00"


@pytest.mark.parametrize(
    "command",
    [
        ("render", "-", "--reader", "claude", "--output", "-"),
        ("context", "--bank", "b", "--reader", "claude", "--budget", "100", "--images", "-"),
        ("demo", "--output", "-"),
        ("codec", "bench", "--calibration", "-"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_what_needs_a_name_refuses_a_stream(foxing: Foxing, tmp_path: Path, command: Sequence[str]) -> None:
    result = foxing.run(*command)
    assert result.exit_code == 2
    assert "- is not accepted here" in " ".join(result.stderr.replace("│", " ").split())


def test_a_backup_goes_through_a_pipe(tmp_path: Path) -> None:
    source, copy = Foxing(str(tmp_path / "a.db")), Foxing(str(tmp_path / "b.db"))
    with Memory(source.database) as memory:
        memory.store("b", [{"role": "user", "content": "We ship Titan.", "id": "m"}])
    backup = source.run("db", "backup", "-")
    assert backup.exit_code == 0, backup.stderr
    assert "verified" in backup.stderr
    assert "--yes" in copy.run("db", "restore", "-", stdin=backup.stdout_bytes).stderr
    restored = copy.json("db", "restore", "-", "--yes", stdin=backup.stdout_bytes)
    assert restored["file"] == "-"
    assert copy.json("recall", "Titan", "--bank", "b")["spans"][0]["text"] == "We ship Titan."
