"""Responses of vLLM's `POST /completions` to prompt embeddings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .responses import (
    MAX_ANSWER_CHARS,
    ChatCompletion,
    InvalidCompletion,
    NoReading,
    character_confidence,
    check_finish,
    quote,
    token_count,
)

TOKEN_ID = "token_id:"
MAX_TOKEN_ID = 1 << 31  # exclusive; no vocabulary is larger


@dataclass(frozen=True)
class Completion:
    """Generated text and its tokens. The token fields are empty if the server returns no log-probabilities; `logprobs`
    alone is empty if one of them is not a valid number."""

    #: Text, without the token that ended it.
    text: str
    #: Server's name of each token.
    tokens: tuple[str, ...]
    #: Log-probability of each token.
    logprobs: tuple[float, ...]
    #: Server's name of the most likely token at each position.
    best: tuple[str, ...]
    #: Whether the text was cut off at `max_tokens` or at `MAX_ANSWER_CHARS`.
    cut: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, document: Any) -> Self:
        """Parses the JSON of a response. Raises `InvalidCompletion`, or `NoReading` if the server returned nothing or
        refused. An empty text is a valid answer if the model ended it, even if the response omits the final token."""
        try:
            choice = document["choices"][0]
            text = "" if choice["text"] is None else choice["text"]
            listed = choice.get("logprobs") or {}
            tokens = tuple(map(str, (listed.get("tokens") or ())[:MAX_ANSWER_CHARS]))
            logprobs = tuple(map(float, (listed.get("token_logprobs") or ())[:MAX_ANSWER_CHARS]))
            tops = list((listed.get("top_logprobs") or ())[:MAX_ANSWER_CHARS])
            best = tuple(
                _most_likely(name, top) for name, top in zip(tokens, tops or [None] * len(tokens), strict=True)
            )
            usage = document.get("usage") or {}
            counts = [token_count(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            finish = choice.get("finish_reason")
            too_long = len(text) > MAX_ANSWER_CHARS or len(listed.get("tokens") or ()) > MAX_ANSWER_CHARS
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidCompletion("it has no choices with a text, or fields with invalid values") from error
        if not isinstance(text, str) or len(tokens) != len(logprobs):
            raise InvalidCompletion("it has no text, or not one log-probability for each token")
        check_finish(choice, {}, finish)
        ended_at_once = finish == "stop" and counts[1] > 0
        if not text.strip() and not tokens and not ended_at_once:
            raise NoReading(
                f"returned no text (it ended with '{quote(finish)}' after {counts[1]:,} tokens); check that it runs "
                "the same model, and the option 'max_tokens'",
                deliberate=True,
            )
        if any(math.isnan(p) or p == math.inf for p in logprobs):
            logprobs = ()
        return cls(text[:MAX_ANSWER_CHARS], tokens, logprobs, best, finish == "length" or too_long, *counts)

    @property
    def ids(self) -> list[int] | None:
        """Token ids, if the server names tokens by id; None otherwise."""
        return _parse_ids(self.tokens)

    @property
    def best_ids(self) -> list[int] | None:
        """Ids of the most likely token at each position, if the server names tokens by id; None otherwise."""
        return _parse_ids(self.best)

    @property
    def answer(self) -> ChatCompletion:
        """Result as a chat completion, for servers that do not name tokens by id."""
        entries = [{"token": name, "logprob": p} for name, p in zip(self.tokens, self.logprobs, strict=False)]
        confidence = character_confidence(self.text, entries)
        return ChatCompletion(self.text, confidence, self.cut, self.prompt_tokens, self.completion_tokens).trimmed()


def _most_likely(chosen: str, top: Mapping[str, float] | None) -> str:
    probabilities = {name: float(top[name]) for name in top if not math.isnan(float(top[name]))} if top else {}
    return max(probabilities, key=lambda name: (probabilities[name], name == chosen)) if probabilities else chosen


def _parse_ids(names: Sequence[str]) -> list[int] | None:
    if not names or not all(name.startswith(TOKEN_ID) for name in names):
        return None
    try:
        ids = [int(name.removeprefix(TOKEN_ID)) for name in names]
    except ValueError:
        return None
    return ids if all(0 <= token < MAX_TOKEN_ID for token in ids) else None
