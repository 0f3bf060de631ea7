"""Planning of folds: whether to fold a conversation now, up to where, and into how many tokens. Pure: neither storage
nor drawing.

A fold writes what it makes and what is kept to the provider's cache again. On a warm cache, history costs a tenth of
that at each call, so a fold is made in large steps, and only where it pays; on a cold one everything is written again
in any case, and a fold costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from foxing.memory.values.context import TokenPrices

#: Number of last calls of the model whose messages stay as they are.
KEPT_CALLS = 10
#: Number of calls within which a fold must pay back what it costs.
PAYBACK_CALLS = 20
#: Minimum step, as a share of the budget: to fold because it pays, and to fold on a cold cache.
MIN_STEP, MIN_COLD_STEP = 1 / 8, 1 / 16
#: Shares of the tokens that the budget leaves beside what is kept: most for the folded part, and where what was folded
#: before has to fade to make room.
MOST_FOLDED, REWRITTEN = 0.7, 0.3
#: Fewest tokens for the folded part.
MIN_FOLDED = 256
#: A limit is near when the budget has no room for the largest growth between two places to fold, times this.
GROWTH_MARGIN = 1.1
#: Share of the text that is left of a message when it is folded as text; and the tokens of what stands beside images
#: for each token of text.
TEXT_SHARE, IDENTIFIER_SHARE = 0.25, 0.1
#: See `Terms.risk`. A fold as text loses most of what it stands for, and must be surer to pay.
IMAGE_RISK, TEXT_RISK = 0.08, 0.04

Reason = Literal["limit", "cold", "pays"]


@dataclass(frozen=True)
class ItemCost:
    """Cost of an item of a conversation, and what may be done after it."""

    tokens: int
    #: Whether it begins a call of the model: the first of a run of assistant items.
    call: bool
    #: Whether it may be the last that is folded.
    closed: bool
    #: Whether a conversation that ends with it may be folded.
    chance: bool


@dataclass(frozen=True)
class Terms:
    """Terms that a fold is judged by."""

    #: Most tokens to send.
    budget: int
    prices: TokenPrices
    #: Whether the provider's cache has lost the session.
    cold: bool
    #: Tokens of what is sent beside the conversation.
    beside: int
    #: Estimated tokens of the folded part for each token folded, before anything fades for lack of room.
    ratio: float
    #: Maximum share of what the session has cost so far that a fold may cost before it has paid back, so that no
    #: session that ends early becomes much more expensive.
    risk: float


@dataclass(frozen=True)
class Standing:
    """The fold that applies to a conversation; by default, none."""

    #: Number of items folded.
    items: int = 0
    #: Tokens of the folded part, and of the items that it stands for.
    tokens: int = 0
    raw_tokens: int = 0
    #: Number of items of the conversation when it was folded.
    until: int = 0
    #: What the fold cost more than the call without it.
    cost: float = 0.0


@dataclass(frozen=True)
class Step:
    """A fold to make."""

    #: Index of the first item that is kept.
    cut: int
    reason: Reason
    #: Maximum tokens of the folded part, what was folded before included.
    room: int
    #: Whether what was folded before is folded again, to make room.
    rewrites: bool
    #: What the fold costs more than the next call without it, if it takes as much as estimated.
    cost: float


@dataclass(frozen=True)
class TooSmall:
    """The budget is too small for what must stay."""

    #: Tokens of what must stay.
    needed: int


def plan_fold(items: Sequence[ItemCost], start: int, standing: Standing, terms: Terms) -> Step | TooSmall | None:
    """Returns the fold to make now; None to make none. `start`: index of the first item that may be folded."""
    sums = [0, *accumulate(item.tokens for item in items)]
    first = max(start, standing.items)
    head = sums[start]
    sent = terms.beside + head + standing.tokens + sums[-1] - sums[first]
    cut = _cut(items, first)
    growth = int(GROWTH_MARGIN * _growth(items, sums))
    folded = sums[cut] - sums[first]
    kept = sums[-1] - sums[cut]
    left = terms.budget - terms.beside - head - kept
    most = min(int(left * MOST_FOLDED), left - growth)
    if most < MIN_FOLDED:  # there is no room to grow; what must stay may fit nevertheless
        most = min(int(left * MOST_FOLDED), MIN_FOLDED)
    if most < MIN_FOLDED or not (folded or standing.tokens):
        return TooSmall(terms.budget - left) if sent > terms.budget else None
    made = folded * terms.ratio
    rewrites = bool(standing.tokens) and standing.tokens + made > most
    room = max(MIN_FOLDED, min(int(left * REWRITTEN), most)) if rewrites else most
    after = room if rewrites else min(most, int(standing.tokens + made))
    cost = _cost(terms, sent, kept, standing, folded, after, rewrites)
    if sent > terms.budget:
        return Step(cut, "limit", room, rewrites, cost)
    if folded < terms.budget * MIN_COLD_STEP:
        return None
    if terms.cold:
        return Step(cut, "cold", room, rewrites, cost) if cost < 0 else None
    if sent + growth > terms.budget:
        return Step(cut, "limit", room, rewrites, cost)
    if rewrites or folded < terms.budget * MIN_STEP:
        return None
    saved = (standing.tokens + folded - after) * terms.prices.read
    pays = saved > 0 and cost <= PAYBACK_CALLS * saved and cost <= terms.risk * _spent(items, sums, terms)
    return Step(cut, "pays", room, rewrites, cost) if pays and _has_paid(items, standing, terms) else None


def _cut(items: Sequence[ItemCost], first: int) -> int:
    """Returns the index of the first item to keep: the last place from `first` on that leaves `KEPT_CALLS` calls."""
    calls = [number for number, item in enumerate(items) if item.call]
    last = calls[-KEPT_CALLS] if len(calls) >= KEPT_CALLS else 0
    return next((n for n in range(last, first, -1) if items[n - 1].closed), first)


def _growth(items: Sequence[ItemCost], sums: Sequence[int]) -> int:
    """Returns the most tokens that a conversation gained between two places where it might have been folded."""
    chances = [number + 1 for number, item in enumerate(items) if item.chance]
    return max((sums[after] - sums[before] for before, after in pairwise(chances)), default=0)


def _cost(terms: Terms, sent: int, kept: int, standing: Standing, folded: int, after: int, rewrites: bool) -> float:
    """Returns what the next call costs more with the fold than without it."""
    read, write = terms.prices.read, terms.prices.write
    if terms.cold:
        return (after - standing.tokens - folded) * write
    new = after if rewrites else after - standing.tokens
    return (new + kept) * write - (sent - terms.beside - (0 if rewrites else standing.tokens)) * read


def _spent(items: Sequence[ItemCost], sums: Sequence[int], terms: Terms) -> float:
    """Returns about what the session has cost so far without folds, on a warm cache and within the budget."""
    calls = [number for number, item in enumerate(items) if item.call]
    sizes = [min(terms.budget, terms.beside + sums[number]) for number in calls]
    return terms.prices.read * sum(sizes) + terms.prices.write * (terms.beside + sums[-1])


def _has_paid(items: Sequence[ItemCost], standing: Standing, terms: Terms) -> bool:
    """Returns True if the last fold has saved as much as it cost."""
    calls = sum(item.call for item in items[standing.until :])
    return calls * (standing.raw_tokens - standing.tokens) * terms.prices.read >= standing.cost
