"""Import of mail."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.histories import HISTORIES, file, folder, mails

from foxing.memory import Memory, MemoryOptions
from foxing.memory.ingest.importers import import_file


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    with Memory(f"sqlite:///{tmp_path}/a.db", options=MemoryOptions(embedder="none"), clock=lambda: now) as opened:
        yield opened


def test_mbox(memory: Memory, tmp_path: Path) -> None:
    report = import_file(memory, HISTORIES["mbox"][1](tmp_path / "mail"), bank="b")
    question, answer, thanks, other = memory.export("b")
    assert question.text == "Der Zaun\n\nWie hoch wird der Zaun für den Garten?\nFrom here it looks low."
    assert (question.message_id, question.thread, question.role) == ("mail:q1@x.org", "mail:q1@x.org", "user")
    assert (question.name, question.metadata) == ("Ann Müller", {"subject": "Der Zaun"})
    assert question.created_at == datetime(2026, 2, 28, 22, 10, 1, tzinfo=UTC)
    assert answer.text == "1,8\xa0m & nicht höher\nWie hoch wird der Zaun?\n[file: plan.pdf]"
    assert (answer.thread, answer.name) == ("mail:q1@x.org", "Bo")
    assert (thanks.thread, thanks.name, thanks.text) == ("mail:q1@x.org", "ann@x.org", "> 1,8 m\nDanke")
    assert thanks.created_at == datetime(2026, 3, 2, 9, tzinfo=UTC)  # that of the last server
    assert (other.text, other.thread) == ("plain text", other.message_id)
    assert (report.threads, report.left_out) == (2, [])


def test_a_longer_mbox_adds_what_is_new(memory: Memory, tmp_path: Path) -> None:
    path = file(tmp_path / "mail.mbox", mails.mbox(mails.QUESTION, mails.PLAIN_AND_HTML))
    assert import_file(memory, path, bank="b").stored == 2
    file(path, mails.mbox(mails.ANSWER, mails.QUESTION, mails.PLAIN_AND_HTML, mails.THANKS))
    report = import_file(memory, path, bank="b")
    assert (report.stored, report.duplicates, report.left_out) == (2, 2, [])


def test_a_folder_of_mails(memory: Memory, tmp_path: Path) -> None:
    path = folder(tmp_path / "Maildir", {"cur/1:2,S": mails.QUESTION, "cur/2:2,S": mails.ANSWER, "new/3": "no mail"})
    report = import_file(memory, path, bank="b")
    assert (report.formats, report.stored, report.threads) == ({"mail": 2}, 2, 1)
    assert [(each.reason, each.first) for each in report.left_out] == [("files of no known format", "new/3")]


def test_damaged_mails(memory: Memory, tmp_path: Path) -> None:
    whole = mails.mbox(mails.QUESTION, mails.ANSWER).encode()
    empty = b"From ann@x.org Sat Feb 28 23:10:01 2026\nMessage-ID: <e1@x.org>\nFrom: ann@x.org\n\n\n"
    (tmp_path / "mail").write_bytes(whole[:-12] + b"\n\n" + empty + b"\xff\xfe\x00")
    report = import_file(memory, tmp_path / "mail", bank="b")
    assert report.stored == 3
    assert memory.message("b", "mail:q1@x.org").text.startswith("Der Zaun")
    assert memory.message("b", "mail:a1@x.org").text.startswith("1,8\xa0m & nicht höher")
    assert memory.message("b", "mail:e1@x.org").text.startswith("\ufffd")
    assert [(each.reason.partition(":")[0], each.count) for each in report.left_out] == [
        ("dates of mails, missing or damaged", 1)
    ]
