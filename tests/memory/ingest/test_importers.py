import gzip
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.processes import start_python

from foxing.memory import (
    Conflict,
    InvalidInput,
    InvalidTime,
    Memory,
    MemoryOptions,
    MessageTooLarge,
    TextPart,
    ToolCall,
    ToolResult,
)
from foxing.memory.ingest.importers import ImportOptions, ImportReport, import_file, preview_file, source

NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)
TALK = {
    "id": "talk/1",
    "lang": "en",
    "messages": [
        {"role": "user", "name": "mina", "content": "Ship Titan?", "created_at": "2026-03-01T09:00:00Z"},
        {"role": "assistant", "content": "예, 금요일에.", "created_at": "2026-03-01T09:00:05+00:00"},
    ],
}
LOCOMO = [
    {
        "sample_id": "conv-7",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bo",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a photo of a dog"},
                {"speaker": "Bo", "dia_id": "D1:2", "text": "Nice."},
            ],
            "session_10_date_time": "12:05 am on 1 Jan, 2024",
            "session_10": [{"speaker": "Bo", "dia_id": "D10:1", "text": "Happy new year"}],
            "session_2_date_time": "9:00 am on 2 June, 2023",
            "session_2": [],
        },
        "qa": [],
    }
]


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: NOW) as opened:
        yield opened


def write_lines(path: Path, *documents: Any) -> Path:
    path.write_text("".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents), "utf-8")
    return path


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    """Messages, stored ones, duplicates and threads."""
    return report.messages, report.stored, report.duplicates, report.threads


def _moved(message: dict[str, Any]) -> dict[str, Any]:
    """A message without its reference, which is that of a bank."""
    return {name: value for name, value in message.items() if name != "ref"}


def test_conversations_are_imported(memory: Memory, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "talk.jsonl", TALK, {**TALK, "id": "talk/2"})
    seen: list[tuple[int, int]] = []
    report = import_file(memory, path, bank="b", progress=lambda done, total: seen.append((done, total)))
    assert report.ageing is not None
    assert counts(report) == (4, 4, 0, 2)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    message = memory.message("b", "talk/1#0")
    assert (message.thread, message.role, message.name, message.text) == ("talk/1", "user", "mina", "Ship Titan?")
    assert message.created_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_importing_again_adds_nothing(memory: Memory, tmp_path: Path) -> None:
    untimed = {"id": "u", "messages": [{"role": "user", "content": f"line {i}"} for i in range(3)]}
    nameless = {"role": "user", "content": "no id, no time"}
    path = write_lines(tmp_path / "talk.jsonl", TALK, untimed, nameless, nameless)
    assert import_file(memory, path, bank="b").stored == 7
    renamed = path.rename(tmp_path / "renamed.jsonl")
    again = import_file(memory, renamed, bank="b")
    assert counts(again) == (7, 0, 7, 3)
    assert again.ageing is None
    with renamed.open("a") as file:
        file.write(json.dumps(nameless))
    assert import_file(memory, renamed, bank="b").stored == 1


def test_gzip_and_byte_order_mark(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "talk"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(TALK).encode() + b"\n\n"))
    assert import_file(memory, path, bank="b").stored == 2


def test_exported_messages_can_be_imported(memory: Memory, tmp_path: Path) -> None:
    import_file(memory, write_lines(tmp_path / "talk.jsonl", TALK), bank="b")
    exported = [message.model_dump(mode="json") for message in memory.export("b")]
    report = import_file(memory, write_lines(tmp_path / "export.jsonl", *exported), bank="copy")
    assert counts(report) == (2, 2, 0, 1)
    assert [_moved(m.model_dump(mode="json")) for m in memory.export("copy")] == [_moved(m) for m in exported]
    assert import_file(memory, tmp_path / "export.jsonl", bank="b").duplicates == 2


