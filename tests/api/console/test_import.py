"""Imports of files and folders over HTTP, as a browser sends them."""

import re
import socket
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.histories import HISTORIES
from support.service import serve

from foxing.api import uploaded_files
from foxing.memory import Memory
from foxing.memory.ingest.importers import ImportOptions, NamedFile, import_file

from .conftest import as_browser
from .test_safety import as_shown, check_inert

HOME = "/console/banks/ana/import"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINE = '{"role": "user", "content": "%s"}\n'
Sent = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def memory(tmp_path: Path, temporary: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "foxing.db", clock=lambda: NOW) as memory:
        yield memory


@pytest.fixture
def console(memory: Memory) -> Iterator[httpx.Client]:
    with serve(memory) as client:
        yield as_browser(client)


def said(text: str = "Hello there.") -> bytes:
    return (LINE % text).encode()


def form(files: dict[str, bytes]) -> Sent:
    """The parts of a form with files by their paths, after an input that nothing was chosen for."""
    return [("file", ("", b"")), *(("file", part) for part in files.items())]


def post(console: httpx.Client, files: Sent, *, dry_run: bool = False, **fields: str) -> httpx.Response:
    return console.post(HOME, data={"dry_run": str(dry_run).lower(), **fields}, files=files)


def job(console: httpx.Client, response: httpx.Response) -> dict[str, Any]:
    """An import that the service has accepted, once it has ended."""
    assert response.status_code == 200, response.text
    while True:
        found: dict[str, Any] = console.get(f"{HOME}.json?{response.url.query.decode()}").json()
        if found["state"] not in ("waiting", "running"):
            return found
        time.sleep(0.02)


def messages(memory: Memory) -> list[tuple[Any, ...]]:
    return [(m.message_id, m.thread, m.role, m.name, m.created_at, m.text, m.parts) for m in memory.export("ana")]


def folders() -> list[str]:
    """Histories that are folders."""
    with tempfile.TemporaryDirectory() as place:
        return [name for number, name in enumerate(HISTORIES) if HISTORIES[name][1](Path(place) / str(number)).is_dir()]


