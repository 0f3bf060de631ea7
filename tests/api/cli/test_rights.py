"""`foxing hold`, and `erase` and `export` of a person, from the command line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.command_line import Foxing

from foxing.memory import Memory

SAID = "The harbour gate opens with 4821."


@pytest.fixture
def foxing(tmp_path: Path) -> Foxing:
    path = tmp_path / "foxing.db"
    with Memory(path) as memory:
        for bank in ("ana", "ben"):
            memory.store(bank, [{"role": "user", "name": "Mina", "content": SAID}])
            memory.store(bank, [{"role": "user", "name": "Carl", "content": "Mina has the code."}])
    return Foxing(str(path))


def test_a_person_is_exported_and_erased(foxing: Foxing, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in foxing.text("export", "--person", "mina").splitlines()]
    assert [(line["bank"], line["content"]) for line in lines] == [("ana", SAID), ("ben", SAID)]
    assert len(foxing.json("export", "--person", "mina", "--mentions")["messages"]) == 4
    assert "2 messages would be erased" in foxing.text("erase", "--person", "MINA")
    assert foxing.json("erase", "--person", "MINA")["remaining"] == 2
    assert SAID not in foxing.text("erase", "--person", "MINA")
    assert foxing.json("erase", "--person", "MINA", "--yes")["messages"] == 2
    assert "nobody called" in foxing.failure("erase", "--person", "MINA", "--yes")["detail"]
    assert "2 messages erased, 0 remain" in foxing.text("erase", "--person", "mina", "--mentions", "--yes")
    assert "4821" not in (tmp_path / "foxing.db").read_bytes().decode("latin-1")


def test_a_hold_is_set_listed_and_released(foxing: Foxing) -> None:
    hold = foxing.json("hold", "set", "--bank", "ana", "--reason", "case 7")
    assert (hold["bank"], hold["reason"], hold["key_id"]) == ("ana", "case 7", None)
    assert "keeps what Mina said" in foxing.text("hold", "set", "--person", "Mina", "--reason", "case 8")
    assert "case 7" in foxing.text("hold", "list")
    first, second = foxing.json("hold", "list")["holds"]
    assert first == hold
    assert hold["id"] in foxing.failure("erase", "--bank", "ana", "--yes")["detail"]
    assert "hold" in foxing.failure("erase", "--person", "mina", "--yes")["detail"]
    assert foxing.json("export", "--person", "mina")["messages"]
    for one in (first, second):
        assert "is released" in foxing.text("hold", "release", one["id"])
    assert foxing.json("erase", "--person", "mina", "--yes")["remaining"] == 0
    assert "no hold" in foxing.failure("hold", "release", hold["id"])["detail"]
    assert "bank or person" in foxing.failure("hold", "set", "--reason", "x")["detail"]


def test_an_export_keeps_expiries(foxing: Foxing, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    lines = [
        {"role": "user", "content": "for a day", "expires_at": (now + timedelta(days=1)).isoformat()},
        {"role": "user", "content": "for an hour of last week", "expires_at": (now - timedelta(days=7)).isoformat()},
    ]
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    report = foxing.json("import", str(file), "--bank", "cat")["files"][0]
    assert report["stored"] == 1
    assert "expired" in str(report["left_out"])
    [message] = foxing.json("export", "--bank", "cat")["messages"]
    assert datetime.fromisoformat(message["expires_at"]) == datetime.fromisoformat(lines[0]["expires_at"])
