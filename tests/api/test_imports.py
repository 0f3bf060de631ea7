"""Import of uploaded histories."""

import io
import json
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from support.databases import execute
from support.histories import HISTORIES, archive, chatgpt_conversation, chatgpt_node, file, json_lines, porto
from support.service import check_problem, ok, serve

from foxing.api.imports import IMPORTS, Imports
from foxing.memory import Memory
from foxing.memory.ingest.importers import IMPORTERS, import_file, importer, source
from foxing.memory.ingest.store import PreparedCall

PATH = "/v1/banks/ana/import"
AT_ONCE = 2


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Path:
    """The folder of temporary files. A database server that starts with the test has its files elsewhere."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "MESSAGES_AT_ONCE", AT_ONCE)


class Gate:
    """Holds the second batch of an import until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = Event(), Event()
        self._calls = 0

    def pass_through(self) -> None:
        self._calls += 1
        if self._calls == 2:
            self.reached.set()
            assert self.opened.wait(60)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, small_batches: None) -> Iterator[Gate]:
    held, store = Gate(), PreparedCall.store

    def waiting(self: PreparedCall) -> Any:
        held.pass_through()
        return store(self)

    monkeypatch.setattr(PreparedCall, "store", waiting)
    yield held
    held.opened.set()


def said(count: int, start: int = 0) -> bytes:
    lines = [{"id": f"m{n}", "role": "user", "content": f"note {n}", "thread": "t"} for n in range(start, count)]
    return json_lines(*lines).encode()


def sent(client: httpx.Client, content: bytes, **parameters: Any) -> dict[str, Any]:
    """An import that the service has accepted."""
    job: dict[str, Any] = ok(client.post(PATH, content=content, params=parameters))
    return job


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """An import once it has ended."""
    while True:
        found: dict[str, Any] = ok(client.get(f"{PATH}/{job['id']}", params={"wait": 30}))
        if found["state"] not in ("waiting", "running"):
            return found


def messages(memory: Memory) -> list[tuple[Any, ...]]:
    return [(m.message_id, m.thread, m.role, m.name, m.created_at, m.text, m.parts) for m in memory.export("ana")]


def banks(memory: Memory) -> list[str]:
    return [bank.id for bank in memory.banks().banks]


@pytest.mark.both_databases
def test_an_upload_is_imported_as_the_command_imports_it(
    memory: Memory, client: httpx.Client, tmp_path: Path, temporary: Path
) -> None:
    path = HISTORIES["ChatGPT, a zip archive"][1](tmp_path / "export.zip")
    job = sent(client, path.read_bytes(), filename="export.zip")
    done = ended(client, job)
    with Memory(tmp_path / "other.db") as other:
        expected = import_file(other, path, bank="ana")
        assert messages(memory) == messages(other)
    assert done["state"] == "done"
    assert done["error"] is None
    assert (done["messages"], done["done"], done["stored"]) == (expected.messages, expected.messages, expected.stored)
    own = {"ageing", "left_out"}
    assert {k: v for k, v in done["report"].items() if k not in own} == expected.model_dump(mode="json", exclude=own)
    assert done["report"]["left_out"] == [each.model_dump() for each in expected.left_out]
    again = ended(client, sent(client, path.read_bytes()))
    assert (again["stored"], again["duplicates"]) == (0, expected.messages)
    assert list(temporary.glob("foxing-import-*")) == []


def test_a_longer_export_adds_what_is_new(memory: Memory, client: httpx.Client, tmp_path: Path) -> None:
    other = chatgpt_conversation("c9", chatgpt_node("n0", None, [], "user", "Is the train on time?"))
    first = archive(tmp_path / "a.zip", {"conversations.json": json.dumps([porto()])})
    longer = archive(tmp_path / "b.zip", {"conversations.json": json.dumps([other, porto()])})
    ended(client, sent(client, first.read_bytes()))
    assert ended(client, sent(client, longer.read_bytes()))["stored"] == 1


def test_a_dry_run_writes_nothing(memory: Memory, client: httpx.Client, temporary: Path) -> None:
    preview = ok(client.post(PATH, content=said(3), params={"dry_run": True, "filename": "a.jsonl"}))
    assert (preview["messages"], preview["threads"], preview["formats"]) == (3, 1, {"jsonl": 1})
    assert preview["text_tokens"] > 0
    assert banks(memory) == []
    assert list(temporary.glob("foxing-import-*")) == []


