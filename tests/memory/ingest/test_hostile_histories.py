"""Hostile and damaged histories: refused, or read without what is damaged; never an error that nobody expects."""

import base64
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from support.histories import HISTORIES, archive, claude_code_lines, folder, json_lines

from foxing.memory import InvalidInput, Memory, MemoryOptions
from foxing.memory.bounded_json import JsonGuard, JsonTooLarge, is_deeper, loads
from foxing.memory.ingest.importers import HistoryFiles, HistoryWatcher, ImportOptions, import_file, preview_file
from foxing.memory.ingest.importers import files as history_files
from foxing.memory.ingest.importers import mail as mails
from foxing.memory.ingest.importers.html_text import text_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[\d.]+|null|true|false')


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: NOW) as opened:
        yield opened


def left_out(report: Any) -> dict[str, int]:
    return {each.reason: each.count for each in report.left_out}


def nested(levels: int) -> str:
    return "[" * levels + "1" + "]" * levels


def in_json(path: Path) -> list[Path]:
    found = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return [each for each in found if each.read_bytes()[:1] in (b"[", b"{")]


@pytest.mark.slow
@pytest.mark.parametrize("levels", [290, 5_000])
@pytest.mark.parametrize("name", HISTORIES)
def test_a_value_that_is_nested_deeply_costs_its_message_at_most(tmp_path: Path, name: str, levels: int) -> None:
    format, write = HISTORIES[name]
    history = write(tmp_path / "history")
    for file in in_json(history):
        whole = file.read_text(encoding="utf-8")
        places = [match.end() for match in re.finditer(r'":\s*', whole)][:9]
        for place in places:
            value = VALUE.match(whole, place)
            if value is None:
                continue
            file.write_text(whole[:place] + nested(levels) + whole[value.end() :], encoding="utf-8")
            try:
                preview_file(history, ImportOptions(format=format, timezone="UTC"))
            except InvalidInput as error:
                assert "a bug" not in str(error)  # noqa: PT017
        file.write_text(whole, encoding="utf-8")


def test_a_deep_entry_among_others_is_left_out_alone(memory: Memory, tmp_path: Path) -> None:
    pytest.importorskip("ijson")
    entries = [json.dumps({"id": f"{n}", "memory": f"likes tea no. {n}", "user_id": "ann"}) for n in range(5)]
    entries[2] = entries[2].replace('"ann"', nested(1_500))
    (tmp_path / "mem0.json").write_text(f"[{','.join(entries)}]")
    report = import_file(memory, tmp_path / "mem0.json", bank="b")
    assert report.stored == 4
    assert left_out(report) == {"entries that are nested more than 300 levels deep": 1}


def test_watching_goes_on_after_lines_that_are_nested_deeply(memory: Memory, tmp_path: Path) -> None:
    lines = [json.dumps(line) for line in claude_code_lines()]
    deep = lines[1].replace('"type"', f'"extra": {nested(5_000)}, "type"', 1)
    (tmp_path / "a.jsonl").write_text("\n".join([lines[0], deep, *lines[1:]]) + "\n")
    (tmp_path / "b.jsonl").write_text("\n".join(lines).replace("s1", "s2") + "\n")
    found = {each.path.name: each for each in HistoryWatcher(memory, [tmp_path], "b").poll()}
    assert [found[name].error for name in ("a.jsonl", "b.jsonl")] == [None, None]
    report = found["a.jsonl"].report
    assert report is not None
    assert left_out(report)["damaged lines"] == 1
    assert report.stored > 0