def test_chat_messages_with_tools_become_parts(memory: Memory, tmp_path: Path) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q": "타이탄"}'}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "assistant", "content": "Looking.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "3 found"},
        {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {}}]},
        {"role": "tool", "name": "find", "content": ""},
        {"role": "assistant", "content": None},
    ]
    import_file(memory, write_lines(tmp_path / "t.jsonl", {"id": "t", "messages": messages}), bank="b")
    imported = [memory.message("b", f"t#{i}") for i in range(6)]
    find = ToolCall(id="call_1", name="find", arguments='{"q": "타이탄"}')
    assert [m.parts for m in imported[:3]] == [
        [find],
        [TextPart(text="Looking."), find],
        [ToolResult(id="call_1", content="3 found")],
    ]
    assert [(m.text, m.parts) for m in imported[3:]] == [("see\n[image]", None), ("", None), ("", None)]


def test_anthropic_messages_with_tools_become_parts(memory: Memory, tmp_path: Path) -> None:
    said = [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "타이탄"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    ]
    blocks = [{"type": "text", "text": "3 found"}, {"type": "image", "source": {}}]
    answered = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": blocks},
        {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True},
        {"type": "text", "text": "And now?"},
    ]
    messages = [{"role": "assistant", "content": said}, {"role": "user", "content": answered}]
    import_file(memory, write_lines(tmp_path / "t.jsonl", {"id": "t", "messages": messages}), bank="b")
    assert memory.message("b", "t#0").parts == [
        TextPart(text="Let me look."),
        ToolCall(id="toolu_1", name="find", arguments={"q": "타이탄"}),
        ToolCall(id="toolu_2", name="now", arguments={}),
    ]
    assert memory.message("b", "t#1").parts == [
        ToolResult(id="toolu_1", content="3 found\n[image]"),
        ToolResult(id="toolu_2", content="", is_error=True),
        TextPart(text="And now?"),
    ]


def test_exported_parts_and_metadata_can_be_imported(memory: Memory, tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "△ b"}]
    call = {"type": "tool_call", "id": "c", "name": "f", "arguments": {"x": [1, None]}}
    result = {"type": "tool_result", "id": "c", "content": "no", "is_error": True}
    metadata = {"channel": "계획", "turn": 3}
    contents: list[Any] = [parts, [call], [result], "△ f c {}"]
    new: list[dict[str, Any]] = [{"role": "tool", "content": c, "id": f"m{i}"} for i, c in enumerate(contents)]
    memory.store("b", [{**message, "metadata": metadata} for message in new])
    exported = [message.model_dump(mode="json") for message in memory.export("b")]
    path = write_lines(tmp_path / "export.jsonl", *exported)
    import_file(memory, path, bank="copy")
    assert [_moved(m.model_dump(mode="json")) for m in memory.export("copy")] == [_moved(m) for m in exported]
    assert [m["parts"] for m in exported] == [parts, [call], [result], None]
    assert import_file(memory, path, bank="b").duplicates == 4


def test_naive_times_are_read_in_the_timezone(memory: Memory, tmp_path: Path) -> None:
    naive = {"id": "n", "messages": [{"role": "user", "content": "x", "created_at": "2026-03-01T09:00:00"}]}
    path = write_lines(tmp_path / "n.jsonl", naive)
    with pytest.raises(InvalidTime, match=r"line 1: messages\[0\]: created_at: .* no timezone"):
        import_file(memory, path, bank="b")
    import_file(memory, path, bank="b", options=ImportOptions(timezone="Asia/Seoul"))
    assert memory.message("b", "n#0").created_at == datetime(2026, 3, 1, 0, tzinfo=UTC)
    with pytest.raises(InvalidTime, match="Mars"):
        import_file(memory, path, bank="b", options=ImportOptions(timezone="Mars"))


def test_locomo(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps(LOCOMO, indent=2))
    with pytest.raises(InvalidTime, match=r"conv-7, session 1: .* no timezone"):
        import_file(memory, path, bank="b")
    report = import_file(memory, path, bank="b", options=ImportOptions(timezone="UTC"))
    assert counts(report) == (3, 3, 0, 1)
    first = memory.message("b", "conv-7/D1:1")
    assert (first.role, first.name, first.text) == ("user", "Ann", "Look! [a photo of a dog]")
    assert first.created_at == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    assert memory.message("b", "conv-7/D1:2").role == "assistant"
    assert memory.message("b", "conv-7/D10:1").created_at == datetime(2024, 1, 1, 0, 5, tzinfo=UTC)
    assert [m.message_id for m in memory.export("b")] == ["conv-7/D1:1", "conv-7/D1:2", "conv-7/D10:1"]
    single = write_lines(tmp_path / "one.json", LOCOMO[0])
    assert import_file(memory, single, bank="b", options=ImportOptions(timezone="UTC")).duplicates == 3


