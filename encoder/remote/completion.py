"""What a server answers that goes on from a prompt given as embeddings: vLLM's completions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .answers import Answer, BadAnswer, sureness

TOKEN_ID = "token_id:"


@dataclass(frozen=True)
class Completion:
    """`text`: what was written, without what ended it; `tokens`: how the server names each token of it; `logprobs`: of
    each token, and `best`: the name of the likeliest one in its place; both empty where the server does not tell.
    `cut`: the text ended because it was as long as it may be."""

    text: str
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    best: tuple[str, ...]
    cut: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, document: Any) -> Self:
        """Out of the answer to `POST /completions`. Raises `BadAnswer`."""
        try:
            choice = document["choices"][0]
            text = choice["text"]
            told = choice.get("logprobs") or {}
            tokens = tuple(map(str, told.get("tokens") or ()))
            logprobs = tuple(map(float, told.get("token_logprobs") or ()))
            tops = list(told.get("top_logprobs") or ())
            best = tuple(_likeliest(name, top) for name, top in zip(tokens, tops or [None] * len(tokens), strict=True))
            usage = document.get("usage") or {}
            counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            cut = choice.get("finish_reason") == "length"
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise BadAnswer("the answer has no choices with a text, or makes no sense") from error
        if not isinstance(text, str) or len(tokens) != len(logprobs):
            raise BadAnswer("the answer has no text, or not one log-probability for each token")
        return cls(text, tokens, logprobs, best, cut, *counts)

    @property
    def ids(self) -> list[int] | None:
        """The token ids, where the server names tokens by them."""
        return _ids(self.tokens)

    @property
    def best_ids(self) -> list[int] | None:
        return _ids(self.best)

    @property
    def answer(self) -> Answer:
        """The same by its text alone, where tokens are not named by their ids."""
        entries = [{"token": name, "logprob": p} for name, p in zip(self.tokens, self.logprobs, strict=True)]
        answer = Answer(self.text, sureness(self.text, entries), self.cut, self.prompt_tokens, self.completion_tokens)
        return answer.trimmed()


def _likeliest(chosen: str, top: Mapping[str, float] | None) -> str:
    return max(top, key=lambda name: (float(top[name]), name == chosen)) if top else chosen


def _ids(names: Sequence[str]) -> list[int] | None:
    if not names or not all(name.startswith(TOKEN_ID) for name in names):
        return None
    try:
        return [int(name.removeprefix(TOKEN_ID)) for name in names]
    except ValueError:
        return None
