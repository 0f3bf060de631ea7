"""Effects of a policy on the pages of a bank."""

from pydantic import Field

from .base import Value


class TierForecast(Value):
    """Pages at a tier: now, and under a policy."""

    now: int = Field(description="Number of pages now.")
    applied: int = Field(description="Number of pages once the policy has been applied.")
    in_a_year: int = Field(description="Number of these pages in a year.")
    tokens_per_page: int = Field(
        description="Vision tokens of a page: the mean of those at the tier, or if there are none an upper limit, from "
        "the next sharper tier and the codec."
    )
    bytes_per_page: int = Field(description="Bytes of these tokens.")


class PolicyForecast(Value):
    """Effects of a policy on the pages of a bank. Messages that are not sealed yet do not count."""

    tiers: dict[str, TierForecast] = Field(description="Tiers that have pages now or later, sharpest first.")
    tokens_at: dict[str, int] = Field(description="Vision tokens of a page at every tier, as in `tokens_per_page`.")
    moved: int = Field(description="Number of pages that would move as soon as the policy is applied.")
    moved_in_a_year: int = Field(description="Number of pages that would have moved in a year.")

    def total(self, when: str, what: str) -> int:
        """Returns the sum of "tokens" or "bytes" `when`: "now", "applied" or "in_a_year"."""
        return sum(getattr(tier, when) * getattr(tier, f"{what}_per_page") for tier in self.tiers.values())
