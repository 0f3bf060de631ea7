"""What recall finds is worth more: it is counted, the count decays, and what is recalled often fades later."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest
from support.clock import Clock
from support.search_doubles import HashingEmbedder
from support.texts import PLAIN, chat

from foxing.memory import ContextRequest, Memory, MemoryOptions, NewMessage, NotFound, Policy, PolicyStep
from foxing.memory.lifecycle import recall_weights

pytestmark = pytest.mark.usefixtures("message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
#: Two messages that are alike to a tier: of one length, without names, numbers or negations.
GARDEN = (
    "The gardener planted lavender beside the wooden fence and watered the young roses before breakfast every morning."
)
WORKSHOP = (
    "The carpenter painted shelves behind the narrow kitchen and polished the heavy tables after dinner every evening."
)
PAIR = [
    NewMessage(id="garden", role="user", content=GARDEN, created_at=START + DAY),
    NewMessage(id="workshop", role="user", content=WORKSHOP, created_at=START + DAY),
]


FIRST_WORDS = ("lavender", "shelves", "kettle", "saddle", "pebble", "violin", "compass", "lantern")


@pytest.fixture
def clock() -> Clock:
    return Clock(START + 3 * DAY)


@pytest.fixture
def opened(database_path: Path, clock: Clock) -> Callable[..., Memory]:
    return lambda **options: Memory(database_path, clock=clock, options=MemoryOptions(**options))


@pytest.fixture
def memory(opened: Callable[..., Memory]) -> Iterator[Memory]:
    with opened() as memory:
        memory.store("ana", PAIR[:1], thread="home")
        memory.store("ana", PAIR[1:], thread="shop")
        yield memory


def recalled(memory: Memory, *ids: str) -> list[float]:
    return [memory.message("ana", key).recall_weight for key in ids]


@pytest.mark.slow
@pytest.mark.parametrize("often", [FIRST_WORDS[::2], FIRST_WORDS[1::2]])
def test_what_is_recalled_often_fades_later(opened: Callable[..., Memory], often: tuple[str, ...]) -> None:
    """Messages without facts, whose words cost as much as those around them; half of them are recalled."""
    drawn = random.Random(7)
    said = {first: " ".join(["The", first, *drawn.choices(PLAIN, k=16)]) + "." for first in FIRST_WORDS}
    added = [NewMessage(id=key, role="user", content=said[key], created_at=START + DAY) for key in said]
    with opened() as memory:
        memory.store("ana", [*chat(60, START), *added, *chat(40, START + DAY, seed=2)])
        memory.seal("ana")
        for word in often * 12:
            assert [span.message_id for span in memory.recall("ana", word, limit=1).spans] == [word]
        memory.set_policy("ana", Policy(steps=(PolicyStep(after=DAY, tier="micro"),), age_from="message"))
        assert len(memory.age("ana", now=START + 30 * DAY).moved) == 1
        kept = {key: memory.message("ana", key).kept for key in said}
        assert sum(kept[key] for key in often) > 1.5 * sum(kept[key] for key in kept.keys() - set(often))
        assert all(memory.recall("ana", word, limit=1).spans[0].message_id == word for word in often)


def test_the_first_match_counts_most(memory: Memory) -> None:
    assert [span.message_id for span in memory.recall("ana", "gardener every evening fence").spans] == [
        "garden",
        "workshop",
    ]
    assert recalled(memory, "garden", "workshop") == [1, 0.5]


def test_a_recall_is_worth_half_after_ninety_days(memory: Memory, clock: Clock) -> None:
    for _ in range(4):
        memory.recall("ana", "lavender")
    memory.tick()
    clock.now += 90 * DAY
    assert recalled(memory, "garden") == [2]
    memory.recall("ana", "lavender")
    memory.tick()
    clock.now += 90 * DAY
    assert recalled(memory, "garden") == [1.5]


def test_windows_and_neighbours_do_not_count(memory: Memory) -> None:
    memory.recall("ana", since="2026-01-01")
    memory.recall("ana", "yesterday", now=START + 2 * DAY)
    list(memory.export("ana"))
    said = NewMessage(id="dry", role="assistant", content="It is dry.", created_at=START + DAY, thread="home")
    memory.store("ana", [said])
    assert len(memory.recall("ana", "lavender", neighbours=1, limit=1).spans) == 2
    assert recalled(memory, "garden", "dry", "workshop") == [1, 0, 0]


def test_page_images_and_context_count(memory: Memory) -> None:
    memory.seal("ana")
    assert memory.recall_images("ana", "lavender").images
    assert recalled(memory, "garden", "workshop") == [1, 0]
    assert memory.recall_images("ana", "yesterday", now=START + 2 * DAY).images
    assert recalled(memory, "garden", "workshop") == [1, 0]
    memory.store(
        "ana", [NewMessage(role="user", content=f"Small talk {n}.", created_at=START + DAY) for n in range(99)]
    )
    answer = memory.context("ana", ContextRequest(reader="text", budget=400, query="lavender"))
    assert "garden" in answer.message_ids
    counted, other = recalled(memory, "garden", "workshop")
    assert counted == 2
    assert other < 0.1  # found by words of the garden, far below


def test_counts_outlive_the_process_that_closes_the_memory(memory: Memory, opened: Callable[..., Memory]) -> None:
    memory.recall("ana", "lavender")
    memory.close()
    with opened() as again:
        assert recalled(again, "garden") == [1]
        again.recall("ana", "lavender")
        again.tick()
        assert recalled(again, "garden") == [2]


def test_a_setting_turns_counting_off(memory: Memory, opened: Callable[..., Memory]) -> None:
    memory.recall("ana", "lavender")
    memory.close()
    with opened(recall_weights=False) as off:
        off.recall("ana", "lavender")
        assert recalled(off, "garden") == [1]


def test_recall_waits_for_no_lock_and_counts_wait_for_theirs(memory: Memory, database_path: Path) -> None:
    other = connect(database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert memory.recall("ana", "lavender").spans
    assert recalled(memory, "garden") == [1]
    other.execute("ROLLBACK")
    other.close()
    memory.tick()
    assert recalled(memory, "garden") == [1]


def test_a_read_only_database_can_be_asked(memory: Memory, database_path: Path) -> None:
    memory.close()
    connection = connect(database_path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with Memory(f"sqlite:///file:{database_path}?mode=ro&uri=true") as read_only:
        assert read_only.recall("ana", "lavender").spans
        assert read_only.age("ana", dry_run=True).moved == []
        assert recalled(read_only, "garden")[0] > 0.9
    with Memory(database_path) as writable:
        assert recalled(writable, "garden") == [0]


def test_what_waits_is_bounded(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_weights, "MAX_WAITING", 1)
    memory.recall("ana", "lavender")
    memory.recall("ana", "carpenter")
    memory.recall("ana", "lavender")
    assert recalled(memory, "garden", "workshop") == [2, 0]
    memory.tick()
    memory.recall("ana", "carpenter")
    assert recalled(memory, "garden", "workshop") == [2, 1]


def test_counts_are_among_the_bytes_of_their_bank(memory: Memory) -> None:
    memory.store("ben", PAIR)
    before = [memory.bank(bank).bytes for bank in ("ana", "ben")]
    memory.recall("ana", "lavender")
    memory.tick()
    after = [memory.bank(bank).bytes for bank in ("ana", "ben")]
    assert after[0].metadata > before[0].metadata
    assert after[0].total - before[0].total == after[0].metadata - before[0].metadata
    assert after[1] == before[1]


def test_banks_and_embeddings_keep_counts_apart(opened: Callable[..., Memory]) -> None:
    with opened(embedder=HashingEmbedder()) as memory:
        memory.store("ana", PAIR)
        memory.store("ben", PAIR)
        memory.recall("ana", "lavender beside the fence", limit=1)
        memory.tick()
        assert recalled(memory, "garden") == [1]
        assert memory.message("ben", "garden").recall_weight == 0
        with pytest.raises(NotFound):
            memory.message("ana", "nobody")


def test_times_far_away_count_too(memory: Memory, clock: Clock) -> None:
    last = datetime(9999, 12, 31, tzinfo=UTC)
    memory.recall("ana", "lavender", now=last)
    memory.recall("ana", "lavender", now=datetime(1, 1, 2, tzinfo=UTC))
    memory.tick()
    clock.now = last
    assert recalled(memory, "garden") == [1]
