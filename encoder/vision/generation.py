"""Text out of vision tokens, with a probability for every character and a watch for loops."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .loading import transformers
from .model import Given, VisionModel

MAX_BLOCKS = 3  # times that a text may run into what it has written before; one more is a loop
LONGEST_PERIOD = 64  # tokens of a loop that is recognised from the text alone
LOOP_TOKENS = 24  # repeated tokens that make a loop, and at least two repetitions

Ending = Literal["end", "length", "loop"]


@dataclass(frozen=True)
class Written:
    """What a model wrote. `confidence`: float32[len(text)] in [0, 1], the probability of the token that a character
    came with; `looped`: bool[len(text)], what repeats without end; `ending`: whether the model ended it, ran into the
    bound, or was stopped in a loop. `ended`: the probability of the end, 0 where there is none."""

    text: str
    confidence: npt.NDArray[np.float32]
    looped: npt.NDArray[np.bool_]
    ending: Ending
    ended: float


class Runs:
    """The runs of `ngram` tokens of a text that is being written, none of which is to come twice."""

    def __init__(self, ngram: int) -> None:
        self.ngram = ngram
        self.written: list[int] = []
        self._followed: dict[tuple[int, ...], set[int]] = defaultdict(set)

    @property
    def forbidden(self) -> set[int]:
        """The tokens that would complete a run for the second time."""
        tail = self.written[len(self.written) - self.ngram + 1 :] if len(self.written) >= self.ngram - 1 else None
        return set() if tail is None else self._followed.get(tuple(tail), set())

    def add(self, token: int) -> None:
        """`token` has been written."""
        self.written.append(token)
        if len(self.written) >= self.ngram:
            self._followed[tuple(self.written[-self.ngram : -1])].add(token)


class RepetitionGuard:
    """Greedy choice without repetition: a logits processor that forbids a token that would complete a run of `ngram`
    tokens for the second time, notes the probability of what is chosen, and stops sequences that loop."""

    def __init__(self, ngram: int, n_sequences: int) -> None:
        self._runs = [Runs(ngram) for _ in range(n_sequences)]
        #: Steps at which a sequence was kept from repeating itself.
        self.blocked: list[list[int]] = [[] for _ in range(n_sequences)]
        self._log_probabilities: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores`: float [B, vocabulary], logits → the same with what is forbidden at −∞."""
        scores = scores.float()
        total = scores.logsumexp(-1)
        if self._log_probabilities:
            for runs, token in zip(self._runs, input_ids[:, -1].tolist(), strict=True):
                runs.add(token)
        allowed = scores
        best = scores.argmax(-1).tolist()
        for index, follower in enumerate(best):
            forbidden = self._runs[index].forbidden
            if follower in forbidden:
                if allowed is scores:
                    allowed = scores.clone()
                self.blocked[index].append(len(self._runs[index].written))
                allowed[index, list(forbidden)] = -torch.inf
        chosen = allowed.argmax(-1, keepdim=True)
        self._log_probabilities.append(scores.gather(-1, chosen).squeeze(-1) - total)
        return allowed

    def stopped(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """A stopping criterion: bool[B], which sequences loop."""
        return torch.tensor([len(steps) > MAX_BLOCKS for steps in self.blocked], device=input_ids.device)

    def probabilities(self) -> npt.NDArray[np.float32]:
        """float32[B, steps], of what was chosen."""
        return torch.stack(self._log_probabilities, dim=1).exp().cpu().numpy()


@torch.inference_mode()
def write(model: VisionModel, pages: Sequence[Given], prompt: str, bound: int) -> list[Written]:
    """What the model writes for each page, greedily, at most `bound` tokens. One batch, whose pages may be of several
    tiers; shorter ones are padded on the left."""
    before, after = model.question(prompt)
    ends = model.end_ids
    pad = min(ends)
    rows = [before + [model.image_id] * model.positions(page.tier) + after for page in pages]
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
    guard = RepetitionGuard(model.ngram, len(pages))
    package = transformers()
    chosen = model.network.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=package.GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=min(bound, model.context - longest),
            eos_token_id=sorted(ends),
            pad_token_id=pad,
        ),
        logits_processor=package.LogitsProcessorList([guard]),
        stopping_criteria=package.StoppingCriteriaList([guard.stopped]),
        **model.inputs(pages, ids),
    )[:, longest:].tolist()
    probabilities = guard.probabilities()
    return [written(model, line, probabilities[index], guard.blocked[index]) for index, line in enumerate(chosen)]


def written(
    model: VisionModel, ids: Sequence[int], probabilities: npt.NDArray[np.float32], blocked: Sequence[int]
) -> Written:
    """`ids`: the tokens that were chosen, what ended the text included; `probabilities`: float32[at least len(ids)] of
    them; `blocked`: the steps at which the model was kept from repeating itself."""
    stop = next((step for step, token in enumerate(ids) if token in model.end_ids), len(ids))
    blocked = [step for step in blocked if step < stop]
    ending: Ending = "loop" if len(blocked) > MAX_BLOCKS else "end" if stop < len(ids) else "length"
    looped = looping(ids[:stop])
    if ending == "loop":
        looped[max(0, blocked[0] - model.ngram + 1) :] = True
    text, sources = characters(model.tokenizer, ids[:stop])
    confidence = np.array([probabilities[a:b].min() for a, b in sources], dtype=np.float32)
    repeats = np.array([looped[a:b].any() for a, b in sources], dtype=bool)
    return Written(text, confidence, repeats, ending, float(probabilities[stop]) if ending == "end" else 0.0)


def looping(ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which tokens only repeat what stands before them: all of a loop but its first turn. bool[len(ids)]."""
    tokens = np.asarray(ids, dtype=np.int64)
    looped = np.zeros(len(tokens), dtype=bool)
    for period in range(1, min(LONGEST_PERIOD, len(tokens) - 1) + 1):
        same = np.concatenate([[False], tokens[period:] == tokens[:-period], [False]])
        edges = np.flatnonzero(np.diff(same.astype(np.int8))).reshape(-1, 2)
        for first, stop in edges[edges[:, 1] - edges[:, 0] >= max(LOOP_TOKENS, 2 * period)].tolist():
            looped[period + first : period + stop] = True
    return looped


def characters(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of `ids`, and for each character from which to which token it comes. A character that several tokens
    spell has all of them."""
    pieces: list[str] = []
    sources: list[tuple[int, int]] = []
    context, done = 0, 0  # tokens from `context` on are decoded together; those before `done` have been told
    for stop in range(1, len(ids) + 1):
        told = tokenizer.decode(ids[context:done], skip_special_tokens=False)
        text = tokenizer.decode(ids[context:stop], skip_special_tokens=False)
        if len(text) <= len(told) or (text.endswith("\ufffd") and stop < len(ids)):
            continue  # the middle of a character
        pieces.append(text[len(told) :])
        sources += [(done, stop)] * (len(text) - len(told))
        context, done = done, stop
    return "".join(pieces), sources