def test_options_are_those_of_the_command(memory: Memory, client: httpx.Client) -> None:
    lines = [
        {"role": "user", "name": "Ann", "content": "old", "created_at": "2024-01-01T10:00:00", "thread": "a1"},
        {"role": "user", "name": "Ann", "content": "kept", "created_at": "2025-01-01T10:00:00", "thread": "a2"},
        {"role": "user", "name": "Ann", "content": "other", "created_at": "2025-01-01T10:00:00", "thread": "b1"},
        {"role": "user", "name": "Ann", "content": "left", "created_at": "2025-01-01T10:00:00", "thread": "a3"},
    ]
    options = {
        "format": "jsonl",
        "timezone": "Asia/Seoul",
        "thread": ["a*", "c*"],
        "exclude": "a3",
        "since": "2024-06-01",
        "as": "Ann=assistant",
    }
    done = ended(client, sent(client, json_lines(*lines).encode(), **options))
    assert done["report"]["left_out"][0]["count"] == 3
    assert [(m.text, m.role) for m in memory.export("ana")] == [("kept", "assistant")]
    assert next(iter(memory.export("ana"))).created_at == datetime(2025, 1, 1, 1, tzinfo=UTC)


def test_an_ambiguous_history_says_what_to_choose(
    memory: Memory, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = b"03/04/2026, 10:00 - Ann: a\n05/06/2026, 10:00 - Bo: b\n"
    dates = check_problem(client.post(PATH, content=chat, params={"timezone": "UTC"}), 422, "choice-needed")
    assert dates["errors"] == [{"where": "query.dates", "message": "give one of day-first, month-first"}]
    check_problem(client.post(PATH, content=chat, params={"dates": "day-first"}), 422, "invalid-time")
    unknown = check_problem(client.post(PATH, content=b"\x00\x01\x02"), 422, "choice-needed")
    assert "chatgpt" in unknown["errors"][0]["message"]
    content = HISTORIES["Claude Code"][1](tmp_path / "s.jsonl").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(type(IMPORTERS.get("codex").value), "recognise", lambda self, files: "anything")
        two = check_problem(client.post(PATH, content=content), 422, "choice-needed")
    assert two["errors"] == [{"where": "query.format", "message": "give one of claude-code, codex"}]
    assert banks(memory) == []
    assert ended(client, sent(client, chat, dates="day-first", timezone="UTC"))["stored"] == 2


def _leaving() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        files.writestr("../conversations.json", "[]")
    return made.getvalue()


def _linked() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        link = zipfile.ZipInfo("conversations.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        files.writestr(link, "/etc/passwd")
    return made.getvalue()


def _bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("conversations.json", "[" + " " * (4 << 20) + "]")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_leaving(), "leaves the archive"),
        (_linked(), "is a link"),
        (_bomb(), "like a zip bomb"),
        (_bomb()[:-40], "damaged"),
        (b'{"role": "user", "content": "a"}\n{"role": \n', "line 2"),
        (b"", "is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_written(
    memory: Memory,
    client: httpx.Client,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    reason: str,
) -> None:
    monkeypatch.setattr(source, "EXPANDED_BYTES", 1 << 18)
    response = client.post(PATH, content=content, params={"filename": "export.zip"})
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert reason in detail
    assert str(temporary) not in detail
    assert banks(memory) == []
    assert list(temporary.glob("foxing-import-*")) == []


def test_files_over_the_limit_are_refused(memory: Memory, temporary: Path) -> None:
    with serve(memory, max_import_bytes=1000) as client:
        check_problem(client.post(PATH, content=b"x" * 1001), 413, "body-too-large")
        check_problem(client.post(PATH, content=(b"x" * 100 for _ in range(11))), 413, "body-too-large")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
            files.writestr("conversations.json", "[" + " " * 12_000 + "]")
        refused = check_problem(client.post(PATH, content=packed.getvalue()), 422, "invalid-input")
        assert "10,000 bytes" in refused["detail"]
    assert list(temporary.glob("foxing-import-*")) == []


def test_a_form_or_a_compressed_body_is_refused(client: httpx.Client) -> None:
    check_problem(client.post(PATH, files={"file": b"x"}), 415, "unsupported-media-type")
    check_problem(client.post(PATH, content=b"x", headers={"Content-Encoding": "gzip"}), 415, "unsupported-media-type")


def test_invalid_options_are_refused(client: httpx.Client, memory: Memory) -> None:
    for parameters in ({"dates": "last"}, {"colour": "red"}, {"filename": "../a"}):
        check_problem(client.post(PATH, content=said(1), params=parameters), 422, "invalid-request")
    check_problem(client.post(PATH, content=said(1), params={"as": "Ann"}), 422, "invalid-input")
    check_problem(client.post("/v1/banks/a%20b/import", content=said(1)), 422, "invalid-input")
    assert banks(memory) == []


def test_an_import_needs_the_key(memory: Memory) -> None:
    with serve(memory, api_key="secret") as client:
        check_problem(client.post(PATH, content=said(1)), 401, "unauthorized")


def test_progress_is_shown_and_an_import_can_be_cancelled(memory: Memory, client: httpx.Client, gate: Gate) -> None:
    job = sent(client, said(20))
    assert job["messages"] == 20
    assert gate.reached.wait(60)
    running = ok(client.get(f"{PATH}/{job['id']}"))
    assert (running["state"], running["done"], running["stored"]) == ("running", AT_ONCE, AT_ONCE)
    assert running["seconds_left"] >= 0
    waiting = sent(client, said(30))
    ok(client.delete(f"{PATH}/{job['id']}"))
    ok(client.delete(f"{PATH}/{waiting['id']}"))
    gate.opened.set()
    cancelled = ended(client, job)
    assert (cancelled["state"], cancelled["stored"], cancelled["report"]) == ("cancelled", 2 * AT_ONCE, None)
    assert ended(client, waiting)["state"] == "cancelled"
    assert len(messages(memory)) == 2 * AT_ONCE
    assert ok(client.delete(f"{PATH}/{job['id']}"))["state"] == "cancelled"
    assert ended(client, sent(client, said(20)))["stored"] == 16


def test_a_service_that_ends_says_so_and_the_file_is_sent_again(
    memory: Memory, gate: Gate, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Imports.stop

    def stop_and_open(self: Imports) -> None:
        self._stopping.set()
        gate.opened.set()
        stop(self)

    monkeypatch.setattr(Imports, "stop", stop_and_open)
    with serve(memory) as client:
        job, waiting = sent(client, said(20)), sent(client, said(30))
        assert gate.reached.wait(60)
    with serve(memory) as client:
        assert [ended(client, each)["state"] for each in (job, waiting)] == ["stopped", "stopped"]
        again = ended(client, sent(client, said(30)))
        assert (again["state"], again["stored"], again["duplicates"]) == ("done", 26, 4)
    assert len(messages(memory)) == 30
    assert list(temporary.glob("foxing-import-*")) == []


def test_an_import_of_a_killed_service_has_stopped(memory: Memory, client: httpx.Client, tmp_path: Path) -> None:
    job = memory.operations.imports.add(
        "ana", importer.check_file(file(tmp_path / "a.jsonl", said(2).decode()), importer.ImportOptions())
    )
    assert memory.operations.imports.find("ana", job.id).state == "waiting"
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    execute(memory.operations.database_url, f"UPDATE bank_jobs SET lease_until = '{past}'")
    stopped = ok(client.get(f"{PATH}/{job.id}"))
    assert stopped["state"] == "stopped"
    assert "send the file again" in stopped["error"]["detail"]


def test_an_erased_bank_is_not_created_again_by_its_import(memory: Memory, client: httpx.Client, gate: Gate) -> None:
    job = sent(client, said(20))
    assert gate.reached.wait(60)
    memory.erase_bank("ana")
    gate.opened.set()
    check_problem(client.get(f"{PATH}/{job['id']}"), 404, "not-found")
    other = ok(client.post("/v1/banks/other/import", content=said(1)))  # after the first, in the same thread
    while ok(client.get(f"/v1/banks/other/import/{other['id']}", params={"wait": 30}))["state"] != "done":
        pass
    assert banks(memory) == ["other"]


@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_a_late_mistake_is_refused_with_its_line_and_stores_nothing(
    memory: Memory, client: httpx.Client, small_batches: None, dry_run: str
) -> None:
    memory.store("ana", [{"id": "m4", "role": "user", "content": "something else"}])
    parameters = {"filename": "a.jsonl", "dry_run": dry_run}
    refused = check_problem(client.post(PATH, content=said(5), params=parameters), 409, "conflict")
    assert refused["detail"].startswith("a.jsonl, line 5: the id 'm4' belongs to another message")
    late = said(4) + json_lines({"role": "user", "content": "x", "created_at": "2999-01-01T00:00:00Z"}).encode()
    refused = check_problem(client.post(PATH, content=late, params=parameters), 422, "invalid-time")
    assert "a.jsonl, line 5: created_at is 2999" in refused["detail"]
    assert [message.message_id for message in memory.export("ana")] == ["m4"]


def test_a_bank_that_changes_meanwhile_ends_the_import_which_says_what_is_stored(
    memory: Memory, client: httpx.Client, gate: Gate
) -> None:
    job = sent(client, said(5), filename="a.jsonl")
    assert gate.reached.wait(60)
    memory.store("ana", [{"id": "m4", "role": "user", "content": "something else"}])
    gate.opened.set()
    failed = ended(client, job)
    assert failed["state"] == "failed"
    assert failed["error"]["type"] == "urn:foxing:problem:conflict"
    assert "a.jsonl" in failed["error"]["detail"]
    assert "4 of 5 messages are stored; import it again to store the rest" in failed["error"]["detail"]


def test_an_unknown_import_is_not_found(memory: Memory, client: httpx.Client) -> None:
    check_problem(client.get(f"{PATH}/{'0' * 32}"), 404, "not-found")
    memory.set_policy("ana", {})
    check_problem(client.get(f"{PATH}/{'0' * 32}"), 404, "not-found")
    check_problem(client.delete(f"{PATH}/{'0' * 32}"), 404, "not-found")


def test_files_of_killed_services_are_deleted(memory: Memory, temporary: Path) -> None:
    ended_process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    left = temporary / f"foxing-import-{ended_process.stdout.strip()}-abc"
    left.mkdir()
    (left / "file").write_text("x")
    with serve(memory):
        assert not left.exists()


def test_the_policy_of_the_bank_redacts(memory: Memory, client: httpx.Client) -> None:
    memory.set_policy("ana", {"redact": ["email"]})
    content = json.dumps({"role": "user", "content": "Write to ann@example.org"}).encode()
    assert ended(client, sent(client, content))["report"]["redacted"] == {"email": 1}
    assert next(iter(memory.export("ana"))).text == "Write to [redacted: email]"


def test_what_the_policy_would_have_replaced_is_counted(client: httpx.Client) -> None:
    content = b'{"role": "user", "content": "the password is hunter2!"}\n'
    assert ended(client, sent(client, content))["report"]["would_redact"] == {"secrets": 1}


def test_tenants_take_turns_and_leave_room_for_others(memory: Memory, gate: Gate) -> None:
    create = memory.operations.keys.create
    keys = {
        tenant: {"Authorization": f"Bearer {create({'name': 'n', 'role': 'admin', 'tenant': tenant}).key}"}
        for tenant in ("acme", "globex")
    }
    with serve(memory, api_key="operator") as client:

        def send(tenant: str, number: int) -> httpx.Response:
            path = f"/v1/banks/{tenant}{number}/import"
            return client.post(path, content=said(2 * AT_ONCE), headers=keys[tenant])

        first = ok(send("acme", 0))
        assert gate.reached.wait(60)
        jobs = [ok(send("acme", number)) for number in range(1, IMPORTS // 2)]
        check_problem(send("acme", 99), 503, "busy")
        jobs += [ok(send("globex", 0)), ok(send("globex", 1))]
        gate.opened.set()
        done: list[tuple[datetime, str]] = []
        for job in [first, *jobs]:
            tenant = "globex" if job["bank"].startswith("globex") else "acme"
            path = f"/v1/banks/{job['bank']}/import/{job['id']}"
            while (job := ok(client.get(path, params={"wait": 30}, headers=keys[tenant])))["state"] != "done":
                pass
            done.append((datetime.fromisoformat(job["updated_at"]), job["bank"]))
        order = [bank for _, bank in sorted(done)]
        assert order[:5] == ["acme0", "acme1", "globex0", "acme2", "globex1"]
