"""Markdown both ways: exported threads come back as they are, and transcripts and notes of others are read."""

import base64
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.images import encoded

from foxing.memory import ImagePart, Memory, MemoryOptions, NewMessage, RecalledMessage, TextPart, ToolCall, ToolResult
from foxing.memory.ingest.importers import ImportOptions, import_file
from foxing.memory.ingest.importers.files import HistoryFiles
from foxing.memory.ingest.importers.format import ReadOptions
from foxing.memory.ingest.importers.markdown import MARKDOWN

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
START = datetime(2026, 3, 2, 9, 15, 0, 123456, tzinfo=UTC)
FIVE = (
    "We ship Titan on 14 March, without maps.",
    "Wir liefern Titan am 14. März aus, ohne Karten.",
    "我们三月十四日发货泰坦，没有地图。",
    "タイタンは三月十四日に出荷します。",
    "타이탄은 3월 14일에 지도 없이 출시합니다.",
)
#: Texts that look like what stands around them in a file.
ODD = (
    "",
    "\n\nfirst and last lines are empty\n\n",
    "---\nfoxing: 1\n---",
    '<!-- foxing: {"id":"x","role":"user","at":"2026-01-01T00:00:00+00:00"} -->',
    "\\<!-- foxing: {} -->\n## 2026-01-01\n\n**user** · 09:15",
    "\r\nline ends\rof others\r\n\x00\x1b\u2028",
    "a literal … mark, … and ⋯ another … … end … ",
    "--> <script> △ find",
)


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, options=MemoryOptions(embedder="none"), clock=lambda: NOW) as opened:
        yield opened


def messages() -> list[NewMessage]:
    """Messages of all kinds, in threads whose names a file system would take for one."""
    made = [
        NewMessage(
            id=f"five-{n}", role="user", name="Ann", content=text, thread="Titan", metadata={"title": "Die >> 泰坦"}
        )
        for n, text in enumerate(FIVE)
    ]
    made += [NewMessage(id=f"odd-{n}", role="assistant", content=text, thread="titan") for n, text in enumerate(ODD)]
    call = ToolCall(id="c 1", name="find", arguments={"city": "Seoul -->", "n": [1, None]})
    result = ToolResult(id="c 1", content="21 °C\n△ windy\n", is_error=True)
    made += [
        NewMessage(role="assistant", content=(TextPart(text="Let me see."), call), thread="../../etc/passwd"),
        NewMessage(role="tool", name="find", content=(result,), thread="../../etc/passwd", trust="web"),
    ]
    picture = ImagePart.model_validate({"data": encoded_text("PNG"), "name": "chart [1].png", "alt": "Revenue\n2026"})
    photo = ImagePart.model_validate({"data": encoded_text("JPEG")})
    link = ImagePart(url="https://example.org/a.png")
    made += [
        NewMessage(role="user", content=(TextPart(text="See"), picture, photo), thread="con"),
        NewMessage(role="user", content=(picture, link), thread="CON"),
    ]
    return [
        message.model_copy(update={"created_at": START + timedelta(hours=7 * number, microseconds=number)})
        for number, message in enumerate(made)
    ]


def encoded_text(kind: str) -> str:
    return base64.b64encode(encoded(kind)).decode()


def comparable(message: RecalledMessage) -> dict[str, Any]:
    fields = ("message_id", "thread", "role", "name", "created_at", "text", "parts", "trust", "metadata", "gaps")
    return {name: getattr(message, name) for name in fields}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.both_databases
def test_export_comes_back_as_it_is(memory: Memory, tmp_path: Path) -> None:
    memory.store("a", messages())
    report = memory.operations.export_markdown("a", tmp_path / "out")
    assert (report.messages, report.threads, report.images) == (len(messages()), 5, 2)

    imported = import_file(memory, tmp_path / "out", bank="b")
    assert (imported.stored, imported.left_out, dict(imported.formats)) == (len(messages()), [], {"markdown": 1})
    assert list(map(comparable, memory.export("b"))) == list(map(comparable, memory.export("a")))

    before = contents(tmp_path / "out")
    memory.operations.export_markdown("b", tmp_path / "again")
    assert contents(tmp_path / "again") == before
    assert import_file(memory, tmp_path / "out", bank="b").stored == 0

    (tmp_path / "out/mine.md").write_text("my own note")
    memory.erase_thread("a", "titan")
    memory.operations.export_markdown("a", tmp_path / "out")
    gone = before.keys() - contents(tmp_path / "out").keys()
    assert gone == {"titan.md"}
    assert (tmp_path / "out/mine.md").exists()


