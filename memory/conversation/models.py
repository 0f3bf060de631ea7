"""Models of providers, as dated data: their windows, the prices of their caches, and whether they bind thinking.

Sources: `model_prices_and_context_window.json` of LiteLLM 1.110.2 (2026-11) for windows and prices, which repeats
platform.claude.com/docs/en/about-claude/models, developers.openai.com/api/docs/models and
ai.google.dev/gemini-api/docs/pricing; platform.claude.com/docs/en/build-with-claude/preserved-thinking (2026-10-14) for
thinking; openai/codex#35300 for beginnings. A model that is not listed gets the row of the longest beginning of its id,
and `UNKNOWN` if there is none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

#: Share of the window that a request may fill; the rest is for the answer, and for what tokens are estimated too low.
_WINDOW_SHARE = 0.75
#: Vendors and regions before the id of a model, as gateways write them.
_BEFORE_ID = re.compile(r"^(?:.*/)?(?:(?:us|eu|apac|global)\.)?(?:[a-z]+\.(?=claude|gpt|gemini))?")


@dataclass(frozen=True)
class ModelTerms:
    """Window and prices of a model."""

    #: Most tokens of a request, and of one at the ordinary price; None where all cost the same.
    window: int
    ordinary: int | None = None
    #: Prices of a token read from the cache and written to it, for each price of a token without it.
    read: float = 0.1
    write: float = 1.25
    #: Whether its thinking is bound to the conversation before it, so that nothing may change there while the model
    #: goes on thinking.
    binds_thinking: bool = False
    #: Whether the cache still holds the beginning of a request whose rest has changed, without marks of the client.
    caches_beginnings: bool = True

    @property
    def budget(self) -> int:
        """Most tokens to send unless a user says otherwise."""
        return int(min(self.window, self.ordinary or self.window) * _WINDOW_SHARE)


#: A careful default: the smallest window of the models that agents use.
UNKNOWN = ModelTerms(128_000, binds_thinking=True)

#: Beginning of an id → its terms.
_TERMS: Mapping[str, ModelTerms] = {
    # Anthropic
    "claude": ModelTerms(200_000, binds_thinking=True),
    "claude-3": ModelTerms(200_000),
    "claude-haiku-4-5": ModelTerms(200_000),
    "claude-opus-4": ModelTerms(200_000),
    "claude-opus-4-6": ModelTerms(1_000_000),
    "claude-opus-4-7": ModelTerms(1_000_000),
    "claude-opus-4-8": ModelTerms(1_000_000),
    "claude-sonnet-4": ModelTerms(200_000),
    "claude-sonnet-4-6": ModelTerms(1_000_000),
    "claude-opus-5": ModelTerms(1_000_000),
    "claude-opus-5-5": ModelTerms(1_000_000, read=0.05, binds_thinking=True),
    "claude-sonnet-5": ModelTerms(1_000_000),
    "claude-sonnet-5-5": ModelTerms(1_000_000, read=0.05, binds_thinking=True),
    "claude-haiku-5-5": ModelTerms(1_000_000, binds_thinking=True),
    "claude-fable-5": ModelTerms(1_000_000),
    "claude-fable-5-1": ModelTerms(1_000_000, read=0.025, binds_thinking=True),
    "claude-fable-5-2": ModelTerms(1_000_000, read=0.025, binds_thinking=True),
    "claude-mythos-5": ModelTerms(1_000_000),
    "claude-mythos-5-1": ModelTerms(1_000_000, read=0.025, binds_thinking=True),
    "claude-mythos-5-2": ModelTerms(1_000_000, read=0.025, binds_thinking=True),
    # OpenAI
    "gpt-4": ModelTerms(128_000, read=0.5, write=1.0),
    "gpt-4.1": ModelTerms(1_047_576, read=0.25, write=1.0),
    "gpt-5": ModelTerms(272_000, write=1.0),
    "gpt-5-chat": ModelTerms(128_000, write=1.0),
    "gpt-5.4": ModelTerms(1_050_000, 272_000, write=1.0),
    "gpt-5.4-mini": ModelTerms(272_000, write=1.0),
    "gpt-5.4-nano": ModelTerms(272_000, write=1.0),
    "gpt-5.5": ModelTerms(1_050_000, 272_000, write=1.0),
    "gpt-5.6": ModelTerms(922_000, 272_000, caches_beginnings=False),
    "gpt-5.6-cyber": ModelTerms(272_000, caches_beginnings=False),
    "gpt-6": ModelTerms(922_000, 272_000, caches_beginnings=False),
    "gpt-6.1": ModelTerms(922_000, 272_000, read=0.05, caches_beginnings=False),
    "o1": ModelTerms(200_000, read=0.5, write=1.0),
    "o3": ModelTerms(200_000, read=0.25, write=1.0),
    "o4": ModelTerms(200_000, read=0.25, write=1.0),
    # Google
    "gemini": ModelTerms(1_048_576, 200_000, write=1.0),
    "gemini-2.5-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-3-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-3.1-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-3.5-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-3.6-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-3.7-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-3.8-flash": ModelTerms(1_048_576, write=1.0),
    "gemini-4": ModelTerms(1_048_576, read=0.05, write=1.0),
}


@lru_cache(maxsize=1_024)
def model_terms(model: str) -> ModelTerms:
    """Returns the terms of a model; `UNKNOWN` for one of no known family. `model`: its id, with a vendor before it or
    without."""
    name = _BEFORE_ID.sub("", model[:200].lower())
    longest = max((prefix for prefix in _TERMS if name.startswith(prefix)), key=len, default=None)
    return UNKNOWN if longest is None else _TERMS[longest]
