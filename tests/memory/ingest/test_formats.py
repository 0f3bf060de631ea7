"""Import of histories in the formats of other programs."""

import json
import stat
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import histories
from support.histories import HISTORIES, archive, chatgpt_conversation, chatgpt_node, folder, json_lines

from foxing.memory import InvalidInput, InvalidTime, Memory, MemoryOptions, ToolCall, ToolResult
from foxing.memory.ingest.importers import (
    IMPORTERS,
    HistoryFiles,
    ImportOptions,
    ImportReport,
    import_file,
    importer,
    preview_file,
    source,
)

NOT_KEPT = "images that cannot be kept, except for their names"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SEOUL = ImportOptions(timezone="Asia/Seoul")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: NOW) as opened:
        yield opened


def said(memory: Memory) -> list[tuple[str, str, str]]:
    """Thread, role and text of each message."""
    return [(each.thread, each.role, each.text) for each in memory.export("b")]


def left_out(report: ImportReport) -> dict[str, int]:
    return {each.reason: each.count for each in report.left_out}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_is_recognised_as_its_format_alone(tmp_path: Path, name: str) -> None:
    expected, write = HISTORIES[name]
    files = HistoryFiles.of(write(tmp_path / "history"))
    found = {plugin.name: plugin.value.recognise(files) for plugin in IMPORTERS.working()}
    assert {format for format, reason in found.items() if reason} == {expected}


@pytest.mark.parametrize("name", HISTORIES)
def test_importing_a_history_again_adds_nothing(memory: Memory, tmp_path: Path, name: str) -> None:
    path = HISTORIES[name][1](tmp_path / "history")
    first = import_file(memory, path, bank="b", options=SEOUL)
    assert first.stored == first.messages > 0
    again = import_file(memory, path.rename(tmp_path / "renamed"), bank="b", options=SEOUL)
    assert (again.stored, again.duplicates) == (0, first.stored)
    assert first.formats == {HISTORIES[name][0]: 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", HISTORIES)
def test_a_damaged_history_is_read_or_refused(tmp_path: Path, name: str) -> None:
    format, write = HISTORIES[name]
    history = write(tmp_path / "history")
    for file in [history] if history.is_file() else [each for each in history.rglob("*") if each.is_file()]:
        whole = file.read_bytes()
        for place in range(1, 8):
            start, end = whole[: len(whole) * place // 8], whole[len(whole) * place // 8 :]
            for damaged in (start, start + b"\xff\x00\xfe" + end, start + b"[" * 3000 + end):
                file.write_bytes(damaged)
                with suppress(InvalidInput):
                    preview = preview_file(history, ImportOptions(format=format, timezone="Asia/Seoul"))
                    assert preview.messages > 0
        file.write_bytes(whole)


def test_chatgpt(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["ChatGPT, a zip archive"][1](tmp_path / "export.zip")
    report = import_file(memory, path, bank="b")
    assert said(memory) == [
        ("chatgpt:c1", "user", "[image: tower.png]\nWhat is this tower?"),
        ("chatgpt:c1", "assistant", memory.message("b", "chatgpt:c1:n4").text),
        ("chatgpt:c1", "tool", memory.message("b", "chatgpt:c1:n5").text),
        ("chatgpt:c1", "assistant", "The Clérigos tower ."),
    ]
    call = memory.message("b", "chatgpt:c1:n4")
    assert call.parts == [ToolCall(id="python", name="python", arguments={"input": "look(42)"})]
    assert call.created_at == datetime.fromtimestamp(1732200001, UTC)  # that of the message before
    assert memory.message("b", "chatgpt:c1:n5").parts == [ToolResult(id="python", content="tower 42")]
    assert memory.message("b", "chatgpt:c1:n2").metadata == {"title": "Trip to Porto"}
    assert left_out(report) == {
        "hidden messages": 2,
        "thoughts of the model": 1,
        "branches of conversations that were left, which the option 'branches' keeps": 1,
        NOT_KEPT: 1,
    }
    assert (report.first_at, report.last_at) == (
        datetime.fromtimestamp(1732200001, UTC),
        datetime.fromtimestamp(1732200004, UTC),
    )


def test_branches_are_threads_of_their_own(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["ChatGPT, one file"][1](tmp_path / "conversations.json")
    import_file(memory, path, bank="b", options=ImportOptions(branches=True))
    assert [each for each in said(memory) if each[0] != "chatgpt:c1"] == [
        ("chatgpt:c1:x2", "assistant", "A lighthouse."),
        ("chatgpt:c1:x2", "user", "No."),
    ]


def test_a_longer_export_adds_what_is_new(memory: Memory, tmp_path: Path) -> None:
    nodes = [chatgpt_node("a", None, ["b"]), chatgpt_node("b", "a", ["c"], "user", "Hello", create_time=1732200001)]
    answer = chatgpt_node("c", "b", [], "assistant", "Hi", create_time=1732200002)
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([chatgpt_conversation("k", *nodes, current="b")]))
    assert import_file(memory, path, bank="b").stored == 1
    path.write_text(json.dumps([chatgpt_conversation("k", *nodes, answer), histories.porto()]))
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.duplicates, report.threads) == (5, 1, 2)


def test_a_conversation_in_two_shards_is_read_once(memory: Memory, tmp_path: Path) -> None:
    old, new = chatgpt_node("b", None, [], "user", "Hello"), chatgpt_node("c", None, [], "user", "Hello again")
    shards = {
        "conversations-000.json": json.dumps([chatgpt_conversation("k", new) | {"update_time": 20}]),
        "conversations-001.json": json.dumps([chatgpt_conversation("k", old) | {"update_time": 10}]),
    }
    report = import_file(memory, archive(tmp_path / "a.zip", shards), bank="b")
    assert [text for _, _, text in said(memory)] == ["Hello again"]
    assert left_out(report) == {"older copies of a conversation": 1}


def test_circles_and_missing_nodes_of_chatgpt(memory: Memory, tmp_path: Path) -> None:
    circle = chatgpt_conversation(
        "k", chatgpt_node("a", "b", ["b"], "user", "A"), chatgpt_node("b", "a", ["a"], "user", "B")
    )
    lost = chatgpt_conversation("l", chatgpt_node("c", "gone", [], "user", "C")) | {"current_node": "gone"}
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([circle, lost, {"mapping": {}, "id": "empty"}, 3]))
    report = import_file(memory, path, bank="b")
    assert sorted(text for _, _, text in said(memory)) == ["A", "B", "C"]
    assert left_out(report) == {"entries that are no conversation": 1}


def test_fields_of_other_types_leave_the_rest(memory: Memory, tmp_path: Path) -> None:
    far = chatgpt_node("b", "a", ["c"], "user", "far", create_time=1e30)
    named = chatgpt_node("c", "b", ["d"], "user", "named", name="n" * 300)
    last = chatgpt_node("d", "c", [], "user", "kept", create_time=1732200001)
    odd = chatgpt_conversation("k", chatgpt_node("a", None, ["b"]), far, named, last)
    listed = chatgpt_conversation("l", chatgpt_node("e", None, [], "user", "E")) | {"current_node": ["e"]}
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([odd, listed, chatgpt_conversation("m", last | {"parent": {}}), histories.porto()]))
    report = import_file(memory, path, bank="b")
    assert {"kept", "[image: tower.png]\nWhat is this tower?"} <= {text for _, _, text in said(memory)}
    assert left_out(report)["messages that cannot be read"] == 4


