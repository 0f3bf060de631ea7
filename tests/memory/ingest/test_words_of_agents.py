"""What programs write into their own histories is nobody's words; projects and memories of Claude.ai are imported."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.histories import archive, json_lines

from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import import_file


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: now) as opened:
        yield opened


def line(number: int, role: str, content: Any, model: str | None = None, **fields: Any) -> dict[str, Any]:
    message = {"role": role, "content": content} | ({"model": model} if model else {})
    at = f"2026-08-20T10:00:{number:02}.000Z"
    return {"type": role, "uuid": f"u{number}", "sessionId": "s", "timestamp": at, "message": message, **fields}


def test_what_claude_code_writes_itself(memory: Memory, tmp_path: Path) -> None:
    error = [{"type": "text", "text": 'API Error: 400 {"type":"error"}'}]
    reminder = {"type": "text", "text": "<system-reminder>The date has changed.</system-reminder>"}
    command = "<command-message>review is running…</command-message>\n<command-name>/review</command-name>"
    lines = [
        line(1, "user", "fix the test"),
        line(2, "assistant", error, "claude-opus-5", isApiErrorMessage=True),
        line(3, "assistant", error, "<synthetic>"),
        line(4, "assistant", error),
        line(5, "assistant", [{"type": "text", "text": "API Error: 400 means"}], "claude-opus-5"),
        line(6, "user", "<command-name>/clear</command-name><command-message>clear</command-message>"),
        line(7, "user", f"{command}\n<command-args>the <b> tag in a.html</command-args>"),
        line(8, "user", "<local-command-stdout>Set model to opus</local-command-stdout>"),
        line(9, "user", "<bash-input>ls</bash-input>"),
        line(10, "user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        line(11, "user", [reminder, {"type": "text", "text": "go on"}]),
        line(12, "user", "what does <command-name> mean?"),
    ]
    (tmp_path / "s.jsonl").write_text(json_lines(*lines))
    report = import_file(memory, tmp_path / "s.jsonl", bank="b")
    assert [each.text for each in memory.export("b")] == [
        "fix the test",
        "API Error: 400 means",
        "/review the <b> tag in a.html",
        "go on",
        "what does <command-name> mean?",
    ]
    assert {each.reason: each.count for each in report.left_out} == {
        "errors of the API in place of an answer": 3,
        "commands of Claude Code, what they print, and its notices, which nobody said": 4,
    }


def test_what_codex_writes_itself(memory: Memory, tmp_path: Path) -> None:
    said = ["fix it", "<turn_aborted>\nThe user interrupted.\n</turn_aborted>", "<user_shell_command>ls"]
    payloads = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": t}]} for t in said]
    items = [{"timestamp": "2026-08-20T10:00:01Z", "type": "response_item", "payload": each} for each in payloads]
    start = {"timestamp": "2026-08-20T10:00:00Z", "type": "session_meta", "payload": {"id": "s1"}}
    (tmp_path / "r.jsonl").write_text(json_lines(start, *items))
    import_file(memory, tmp_path / "r.jsonl", bank="b")
    assert [each.text for each in memory.export("b")] == ["fix it"]


def test_projects_and_memories_of_claude(memory: Memory, tmp_path: Path) -> None:
    project = {
        "uuid": "p1",
        "name": "Garden",
        "description": "All about the fence",
        "prompt_template": "Answer in metres.",
        "created_at": "2026-05-01T09:00:00.000000Z",
        "docs": [
            {"uuid": "d1", "filename": "plan.md", "content": "The fence is 2 m.", "created_at": "2026-05-02T09:00:00Z"},
            {"uuid": "d2", "filename": "empty.md", "content": ""},
        ],
    }
    starter = {"uuid": "p2", "name": "How to use Claude", "is_starter_project": True, "docs": []}
    message = {"uuid": "m1", "sender": "human", "text": "How high?", "created_at": "2026-05-01T09:00:01Z"}
    files = {
        "conversations.json": [{"uuid": "c1", "name": "Fence", "chat_messages": [message]}],
        "projects.json": [project, starter],
        "memories.json": [
            {"account_uuid": "a", "conversations_memory": "Likes oak.", "project_memories": {"p1": "Needs posts."}}
        ],
        "users.json": [],
    }
    path = archive(tmp_path / "export.zip", {name: json.dumps(value) for name, value in files.items()})
    report = import_file(memory, path, bank="b")
    instructions = {"kind": "project-instructions", "title": "Garden"}
    document = {"kind": "project-document", "title": "Garden"}
    assert sorted(((m.thread, m.role, m.text, m.metadata) for m in memory.export("b")), key=str) == [
        ("claude:c1", "user", "How high?", {"title": "Fence"}),
        ("claude:memories", "assistant", "Likes oak.", {"kind": "memory"}),
        ("claude:project:p1", "assistant", "Needs posts.", {"kind": "memory"}),
        ("claude:project:p1", "user", "All about the fence\nAnswer in metres.", instructions),
        ("claude:project:p1", "user", "[file: plan.md]\nThe fence is 2 m.", document),
    ]
    assert {each.reason: each.count for each in report.left_out} == {
        "messages without text": 1,
        "projects that Claude.ai brings along": 1,
        "files of the export that hold no messages": 1,
    }
    assert import_file(memory, path, bank="b").duplicates == 5