def test_watching_goes_on_after_an_error_that_nobody_expected(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text(json_lines(*claude_code_lines()))
    (tmp_path / "b.jsonl").write_text(json_lines({"role": "user", "content": "x"}))
    store = memory.operations.prepare

    def failing(bank: str, messages: Any) -> Any:
        if len(messages) > 1:
            raise ZeroDivisionError
        return store(bank, messages)

    monkeypatch.setattr(memory.operations, "prepare", failing)
    found = {each.path.name: each for each in HistoryWatcher(memory, [tmp_path], "b").poll()}
    assert "ZeroDivisionError" in str(found["a.jsonl"].error)
    assert found["b.jsonl"].report is not None


def test_depth_and_values_of_json_in_pieces_are_those_of_the_whole() -> None:
    text = b'{"a\\\\": ["\\"[[[[", {"b": [1, 2, "]"]}], "c\\u005b": "\\\\"}'
    for size in (1, 2, 3, 7, len(text)):
        guard = JsonGuard()
        for place in range(0, len(text), size):
            guard.feed(text[place : place + size])
        assert guard.deepest == 4, size
    with pytest.raises(JsonTooLarge, match="nested more than 300 levels"):
        loads(nested(301).encode())
    assert not is_deeper(loads(nested(300).encode()), 300)
    with pytest.raises(JsonTooLarge, match="more than 5 values"):
        loads(b'{"a": [1, 2, 3, 4, 5, 6]}', max_values=5)
    assert loads(b'{"a": "1, 2, 3, 4, 5, 6"}', max_values=5) == {"a": "1, 2, 3, 4, 5, 6"}


def test_a_file_that_takes_too_long_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**9))
    monkeypatch.setattr(history_files.Deadline.__init__, "__defaults__", (lambda: float(next(ticks)),))
    (tmp_path / "a.jsonl").write_text(json_lines(*({"role": "user", "content": f"{n}"} for n in range(100))))
    assert preview_file(tmp_path / "a.jsonl", ImportOptions(max_seconds=1_000)).messages == 100
    with pytest.raises(InvalidInput, match="took longer than 50 seconds to read; nothing of it was stored"):
        preview_file(tmp_path / "a.jsonl", ImportOptions(max_seconds=50))


