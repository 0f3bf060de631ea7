"""What the commands say of messages that have faded."""

import json
import re
from pathlib import Path

import pytest
from support.command_line import Foxing
from support.faded import BANK, make_faded_bank, make_sealed_bank

from foxing.memory import Memory


@pytest.fixture(scope="module")
def faded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database whose pages are at `micro`; not to be changed."""
    path = tmp_path_factory.mktemp("faded") / "foxing.db"
    make_faded_bank(path)
    return str(path)


@pytest.mark.slow
def test_what_is_kept_stands_wherever_confidence_does(faded: str) -> None:
    foxing = Foxing(faded)
    page = foxing.json("pages", "--bank", BANK)["pages"][0]["id"]
    shown = [
        foxing.text("recall", "--bank", BANK, "--limit", "500", "--details"),
        foxing.text("read", page, "--bank", BANK),
    ]
    for text in shown:
        heads = [line for line in text.splitlines() if "confidence" in line]
        assert heads
        assert all(re.search(r"\d% kept, confidence", line) for line in heads), heads
    _, *lines = [json.loads(line) for line in foxing.text("export", "--bank", BANK).splitlines()]
    assert all(0 <= line["kept"] <= 1 and "confidence" in line for line in lines)
    reading = foxing.json("read", page, "--bank", BANK)
    kept = [message["kept"] for message in reading["messages"]]
    assert min(kept) < reading["kept"] < max(kept)


@pytest.mark.slow
def test_only_what_is_whole_is_kept_to_100_percent(faded: str) -> None:
    foxing = Foxing(faded)
    spans = foxing.json("recall", "--bank", BANK, "--limit", "500")["spans"]
    said = re.findall(r"(\d+)% kept", foxing.text("recall", "--bank", BANK, "--limit", "500", "--details"))
    assert [percent == "100" for percent in said] == [span["kept"] == 1 for span in spans]
    assert {span["kept"] == 1 for span in spans} == {True, False}


@pytest.mark.slow
def test_context_marks_what_has_faded(faded: str) -> None:
    with Memory(faded) as memory:
        spans = memory.recall(BANK, limit=500).spans
    text = Foxing(faded).text(
        "context", "--bank", BANK, "--reader", "text", "--budget", "1200", spans[len(spans) // 2].text
    )
    assert "… is what has faded" in text
    assert "⋯" not in text
    gaps = [span.text.strip() for span in spans if len(span.gaps) > 1]
    assert sum(said in text for said in gaps) > 5, text


def test_recall_prints_what_a_model_is_to_see(faded: str) -> None:
    foxing = Foxing(faded)
    found = foxing.json("recall", "--bank", BANK, "--limit", "500")
    assert found["rendered"] in foxing.text("recall", "--bank", BANK, "--limit", "500")


@pytest.mark.slow
def test_a_preview_says_what_is_before_and_what_is_after(tmp_path: Path) -> None:
    path = str(tmp_path / "foxing.db")
    make_sealed_bank(path)
    foxing = Foxing(path)
    page = foxing.json("pages", "--bank", BANK)["pages"][0]["id"]
    messages = foxing.json("preview", page, "--bank", BANK, "--tier", "micro")["messages"]
    lines = foxing.text("preview", page, "--bank", BANK, "--tier", "micro").splitlines()
    changed = [message for message in messages if message["before"] != message["after"]]
    assert 0 < len(changed) < len(messages)
    assert [line for line in lines if line.startswith("before: ")] == [f"before: {m['before']}" for m in changed]
    assert [line for line in lines if line.startswith("after:  ")] == [f"after:  {m['after']}" for m in changed]
    same = [f"same:   {m['before']}" for m in messages if m["before"] == m["after"]]
    assert [line for line in lines if line.startswith("same:   ")] == same
