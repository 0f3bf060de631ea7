"""Plots of the console, as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import sqrt

from markupsafe import Markup

from foxing.memory import Policy

_WIDTH = 640
_HEIGHT = 150
#: Days at the right edge of the curve of a policy, at least.
_LEAST_DAYS = 400.0


def tier_bar(pages: Mapping[str, int], open_messages: int) -> Markup:
    """Returns a bar with a part for each tier. `pages`: tier → number of pages."""
    shares = [("open", open_messages / 40), *((tier, float(count)) for tier, count in pages.items())]
    shares = [(tier, share) for tier, share in shares if share]
    total = sum(share for _, share in shares) or 1.0
    label = ", ".join([f"{count} pages at {tier}" for tier, count in pages.items() if count]) or "no pages"
    parts = []
    at = 0.0
    for tier, share in shares:
        wide = share / total * 100
        parts.append(
            Markup('<rect class="tier-{}" x="{:.2f}%" width="{:.2f}%" height="100%"></rect>').format(tier, at, wide)
        )
        at += wide
    return Markup('<svg class="bar" role="img" aria-label="{}">{}</svg>').format(label, Markup().join(parts))


@dataclass(frozen=True)
class Share:
    """A named part of a whole."""

    label: str
    count: int


def share_bar(shares: Sequence[Share], title: str) -> Markup:
    """Returns a bar with the parts of a whole, and their names and numbers below it. Parts of zero are left out."""
    numbered = [(number, share) for number, share in enumerate(shares) if share.count > 0]
    total = sum(share.count for _, share in numbered) or 1
    label = f"{title}: " + (", ".join(f"{share.label} {share.count:,}" for _, share in numbered) or "0")
    bars: list[Markup] = []
    names: list[Markup] = []
    at = 0.0
    for number, share in numbered:
        wide = 100 * share.count / total
        bars.append(
            Markup('<rect class="share-{}" x="{:.2f}%" width="{:.2f}%" height="100%"></rect>').format(number, at, wide)
        )
        names.append(
            Markup('<li><span class="swatch share-{}"></span>{} <b>{:,}</b></li>').format(
                number, share.label, share.count
            )
        )
        at += wide
    return Markup('<svg class="bar shares" role="img" aria-label="{}">{}</svg><ul class="legend">{}</ul>').format(
        label, Markup().join(bars), Markup().join(names)
    )


def shown_days(policy: Policy) -> int:
    """Returns the highest age that the curve of a policy shows, in days."""
    last = policy.steps[-1].after.total_seconds() / 86_400 if policy.steps else 0.0
    return round(max(_LEAST_DAYS, last * 1.1))


def policy_curve(policy: Policy, tokens: Mapping[str, int], age_days: int) -> Markup:
    """Returns the tokens of a page over its age, with a line at `age_days`. `tokens`: tier → tokens that a page takes
    there."""
    steps = [(timedelta(0), policy.fresh), *((step.after, step.tier) for step in policy.steps)]
    days = shown_days(policy)
    tokens = dict(tokens)
    for (_, sharper), (_, lower) in pairwise(steps):  # a page never takes more at a lower tier
        tokens[lower] = min(tokens.get(lower, 0), tokens.get(sharper, 0))
    maximum = max((tokens.get(tier, 0) for _, tier in steps), default=1) or 1

    def x(age: timedelta) -> float:
        return 40 + (_WIDTH - 60) * min(1.0, sqrt(age.total_seconds() / 86_400 / days))  # young ages take more room

    def y(tier: str) -> float:
        return _HEIGHT - 25 - (_HEIGHT - 45) * tokens.get(tier, 0) / maximum

    path = [f"M{x(steps[0][0]):.1f},{y(steps[0][1]):.1f}"]
    labels: list[Markup] = []
    for _, (until, lower) in pairwise([*steps, (timedelta(days=days), steps[-1][1])]):
        path += [f"H{x(until):.1f}", f"V{y(lower):.1f}"]
    for age, tier in steps:
        text = f"{tier}, {age.days} d" if age else tier
        at_end = x(age) > _WIDTH - 130
        anchor, shift = ("end", -3) if at_end else ("start", 3)
        labels.append(
            Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
                x(age) + shift, y(tier) - 5, anchor, text
            )
        )
    at = x(timedelta(days=age_days))
    label = "; ".join(f"from {age.days} days: {tier}" for age, tier in steps)
    return Markup(
        '<svg class="curve" viewBox="0 0 {} {}" role="img" aria-label="{}"><path d="{}"></path>'
        '<line class="age" x1="{:.1f}" x2="{:.1f}" y1="10" y2="{}"></line>{}</svg>'
    ).format(_WIDTH, _HEIGHT, label, " ".join(path), at, at, _HEIGHT - 20, Markup().join(labels))


def idle_steps(policy: Policy, tokens: Mapping[str, int]) -> list[str]:
    """Returns the tiers to which a policy moves pages that take no fewer tokens there than before."""
    idle: list[str] = []
    lowest = tokens.get(policy.fresh, 0)
    for step in policy.steps:
        if tokens.get(step.tier, 0) >= lowest:
            idle.append(step.tier)
        lowest = min(lowest, tokens.get(step.tier, 0))
    return idle


def latency_bars(values: Sequence[tuple[str, float]]) -> Markup:
    """Returns a bar for each named duration in seconds."""
    return _bars([(name, value, f"{value * 1000:.0f} ms") for name, value in values], "latency")


def saved_bars(values: Sequence[tuple[str, float]], title: str) -> Markup:
    """Returns a bar for each day and the tokens that folding saved on it. A day on which it has cost more has none."""
    return _bars([(day, max(0.0, saved), f"{saved:,.0f}") for day, saved in values], title)


def _bars(values: Sequence[tuple[str, float, str]], title: str) -> Markup:
    """Returns a bar for each name, with its value, at least zero, and what is written beside it."""
    maximum = max((value for _, value, _ in values), default=0.0) or 1.0
    rows = [
        Markup(
            '<g><text x="0" y="{y}">{name}</text><rect x="320" y="{top}" width="{w:.1f}" height="12"></rect>'
            '<text x="{end:.1f}" y="{y}">{said}</text></g>'
        ).format(
            y=16 + 20 * n,
            top=6 + 20 * n,
            name=name,
            w=240 * value / maximum,
            end=326 + 240 * value / maximum,
            said=label,
        )
        for n, (name, value, label) in enumerate(values)
    ]
    return Markup('<svg class="bars" viewBox="0 0 640 {}" role="img" aria-label="{}">{}</svg>').format(
        20 * len(rows) + 10, title, Markup().join(rows)
    )
