"""Forecast of what a policy would do to the pages of a bank."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from foxing.encoder import TierSpec
from foxing.memory.storage.repositories import pages, sizes
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.values.forecasts import PolicyForecast, TierForecast
from foxing.memory.values.policy import Policy
from foxing.renderer import all_tiers, tier_rank

YEAR = timedelta(days=365)


def forecast(
    connection: Connection, bank: Bank, policy: Policy, now: datetime, specs: Mapping[str, TierSpec]
) -> PolicyForecast:
    """Implements `Operations.preview_policy`. Counts with one query for each time, whatever the number of pages.
    `specs`: the tiers of the codec."""
    policy = policy.served_by(specs)
    totals = {total.tier: total for total in sizes.tier_totals(connection, [bank.id])[bank.id] if total.pages}
    counts = {"now": Counter({tier: total.pages for tier, total in totals.items()})}
    moved = {}
    for name, at in (("applied", now), ("in_a_year", now + YEAR)):
        counts[name], moved[name] = _counted(connection, bank.id, policy, at)
    tiers: dict[str, TierForecast] = {}
    tokens_at: dict[str, int] = {}
    sharper: tuple[float, float] | None = None
    for tier, its in all_tiers().items():
        if tier in totals:
            total = totals[tier]
            sharper = total.vision_tokens / total.pages, total.token_bytes / total.pages
        else:
            spec = specs.get(tier)
            capacity, size = (spec.fact_tokens or spec.tokens, spec.bytes_per_token) if spec else (its.tokens, 0)
            whole = capacity, capacity * size
            sharper = whole if sharper is None else (min(sharper[0], whole[0]), min(sharper[1], whole[1]))
        tokens_at[tier] = round(sharper[0])
        numbers = {name: counted[tier] for name, counted in counts.items()}
        if any(numbers.values()):
            tiers[tier] = TierForecast(**numbers, tokens_per_page=round(sharper[0]), bytes_per_page=round(sharper[1]))
    return PolicyForecast(tiers=tiers, tokens_at=tokens_at, moved=moved["applied"], moved_in_a_year=moved["in_a_year"])


def tier_at(tier: str, policy: Policy, age: timedelta) -> str:
    """Returns the tier that `policy` sets for a page at `tier` of this age; never a sharper one."""
    return max(policy.tier_at(age, all_tiers()), tier, key=tier_rank)


def _counted(connection: Connection, bank_id: int, policy: Policy, at: datetime) -> tuple[Counter[str], int]:
    """Returns tier → number of pages as the policy has them at a time, and how many of them move until then."""
    numbers = Counter[str]()
    moved = 0
    at_age = [policy.fresh, *(step.tier for step in policy.steps)]
    steps = [step.after for step in policy.steps]
    for group in pages.count_by_age(connection, bank_id, steps, at, policy.age_from):
        target = group.tier if group.pinned else max(at_age[group.passed], group.tier, key=tier_rank)
        numbers[target] += group.pages
        moved += group.pages if target != group.tier else 0
    return numbers, moved
