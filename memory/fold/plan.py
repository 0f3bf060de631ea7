"""Planning of folds: whether to fold a conversation now, up to where, and into how many tokens. Pure: neither storage
nor drawing.

A fold writes what it makes and what is kept to the provider's cache again. On a warm cache, history costs a tenth of
that at each call, so a fold is made in large steps, and only where it pays; on a cold one everything is written again
in any case, and a fold costs nothing.

Folds have an account: what they have cost beyond what they have saved since. A fold is made only where the account
stays below a share of what the session would have cost without any, however soon it ends, and fades as far as that
takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from typing import Literal

from foxing.memory.values.context import TokenPrices

#: Number of last calls of the model whose messages stay as they are: at least, and at most where these have no more
#: than so many tokens. What stays is written to the cache anew by each fold, and so decides how often one pays.
LEAST_KEPT_CALLS = 3
KEPT_CALLS = 10
KEPT_TOKENS = 6_000
#: A fold has to pay back within this share of the calls that it folds: where as many are likely to follow as there
#: were, a later one that folds more is not better.
PAYBACK_SHARE = 0.35
#: Fewest tokens that a fold takes away: on a warm cache, and on a cold one as a share of the budget, within these.
MIN_STEP = 4_000
MIN_COLD_SHARE = 1 / 16
#: Share of what a session would have cost without folds, up to any call, that these may have cost more than they have
#: saved.
RISK = 0.018
#: Share of the tokens that the budget leaves beside what is kept: the most that the folded part may take; and the share
#: of its most to which it fades to make room.
MOST_FOLDED = 0.7
REWRITTEN = 0.4
#: Fewest tokens for the folded part.
MIN_FOLDED = 256
#: A limit is near when the budget has no room for the largest growth between two places to fold, times this.
GROWTH_MARGIN = 1.1
#: Tokens of what stands beside images for each token of text.
IDENTIFIER_SHARE = 0.1
#: Estimates of tokens may be too low by this share of the budget, and of what a session has cost.
_MARGIN = 0.03
_MARGIN_OF_RISK = 0.2

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
    #: Whether it is an instruction, which stays behind the folded part when it is folded.
    stays: bool = False


@dataclass(frozen=True)
class FoldedSize:
    """Size of the folded part in tokens, beside what the user typed, by how it is drawn."""

    #: Estimated, for each token folded, before anything fades for lack of room.
    ratio: float
    #: Fewest for each token folded: to this it fades where a fold would cost too much otherwise.
    lowest_share: float
    #: Most, since all of it is read at each call.
    tokens: int


#: Of a fold as text.
TEXT_SIZE = FoldedSize(ratio=0.15, lowest_share=0.08, tokens=24_000)


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
    size: FoldedSize
    #: See `RISK`.
    risk: float = RISK
    #: Tokens of what the user typed in what is folded, which stays word for word.
    typed: int = 0
    #: Tokens of the instructions behind the folded part.
    instructions: int = 0
    #: Whether the cache holds what is sent beside the conversation although that has changed.
    beside_stays: bool = True
    #: Whether the fold is for the call after this one: its answer and what follows that are not there yet.
    ahead: bool = False

    @classmethod
    def generous(
        cls, budget: int, prices: TokenPrices, *, cold: bool, beside: int, beside_stays: bool, ahead: bool
    ) -> "Terms":
        """Returns terms by which a fold is planned wherever one may be, for tokens that are estimates."""
        size = FoldedSize(IDENTIFIER_SHARE, 0.0, TEXT_SIZE.tokens)  # no reader takes less
        risk = RISK * (1 + _MARGIN_OF_RISK)
        limit = int(budget * (1 - _MARGIN))
        return cls(limit, prices, cold, beside, size, risk, beside_stays=beside_stays, ahead=ahead)

    @property
    def least_cold(self) -> int:
        """Fewest tokens to fold on a cold cache, or near the limit."""
        return min(MIN_STEP, int(self.budget * MIN_COLD_SHARE))


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
    #: What this fold and those before it had cost more than they had saved when it was made.
    balance: float = 0.0


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
    #: See `Standing.balance`, if the fold takes as much as estimated.
    balance: float


@dataclass(frozen=True)
class TooSmall:
    """The budget is too small for what must stay."""

    #: Tokens of what must stay.
    needed: int


def plan_fold(items: Sequence[ItemCost], start: int, standing: Standing, terms: Terms) -> Step | TooSmall | None:
    """Returns the fold to make now; None to make none. `start`: index of the first item that may be folded."""
    if terms.ahead:
        items = [*items, _next_call(items, start)]
    sums = [0, *accumulate(item.tokens for item in items)]
    first = max(start, standing.items)
    head = sums[start]
    sent = terms.beside + head + standing.tokens + terms.instructions + sums[-1] - sums[first]
    cut = _cut(items, sums, first)
    growth = int(GROWTH_MARGIN * _growth(items, sums))
    stays = sum(item.tokens for item in items[first:cut] if item.stays)
    folded = sums[cut] - sums[first] - stays
    remainder = sums[-1] - sums[cut] + terms.instructions + stays
    space = terms.budget - terms.beside - head - remainder
    typed = min(terms.typed, terms.budget // 2)
    limit = min(int(space * MOST_FOLDED), space - growth, terms.size.tokens + typed)
    if limit < MIN_FOLDED:  # there is no room to grow; what must stay may fit nevertheless
        limit = min(int(space * MOST_FOLDED), MIN_FOLDED)
    if limit < MIN_FOLDED or not (folded or standing.tokens):
        return TooSmall(terms.budget - space) if sent > terms.budget else None
    size = folded * terms.size.ratio + (0 if standing.tokens else typed)
    rewrites = bool(standing.tokens) and standing.tokens + size > limit
    room = max(MIN_FOLDED, min(int((limit - typed) * REWRITTEN) + typed, limit)) if rewrites else limit
    after = room if rewrites else min(limit, int(standing.tokens + size))
    fresh = sums[-1] - sums[max((number for number, item in enumerate(items) if item.call), default=0)]
    cost = _cost(terms, sent, head, remainder, standing, folded, after, rewrites)
    if not terms.cold:  # without the fold, what is new since the last call is written as well
        cost -= fresh * (terms.prices.write - terms.prices.read)
    balance = _balance(items, standing, terms)
    if sent > terms.budget:
        return Step(cut, "limit", room, rewrites, balance + cost)
    if terms.cold:
        return Step(cut, "cold", room, rewrites, balance + cost) if cost < 0 and folded >= terms.least_cold else None
    if folded >= terms.least_cold and sent + growth > terms.budget:
        return Step(cut, "limit", room, rewrites, balance + cost)
    if folded < MIN_STEP:
        return None
    excess = balance + cost - terms.risk * _spent(items, sums, terms)
    if excess > 0:
        after = room = after - ceil(excess / terms.prices.write)
        cost -= excess
        lowest = folded * terms.size.lowest_share + (
            standing.raw_tokens * terms.size.lowest_share if rewrites else standing.tokens
        )
        if after < max(MIN_FOLDED, lowest + (0 if standing.tokens and not rewrites else typed)):
            return None
    saved = (standing.tokens + folded - after) * terms.prices.read
    calls = sum(item.call for item in items[first:cut])
    if saved <= 0 or cost > PAYBACK_SHARE * calls * saved:
        return None
    return Step(cut, "pays", room, rewrites, balance + cost)


def _cut(items: Sequence[ItemCost], sums: Sequence[int], first: int) -> int:
    """Returns the index of the first item to keep: the last place from `first` on that leaves the last calls, see
    `KEPT_CALLS`."""
    calls = [number for number, item in enumerate(items) if item.call]
    last = calls[-LEAST_KEPT_CALLS] if len(calls) >= LEAST_KEPT_CALLS else 0
    for call in calls[-LEAST_KEPT_CALLS - 1 : -KEPT_CALLS - 1 : -1]:
        if sums[-1] - sums[call] > KEPT_TOKENS:
            break
        last = call
    return next((n for n in range(last, first, -1) if items[n - 1].closed), first)


def _next_call(items: Sequence[ItemCost], start: int) -> ItemCost:
    """Returns a call of the model as large as those of the conversation are on average, with what follows it."""
    calls = sum(item.call for item in items)
    tokens = sum(item.tokens for item in items[start:])
    return ItemCost(tokens // max(1, calls), call=True, closed=False, chance=True)


def _growth(items: Sequence[ItemCost], sums: Sequence[int]) -> int:
    """Returns the most tokens that a conversation gained between two places where it might have been folded."""
    chances = [number + 1 for number, item in enumerate(items) if item.chance]
    return max((sums[after] - sums[before] for before, after in pairwise(chances)), default=0)


def _cost(
    terms: Terms, sent: int, head: int, remainder: int, standing: Standing, folded: int, after: int, rewrites: bool
) -> float:
    """Returns what the next call costs more with the fold than without it."""
    read = terms.prices.read
    write = terms.prices.write
    if terms.cold:
        return (after - standing.tokens - folded) * write
    if not terms.beside_stays:
        return (terms.beside + head + after + remainder) * write - sent * read
    stays = terms.beside + head + (0 if rewrites else standing.tokens)
    new = after if rewrites else after - standing.tokens
    return (new + remainder) * write - (sent - stays) * read


def _spent(items: Sequence[ItemCost], sums: Sequence[int], terms: Terms) -> float:
    """Returns about what the session has cost so far without folds, on a warm cache and within the budget."""
    calls = [number for number, item in enumerate(items) if item.call]
    sizes = [min(terms.budget, terms.beside + sums[number]) for number in calls]
    return terms.prices.read * sum(sizes) + terms.prices.write * (terms.beside + sums[-1])


def _balance(items: Sequence[ItemCost], standing: Standing, terms: Terms) -> float:
    """Returns what the folds so far have cost more than they have saved."""
    calls = sum(item.call for item in items[standing.until :])
    return standing.balance - calls * (standing.raw_tokens - standing.tokens) * terms.prices.read
