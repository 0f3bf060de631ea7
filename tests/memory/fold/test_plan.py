"""Planning of folds: whether, up to where, and into how much."""

from dataclasses import replace

import pytest

from foxing.memory.fold.plan import (
    KEPT_CALLS,
    LEAST_KEPT_CALLS,
    TEXT_SIZE,
    FoldedSize,
    ItemCost,
    Standing,
    Step,
    Terms,
    TooSmall,
    plan_fold,
)
from foxing.memory.values.context import TokenPrices

WARM = Terms(budget=60_000, prices=TokenPrices(), cold=False, beside=1_500, size=FoldedSize(0.3, 0.1, 24_000))
COLD = replace(WARM, cold=True)
WIDE = replace(WARM, budget=400_000)


def loop(calls: int, tokens: int = 150, *, user_every: int = 5) -> list[ItemCost]:
    """A session in which each call of the model calls a tool, and the user speaks now and then."""
    items: list[ItemCost] = []
    for call in range(calls):
        if call % user_every == 0:
            items.append(ItemCost(tokens, call=False, closed=True, chance=True))
        items.append(ItemCost(tokens, call=True, closed=False, chance=False))
        items.append(ItemCost(tokens, call=False, closed=True, chance=True))
    return items


def test_a_short_conversation_is_not_folded() -> None:
    assert plan_fold(loop(12), 0, Standing(), WARM) is None
    assert plan_fold(loop(12), 0, Standing(), COLD) is None


def test_the_last_calls_are_kept_and_no_tool_call_is_cut() -> None:
    items = loop(120)
    step = plan_fold(items, 0, Standing(), COLD)
    assert isinstance(step, Step)
    assert step.reason == "cold"
    assert items[step.cut - 1].closed
    assert sum(item.call for item in items[step.cut :]) == KEPT_CALLS


def test_on_a_warm_cache_a_fold_waits_until_it_pays() -> None:
    """What a fold costs is a small share of what the session has cost."""
    folds = [calls for calls in range(20, 200) if plan_fold(loop(calls, 100), 0, Standing(), WARM) is not None]
    assert folds
    assert min(folds) > 60
    assert folds == list(range(min(folds), 200))
    step = plan_fold(loop(min(folds), 100), 0, Standing(), WARM)
    assert isinstance(step, Step)
    assert step.reason == "pays"


def test_free_reading_never_pays() -> None:
    free = replace(WARM, prices=TokenPrices(input=1.0, read=0.0, write=1.25))
    assert plan_fold(loop(180, 100), 0, Standing(), free) is None


def test_the_next_fold_waits_until_the_last_has_paid() -> None:
    items = loop(180, 100)
    cut = len(loop(150, 100))
    standing = Standing(items=cut, tokens=9_000, raw_tokens=31_000, until=len(items) - 4, balance=9_000)
    assert plan_fold(items, 0, standing, replace(WARM, budget=100_000)) is None


@pytest.mark.parametrize("terms", [WARM, COLD])
def test_the_budget_forces_a_fold(terms: Terms) -> None:
    items = loop(60, 600)
    step = plan_fold(items, 0, Standing(), terms)
    assert isinstance(step, Step)
    assert step.reason == "limit"
    kept = sum(item.tokens for item in items[step.cut :])
    assert 256 <= step.room <= terms.budget - terms.beside - kept


def test_a_fold_comes_before_the_budget_is_exceeded() -> None:
    """A limit is near when the next stretch without a place to fold would exceed it."""
    items = [replace(item, chance=not number % 11) for number, item in enumerate(loop(45, 590))]
    total = sum(item.tokens for item in items)
    assert plan_fold(items, 0, Standing(), replace(WARM, budget=total + 2_000)) is not None
    assert plan_fold(items, 0, Standing(), replace(WARM, budget=total + 40_000)) is None


def test_what_was_folded_fades_when_it_leaves_no_room() -> None:
    items = loop(200, 600)
    cut = len(loop(165, 600))
    small = Standing(items=cut, tokens=8_000, raw_tokens=200_000, until=cut)
    large = replace(small, tokens=26_000)
    appended, rewrites = (plan_fold(items, 0, standing, COLD) for standing in (small, large))
    assert isinstance(appended, Step)
    assert isinstance(rewrites, Step)
    assert (appended.rewrites, rewrites.rewrites) == (False, True)
    assert rewrites.room < large.tokens


def test_a_budget_that_is_too_small_says_what_is_needed() -> None:
    items = loop(14, 600)
    result = plan_fold(items, 0, Standing(), replace(WARM, budget=5_500))
    assert isinstance(result, TooSmall)
    assert result.needed > 5_500
    assert plan_fold(items, 0, Standing(), replace(WARM, budget=60_000)) is None


def test_nothing_before_the_start_is_folded() -> None:
    items = loop(120)
    step = plan_fold(items, 40, Standing(), COLD)
    assert isinstance(step, Step)
    assert step.cut > 40
    assert plan_fold(items, len(items), Standing(), COLD) is None


