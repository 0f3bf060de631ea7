"""What a policy would do, before it is set."""

from datetime import UTC, datetime, timedelta

import pytest

from foxing.memory import InvalidPolicy, Memory, MemoryOptions, NotFound

pytestmark = pytest.mark.both_databases

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def memory(database_url: str) -> Memory:
    memory = Memory(database_url, clock=lambda: NOW, options=MemoryOptions(embedder="none"))
    for days in (1, 20, 200):
        said = {"role": "user", "content": f"Note of {days} days ago.", "created_at": NOW - timedelta(days=days)}
        memory.store("a", [said])
        memory.seal("a")
    return memory


def test_pages_now_and_in_a_year(memory: Memory) -> None:
    with memory:
        policy = {
            "age_from": "message",
            "steps": [{"after": "P10D", "tier": "small"}, {"after": "P100D", "tier": "tiny"}],
        }
        found = memory.operations.preview_policy("a", policy)
        by_tier = {tier: (each.now, each.applied, each.in_a_year) for tier, each in found.tiers.items()}
        assert by_tier == {"base": (3, 1, 0), "small": (0, 1, 0), "tiny": (0, 1, 3)}
        assert (found.moved, found.moved_in_a_year) == (2, 3)
        tokens = memory.bank("a").tiers["base"].vision_tokens
        assert found.total("now", "tokens") == pytest.approx(tokens, abs=2)
        memory.set_policy("a", policy)
        memory.age("a")
        assert {tier: each.pages for tier, each in memory.bank("a").tiers.items()} == {"base": 1, "small": 1, "tiny": 1}
        again = memory.operations.preview_policy("a", {"steps": []})
        assert (again.moved, again.moved_in_a_year) == (0, 0)  # no page gets sharper


def test_pinned_pages_stay(memory: Memory) -> None:
    with memory:
        for page in memory.pages("a").pages:
            memory.pin("a", page.id)
        found = memory.operations.preview_policy(
            "a", {"age_from": "message", "steps": [{"after": "P1D", "tier": "micro"}]}
        )
        assert (found.moved, found.tiers["base"].in_a_year) == (0, 3)


def test_errors(memory: Memory) -> None:
    with memory:
        with pytest.raises(NotFound):
            memory.operations.preview_policy("none", {})
        with pytest.raises(InvalidPolicy):
            memory.operations.preview_policy("a", {"steps": [{"after": "P1D", "tier": "large"}]})
