"""What a server answers that goes on from a prompt given as embeddings: vLLM's completions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .responses import LONGEST, Answer, BadAnswer, NoReading, check_told, count_of, short, sureness

TOKEN_ID = "token_id:"
MOST_IDS = 1 << 31  # that any vocabulary has


@dataclass(frozen=True)
class Completion:
    """`text`: what was written, without what ended it; `tokens`: how the server names each token of it, and `best`: the
    name of the likeliest one in its place; `logprobs`: of each token; all empty where the server does not tell, the
    last alone where one of them is no number. `cut`: the text ended because it was as long as it may be, or longer than
    anyone looks at."""

    text: str
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    best: tuple[str, ...]
    cut: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, document: Any) -> Self:
        """Out of the answer to `POST /completions`. Raises `BadAnswer`; `NoReading` where the server will not answer,
        or answers nothing. A model that ended its text at once has answered, also where the end is not told."""
        try:
            choice = document["choices"][0]
            whole = "" if choice["text"] is None else choice["text"]
            told = choice.get("logprobs") or {}
            tokens = tuple(map(str, (told.get("tokens") or ())[:LONGEST]))
            logprobs = tuple(map(float, (told.get("token_logprobs") or ())[:LONGEST]))
            tops = list((told.get("top_logprobs") or ())[:LONGEST])
            best = tuple(_likeliest(name, top) for name, top in zip(tokens, tops or [None] * len(tokens), strict=True))
            usage = document.get("usage") or {}
            counts = [count_of(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            ended = choice.get("finish_reason")
            longer = len(whole) > LONGEST or len(told.get("tokens") or ()) > LONGEST
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BadAnswer("the answer has no choices with a text, or makes no sense") from error
        if not isinstance(whole, str) or len(tokens) != len(logprobs):
            raise BadAnswer("the answer has no text, or not one log-probability for each token")
        check_told(choice, {}, ended)
        at_once = ended == "stop" and counts[1] > 0
        if not whole.strip() and not tokens and not at_once:
            raise NoReading(
                f"answered nothing (it ended by '{short(ended)}' after {counts[1]:,} tokens); check that it runs the "
                "model of FOXING_CODEC_MODEL, and FOXING_REMOTE_MAX_TOKENS",
                told=True,
            )
        if any(math.isnan(p) or p == math.inf for p in logprobs):
            logprobs = ()
        return cls(whole[:LONGEST], tokens, logprobs, best, ended == "length" or longer, *counts)

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
        entries = [{"token": name, "logprob": p} for name, p in zip(self.tokens, self.logprobs, strict=False)]
        answer = Answer(self.text, sureness(self.text, entries), self.cut, self.prompt_tokens, self.completion_tokens)
        return answer.trimmed()


def _likeliest(chosen: str, top: Mapping[str, float] | None) -> str:
    known = {name: float(top[name]) for name in top if not math.isnan(float(top[name]))} if top else {}
    return max(known, key=lambda name: (known[name], name == chosen)) if known else chosen


def _ids(names: Sequence[str]) -> list[int] | None:
    if not names or not all(name.startswith(TOKEN_ID) for name in names):
        return None
    try:
        ids = [int(name.removeprefix(TOKEN_ID)) for name in names]
    except ValueError:
        return None
    return ids if all(0 <= token < MOST_IDS for token in ids) else None
