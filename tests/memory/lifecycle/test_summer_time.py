"""Sealing and ageing while the clocks change: what counts is how long ago something was, not what the clock on the wall
says. The memory's clock is in local time here."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from foxing.memory import Memory

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("message_ages")]

HOUR = timedelta(hours=1)
#: Zone, and the instant at which its clocks change.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_pages_are_sealed_and_age_after_the_hours_that_have_passed(
    database_url: str, name: str, change: datetime
) -> None:
    zone = ZoneInfo(name)
    present = [change - HOUR / 2]

    def at(instant: datetime) -> datetime:
        present[0] = instant
        return instant

    with Memory(database_url, clock=lambda: present[0].astimezone(zone)) as memory:
        memory.set_policy(
            "ana", {"seal_after": "PT2H", "steps": [{"after": "PT4H", "tier": "small"}], "undo_window": "PT1H"}
        )
        sent = [change - HOUR / 2, change + HOUR / 2]  # in autumn the same time on the wall
        for number, instant in enumerate(sent):
            at(instant)
            local = instant.astimezone(zone)
            memory.store("ana", [{"id": str(number), "role": "user", "content": f"note {number}", "created_at": local}])
        assert [span.message_id for span in memory.export("ana")] == ["0", "1"]
        assert [span.created_at for span in memory.recall("ana", since=sent[1].astimezone(zone)).spans] == [sent[1]]

        at(sent[0] + 2 * HOUR - HOUR / 4)
        assert memory.tick().sealed_pages == 0
        at(sent[0] + 2 * HOUR)
        assert memory.tick().sealed_pages == 1
        at(sent[1] + 4 * HOUR - HOUR / 4)
        assert memory.tick().moved_pages == 0
        at(sent[1] + 4 * HOUR)
        assert memory.tick().moved_pages == 1
        at(sent[1] + 5 * HOUR - HOUR / 4)
        assert memory.tick().purged == 0
        at(sent[1] + 5 * HOUR)
        assert memory.tick().purged == 1
        assert [span.created_at for span in memory.export("ana")] == sent