@pytest.mark.slow
@pytest.mark.parametrize("name", folders())
def test_a_folder_is_imported_as_the_command_imports_it(
    console: httpx.Client, memory: Memory, tmp_path: Path, temporary: Path, name: str
) -> None:
    folder = HISTORIES[name][1](tmp_path / "history")
    sent = {f"history/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = job(console, post(console, form(sent), timezone="Asia/Seoul"))
    assert (done["state"], done["file"]) == ("done", "history")
    named, options = NamedFile(folder, "history"), ImportOptions(timezone="Asia/Seoul")
    with Memory(tmp_path / "other.db", clock=lambda: NOW) as other:
        expected = import_file(other, named, bank="ana", options=options)
        assert messages(memory) == messages(other)
    own = {"ageing"}
    assert {k: v for k, v in done["report"].items() if k not in own} == expected.model_dump(mode="json", exclude=own)
    assert list(temporary.iterdir()) == []


def test_one_file_may_be_an_archive_and_several_are_a_folder(console: httpx.Client, memory: Memory) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/a.jsonl", said("One."))
        archive.writestr("b.jsonl", said("Two."))
    assert job(console, post(console, form({"export.zip": packed.getvalue()})))["stored"] == 2
    done = job(console, post(console, form({"Chat: b.jsonl": said("Three."), "c.jsonl": said("Four.")})))
    assert (done["file"], done["stored"]) == ("2 files", 2)
    assert [(each["first"], each["messages"]) for each in done["report"]["files"]] == [
        ("Chat: b.jsonl", 1),
        ("c.jsonl", 1),
    ]
    single = job(console, post(console, form({"logs/only.jsonl": said("Five.")})))
    assert (single["file"], single["stored"]) == ("logs", 1)
    assert len(messages(memory)) == 5


def test_the_dry_run_and_the_report_name_each_file(console: httpx.Client, memory: Memory, temporary: Path) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.jsonl", said())
    sent = {
        "talks/.DS_Store": b"\x00\x01",
        "talks/empty.txt": b"",
        "talks/notes.bin": b"\x00\x01\x02\x03",
        "talks/old/export.zip": packed.getvalue(),
        "talks/two.jsonl": said("One.") + said("Two."),
        "talks/deep/one.jsonl": said("Three."),
    }
    archives = "archives among other files, which are imported one by one"
    expected = [
        ("empty.txt", None, 0, "empty files"),
        ("notes.bin", None, 0, "files of no known format"),
        ("old/export.zip", None, 0, archives),
        ("deep/one.jsonl", "jsonl", 1, None),
        ("two.jsonl", "jsonl", 2, None),
    ]
    response = post(console, form(sent), dry_run=True)
    text = unescape(check_inert(response.text).text)
    for words in ("What would be imported", *(path for path, *_ in expected), f"left out: {archives}", "empty files"):
        assert words in text
    assert ".DS_Store" not in text
    assert memory.banks().banks == []
    done = job(console, post(console, form(sent)))
    found = [(each["first"], each["format"], each["messages"], each["left_out"]) for each in done["report"]["files"]]
    assert found == expected
    assert {each["reason"] for each in done["report"]["left_out"]} == {reason for *_, reason in expected if reason}
    assert "two.jsonl" in console.get(f"{HOME}?id={done['id']}").text
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "status", "reason"),
    [
        ({}, 422, "choose a file or a folder"),
        ({"../a.jsonl": b"x"}, 422, "'../a.jsonl' leaves its folder"),
        ({"a/../../b.jsonl": b"x"}, 422, "leaves its folder"),
        ({"/etc/passwd": b"x"}, 422, "leaves its folder"),
        ({"a\\..\\b.jsonl": b"x"}, 422, "leaves its folder"),
        ({"c:/a.jsonl": b"x"}, 422, "leaves its folder"),
        ({".": b"x"}, 422, "leaves its folder"),
        ({"a/": b"x"}, 422, "not a file's"),
        ({"a/" + "b" * 1_000: b"x"}, 422, "more than 1,000 characters"),
        ({"photos/a.bin": b"\x00\x01", "photos/b.bin": b"\x00\x02"}, 422, "photos is not recognised"),
        ({"photos/a.zip": b"PK\x03\x04", "photos/b": b""}, 422, "empty files: 1"),
        ({"photos/.DS_Store": b"x"}, 422, "photos contains no files"),
        ({"a.jsonl": said() + b"{}\n", "b.jsonl": said()}, 422, "a.jsonl, line 2"),
    ],
)
def test_what_cannot_be_imported_is_refused_as_a_whole(
    console: httpx.Client, memory: Memory, temporary: Path, files: dict[str, bytes], status: int, reason: str
) -> None:
    response = post(console, form({"fine.jsonl": said()} | files if ".." in str(files) else files))
    assert response.status_code == status
    assert reason in unescape(check_inert(response.text).text)
    assert memory.banks().banks == []
    assert list(temporary.iterdir()) == []


def test_a_format_and_the_order_of_dates_are_chosen(console: httpx.Client, memory: Memory) -> None:
    chat = b"03/04/2025, 09:00 - Ann: Hello.\n03/05/2025, 10:00 - Ben: Hi.\n"
    fields = {"timezone": "Europe/Berlin", "format": "whatsapp"}
    asked = unescape(post(console, form({"WhatsApp Chat with Ben.txt": chat}), **fields).text)
    assert "day-first" in asked
    done = job(console, post(console, form({"WhatsApp Chat with Ben.txt": chat}), dates="month-first", **fields))
    assert done["report"]["formats"] == {"whatsapp": 1}
    assert [str(message.created_at.date()) for message in memory.export("ana")] == ["2025-03-04", "2025-03-05"]
    for wrong in ({"dates": "year-first"}, {"format": "none"}):
        assert post(console, form({"a.jsonl": said()}), **wrong).status_code == 422


def test_two_files_of_one_path_are_refused(console: httpx.Client, memory: Memory) -> None:
    response = post(console, [("file", ("a.jsonl", said("One."))), ("file", ("a.jsonl", said("Two.")))])
    assert response.status_code == 422
    assert "two files are called 'a.jsonl'" in unescape(response.text)
    assert memory.banks().banks == []


def test_files_are_as_many_and_as_large_as_the_limits_say(
    memory: Memory, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploaded_files, "MAX_FILES", 3)
    with serve(memory, max_import_bytes=4_000) as client:
        console = as_browser(client)
        files = {f"many/{number}.jsonl": said(f"Note {number}.") for number in range(4)}
        response = post(console, form(files))
        assert response.status_code == 413
        text = unescape(response.text)
        for words in ("at most 3 files", "foxing import", "zip archive"):
            assert words in text
        response = post(console, form({f"large/{number}.jsonl": b" " * 1_500 for number in range(3)}))
        assert response.status_code == 413
        assert "larger than 4,000 bytes" in unescape(response.text)
        del files["many/3.jsonl"]
        assert job(console, post(console, form(files)))["stored"] == 3
    assert list(temporary.iterdir()) == []