@pytest.mark.parametrize(
    ("line", "error", "reason"),
    [
        (b"{broken", InvalidInput, "line 2: invalid JSON"),
        (b"[1]", InvalidInput, "line 2: expected an object"),
        (b'{"messages": 3}', InvalidInput, "line 2: 'messages' must be a list"),
        (b'{"id": "x"}', InvalidInput, "line 2: content"),
        (b'{"role": "king", "content": "x"}', InvalidInput, "line 2: role"),
        (b'{"role": "user", "content": 5}', InvalidInput, "line 2: content"),
        (b'{"role": "user", "content": "x", "tool_calls": 3}', InvalidInput, "line 2: tool_calls: expected"),
        (b'{"role": "user", "content": "x", "metadata": 3}', InvalidInput, "line 2: metadata"),
        (b'{"role": "user", "content": "x", "created_at": "soon"}', InvalidTime, "line 2: created_at: 'soon'"),
        (b'{"role": "user", "content": "x", "created_at": "2096-01-01T00:00:00Z"}', InvalidTime, "line 2: created_at"),
        (b'{"role": "user", "content": "\xff"}', InvalidInput, "line 2: byte 30 is not UTF-8"),
        (b'{"role": "user", "content": "\\ud800"}', InvalidInput, "line 2: content .* surrogate"),
        (b'{"role": "user", "content": "' + b"x" * 1_100_000 + b'"}', MessageTooLarge, "line 2: has 1,1"),
        (b"[" * 100_000, InvalidInput, "line 2: nested more than 300 levels"),
    ],
)
def test_errors_name_the_line_and_nothing_is_stored(
    memory: Memory, tmp_path: Path, line: bytes, error: type[Exception], reason: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(json.dumps(TALK).encode() + b"\n" + line + b"\n")
    with pytest.raises(error, match=reason) as caught:
        import_file(memory, path, bank="b")
    assert str(path) in str(caught.value)
    assert memory.banks().banks == []


def test_id_of_another_message_is_a_conflict(memory: Memory, tmp_path: Path) -> None:
    import_file(memory, write_lines(tmp_path / "a.jsonl", TALK), bank="b")
    changed = {**TALK, "messages": [{**TALK["messages"][0], "content": "Other"}]}  # type: ignore[dict-item]
    with pytest.raises(Conflict, match=r"line 1: .*talk/1#0"):
        import_file(memory, write_lines(tmp_path / "b.jsonl", changed), bank="b")
    assert memory.message("b", "talk/1#0").text == "Ship Titan?"


def test_files_that_cannot_be_imported(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        import_file(memory, tmp_path / "absent.jsonl", bank="b")
    with pytest.raises(InvalidInput, match="not recognised"):
        import_file(memory, tmp_path, bank="b")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InvalidInput, match="is empty"):
        import_file(memory, tmp_path / "empty.jsonl", bank="b")
    with pytest.raises(InvalidInput, match="no messages"):
        import_file(memory, tmp_path / "empty.jsonl", bank="b", options=ImportOptions(format="jsonl"))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(TALK).encode())[:-12])
    with pytest.raises(InvalidInput, match="truncated or damaged"):
        import_file(memory, cut, bank="b")
    with pytest.raises(InvalidInput, match="format 'xml'"):
        import_file(memory, cut, bank="b", options=ImportOptions(format="xml"))
    other = write_lines(tmp_path / "other.json", [{"id": 1}])
    with pytest.raises(InvalidInput, match="not recognised"):
        import_file(memory, other, bank="b")
    with pytest.raises(InvalidInput, match="not LoCoMo"):
        import_file(memory, other, bank="b", options=ImportOptions(format="locomo"))


