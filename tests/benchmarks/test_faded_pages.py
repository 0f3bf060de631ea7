"""The document of faded pages."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks import faded_pages
from foxing.memory import NewMessage

START = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)
TEXTS = (
    "Shall we meet Zebedee at the harbour at 14:30?",
    "Yes, with a|pipe, `code` and a\nnew line <b>",
    *("No, it is not far from here." for _ in range(18)),
)


@pytest.fixture
def remarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty file of remarks, and a conversation of one page in place of the demo's."""
    messages = [
        NewMessage(id=f"m{number}", role="user", name="Ada", content=text, created_at=START + timedelta(hours=number))
        for number, text in enumerate(TEXTS)
    ]
    path = tmp_path / "remarks.json"
    path.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(faded_pages, "REMARKS", path)
    monkeypatch.setattr(faded_pages, "demo_conversation", lambda: messages)
    return path


def written(folder: Path) -> str:
    output = folder / "faded.md"
    faded_pages.main(["--output", str(output)])
    return output.read_text(encoding="utf-8")


def test_the_beginning_of_each_page_is_shown_before_and_after(
    remarks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = written(tmp_path)
    assert "## Page 1: 2025-01-06 to 2025-01-07\n\n20 messages; 100% of their characters are left, in " in text
    assert f"| Ada | {TEXTS[0]} | {TEXTS[0]} |" in text  # a short page loses nothing
    assert "a\\|pipe, \\`code\\` and a<br>new line &lt;b>" in text
    assert text.count("| Ada |") == faded_pages.MOST_SHOWN
    assert "remarks.json is empty" in capsys.readouterr().err


def test_every_page_needs_its_remark_once_there_are_some(remarks: Path, tmp_path: Path) -> None:
    remarks.write_text(json.dumps({"m0": "All of it."}), encoding="utf-8")
    assert "\n\nAll of it.\n\n| | before | after |" in written(tmp_path)
    remarks.write_text(json.dumps({"m7": "All of it."}), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"pages without a remark: \['m0'\]; remarks without a page: \['m7'\]"):
        written(tmp_path)


def test_locomo_is_printed_and_not_written(
    locomo_file: Path, remarks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faded_pages.main(["--locomo", str(locomo_file), "--output", str(tmp_path / "faded.md")])
    assert "Zebedee" in capsys.readouterr().out
    assert not (tmp_path / "faded.md").exists()


def test_of_long_messages_the_least_number_is_shown() -> None:
    def pairs(characters: int) -> list[Any]:
        return [(NewMessage(role="user", content="x" * characters), None)] * 20

    assert len(list(faded_pages._first(pairs(1000)))) == faded_pages.LEAST_SHOWN
    assert len(list(faded_pages._first(pairs(10)))) == faded_pages.MOST_SHOWN