def steps_of(call: Any) -> int:
    """The lines of Python that a call takes."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


FIELDS = ("a=b; ", "x*0=y; ", ";", "(", 'a="', '\\"', "=?utf-8?q?a?= ", "a,")


@pytest.mark.parametrize("field", ["Content-Type: text/plain; ", "Content-Disposition: attachment; "])
@pytest.mark.parametrize("unit", FIELDS)
def test_a_long_field_of_a_mail_takes_no_more_steps_than_a_short_one(field: str, unit: str) -> None:
    files = HistoryFiles(Path("mail"), [], {}, lambda name: nullcontext(BytesIO()))

    def read(length: int) -> None:
        mail = f"From: ann@x.org\nMessage-ID: <a@x.org>\n{field}{(unit * length)[:length]}\n\nhello\n"
        list(mails._said(files, mail.encode(), "here", {}))

    read(100)
    assert steps_of(lambda: read(64_000)) < 1.2 * steps_of(lambda: read(8_000)) + 500


@pytest.mark.parametrize("unit", ["<a ", "<a '", '<a="', "<!--", "</", "<p>", "<script>", "&#", "<pre>"])
def test_html_takes_steps_in_proportion_to_its_length(unit: str) -> None:
    text_of(unit)
    few, many = (steps_of(lambda n=n: text_of(unit * n)) for n in (1_000, 8_000))  # type: ignore[misc]
    assert many < 9 * few + 500


def test_html_is_read_as_browsers_read_it() -> None:
    html = "<p class='a>b'>one<br>two &lt;3 <b title=\"x>y\">bold</b></p><!-- <p>no</p> -->"
    html += "3 < 4<script>a<b</p></script>!"
    assert text_of(html) == "one\ntwo <3 bold\n3 < 4!"
    assert text_of("<style>p {}</STYLE ><p>text<p>cut <a href='x") == "text\ncut"


@pytest.mark.slow
@pytest.mark.parametrize("field", ["Subject", "From"])
@pytest.mark.parametrize("unit", ["a=b; ", "=?utf-8?q?a?= ", "a,"])
def test_of_a_field_without_parameters_so_much_is_read_and_no_more(field: str, unit: str) -> None:
    files = HistoryFiles(Path("mail"), [], {}, lambda name: nullcontext(BytesIO()))

    def read(length: int) -> None:
        mail = f"Message-ID: <a@x.org>\n{field}: {(unit * length)[:length]}\n\nhello\n"
        list(mails._said(files, mail.encode(), "here", {}))

    read(100)
    assert steps_of(lambda: read(60_000)) < 1.2 * steps_of(lambda: read(20_000)) + 500


def test_what_is_cut_from_a_mail_is_counted_and_nested_comments_cost_a_name_at_most(
    memory: Memory, tmp_path: Path
) -> None:
    head = "Date: Sat, 28 Feb 2026 23:10:01 +0100\nMessage-ID: <a@x.org>\n"
    fields = f"From: {'(' * 3_000} ann@x.org\nSubject: {'fence ' * 4_000}\n"
    (tmp_path / "mail.eml").write_text(f"{head}{fields}To: bo@x.org\n\nhello\n")
    report = import_file(memory, tmp_path / "mail.eml", bank="b")
    assert (report.stored, left_out(report)) == (
        1,
        {"the rest of a mail's fields of more than 16,384 characters": 1},
    )
    assert memory.message("b", "mail:a@x.org").text.endswith("hello")


def test_a_mail_of_too_many_parts_is_left_out(memory: Memory, tmp_path: Path) -> None:
    head = "From: ann@x.org\nTo: bo@x.org\nDate: Sat, 28 Feb 2026 23:10:01 +0100\nMessage-ID: <a@x.org>\n"
    parts = "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 5_000
    good = head.replace("<a@", "<b@") + "\nhello\n"
    mbox = "".join(f"From ann@x.org Sat Feb 28 23:10:01 2026\n{each}\n" for each in (head + parts, good))
    (tmp_path / "mail.mbox").write_text(mbox)
    report = import_file(memory, tmp_path / "mail.mbox", bank="b")
    assert (report.stored, left_out(report)) == (1, {"mails that cannot be read": 1})


def test_an_archive_whose_files_share_their_data_is_refused(memory: Memory, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.jsonl": json_lines({"role": "user", "content": "x"}), "b.jsonl": ""})
    with zipfile.ZipFile(path, "a") as opened:
        opened.getinfo("b.jsonl").header_offset = opened.getinfo("a.jsonl").header_offset + 4
        opened.writestr("c.jsonl", "")
    with pytest.raises(InvalidInput, match=r"'a.jsonl' and 'b.jsonl' share their data"):
        import_file(memory, path, bank="b")
    assert memory.banks().banks == []


def test_a_name_that_an_archive_has_twice_is_counted(memory: Memory, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("a.jsonl", json_lines({"role": "user", "content": "old"}))
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("a.jsonl", json_lines({"role": "user", "content": "new"}))
    report = import_file(memory, tmp_path / "a.zip", bank="b")
    assert [message.text for message in memory.export("b")] == ["new"]
    assert left_out(report) == {"files that the archive has several times, of which the last counts": 1}


def test_an_archive_with_fields_of_64_bits_is_read(memory: Memory, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made, made.open("a.jsonl", "w", force_zip64=True) as file:
        file.write(json_lines({"role": "user", "content": "x"}).encode())
    assert import_file(memory, tmp_path / "a.zip", bank="b").stored == 1


def test_links_of_a_folder_are_not_followed_and_counted(memory: Memory, tmp_path: Path) -> None:
    outside = folder(tmp_path / "outside", {"b.jsonl": json_lines({"role": "user", "content": "secret"})})
    inside = folder(tmp_path / "inside", {"a.jsonl": json_lines({"role": "user", "content": "mine"})})
    (inside / "b.jsonl").symlink_to(outside / "b.jsonl")
    (inside / "more").symlink_to(outside, target_is_directory=True)
    (inside / "self").symlink_to(inside, target_is_directory=True)
    report = import_file(memory, inside, bank="b")
    assert [message.text for message in memory.export("b")] == ["mine"]
    assert left_out(report) == {"links are not followed": 3}


def test_an_image_in_a_string_of_a_hundred_escapes_is_no_depth(memory: Memory, tmp_path: Path) -> None:
    text = '\\"[{' * 1_000 + base64.b64encode(b"x" * 1_000).decode()
    (tmp_path / "a.jsonl").write_text(json_lines({"role": "user", "content": text}))
    assert import_file(memory, tmp_path / "a.jsonl", bank="b").stored == 1
