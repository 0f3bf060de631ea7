"""Savings: what calls were billed, and what they would have been without folding."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foxing.memory import InvalidInput, InvalidTime, Memory, NotFound

BANK = "agent"
START = datetime(2026, 11, 28, 23, 50, tzinfo=UTC)
pytestmark = pytest.mark.both_databases


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url) as opened:
        yield opened


def call(number: int, **fields: Any) -> dict[str, Any]:
    """A call a minute after the one before. Each adds 1,000 tokens, and 10 stand after the last mark."""
    original = 1_000 * (number + 1)
    given = {
        "id": f"call-{number}",
        "called_at": START + timedelta(minutes=number),
        "session": "s",
        "model": "claude-fable-5-1",
        "wire": "anthropic",
        "folded": False,
        "fresh_tokens": 10,
        "written_tokens": 1_000,
        "read_tokens": original - 1_000,
        "original_tokens": original + 10,
        "original_prefix": original,
    }
    return given | fields


def folded(number: int, written: int, read: int, **fields: Any) -> dict[str, Any]:
    return call(number, folded=True, written_tokens=written, read_tokens=read, **fields)


def prices(memory: Memory, *calls: dict[str, Any]) -> list[tuple[float, float]]:
    """The prices of new calls: as billed, and without folding."""
    return [(each.billed, each.original) for each in memory.record_model_calls(BANK, calls).recorded]


def test_what_was_sent_as_it_is_saves_nothing(memory: Memory) -> None:
    unmarked = call(2, session="unmarked", written_tokens=0, read_tokens=0, original_prefix=0)
    for billed, original in prices(memory, call(0), call(1), unmarked):
        assert billed == original
    assert memory.savings(BANK).total.saved == 0


def test_a_fold_costs_first_and_saves_afterwards(memory: Memory) -> None:
    prices(memory, call(0), call(1))
    [fold, after] = prices(memory, folded(2, 1_500, 0, new_fold=True), folded(3, 1_000, 1_500))
    assert fold == (10 + 1.25 * 1_500, 10 + 0.1 * 2_000 + 1.25 * 1_000)
    assert fold[0] > fold[1]  # a loss, which counts
    assert after == (10 + 1.25 * 1_000 + 0.1 * 1_500, 10 + 0.1 * 3_000 + 1.25 * 1_000)
    assert memory.savings(BANK).total.saved == pytest.approx(fold[1] - fold[0] + after[1] - after[0])


def test_a_cold_cache_is_cold_for_the_original_too(memory: Memory) -> None:
    prices(memory, call(0), folded(1, 900, 0, new_fold=True))
    [evicted] = prices(memory, folded(2, 1_900, 0))
    assert evicted[1] == 10 + 1.25 * 3_000
    late = folded(3, 2_000, 0, new_fold=True, called_at=START + timedelta(hours=2))
    assert prices(memory, late)[0][1] == 10 + 1.25 * 4_000
    kept_for_long = folded(
        4, 500, 0, new_fold=True, called_at=START + timedelta(hours=2, minutes=30), cache_ttl_s=3_600
    )
    assert prices(memory, kept_for_long)[0][1] == 10 + 0.1 * 4_000 + 1.25 * 1_000


def test_a_call_sent_unfolded_between_folded_ones_is_a_loss(memory: Memory) -> None:
    prices(memory, call(0), folded(1, 700, 0, new_fold=True))
    [whole] = prices(memory, call(2, written_tokens=3_000, read_tokens=0))
    assert whole == (10 + 1.25 * 3_000, 10 + 0.1 * 2_000 + 1.25 * 1_000)


def test_without_a_cache_every_token_costs_the_same(memory: Memory) -> None:
    [price] = prices(memory, folded(5, 0, 0, fresh_tokens=2_010, original_prefix=0))
    assert price == (2_010, 6_010)


def test_the_prices_of_a_call_count(memory: Memory) -> None:
    dollars = {"input": 3.0, "read": 0.3, "write": 3.75}
    [price] = prices(memory, folded(1, 1_000, 1_000, prices=dollars))
    assert price == pytest.approx((30 + 3_750 + 300, 30 + 3_750 + 300))


def test_conversations_of_a_session_are_told_apart(memory: Memory) -> None:
    prices(memory, call(8), call(9))
    [sub_agent] = prices(memory, folded(1, 500, 0, conversation="sub", new_fold=True))
    assert sub_agent[1] == 10 + 1.25 * 2_000


def test_a_call_is_recorded_once(memory: Memory) -> None:
    memory.record_model_calls(BANK, [call(0), call(0), call(1)])
    again = memory.record_model_calls(BANK, [call(1), call(2)])
    assert ([each.id for each in again.recorded], again.duplicates) == (["call-2"], 1)
    assert memory.savings(BANK).total.calls == 3


def test_sums_by_day_session_and_model(memory: Memory) -> None:
    calls = [call(n, session=f"s{n % 2}", model="a" if n < 15 else "b", retries=n % 2) for n in range(20)]
    memory.record_model_calls(BANK, calls)
    days = memory.savings(BANK)
    assert [(row.key, row.calls) for row in days.rows] == [("2026-11-28", 10), ("2026-11-29", 10)]
    assert (days.total.calls, days.total.retries, days.total.counted_calls) == (20, 10, 20)
    assert days.total.original_tokens == sum(each["original_tokens"] for each in calls)
    assert [(row.key, row.calls) for row in memory.savings(BANK, by="model").rows] == [("b", 5), ("a", 15)]
    sessions = memory.savings(BANK, by="session", limit=1)
    assert [(row.key, row.last_at) for row in sessions.rows] == [("s1", START + timedelta(minutes=19))]
    assert (sessions.left_out, sessions.total.calls) == (1, 20)
    part = memory.savings(BANK, since=START + timedelta(minutes=5), until=START + timedelta(minutes=8))
    assert part.total.calls == 3
    assert memory.savings(BANK, since=START + timedelta(days=9)).total.calls == 0


def test_a_table_holds_the_rows_and_no_formula(memory: Memory) -> None:
    memory.record_model_calls(BANK, [call(0, session='=HYPERLINK("x")'), call(1, session="a, b\u202e")])
    rows = list(csv.DictReader(io.StringIO(memory.savings(BANK, by="session").csv())))
    assert [row["session"] for row in rows] == ["a, b\u202e", '\'=HYPERLINK("x")']
    assert [row["calls"] for row in rows] == ["1", "1"]


@pytest.mark.slow
def test_an_erased_thread_is_counted_without_its_name(memory: Memory) -> None:
    memory.store(BANK, [{"role": "user", "content": "Titan ships."}], thread="s")
    memory.record_model_calls(BANK, [call(0)])
    memory.erase_thread(BANK, "s")
    assert [(row.key, row.calls) for row in memory.savings(BANK, by="session").rows] == [("", 1)]
    memory.erase_bank(BANK)
    with pytest.raises(NotFound):
        memory.savings(BANK)


def test_bad_calls_record_nothing(memory: Memory) -> None:
    for wrong in (
        {"original_prefix": 5_000},
        {"fresh_tokens": -1},
        {"fresh_tokens": 1.5},
        {"wire": "smoke"},
        {"id": ""},
        {"colour": "red"},
        {"session": "a\x00"},
        {"cache_ttl_s": 0},
    ):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            memory.record_model_calls(BANK, [call(0), call(1, **wrong)])
    with pytest.raises(InvalidTime):
        memory.record_model_calls(BANK, [call(0, called_at="2026-01-01T00:00:00")])
    with pytest.raises(InvalidInput):
        memory.record_model_calls(BANK, [])
    with pytest.raises(NotFound):
        memory.savings(BANK)
