"""The ageing plan: which tier each page moves to, and which pages lose their exact text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from foxing.encoder import TierSpec
from foxing.memory.policy import Policy
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import tier_rank


@dataclass(frozen=True)
class Move:
    """What the policy requires of a page: a lower tier, dropping its exact text, or both."""

    page: PageRow
    #: tier that the page moves to; its own if only the text is dropped
    to_tier: str
    drops_text: bool

    @property
    def changes_tier(self) -> bool:
        return self.to_tier != self.page.tier


def plan(rows: Iterable[PageRow], policy: Policy, now: datetime, tiers: Mapping[str, TierSpec]) -> list[Move]:
    """The moves that `policy` requires at `now`, in the order of `rows`. A pure function.

    Pinned pages stay, and no page moves up. `tiers`: those of the codec; steps to other tiers are skipped.
    """
    policy = policy.served_by(tiers)
    moves = []
    for page in rows:
        if page.pinned:
            continue
        tier_for_age = policy.tier_at(now - page.last_at, tiers)
        tier = max(tier_for_age, page.tier, key=tier_rank)
        # a page young enough to be fresh keeps its text, even if an earlier policy had another fresh tier
        keeps_text = policy.keeps_text(tier_for_age if policy.keep_text == "fresh" else tier)
        drops_text = page.text_bytes > 0 and not keeps_text
        if tier != page.tier or drops_text:
            moves.append(Move(page, tier, drops_text))
    return moves
