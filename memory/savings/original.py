"""Calculates what a call would have been billed without folding, under the same state of the provider's cache."""

from dataclasses import dataclass

from foxing.memory.storage.repositories.model_calls import ModelCallRow
from foxing.memory.values.context import TokenPrices
from foxing.memory.values.savings import ModelCall


@dataclass(frozen=True)
class BilledTokens:
    """Tokens of an input by how they are billed."""

    fresh: int
    written: int
    read: int

    def price(self, prices: TokenPrices) -> float:
        """Returns what they cost."""
        return self.fresh * prices.input + self.written * prices.write + self.read * prices.read


def billed_tokens(call: ModelCall) -> BilledTokens:
    """Returns the tokens of a call as they were billed."""
    return BilledTokens(call.fresh_tokens, call.written_tokens, call.read_tokens)


def original_tokens(call: ModelCall, before: ModelCallRow | None) -> BilledTokens:
    """Returns the tokens of a call as they would have been billed without folding. `before`: the call of the same
    conversation before it.

    A conversation that has not been folded was sent as it is. Afterwards, the provider's cache would hold the original
    of the call before, up to its last mark, if it holds what was sent instead of it: the billed call shows whether it
    does, unless it sends something else than the call before. Then the time since that call decides.
    """
    if not call.folded and not (before is not None and before.ever_folded):
        return billed_tokens(call)
    if not caches(call, before):
        return BilledTokens(call.original_tokens, 0, 0)
    if before is None:
        read = min(call.read_tokens, call.original_prefix)
    elif _is_warm(call, before):
        read = min(before.original_prefix, call.original_prefix)
    else:
        read = 0
    return BilledTokens(call.original_tokens - call.original_prefix, call.original_prefix - read, read)


def caches(call: ModelCall, before: ModelCallRow | None) -> bool:
    """Returns True if the provider has cached some of the conversation, at this call or before."""
    return call.written_tokens + call.read_tokens > 0 or (before is not None and before.caches)


def _is_warm(call: ModelCall, before: ModelCallRow) -> bool:
    """Returns True if the provider's cache holds what the call before sent."""
    if call.new_fold or call.folded != before.folded:
        return (call.called_at - before.called_at).total_seconds() < call.cache_ttl_s
    return call.read_tokens > 0
