"""Which tier each page moves to: a pure function of pages, policy and time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from foxing.encoder import TierSpec
from foxing.memory.policy import Policy
from foxing.memory.storage.repositories.pages import PageRow
from foxing.renderer import tier_rank


@dataclass(frozen=True)
class Move:
    """What the policy asks of a page: a lower tier, its exact text dropped, or both."""

    page: PageRow
    to_tier: str
    drops_text: bool

    @property
    def changes_tier(self) -> bool:
        return self.to_tier != self.page.tier


def plan(rows: Iterable[PageRow], policy: Policy, now: datetime, tiers: Mapping[str, TierSpec]) -> list[Move]:
    """The moves that `policy` asks for at `now`. Pinned pages stay; no page moves up; tiers that the codec lacks are
    skipped. A pure function."""
    policy = policy.served_by(tiers)
    moves = []
    for page in rows:
        if page.pinned:
            continue
        wanted = policy.tier_at(now - page.last_at, tiers)
        tier = max(wanted, page.tier, key=tier_rank)
        # a page young enough to be fresh keeps its text, also where the policy asked for another fresh tier before
        keeps_text = policy.keeps_text(wanted if policy.keep_text == "fresh" else tier)
        drops_text = page.text_bytes > 0 and not keeps_text
        if tier != page.tier or drops_text:
            moves.append(Move(page, tier, drops_text))
    return moves
