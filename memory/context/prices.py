"""Prices of a context net of the provider's prompt cache: page images are new to it, text may already be in it.

A token of text that the cache holds costs a tenth of another, so that an image that saves nine tenths of the tokens
saves nothing the first time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from foxing.memory.values.context import ContextRequest, TokenPrices

#: Prices where the caller gives none: without a cache, and with one as Anthropic and OpenAI price it.
COLD, CACHED = TokenPrices(input=1.0, read=1.0, write=1.0), TokenPrices(input=1.0, read=0.1, write=1.25)


@dataclass(frozen=True)
class CachePrices:
    """Prices of tokens while the cache holds some of the text."""

    prices: TokenPrices
    #: Tokens of text that the cache holds.
    cached: int = 0

    @classmethod
    def of(cls, request: ContextRequest) -> "CachePrices":
        """Returns the prices of a request."""
        default = COLD if request.cached_tokens is None else CACHED
        return cls(request.prices or default, request.cached_tokens or 0)

    def shares(self, texts: Sequence[int]) -> list[int]:
        """Returns how many tokens of each text the cache holds. It holds a prefix of the history, so that the oldest
        come first. `texts`: tokens of each, oldest first."""
        left, shares = self.cached, list[int]()
        for tokens in texts:
            shares.append(min(left, tokens))
            left -= shares[-1]
        return shares

    def text(self, tokens: int, cached: int) -> float:
        """Returns the price of text, `cached` tokens of it read from the cache and the others written to it."""
        return cached * self.prices.read + (tokens - cached) * self.prices.write

    def new(self, tokens: int) -> float:
        """Returns the price of tokens that are written to the cache."""
        return tokens * self.prices.write

    def total(self, *, images: int, replaced: int, cached: int, text: int, last: int) -> tuple[float, float]:
        """Returns the price of a context, and of the same as text. `images`: tokens of the images and what stands
        beside them; `replaced`: of the text that they replace, `cached` of it in the cache; `text`: of other text;
        `last`: of the last messages, which are not worth caching."""
        others = self.text(text, min(text, self.cached - cached)) + last * self.prices.input
        return self.new(images) + others, self.text(replaced, cached) + others
