"""`foxing bundle`, and Markdown by command: a bank moves, and the database that takes it is in order."""

from pathlib import Path

import pytest
from support.command_line import Foxing

from foxing.memory import Memory

MESSAGES = [{"id": f"m{n}", "role": "user", "content": f"Crate {n} goes to Oslo.", "thread": "t"} for n in range(60)]


@pytest.mark.slow
def test_a_bank_moves_by_command(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.db") as memory:
        memory.store("a", MESSAGES)
        memory.seal("a")
        memory.store("a", [{"id": "open", "role": "user", "content": "Crate 99 stays."}])
    foxing, other = Foxing(str(tmp_path / "a.db")), Foxing(str(tmp_path / "b.db"))
    bundle = str(tmp_path / "a.foxing")
    assert foxing.json("bundle", "export", "--bank", "a", "--output", bundle)["messages"] == 61
    assert "61 messages" in other.text("bundle", "import", bundle, "--bank", "b")
    assert "already" in other.failure("bundle", "import", bundle, "--bank", "b")["detail"]
    assert other.json("bundle", "copy", "b", "c")["messages"] == 61
    assert other.json("bundle", "rename", "c", "d") == {"bank": "d"}
    assert "is in order" in other.text("db", "check")

    folder = str(tmp_path / "notes")
    assert other.json("export", "--bank", "d", "--markdown", folder)["threads"] == 2
    [report] = other.json("import", folder, "--bank", "e")["files"]
    assert (report["stored"], report["left_out"]) == (61, [])
    assert "is in order" in other.text("db", "check")
