"""Ages count from when messages came into the bank: history that is imported today is exact today."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.clock import Clock

from foxing.memory import InvalidInput, Memory, Policy
from foxing.memory.ingest.importers import ImportOptions, import_file

pytestmark = pytest.mark.both_databases

SAID = datetime(2023, 3, 1, 9, tzinfo=UTC)
TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
#: A long message among short ones.
LONG = "The second supplier confirmed 4,250 units at $92.43 each, to be delivered to gate B7 by 14 April 2023. " * 30


@pytest.fixture
def clock() -> Clock:
    return Clock(TODAY)


@pytest.fixture
def memory(database_url: str, clock: Clock) -> Iterator[Memory]:
    """A memory whose bank `ana` counts ages from arrival."""
    with Memory(database_url, clock=clock) as opened:
        opened.set_policy("ana", Policy(age_from="arrival"))
        yield opened


def history(messages: int = 120) -> list[dict[str, Any]]:
    """Three years old, over three months."""
    return [
        {
            "id": f"m{number}",
            "role": ("user", "assistant")[number % 2],
            "content": LONG if number % 40 == 7 else f"In week {number} the {number}th crate arrived from Lyon, late.",
            "created_at": SAID + timedelta(hours=18 * number),
        }
        for number in range(messages)
    ]


def write_lines(path: Path, messages: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(m, default=datetime.isoformat) for m in messages), encoding="utf-8")
    return path


def test_imported_history_is_exact_after_an_hour_of_ticks(memory: Memory, clock: Clock, tmp_path: Path) -> None:
    """It was at `micro` after 76 seconds."""
    said = {message["id"]: message["content"] for message in history()}
    report = import_file(memory, write_lines(tmp_path / "old.jsonl", history()), bank="ana")
    for _ in range(60):
        clock.now += timedelta(minutes=1)
        tick = memory.tick()
        assert not tick.failed_banks
        assert tick.moved_pages == 0
    remembered = {span.message_id: span for span in memory.export("ana")}
    assert {key: span.text for key, span in remembered.items()} == said
    assert {span.source for span in remembered.values()} <= {"open", "text"}
    assert memory.recall("ana", "What did the second supplier confirm?", limit=1).spans[0].kept == 1
    assert report.ageing is not None
    assert report.ageing.exact_until == TODAY + 7 * DAY
    assert [(step.tier, step.at) for step in report.ageing.steps] == [
        ("small", TODAY + 7 * DAY),
        ("tiny", TODAY + 30 * DAY),
        ("micro", TODAY + 365 * DAY),
    ]


@pytest.mark.slow
def test_imported_history_fades_when_it_was_said_that_it_would(memory: Memory, clock: Clock) -> None:
    memory.store("ana", history())
    memory.seal("ana")
    for at, tier in ((7 * DAY, "small"), (30 * DAY, "tiny"), (365 * DAY, "micro")):
        clock.now = TODAY + at - timedelta(seconds=1)
        assert memory.tick().moved_pages == 0
        clock.now = TODAY + at
        assert memory.tick().moved_pages == len(memory.pages("ana").pages)
        assert {page.tier for page in memory.pages("ana").pages} == {tier}


def test_a_message_that_is_said_after_it_arrived_counts_from_when_it_was_said(memory: Memory, clock: Clock) -> None:
    said = TODAY + timedelta(minutes=4)  # a clock that is ahead
    memory.store("ana", [{"role": "user", "content": "hello", "created_at": said}])
    memory.seal("ana")
    assert not memory.age("ana", now=said + 7 * DAY - timedelta(seconds=1)).text_dropped
    assert memory.age("ana", now=said + 7 * DAY).text_dropped


def test_a_page_counts_from_its_latest_arrival(memory: Memory, clock: Clock) -> None:
    memory.store("ana", history(3))
    clock.now += 5 * DAY
    memory.store("ana", [{"role": "user", "content": "and one more", "created_at": SAID}])
    memory.seal("ana")
    (page,) = memory.pages("ana").pages
    assert page.arrived_at == TODAY + 5 * DAY
    assert not memory.age("ana", now=TODAY + 8 * DAY).text_dropped
    assert memory.age("ana", now=TODAY + 12 * DAY).text_dropped


def test_open_messages_are_sealed_by_their_time_in_the_bank(memory: Memory, clock: Clock) -> None:
    memory.store("ana", history(3))
    clock.now += 29 * DAY
    assert memory.tick().sealed_pages == 0
    clock.now += DAY
    assert memory.tick().sealed_pages == 1


def test_a_policy_counts_from_when_messages_were_said(memory: Memory) -> None:
    memory.set_policy("ana", Policy(age_from="message"))
    stored = memory.store("ana", history(3))
    assert stored.ageing is not None
    assert stored.ageing.exact_until == SAID + 7 * DAY
    assert memory.tick().sealed_pages == 1
    assert {page.tier for page in memory.pages("ana").pages} == {"micro"}


def test_a_message_that_is_stored_again_keeps_its_arrival(memory: Memory, clock: Clock, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "old.jsonl", history(3))
    import_file(memory, path, bank="ana")
    clock.now += 5 * DAY
    report = import_file(memory, path, bank="ana")
    assert (report.stored, report.ageing) == (0, None)
    assert {span.arrived_at for span in memory.export("ana")} == {TODAY}
    memory.seal("ana")
    import_file(memory, path, bank="ana")
    assert {span.arrived_at for span in memory.export("ana")} == {TODAY}


def test_arrival_stays_through_ageing_undo_and_erasure(memory: Memory, clock: Clock) -> None:
    memory.store("ana", history(6))
    memory.seal("ana")
    memory.age("ana", now=TODAY + 31 * DAY)
    assert {page.arrived_at for page in memory.pages("ana").pages} == {TODAY}
    memory.undo("ana", now=TODAY + 32 * DAY)
    assert {page.arrived_at for page in memory.pages("ana").pages} == {TODAY}
    clock.now = TODAY + 33 * DAY
    memory.erase_message("ana", "m2")
    assert {page.arrived_at for page in memory.pages("ana").pages} == {TODAY}
    assert {span.arrived_at for span in memory.export("ana")} == {TODAY}


def test_arrival_is_exported_and_imported(memory: Memory, clock: Clock, tmp_path: Path) -> None:
    memory.store("ana", history(4))
    memory.seal("ana")
    memory.store("ana", [{"role": "user", "content": "still open", "created_at": SAID + 90 * DAY}])
    lines = [
        {
            "id": span.message_id,
            "role": span.role,
            "content": span.text,
            "created_at": span.created_at,
            "arrived_at": span.arrived_at,
        }
        for span in memory.export("ana")
    ]
    clock.now += 100 * DAY
    memory.set_policy("moved", Policy(age_from="arrival"))
    report = import_file(memory, write_lines(tmp_path / "ana.jsonl", lines), bank="moved")
    assert {span.arrived_at for span in memory.export("moved")} == {TODAY}
    assert report.ageing is not None
    assert report.ageing.exact_until == TODAY + 7 * DAY


def test_a_file_is_imported_as_if_the_memory_had_been_there(memory: Memory, tmp_path: Path) -> None:
    memory.store("ana", [{"id": "old", "role": "user", "content": "known already", "created_at": SAID}])
    memory.seal("ana")
    import_file(
        memory, write_lines(tmp_path / "old.jsonl", history(3)), bank="ana", options=ImportOptions(backdate=True)
    )
    memory.seal("ana")
    memory.tick()
    by_id = {span.message_id: span for span in memory.export("ana")}
    assert by_id["m0"].tier == "micro"
    assert by_id["m0"].arrived_at == by_id["m2"].created_at  # the last one on its page
    assert by_id["old"].text == "known already"  # other messages of the bank stay as they are
    assert by_id["old"].source == "text"


def test_arrival_cannot_lie_in_the_future(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="arrived_at is 2026-03-03"):
        memory.store("ana", [{"role": "user", "content": "hello", "arrived_at": TODAY + DAY}])


def test_a_dry_run_says_what_happens_to_each_page_and_when(memory: Memory) -> None:
    memory.store("ana", history(6))
    memory.seal("ana")
    (page,) = memory.pages("ana").pages
    (upcoming,) = memory.age("ana", dry_run=True).upcoming
    assert (upcoming.page_id, upcoming.tier, upcoming.exact, upcoming.exact_until) == (
        page.id,
        "base",
        True,
        TODAY + 7 * DAY,
    )
    assert [step.at for step in upcoming.steps] == [TODAY + 7 * DAY, TODAY + 30 * DAY, TODAY + 365 * DAY]
    memory.age("ana", now=TODAY + 8 * DAY)
    (upcoming,) = memory.age("ana", now=TODAY + 8 * DAY, dry_run=True).upcoming
    assert (upcoming.tier, upcoming.exact, upcoming.exact_until) == ("small", False, None)
    memory.pin("ana", page.id)
    assert memory.age("ana", now=TODAY + 8 * DAY, dry_run=True).upcoming == []


@pytest.mark.parametrize(("policy", "until"), [({"keep_text": "always"}, None), ({"keep_text": "until:tiny"}, 30)])
def test_messages_are_exact_as_long_as_the_policy_keeps_text(
    memory: Memory, policy: dict[str, str], until: int | None
) -> None:
    memory.set_policy("ana", {"age_from": "arrival", **policy})
    stored = memory.store("ana", [{"role": "user", "content": "hello", "created_at": SAID}])
    assert stored.ageing is not None
    assert stored.ageing.exact_until == (None if until is None else TODAY + until * DAY)


def test_an_idempotent_answer_says_the_same_again(memory: Memory, clock: Clock) -> None:
    first = memory.store("ana", history(2), idempotency_key="k")
    clock.now += timedelta(hours=1)
    assert memory.store("ana", history(2), idempotency_key="k") == first


def test_the_default_counts_from_arrival() -> None:
    assert Policy().age_from == "arrival"
