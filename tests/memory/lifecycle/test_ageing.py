"""Sealing and ageing through `Memory` with the native codec: which pages move when, and what they keep."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from foxing.memory import Forgotten, InvalidPolicy, Memory, NotFound, Policy, PolicyStep

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SENTENCES = (
    "We moved the release of Titan to the second week of March because the battery test failed.",
    "Please send the invoice to the accounting office before Friday evening.",
    "The meeting about the new kitchen was short, and nobody had read the offer.",
    "I would like to book a table for four near the station at seven.",
)


def conversation(messages: int, thread: str = "main") -> list[dict[str, object]]:
    return [
        {
            "id": f"{thread}-{number}",
            "thread": thread,
            "role": "assistant" if number % 2 else "user",
            "content": f"{SENTENCES[number % len(SENTENCES)]} ({number})",
            "created_at": START + timedelta(minutes=number),
        }
        for number in range(messages)
    ]


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: START + DAY) as opened:
        yield opened


@pytest.mark.slow
def test_sealing_fills_pages_and_crops_the_last(memory: Memory) -> None:
    memory.store("ana", conversation(300))
    steps: list[tuple[int, int]] = []

    report = memory.seal("ana", progress=lambda done, total: steps.append((done, total)))

    pages = memory.pages("ana").pages
    assert [page.id for page in pages] == report.pages
    assert (report.messages, report.open_messages) == (300, 0)
    assert [page.vision_tokens for page in pages] == [memory.page_tokens("ana", page.id).count for page in pages]
    assert pages[-1].vision_tokens < min(page.vision_tokens for page in pages[:-1])
    assert all(page.tier == "base" and page.text_kept for page in pages)
    assert steps[-1] == (300, 300)
    assert [memory.message("ana", f"main-{n}").text for n in (0, 150, 299)] == [
        f"{SENTENCES[n % 4]} ({n})" for n in (0, 150, 299)
    ]


def test_a_pause_delays_ageing_until_it_ends(database_url: str) -> None:
    now = START + DAY
    with Memory(database_url, clock=lambda: now) as memory:
        memory.store("ana", conversation(20))
        memory.seal("ana")
        memory.tick()
        now = START + 6 * DAY
        until = now + 3 * DAY
        memory.set_policy("ana", memory.policy("ana").paused("P3D", now))
        assert memory.policy("ana").paused_until == until
        now = until - timedelta(seconds=1)
        assert memory.tick().moved_pages == 0
        preview = memory.age("ana", dry_run=True)
        assert preview.moved == []
        assert preview.upcoming[0].steps[0].at == preview.upcoming[0].exact_until == until
        new = memory.store("ana", [{"role": "user", "content": "today", "created_at": now - 8 * DAY}]).ageing
        assert new is not None
        assert new.exact_until == until
        now = until
        assert memory.tick().moved_pages == 1
        assert memory.pages("ana").pages[0].tier == "small"


def test_a_page_is_grouped_by_thread(memory: Memory) -> None:
    both = zip(conversation(20, "one"), conversation(20, "two"), strict=True)
    memory.store("ana", [message for pair in both for message in pair])
    memory.seal("ana")

    page = memory.pages("ana").pages[0]

    assert sorted(page.threads) == ["one", "two"]
    threads = [message.thread for message in memory.read_page("ana", page.id).messages]
    assert threads == sorted(threads, key=threads.index)


@pytest.mark.slow
def test_a_message_longer_than_a_page_spans_several(memory: Memory) -> None:
    text = " ".join(f"{number:05d}" for number in range(6000))
    memory.store("ana", [{"id": "long", "role": "tool", "content": text}])
    memory.seal("ana")
    message = memory.message("ana", "long")
    assert message.text == text
    assert len(message.page_ids) == 3


@pytest.mark.slow
def test_ageing_follows_the_default_policy(memory: Memory) -> None:
    memory.store("ana", conversation(150))
    memory.seal("ana")
    last = memory.pages("ana").pages[-1].last_at

    assert memory.age("ana", now=last + 6 * DAY).moved == []
    for age, tier in ((8, "small"), (31, "tiny"), (366, "micro")):
        report = memory.age("ana", now=last + age * DAY)
        pages = memory.pages("ana").pages
        assert {page.tier for page in pages} == {tier}
        assert {move.to_tier for move in report.moved} == {tier}
        assert not any(page.text_kept for page in pages)
        assert report.bytes_after == sum(page.bytes for page in pages) - memory.bank("ana").bytes.keepsakes + 16 * sum(
            page.keepsakes for page in pages
        )
        assert report.vision_tokens_after == sum(page.vision_tokens for page in pages)
    assert memory.age("ana", now=last + 400 * DAY).moved == []


@pytest.mark.both_databases
def test_ageing_skips_to_the_tier_for_the_age(memory: Memory) -> None:
    memory.store("ana", conversation(40))
    memory.seal("ana")
    report = memory.age("ana", now=START + 400 * DAY)
    assert [(move.from_tier, move.to_tier) for move in report.moved] == [("base", "micro")]


def test_pages_never_move_up(memory: Memory) -> None:
    memory.store("ana", conversation(40))
    memory.seal("ana")
    memory.age("ana", now=START + 400 * DAY)
    assert memory.age("ana", now=START + 10 * DAY).moved == []
    assert memory.pages("ana").pages[0].tier == "micro"


@pytest.mark.slow
def test_a_dry_run_reports_the_moves_and_writes_nothing(memory: Memory) -> None:
    memory.store("ana", conversation(150))
    memory.seal("ana")
    before = memory.pages("ana")

    planned = memory.age("ana", now=START + 40 * DAY, dry_run=True)

    assert memory.pages("ana") == before
    done = memory.age("ana", now=START + 40 * DAY)
    assert planned.dry_run
    assert not done.dry_run
    assert [m.page_id for m in planned.moved] == [m.page_id for m in done.moved]
    assert planned.vision_tokens_before == done.vision_tokens_before
    assert planned.vision_tokens_after > 0  # an estimate
    assert planned.text_dropped == done.text_dropped
    assert planned.bytes_before == done.bytes_before
    assert 0 < planned.bytes_after <= planned.bytes_before


@pytest.mark.both_databases
def test_a_pinned_page_does_not_age_until_it_is_unpinned(memory: Memory) -> None:
    memory.store("ana", conversation(40))
    memory.seal("ana")
    page = memory.pages("ana").pages[0].id

    assert memory.pin("ana", page).pinned
    assert memory.age("ana", now=START + 400 * DAY).moved == []
    assert memory.page("ana", page).text_kept

    assert not memory.pin("ana", page, pinned=False).pinned
    assert len(memory.age("ana", now=START + 400 * DAY).moved) == 1


@pytest.mark.parametrize(
    ("keep", "kept"), [("fresh", [False, False]), ("until:tiny", [True, False]), ("always", [True, True])]
)
def test_exact_text_is_kept_according_to_the_policy(memory: Memory, keep: str, kept: list[bool]) -> None:
    memory.store("ana", conversation(20))
    memory.set_policy("ana", Policy(keep_text=keep))
    memory.seal("ana")
    found = []
    for days in (10, 40):
        memory.age("ana", now=START + days * DAY)
        found.append(memory.pages("ana").pages[0].text_kept)
    assert found == kept
    source = memory.message("ana", "main-3").source
    assert source == ("text" if kept[-1] else "decoded")


def test_a_policy_that_stops_keeping_text_drops_it_at_the_next_ageing(memory: Memory) -> None:
    memory.store("ana", conversation(20))
    memory.set_policy("ana", Policy(keep_text="always"))
    memory.seal("ana")
    memory.age("ana", now=START + 10 * DAY)
    memory.set_policy("ana", Policy(keep_text="fresh"))

    report = memory.age("ana", now=START + 10 * DAY)

    assert report.moved == []
    assert report.text_dropped == [memory.pages("ana").pages[0].id]
    assert not memory.pages("ana").pages[0].text_kept


@pytest.mark.both_databases
def test_the_trash_holds_what_was_dropped_until_the_undo_window_has_passed(memory: Memory) -> None:
    memory.store("ana", conversation(40))
    memory.seal("ana")
    held = memory.bank("ana").bytes
    memory.age("ana", now=START + 10 * DAY)
    assert memory.bank("ana").bytes.trash == held.tokens + held.text

    assert memory.age("ana", now=START + 16 * DAY).purged == 0
    assert memory.age("ana", now=START + 18 * DAY).purged == 1
    assert memory.bank("ana").bytes.trash == 0


@pytest.mark.slow
def test_tiers_sharper_than_the_page_are_forgotten(memory: Memory) -> None:
    memory.store("ana", conversation(40))
    memory.seal("ana")
    page = memory.pages("ana").pages[0].id
    assert memory.page_image("ana", page, "large").startswith(b"\x89PNG")
    memory.age("ana", now=START + 40 * DAY)
    with pytest.raises(Forgotten, match="'tiny'"):
        memory.page_image("ana", page, "base")
    assert memory.page_image("ana", page, "micro").startswith(b"\x89PNG")
    assert memory.read_page("ana", page, "micro").tier == "micro"


@pytest.mark.both_databases
@pytest.mark.slow
def test_a_tick_seals_and_ages_what_is_due(memory: Memory) -> None:
    memory.store("ana", conversation(170))
    memory.store("bo", conversation(5))

    assert memory.tick(now=START + DAY).sealed_pages == 1  # the full page of ana; the rest stays open
    assert memory.bank("bo").open_messages == 5

    report = memory.tick(now=START + 31 * DAY)
    assert report.sealed_pages == 2
    assert report.moved_pages == 3
    assert report.failed_banks == {}
    assert memory.tick(now=START + 31 * DAY).moved_pages == 0


def test_a_policy_of_seconds_works(memory: Memory) -> None:
    memory.store("ana", conversation(5))
    memory.set_policy(
        "ana",
        {"fresh": "large", "steps": [{"after": "PT2S", "tier": "tiny"}], "seal_after": "PT1S", "undo_window": "PT0S"},
    )
    last = START + timedelta(minutes=4)
    assert memory.tick(now=last + timedelta(seconds=1)).sealed_pages == 1
    assert memory.pages("ana").pages[0].tier == "large"
    report = memory.tick(now=last + timedelta(seconds=2))
    assert (report.moved_pages, report.purged) == (1, 1)


def test_contradictory_policies_are_rejected(memory: Memory) -> None:
    memory.store("ana", conversation(1))
    with pytest.raises(InvalidPolicy, match="lower tiers only"):
        memory.set_policy("ana", {"steps": [{"after": "P7D", "tier": "tiny"}, {"after": "P30D", "tier": "small"}]})
    with pytest.raises(InvalidPolicy, match="ascend"):
        memory.set_policy("ana", {"steps": [{"after": "P7D", "tier": "small"}, {"after": "P7D", "tier": "tiny"}]})
    assert memory.policy("ana") == Policy()
    week = PolicyStep(after=timedelta(days=7), tier="small")
    assert memory.set_policy("ana", Policy(steps=(week,))) == memory.policy("ana")
    with pytest.raises(InvalidPolicy):
        memory.set_policy("nobody", {"keep_text": "sometimes"})
    with pytest.raises(NotFound):
        memory.policy("nobody")


@pytest.mark.slow
def test_words_that_can_no_longer_be_read_are_removed_from_the_index(memory: Memory) -> None:
    code = random.Random(3)
    nonsense = ["".join(code.choices("bcdfghjklmnpqrstvwxz", k=9)) for _ in range(150)]
    messages = conversation(150)
    for message, word in zip(messages, nonsense, strict=True):
        message["content"] = f"{message['content']} {word}"
    memory.set_policy("ana", {"index": "faded"})
    memory.store("ana", messages)
    memory.seal("ana")
    before = memory.bank("ana").bytes.index
    assert all(memory.recall("ana", word).spans for word in nonsense[:20])

    memory.age("ana", now=START + 400 * DAY)

    assert memory.bank("ana").bytes.index < before
    left = {span.message_id: span.text for span in memory.export("ana")}
    ids = {word: str(message["id"]) for message, word in zip(messages, nonsense, strict=True)}
    gone = [word for word in nonsense if word not in left[ids[word]]]
    assert gone
    for word in gone[:20]:
        assert ids[word] not in [found.message_id for found in memory.recall("ana", word).spans]
