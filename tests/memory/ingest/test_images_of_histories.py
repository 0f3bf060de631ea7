"""Images in the exports of other programs are stored as images of their messages; hostile ones are counted."""

import base64
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from support.histories import archive, chatgpt_conversation, chatgpt_node, folder, json_lines
from support.images import bomb, encoded, many_frames, png_of

from foxing.memory import ImagePart, Memory, MemoryOptions, TextPart, ToolResult
from foxing.memory.ingest.importers import ImportOptions, ImportReport, import_file, importer, preview_file

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NOT_KEPT = "images that cannot be kept, except for their names"
NOT_THERE = "images that the export does not have, except for their names"
PHOTO, OTHER = encoded("JPEG"), encoded("PNG")
#: Images of which a memory keeps none: a header that lies, pixels that cannot be decoded, a bomb, too many frames, and
#: what is no image.
HOSTILE = {
    "cut": PHOTO[:200],
    "damaged": png_of(64, 48, b"no pixels"),
    "bomb": bomb(),
    "frames": many_frames(),
    "text": b"<svg onload=alert(1)>",
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: NOW) as opened:
        yield opened


def left_out(report: ImportReport) -> dict[str, int]:
    return {each.reason: each.count for each in report.left_out}


def shown(memory: Memory) -> list[list[Any]]:
    """The parts of each message: a text, or of an image its name and file; a message of text alone has none."""
    return [
        [
            (part.name, base64.b64decode(part.data or "")) if isinstance(part, ImagePart) else _text(part)
            for part in memory.message("b", message.message_id).parts or [TextPart(text=message.text)]
        ]
        for message in memory.export("b")
    ]


def _text(part: Any) -> str:
    return str(part.content) if isinstance(part, ToolResult) else str(part.text)


def pointer(name: str) -> dict[str, Any]:
    return {"content_type": "image_asset_pointer", "asset_pointer": f"sediment://{name}", "width": 64, "height": 48}


def chatgpt(path: Path, files: dict[str, bytes], *pointers: str) -> Path:
    content = {"content_type": "multimodal_text", "parts": [*map(pointer, pointers), "What is this?"]}
    tower = {"id": "file_0a", "name": "tower.jpg"}
    drawn = {"content_type": "multimodal_text", "parts": [pointer("file-drawn")]}
    nodes = [
        chatgpt_node("n1", None, ["n2"], "user", content, metadata={"attachments": [tower]}),
        chatgpt_node("n2", "n1", [], "tool", drawn),
    ]
    return archive(path, {"conversations.json": json.dumps([chatgpt_conversation("c1", *nodes)]), **files})


def test_chatgpt(memory: Memory, tmp_path: Path) -> None:
    files = {
        "file_0a-tower.jpg": PHOTO,
        "file_0ab-other.jpg": OTHER,
        "user-x/file-drawn-1.png": OTHER,
        **{f"file_bad-{name}.png": content for name, content in HOSTILE.items()},
    }
    bad = [f"file_bad-{name}" for name in HOSTILE]
    path = chatgpt(tmp_path / "export.zip", files, "file_0a", *bad, "file_absent")
    with memory.operations.dry_run("b") as dry_run:
        preview = preview_file(path, dry_run=dry_run)
    report = import_file(memory, path, bank="b")
    first, second = shown(memory)
    assert first[0] == ("tower.jpg", PHOTO)
    assert first[1].splitlines()[-1] == "What is this?"
    assert first[1].count("[image: ") == len(HOSTILE) + 1
    assert second == ["", ("file-drawn-1.png", OTHER)]
    for found in (preview, report):
        assert {each.reason: each.count for each in found.left_out} == {NOT_KEPT: len(HOSTILE), NOT_THERE: 1}
    assert import_file(memory, path, bank="b").duplicates == 2


WHATSAPP = """\
13/08/2016, 09:00 - Ann: \u200eIMG-1.jpg (file attached)
the fence
13/08/2016, 09:01 - Bo: IMG-2.jpg (file attached)
13/08/2016, 09:02 - Bo: cut.jpg (file attached)
13/08/2016, 09:03 - Bo: plan.pdf (file attached)
13/08/2016, 09:04 - Bo: look at [file: IMG-1.jpg]
"""


@pytest.mark.parametrize("write", [archive, folder])
def test_whatsapp(memory: Memory, tmp_path: Path, write: Any) -> None:
    files = {"WhatsApp Chat with Ann.txt": WHATSAPP, "IMG-1.jpg": PHOTO, "cut.jpg": HOSTILE["cut"], "plan.pdf": b"%PDF"}
    path = write(tmp_path / "chat", files)
    report = import_file(memory, path, bank="b", options=ImportOptions(timezone="UTC", format="whatsapp"))
    assert shown(memory) == [
        [("IMG-1.jpg", PHOTO), "the fence"],
        ["[file: IMG-2.jpg]"],
        ["[file: cut.jpg]"],
        ["[file: plan.pdf]"],
        ["look at [file: IMG-1.jpg]"],
    ]
    assert left_out(report) == {NOT_THERE: 1, NOT_KEPT: 1}