@pytest.mark.slow
def test_faded_stays_faded(memory: Memory, tmp_path: Path) -> None:
    words = "The delivery of 1,204 crates to Oslo is late again and nobody in the whole office really knows why it is. "
    memory.store(
        "a",
        [
            {"id": str(n), "role": "user", "content": f"{words} … and … {FIVE[n % 5]} {words}", "created_at": START}
            for n in range(40)
        ],
    )
    memory.seal("a")
    memory.age("a", now=NOW + timedelta(days=500))
    faded = list(memory.export("a"))
    assert sum(len(message.gaps) for message in faded) >= 40

    memory.operations.export_markdown("a", tmp_path / "out")
    assert import_file(memory, tmp_path / "out", bank="b").stored == 40
    assert list(map(comparable, memory.export("b"))) == list(map(comparable, faded))
    assert all(message.kept < 1 for message in memory.export("b") if message.gaps)
    memory.seal("b")
    assert list(map(comparable, memory.export("b"))) == list(map(comparable, faded))
    memory.operations.export_markdown("b", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


def test_edit_by_hand_is_reported_and_loses_nothing(memory: Memory, tmp_path: Path) -> None:
    memory.store("a", messages()[:2])
    folder = tmp_path / "out"
    memory.operations.export_markdown("a", folder)
    [file] = folder.glob("*.md")
    file.write_text(
        file.read_text().replace("14 March", "15 March").replace('"role":"user","at"', '"role":"king","at"', 1)
    )
    report = import_file(memory, folder, bank="b")
    assert report.stored == 1
    assert "role" in report.left_out[0].reason
    file.write_text(file.read_text().replace("foxing: 1", "foxing: 2"))
    with pytest.raises(Exception, match="newer version"):
        import_file(memory, folder, bank="b")


BOLD = """# Plans

**User:** When do we ship?

Soon?

**ChatGPT:** On 14 March.

**Note:** without maps.

```
**User:** in code
```
"""
HEADINGS = (
    "---\ntitle: Plans\ndate: 2026-03-02\ntags: [work, titan]\n---\n\n## You\n\nWhen?\n\n## ChatGPT said:\n\nNow.\n"
)
PLAIN = (
    "[2026-03-02 09:15] Ann: When do we ship?\n[2026-03-02 09:16] Bo: On 14 March: sure.\n[09:17] Ann: Good.\nThanks\n"
)


def read_text(folder: Path, name: str, text: str, **options: Any) -> list[tuple[Any, ...]]:
    path = folder / name
    path.write_text(text)
    read = MARKDOWN.read(HistoryFiles.of(path), ReadOptions(**options))
    return [(m.message.role, m.message.name, m.message.content, m.message.created_at) for m in read]


def test_transcripts(tmp_path: Path) -> None:
    assert read_text(tmp_path, "bold.md", BOLD) == [
        ("user", None, "When do we ship?\n\nSoon?", None),
        ("assistant", "ChatGPT", "On 14 March.\n\n**Note:** without maps.\n\n```\n**User:** in code\n```", None),
    ]
    day = datetime(2026, 3, 2, tzinfo=UTC)
    assert read_text(tmp_path, "headings.md", HEADINGS) == [
        ("user", None, "When?", day),
        ("assistant", "ChatGPT", "Now.", day + timedelta(milliseconds=1)),
    ]
    assert read_text(tmp_path, "plain.txt", PLAIN, zone=UTC) == [
        ("user", "Ann", "When do we ship?", day.replace(hour=9, minute=15)),
        ("user", "Bo", "On 14 March: sure.", day.replace(hour=9, minute=16)),
        ("user", "Ann", "Good.\nThanks", day.replace(hour=9, minute=17)),
    ]
    with pytest.raises(Exception, match="timezone"):
        read_text(tmp_path, "plain.txt", PLAIN)


@pytest.mark.parametrize(
    "text",
    ["Ingredients: flour\nSteps: mix\nIngredients: more", "Model: X1\nPrice: 3", "# A\n\n**Note:** b\n**Note:** c"],
)
def test_notes_are_no_transcripts(text: str, tmp_path: Path) -> None:
    assert [content for _, _, content, _ in read_text(tmp_path, "2026-03-02.md", text)] == [text]


@pytest.mark.slow
def test_vault_of_ten_thousand_notes_takes_bounded_memory(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    (vault / ".obsidian").mkdir(parents=True)
    (vault / ".obsidian/app.json").write_text("{}")
    (vault / "chart.png").write_bytes(encoded("PNG"))
    for number in range(10_000):
        folder = vault / f"folder {number % 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"Note {number}.md").write_text(f"# Note {number}\n\nCrate {number} is in Oslo.")
    (vault / "long.md").write_text("a long line " * 500_000)
    files = HistoryFiles.of(vault)
    assert MARKDOWN.recognise(files) == "a vault of Obsidian"
    tracemalloc.start()
    sizes = [len(str(imported.message.content)) for imported in MARKDOWN.read(files, ReadOptions())]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sizes) == 10_000 + 23
    assert max(sizes) <= 256 << 10
    assert peak < 40 << 20
    assert files.omissions["files beside notes that are none: images, attachments and settings"].count == 2


def test_notes_are_imported_once_and_again_after_an_edit(memory: Memory, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "2026-03-02.md").write_text("Crate 7 is in Oslo.")
    (folder / "plan.md").write_text(BOLD)
    report = import_file(memory, folder, bank="b")
    assert (report.stored, report.threads) == (3, 2)
    assert {message.trust for message in memory.export("b")} == {"imported"}
    assert import_file(memory, folder, bank="b", options=ImportOptions()).stored == 0
    (folder / "2026-03-02.md").write_text("Crate 7 is in Bergen.")
    assert import_file(memory, folder, bank="b").stored == 1


def test_gaps_are_offsets_of_marks() -> None:
    with pytest.raises(ValueError, match="offsets of characters"):
        NewMessage(role="user", content="no gap", gaps=(1,))
    assert json.loads(NewMessage(role="user", content="a ⋯ b", gaps=(2,)).model_dump_json())["gaps"] == [2]