def test_claude(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Claude.ai, a zip archive"][1](tmp_path / "a.zip"), bank="b")
    first, second = memory.export("b")
    assert first.text == "How high?\n[file: plan.txt]\nThe plot is 20 m wide.\n[file: photo.jpg]"
    assert (first.message_id, first.thread, first.role) == ("claude:m1", "claude:0198", "user")
    assert first.metadata == {"title": "Fence"}
    assert second.parts is not None
    assert [part.type for part in second.parts] == ["tool_call", "tool_result", "text"]
    assert left_out(report) == {
        "files of the export that hold no messages": 1,
        "branches of conversations that were left, which the option 'branches' keeps": 1,
        "thoughts of the model": 1,
    }


def test_claude_code(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["Claude Code"][1](tmp_path / "s1.jsonl"), bank="b")
    assert [(thread, role) for thread, role, _ in said(memory)] == [
        ("claude-code:s1", "user"),
        ("claude-code:s1", "assistant"),
        ("claude-code:s1", "assistant"),
        ("claude-code:s1", "tool"),
        ("claude-code:s1:a7", "user"),
    ]
    assert next(iter(memory.export("b"))).metadata == {"cwd": "/home/a/p", "branch": "main"}
    assert left_out(report) == {"lines that Claude Code adds for itself": 2, "messages without text": 1}


def test_codex_and_a_session_resumed(memory: Memory, tmp_path: Path) -> None:
    lines = histories.codex_lines()
    more = {**lines[-1], "timestamp": "2026-08-21T10:00:00.000Z"}
    path = folder(
        tmp_path / "sessions",
        {
            "2026/08/20/rollout-1.jsonl": json_lines(*lines),
            "2026/08/21/rollout-2.jsonl": json_lines(*lines, {**lines[0], "payload": {"id": "r2"}}, more),
        },
    )
    report = import_file(memory, path, bank="b")
    assert report.formats == {"codex": 2}
    assert (report.messages, report.stored, report.duplicates) == (9, 5, 4)
    assert [role for _, role, _ in said(memory)] == ["user", "assistant", "tool", "assistant", "assistant"]
    assert left_out(report)["thoughts of the model"] == 2


def test_langchain(memory: Memory, tmp_path: Path) -> None:
    import_file(memory, HISTORIES["LangChain's messages"][1](tmp_path / "a.json"), bank="b")
    assert [role for _, role, _ in said(memory)] == ["user", "assistant"]
    parts = memory.export("b")
    assert list(parts)[1].parts is not None


def test_a_folder_of_several_formats(memory: Memory, tmp_path: Path) -> None:
    path = folder(
        tmp_path / "home",
        {
            "projects/p/s1.jsonl": json_lines(*histories.claude_code_lines()),
            "sessions/r.jsonl": json_lines(*histories.codex_lines()),
            "notes.txt": "nothing",
        },
    )
    (path / "link.jsonl").symlink_to(path / "sessions/r.jsonl")
    report = import_file(memory, path, bank="b")
    assert report.formats == {"claude-code": 1, "codex": 1}
    assert left_out(report)["files of no known format"] == 1
    assert left_out(report)["links are not followed"] == 1
    only = import_file(memory, path, bank="c", options=ImportOptions(format="codex"))
    assert only.formats == {"codex": 1}


def test_a_report_lists_the_files(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(
        tmp_path / "home",
        {
            "a.txt": "",
            "projects/s1.jsonl": json_lines(*histories.claude_code_lines()),
            "sessions/r.jsonl": json_lines(*histories.codex_lines()),
            "z.txt": "nothing",
        },
    )
    report = import_file(memory, path, bank="b")
    assert [(each.first, each.files, each.format, each.left_out) for each in report.files] == [
        ("a.txt", 1, None, "empty files"),
        ("z.txt", 1, None, "files of no known format"),
        ("projects/s1.jsonl", 1, "claude-code", None),
        ("sessions/r.jsonl", 1, "codex", None),
    ]
    assert [each.messages for each in report.files][:2] == [0, 0]
    assert sum(each.messages for each in report.files) == report.messages
    monkeypatch.setattr(importer, "MOST_LISTED", 3)
    assert preview_file(path).files == report.files[:3]
    export = preview_file(HISTORIES["ChatGPT, a zip archive"][1](tmp_path / "export.zip"))
    assert [(each.format, each.messages) for each in export.files] == [("chatgpt", export.messages)]
    assert export.files[0].files > 1


def test_threads_times_and_speakers_are_chosen(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["Claude Code"][1](tmp_path / "s1.jsonl")
    options = ImportOptions(
        threads=["claude-code:*"], exclude=["*:a7"], since=datetime(2026, 8, 20, 10, 0, 3, tzinfo=UTC)
    )
    report = import_file(memory, path, bank="b", options=options)
    assert [role for _, role, _ in said(memory)] == ["assistant", "assistant", "tool"]
    assert left_out(report)["messages that the options exclude"] == 2
    talk = tmp_path / "talk.json"
    talk.write_text(json.dumps(histories.LOCOMO))
    import_file(memory, talk, bank="c", options=ImportOptions(timezone="UTC", roles={"Ann": "assistant"}))
    assert [each.role for each in memory.export("c")] == ["assistant"]


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    preview = preview_file(HISTORIES["ChatGPT, a zip archive"][1](tmp_path / "a.zip"))
    assert (preview.formats, preview.messages, preview.threads) == ({"chatgpt": 1}, 4, 1)
    assert preview.recognised_by == "conversations.json has conversations with 'mapping'"
    assert preview.text_tokens > 20
    assert preview.languages["en"] >= 1


def test_what_follows_a_damaged_place_is_left_out(memory: Memory, tmp_path: Path) -> None:
    whole = json.dumps([histories.porto() | {"conversation_id": f"c{n}"} for n in range(4)])
    path = tmp_path / "conversations.json"
    path.write_text(whole[: len(whole) * 5 // 8])
    report = import_file(memory, path, bank="b")
    assert report.threads == 2
    [damage] = [each for each in report.left_out if "damaged" in each.reason]
    assert "after item 2" in damage.first


def test_damaged_lines_are_left_out(memory: Memory, tmp_path: Path) -> None:
    lines = json_lines(*histories.claude_code_lines()).encode().splitlines(keepends=True)
    damaged = [
        *lines[:4],
        b'{"type": "user", "cut\n',
        b"\xff\xfe\n",
        b"[" * 50_000 + b"\n",
        *lines[4:-1],
        lines[-1][:50],
    ]
    path = tmp_path / "s1.jsonl"
    path.write_bytes(b"".join(damaged))
    report = import_file(memory, path, bank="b")
    assert (report.stored, left_out(report)["damaged lines"]) == (5, 4)
    [place] = [each.first for each in report.left_out if each.reason == "damaged lines"]
    assert place.endswith("line 5")


def test_a_message_that_was_changed_is_left_out_with_its_place(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    for text in ("fix the test", "fix another test"):
        path.write_text(json.dumps([chatgpt_conversation("k", chatgpt_node("a", None, [], "user", text))]))
        report = import_file(memory, path, bank="b")
    assert left_out(report)["messages that differ from those stored under their ids"] == 1
    assert [text for _, _, text in said(memory)] == ["fix the test"]


def test_a_message_that_is_too_large_is_left_out(memory: Memory, tmp_path: Path) -> None:
    lines = histories.claude_code_lines()
    lines[3]["message"]["content"] = "x" * 1_100_000
    path = tmp_path / "s1.jsonl"
    path.write_text(json_lines(*lines))
    report = import_file(memory, path, bank="b")
    assert (report.stored, left_out(report)["messages that are too large"]) == (4, 1)


def _linked(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("conversations.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")


def _locked(path: Path) -> None:
    archive(path, {"conversations.json": "[]"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: archive(path, {"../conversations.json": "[]"}), "leaves the archive"),
        (lambda path: archive(path, {"/etc/conversations.json": "[]"}), "leaves the archive"),
        (lambda path: archive(path, {"C:\\conversations.json": "[]"}), "leaves the archive"),
        (_linked, "is a link"),
        (_locked, "has a password"),
        (lambda path: path.write_bytes(archive(path, {"conversations.json": "[]" * 999}).read_bytes()[:60]), "damaged"),
        (lambda path: archive(path, {"readme.txt": "hello"}), "not recognised"),
    ],
)
def test_archives_that_are_refused(memory: Memory, tmp_path: Path, write: Any, reason: str) -> None:
    path = tmp_path / "export.zip"
    write(path)
    with pytest.raises(InvalidInput, match=reason):
        import_file(memory, path, bank="b")
    assert memory.banks().banks == []


def test_a_zip_bomb_is_refused(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "EXPANDED_BYTES", 1 << 18)
    path = archive(tmp_path / "bomb.zip", {"conversations.json": "[" + " " * (16 << 20) + "]"})
    with pytest.raises(InvalidInput, match="zip bomb"):
        import_file(memory, path, bank="b")


def test_two_formats_that_fit_are_asked_about(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(IMPORTERS.get("codex").value), "recognise", lambda self, files: "anything")
    path = HISTORIES["Claude Code"][1](tmp_path / "s1.jsonl")
    with pytest.raises(InvalidInput, match=r"could be claude-code .* and codex .*choose the format"):
        import_file(memory, path, bank="b")
    assert import_file(memory, path, bank="b", options=ImportOptions(format="claude-code")).stored == 5


def test_a_time_without_a_zone_needs_one(memory: Memory, tmp_path: Path) -> None:
    path = HISTORIES["LoCoMo"][1](tmp_path / "a.json")
    with pytest.raises(InvalidTime, match="timezone"):
        import_file(memory, path, bank="b")


@pytest.mark.slow
def test_a_large_export_is_read_in_little_memory(tmp_path: Path) -> None:
    pytest.importorskip("ijson")
    path = tmp_path / "conversations.json"
    conversation = json.dumps(histories.porto())
    with path.open("w") as file:
        file.write("[")
        file.write(",".join(conversation.replace('"c1"', f'"c{n}"') for n in range(10_000)))
        file.write("]")
    preview_file(HISTORIES["ChatGPT, one file"][1](tmp_path / "small.json"))  # loads the tokeniser
    tracemalloc.start()
    try:
        assert preview_file(path).threads == 10_000
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