def test_telegram(memory: Memory, tmp_path: Path) -> None:
    def message(number: int, **fields: Any) -> dict[str, Any]:
        return {"id": number, "type": "message", "date_unixtime": "1772316601", "from": "Ann", "text": "", **fields}

    messages = [
        message(1, photo="photos/p.jpg", text="the fence"),
        message(2, photo="(File not included. Change data exporting settings to download.)", text="gone"),
        message(3, file="files/drawn.png", mime_type="image/png"),
        message(4, photo="../../etc/p.jpg", text="outside"),
    ]
    chat = {"name": "Ann", "type": "personal_chat", "id": 7, "messages": messages}
    path = folder(tmp_path / "chat", {"result.json": json.dumps(chat), "photos/p.jpg": PHOTO, "files/drawn.png": OTHER})
    report = import_file(memory, path, bank="b")
    assert shown(memory) == [
        [("p.jpg", PHOTO), "the fence"],
        ["[photo]\ngone"],
        [("drawn.png", OTHER)],
        ["[photo: p.jpg]\noutside"],
    ]
    assert left_out(report) == {NOT_THERE: 2}


def test_mail(memory: Memory, tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "Ann <ann@x.org>", "The fence", "<f1@x.org>"
    mail["Date"] = "Sat, 28 Feb 2026 23:10:01 +0100"
    mail.set_content("Here it is.")
    mail.add_alternative("<p>Here it is. <img src='cid:a'></p>", subtype="html")
    mail.get_payload()[1].add_related(PHOTO, "image", "jpeg", cid="<a>")  # type: ignore[index, union-attr]
    mail.add_attachment(OTHER, "image", "png", filename="plan.png")
    mail.add_attachment(HOSTILE["damaged"], "image", "png", filename="damaged.png")
    mail.add_attachment(HOSTILE["text"], "image", "png", filename="text.png")
    mail.add_attachment(b"%PDF", "application", "pdf", filename="plan.pdf")
    path = tmp_path / "mail.eml"
    path.write_bytes(mail.as_bytes())
    report = import_file(memory, path, bank="b")
    text = "The fence\n\nHere it is.\n[file: text.png]\n[file: plan.pdf]"
    assert shown(memory) == [[text, (None, PHOTO), ("plan.png", OTHER), "[image: damaged.png]"]]
    assert left_out(report) == {NOT_KEPT: 2}


def test_session_logs(memory: Memory, tmp_path: Path) -> None:
    def image(content: bytes) -> dict[str, Any]:
        data = base64.b64encode(content).decode()
        return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}

    def line(number: int, role: str, content: Any) -> dict[str, Any]:
        at = f"2026-08-20T10:00:0{number}.000Z"
        said = {"role": role, "content": content}
        return {"type": role, "uuid": f"u{number}", "sessionId": "s", "timestamp": at, "message": said}

    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "shot"}, image(OTHER)]}
    log = tmp_path / "s.jsonl"
    text = {"type": "text", "text": "See both."}
    lines = line(1, "user", [text, image(OTHER), image(HOSTILE["text"])]), line(2, "user", [result])
    log.write_text(json_lines(*lines))
    report = import_file(memory, log, bank="b")
    assert shown(memory) == [["See both.", (None, OTHER), "[image]"], ["shot", (None, OTHER)]]
    assert [message.role for message in memory.export("b")] == ["user", "tool"]
    assert left_out(report) == {NOT_KEPT: 1}


def test_codex(memory: Memory, tmp_path: Path) -> None:
    url = "data:image/png;base64," + base64.b64encode(OTHER).decode()
    blocks = [{"type": "input_text", "text": "See this."}, {"type": "input_image", "image_url": url}]
    payloads = [
        {"type": "message", "role": "user", "content": blocks},
        {"type": "function_call_output", "call_id": "c1", "output": blocks},
    ]
    start = {"timestamp": "2026-08-20T10:00:00Z", "type": "session_meta", "payload": {"id": "s1"}}
    items = [{"timestamp": "2026-08-20T10:00:01Z", "type": "response_item", "payload": each} for each in payloads]
    (tmp_path / "r.jsonl").write_text(json_lines(start, *items))
    report = import_file(memory, tmp_path / "r.jsonl", bank="b")
    assert shown(memory) == [["See this.", (None, OTHER)], ["See this.", (None, OTHER)]]
    assert left_out(report) == {}


def test_messages_with_many_large_images_are_stored_in_small_batches(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BYTES_AT_ONCE", 2 * len(PHOTO))
    lines = "".join(f"13/08/2016, 09:{n:02} - Ann: IMG-{n}.jpg (file attached)\n" for n in range(12))
    path = archive(tmp_path / "chat.zip", {"c.txt": lines, **{f"IMG-{n}.jpg": PHOTO for n in range(12)}})
    source = importer.check_file(path, ImportOptions(timezone="UTC"))
    sizes = [len(batch) for batch in source.read()]
    assert sizes == [2] * 6
    assert source.batches == 6


def test_a_damaged_image_in_a_damaged_archive_is_counted(memory: Memory, tmp_path: Path) -> None:
    path = archive(tmp_path / "chat.zip", {"c.txt": WHATSAPP, "IMG-1.jpg": PHOTO})
    with zipfile.ZipFile(path) as opened:
        place = opened.getinfo("IMG-1.jpg").header_offset + 100
    content = bytearray(path.read_bytes())
    content[place : place + 20] = bytes(20)
    path.write_bytes(content)
    report = import_file(memory, path, bank="b", options=ImportOptions(timezone="UTC"))
    assert report.stored == 5
    assert left_out(report) == {NOT_KEPT: 1, NOT_THERE: 2}
