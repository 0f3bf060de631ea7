"""`foxing facts`."""

from pathlib import Path

from support.command_line import Foxing

from foxing.memory import Memory


def test_facts_are_listed_pinned_corrected_and_dismissed(tmp_path: Path) -> None:
    path = tmp_path / "foxing.db"
    with Memory(path) as memory:
        said = [
            {"role": "user", "content": "My daughter is allergic to nuts.", "created_at": "2026-03-02T09:00:00Z"},
            {"role": "user", "content": "I work in a bakery now.", "created_at": "2026-03-03T09:00:00Z"},
        ]
        memory.store("b", said)
    foxing = Foxing(str(path))
    shown = foxing.text("facts", "list", "--bank", "b")
    assert "allergic" in shown
    assert "constraint" in shown
    bakery, allergy = foxing.json("facts", "list", "--bank", "b")["facts"]
    assert foxing.json("facts", "list", "--bank", "b", "--at", "2026-03-03")["facts"] == [allergy]
    assert foxing.json("facts", "pin", allergy["fact_id"], "--bank", "b")["pinned"] is True
    assert "(pinned)" in foxing.text("facts", "list", "--bank", "b")
    assert foxing.json("facts", "pin", allergy["fact_id"], "--bank", "b", "--unpin")["pinned"] is False
    corrected = foxing.json("facts", "correct", allergy["fact_id"], "My daughter may eat nuts.", "--bank", "b")
    assert corrected["text"] == "My daughter may eat nuts."
    assert "dismissed" in foxing.text("facts", "dismiss", bakery["fact_id"], "--bank", "b")
    left = foxing.json("facts", "list", "--bank", "b")["facts"]
    assert [fact["text"] for fact in left] == ["My daughter may eat nuts."]
    assert "no fact 'k7q-0'" in foxing.failure("facts", "pin", "k7q-0", "--bank", "b")["detail"]
    foxing.text("db", "backup", str(tmp_path / "copy.db"))
    assert Foxing(str(tmp_path / "copy.db")).json("facts", "list", "--bank", "b")["facts"] == left
    assert "is in order" in foxing.text("db", "check")