def _bomb(start: bytes, unit: bytes, end: bytes) -> bytes:
    """16 MiB of `unit`, gzipped to some 16 KiB."""
    return gzip.compress(start + unit * ((16 << 20) // len(unit)) + end)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        (b"", b"a", b""),
        (b"", b"\n", b""),
        (json.dumps(TALK).encode(), b" ", b"\n"),
        (b"[\n", b"[\n", b""),
        (b'{"messages": [{"role": "user", "content": "', b"x", b'"}]}'),
        (b"", b'{"role": "user", "content": "x"}\n', b""),
    ],
)
@pytest.mark.parametrize("format", ["jsonl", "locomo"])
def test_a_gzip_bomb_is_refused_in_little_memory(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, unit: bytes, end: bytes, format: str
) -> None:
    monkeypatch.setattr(source, "EXPANDED_BYTES", 1 << 18)
    monkeypatch.setattr(source, "MAX_EXPANSION", 20)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(_bomb(start, unit, end))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match=r"gzip bomb|line 1: invalid JSON"):
            import_file(memory, path, bank="b", options=ImportOptions(format=format))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert memory.banks().banks == []


@pytest.mark.parametrize("format", ["jsonl", "locomo"])
def test_a_document_of_too_many_values_is_refused_before_it_is_parsed(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(source, "MAX_VALUES", 1000)
    path = tmp_path / "values.jsonl"
    path.write_text(json.dumps({"messages": [{}] * 2000}))
    with pytest.raises(InvalidInput, match="more than 1,000 values"):
        import_file(memory, path, bank="b", options=ImportOptions(format=format))
    write_lines(path, {"messages": [{"role": "user", "content": "a, b, \\" * 2000}]})
    assert import_file(memory, path, bank="b", options=ImportOptions(format="jsonl")).stored == 1


def test_a_document_that_is_too_long_is_refused(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "long.json"
    path.write_text("[\n" * (1 << 20))
    with pytest.raises(InvalidInput, match="too long for one JSON document"):
        import_file(memory, path, bank="b", options=ImportOptions(format="locomo"))


@pytest.mark.slow
def test_killed_import_resumes_when_run_again(database_url: str, tmp_path: Path) -> None:
    lines = [
        {"id": f"d{i}", "messages": [{"role": "user", "content": f"message {i} of {j}"} for j in range(10)]}
        for i in range(800)
    ]
    path = write_lines(tmp_path / "long.jsonl", *lines)
    program = (
        "import sys; from pathlib import Path; from foxing.memory import Memory, MemoryOptions; "
        "from foxing.memory.ingest.importers import import_file; "
        "import_file(Memory(sys.argv[1], options=MemoryOptions(embedder='none')), Path(sys.argv[2]), bank='b', "
        "progress=lambda done, total: print(done, flush=True))"
    )
    with start_python(program, database_url, str(path)) as process:
        process.stdout.readline()
        process.kill()
    with Memory(database_url, options=MemoryOptions(embedder="none")) as memory:
        before = memory.bank("b").messages
        assert 500 <= before < 8_000
        assert before % 500 == 0
        report = import_file(memory, path, bank="b")
        assert counts(report) == (8_000, 8_000 - before, before, 800)
        assert memory.bank("b").messages == 8_000


def test_an_import_counts_what_the_policy_would_have_replaced(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    said = ["the password is hunter2!", "ghp_" + "a1B2" * 9, "pay DE89 3704 0044 0532 0130 00", "ana@example.org"]
    path.write_text("\n".join(json.dumps({"role": "user", "content": text}) for text in said))
    assert preview_file(path).would_redact == {"secrets": 2, "iban": 1}
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.redacted) == (4, {})
    assert report.would_redact == {"secrets": 2, "iban": 1}
    memory.set_policy("c", {"redact": ["secrets"]})
    report = import_file(memory, path, bank="c")
    assert report.redacted == {"secret": 1, "github token": 1}
    assert report.would_redact == {"iban": 1}