NAMES = (
    "\u202elnosj.txt",
    "<img src=x onerror=alert(1)>.txt",
    "naïve 한국어 日本.txt",
    "{{ 7 * 7 }}.txt",
    "semi;colon=x.txt",
    "per%2fcent.txt",
    "..hidden.txt",
    "-rf.txt",
    "CON.txt",
    "x" * 300 + ".txt",
)


def test_names_are_only_shown(console: httpx.Client) -> None:
    sent = {f"odd/{name}": b"\x00" for name in NAMES} | {"odd/fine.jsonl": said()}
    page = check_inert(post(console, form(sent), dry_run=True).text)
    for name in NAMES[:-1]:
        assert as_shown(name) in page.text
    done = job(console, post(console, form(sent)))
    assert {each["first"] for each in done["report"]["files"]} == {*NAMES, "fine.jsonl"}
    check_inert(console.get(f"{HOME}?id={done['id']}").text)


def raw_form(*parts: bytes) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a form whose parts are as given."""
    body = b"".join(b"--bound\r\n" + part + b"\r\n" for part in parts) + b"--bound--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=bound"}


def raw_file(name: bytes, content: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n' + content


@pytest.mark.parametrize("name", [b"a\x00b.jsonl", b"a\x07b.jsonl", b"\xff\xfe.jsonl", b"logs/\xed\xa0\x80.jsonl"])
def test_names_that_no_browser_sends(console: httpx.Client, memory: Memory, temporary: Path, name: bytes) -> None:
    body, headers = raw_form(raw_file(name, said()))
    response = console.post(HOME, content=body, headers=headers)
    assert response.status_code in (200, 422)
    check_inert(response.text)
    if response.status_code == 200:
        assert job(console, response)["stored"] == 1
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {"Content-Type": "multipart/form-data"}),
        (b"x=1", {"Content-Type": "application/x-www-form-urlencoded"}),
        (raw_form(raw_file(b"a.jsonl", said()))[0][:-10], raw_form()[1]),
        (b"--other\r\n\r\n--other--", raw_form()[1]),
        raw_form(*[b'Content-Disposition: form-data; name="x%d"\r\n\r\n1' % number for number in range(21)]),
        raw_form(b'Content-Disposition: form-data; name="timezone"\r\n\r\n' + b"x" * 10_001),
        raw_form(raw_file(b"a" * 5_000, said())),
        raw_form(raw_file(b"a.jsonl", said()), b'Content-Disposition: form-data; name="timezone"\r\n\r\nMars/Base'),
    ],
)
def test_a_form_that_is_not_one_is_refused(
    console: httpx.Client, memory: Memory, temporary: Path, body: bytes, headers: dict[str, str]
) -> None:
    assert console.post(HOME, content=body, headers=headers).status_code == 422
    assert memory.banks().banks == []
    assert list(temporary.iterdir()) == []


def test_a_browser_that_goes_away_leaves_nothing(console: httpx.Client, memory: Memory, temporary: Path) -> None:
    url = console.base_url
    body, _ = raw_form(raw_file(b"a/a.jsonl", said() * 5_000), raw_file(b"a/b.jsonl", said() * 5_000))
    head = (
        f"POST {HOME} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nOrigin: {str(url).rstrip('/')}\r\n"
        f"Content-Type: multipart/form-data; boundary=bound\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(head.encode() + body[: len(body) * 3 // 4])
        while not [*temporary.glob("*/files.zip")]:
            time.sleep(0.01)
    while any(temporary.iterdir()):
        time.sleep(0.01)
    assert memory.banks().banks == []
    assert job(console, post(console, form({"a.jsonl": said()})))["stored"] == 1


def test_the_form_takes_files_and_folders(console: httpx.Client) -> None:
    page = check_inert(console.get(HOME).text)
    inputs = [attributes for tag, attributes in page.elements if tag == "input" and attributes.get("type") == "file"]
    assert [("multiple" in each, "webkitdirectory" in each, each["name"]) for each in inputs] == [
        (True, False, "file"),
        (True, True, "file"),
    ]
    assert re.search(r'data-most-files="10000"', console.get(HOME).text)
