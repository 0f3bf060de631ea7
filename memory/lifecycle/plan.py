"""Ageing plan: the target tier of each page, which pages lose their exact text, and when the next pages are due."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import NamedTuple

from foxing.encoder import TierSpec
from foxing.memory.storage.ages import PageGroup
from foxing.memory.storage.repositories.pages import PageRow
from foxing.memory.values.policy import Policy
from foxing.renderer import all_tiers, tier_rank


@dataclass(frozen=True)
class Move:
    """Change that the policy requires of a page: a lower tier, dropping its exact text, or both."""

    page: PageRow
    #: target tier; the page's own if only the text is dropped
    to_tier: str
    drops_text: bool

    @property
    def changes_tier(self) -> bool:
        """True if the page moves to another tier."""
        return self.to_tier != self.page.tier


class _Target(NamedTuple):
    """Tier of a page at some age, and whether its text is dropped."""

    tier: str
    drops_text: bool


def plan(rows: Iterable[PageRow], policy: Policy, now: datetime, tiers: Mapping[str, TierSpec]) -> list[Move]:
    """Returns the moves that `policy` requires at `now`, in the order of `rows`. A pure function.

    Pinned pages do not move, and no page moves up. `tiers`: tiers of the codec; steps to other tiers are skipped.
    """
    if policy.unpaused(now) > now:
        return []
    policy = policy.served_by(tiers)
    moves = []
    for page in rows:
        if page.pinned:
            continue
        target = _target(page.tier, page.text_kept, policy.age_of(page).at(now), policy, tiers)
        if target != (page.tier, False):
            moves.append(Move(page, *target))
    return moves


def next_due(groups: Iterable[PageGroup], policy: Policy, tiers: Mapping[str, object]) -> datetime | None:
    """Returns when `policy` first requires a change of a page in `groups`; None if never. A pure function."""
    first = first_changes(policy, tiers)
    times = [policy.unpaused(group.age.when(first[key])) for group in groups if (key := group[:2]) in first]
    return min(times, default=None)


def first_changes(policy: Policy, tiers: Mapping[str, object]) -> dict[tuple[str, bool], timedelta]:
    """Returns the age at which `policy` first requires a change of a page, by its tier and whether it has its exact
    text, for those of which it requires any. A pure function."""
    policy = policy.served_by(tiers)
    ages = [timedelta(0), *(step.after for step in policy.steps)]
    first = {}
    for tier, has_text in product(all_tiers(), (False, True)):
        for age in ages:
            if _target(tier, has_text, age, policy, tiers) != (tier, False):
                first[tier, has_text] = age
                break
    return first


def _target(tier: str, has_text: bool, age: timedelta, policy: Policy, tiers: Mapping[str, object]) -> _Target:
    """Returns the target of `policy`, reduced to `tiers`, for a page that is at `tier` now."""
    tier_for_age = policy.tier_at(age, tiers)
    lowest = max(tier_for_age, tier, key=tier_rank)
    # a fresh page keeps its text even if an earlier policy had another fresh tier
    keeps_text = policy.keeps_text(tier_for_age if policy.keep_text == "fresh" else lowest)
    return _Target(lowest, has_text and not keeps_text)