def session_bill(
    calls: int, size: FoldedSize = TEXT_SIZE, beside: int = 16_000, tokens: int = 1_150
) -> tuple[float, float, int]:
    """Returns what a session costs with folds for each price without, at its end and at most, and the number of folds.
    Each call gets 2.3k tokens, and every tenth follows words of the user."""
    prices, items, standing = WARM.prices, list[ItemCost](), Standing()
    folded = plain = 0.0
    worst, folds = 0.0, 0
    for call in range(calls):
        new = [ItemCost(60, call=False, closed=True, chance=True)] if call % 10 == 0 else []
        new += [ItemCost(tokens, call=True, closed=False, chance=False)] if call else []
        new += [ItemCost(tokens, call=False, closed=True, chance=True)]
        items += new
        added = sum(item.tokens for item in new)
        before = beside + sum(item.tokens for item in items) - added
        plain += before * prices.read + added * prices.write
        step = plan_fold(items, 0, standing, replace(WARM, budget=150_000, beside=beside, size=size))
        cached = beside + standing.tokens + sum(item.tokens for item in items[standing.items :]) - added
        if isinstance(step, Step):
            folds += 1
            cached = beside + (0 if step.rewrites else standing.tokens)
            raw = sum(item.tokens for item in items[: step.cut])
            made = sum(item.tokens for item in items[standing.items : step.cut]) * size.ratio
            after = step.room if step.rewrites else min(step.room, int(standing.tokens + made))
            standing = Standing(step.cut, after, raw, len(items), step.balance)
        sent = beside + standing.tokens + sum(item.tokens for item in items[standing.items :])
        folded += cached * prices.read + (sent - cached) * prices.write
        worst = max(worst, folded / plain)
    return folded / plain, worst, folds


@pytest.mark.parametrize(("size", "share"), [(TEXT_SIZE, 0.7), (FoldedSize(0.32, 0.026, 7_700), 0.6)])
def test_sessions_of_agents_pay_for_their_folds(size: FoldedSize, share: float) -> None:
    bills = {calls: session_bill(calls, size) for calls in (*range(10, 90), 90, 300)}
    assert max(bill for bill, _, _ in bills.values()) <= 1.02, "a session that ends right after its fold"
    assert max(worst for _, worst, _ in bills.values()) <= 1.02
    assert bills[90][0] <= share
    assert bills[300][0] <= 0.4
    assert bills[90][2] <= 7


def test_a_fold_fades_as_far_as_its_cost_takes() -> None:
    """The first fold comes early, and takes less than it might."""
    calls = next(n for n in range(10, 200) if plan_fold(loop(n, 600), 0, Standing(), WIDE) is not None)
    step = plan_fold(loop(calls, 600), 0, Standing(), WIDE)
    assert isinstance(step, Step)
    folded = sum(item.tokens for item in loop(calls, 600)[: step.cut])
    assert folded * WIDE.size.lowest_share <= step.room < folded * WIDE.size.ratio


def test_a_long_call_leaves_fewer_calls_as_they_are() -> None:
    short = plan_fold(loop(120, 150), 0, Standing(), COLD)
    long = plan_fold(loop(120, 2_000), 0, Standing(), replace(COLD, budget=600_000))
    assert isinstance(short, Step)
    assert isinstance(long, Step)
    assert sum(item.call for item in loop(120, 150)[short.cut :]) == KEPT_CALLS
    assert sum(item.call for item in loop(120, 2_000)[long.cut :]) == LEAST_KEPT_CALLS


def test_what_the_user_typed_has_room_beside_the_rest() -> None:
    items = loop(150, 600)
    step, typed = (plan_fold(items, 0, Standing(), replace(WARM, budget=150_000, typed=n)) for n in (0, 20_000))
    assert isinstance(step, Step)
    assert isinstance(typed, Step)
    assert typed.room == step.room + 20_000


def test_a_cache_that_loses_what_stands_before_makes_folds_rarer() -> None:
    terms = replace(WARM, budget=400_000, beside=16_000, size=TEXT_SIZE)
    first = [
        next(n for n in range(10, 200) if plan_fold(loop(n, 1_000), 0, Standing(), each) is not None)
        for each in (terms, replace(terms, beside_stays=False))
    ]
    assert first[0] < first[1]


def test_instructions_that_stay_are_written_anew_by_each_fold() -> None:
    """They make the first fold dearer, and so later."""

    def first(share: int) -> int:
        for calls in range(10, 400):
            items = [replace(each, stays=share > 0 and n % share == 0) for n, each in enumerate(loop(calls, 600))]
            if plan_fold(items, 0, Standing(), WIDE) is not None:
                return calls
        return 400

    assert first(0) < first(60) < 400


def test_a_fold_for_the_next_call_keeps_fewer_calls_and_costs_what_was_new() -> None:
    """The next call adds one to what is kept, and reads otherwise what this one has written."""
    items = loop(120, 600)
    now, ahead = (plan_fold(items, 0, Standing(), each) for each in (WIDE, replace(WIDE, ahead=True)))
    assert isinstance(now, Step)
    assert isinstance(ahead, Step)
    kept = [sum(item.call for item in items[step.cut :]) for step in (now, ahead)]
    assert kept[0] > kept[1] >= LEAST_KEPT_CALLS - 1
    following = [*items, ItemCost(660, call=True, closed=False, chance=False)]
    following.append(ItemCost(660, call=False, closed=True, chance=True))
    late = plan_fold(following, 0, Standing(), WIDE)
    assert isinstance(late, Step)
    assert late.cut == ahead.cut
    assert late.balance == pytest.approx(ahead.balance, abs=10)


def test_a_fold_for_the_next_call_comes_about_when_one_for_this_call_does() -> None:
    first = {
        ahead: next(
            n for n in range(10, 200) if plan_fold(loop(n, 600), 0, Standing(), replace(WIDE, ahead=ahead)) is not None
        )
        for ahead in (False, True)
    }
    assert abs(first[False] - first[True]) <= 2
