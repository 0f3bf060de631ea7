"""`foxing savings`."""

from datetime import UTC, datetime, timedelta

from support.command_line import Foxing

from foxing.memory import Memory

CALLS = [
    {
        "id": f"call-{number}",
        "called_at": datetime(2026, 11, 28, 9, tzinfo=UTC) + timedelta(minutes=number),
        "session": "s",
        "model": "claude-fable-5-1",
        "wire": "anthropic",
        "folded": number > 0,
        "new_fold": number == 1,
        "fresh_tokens": 10,
        "written_tokens": 1_000,
        "read_tokens": 500 * (number > 1),
        "original_tokens": 5_000 + 1_000 * number,
        "original_prefix": 4_000 + 1_000 * number,
    }
    for number in range(3)
]


def test_savings_on_the_command_line(foxing: Foxing, database_url: str) -> None:
    with Memory(database_url) as memory:
        memory.record_model_calls("agent", CALLS)
    text = foxing.text("savings", "--bank", "agent")
    assert "2026-11-28" in text
    assert "estimated" in text
    assert foxing.json("savings", "--bank", "agent", "--by", "session")["rows"][0]["key"] == "s"
    assert foxing.text("savings", "--bank", "agent", "--csv").startswith("day,calls,")
    total = foxing.json("savings", "--bank", "agent")["total"]
    assert f"{total['saved'] * 3:,.2f}" in foxing.text("savings", "--bank", "agent", "--price", "3000000")
    assert foxing.run("savings", "--bank", "none").exit_code == 1
    assert foxing.run("savings", "--bank", "agent", "--by", "hour").exit_code == 2
