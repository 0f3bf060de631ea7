"""Text generation from vision tokens, with the probability of every character and detection of repetition loops."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foxing.encoder.errors import ReadFailed

from .models.checkpoint import transformers
from .models.model import PageFeatures, RepeatRule, VisionModel

MAX_PERIOD = 64  # maximum tokens per repetition of a loop
#: Minimum number of repeated tokens of a loop at the end of an incomplete text; at least two repetitions.
MIN_LOOP_TOKENS = 24
LOOP_SHARE = 4  # generation stops if a loop is longer than the maximum number of tokens divided by this
CHECK_EVERY = 16  # tokens between checks for loops
SAME = 0.8  # minimum share of the tokens of a loop that equal the previous repetition; banned tokens differ

FinishReason = Literal["end", "length", "loop"]


@dataclass(frozen=True)
class Budget:
    """Limits of a generation."""

    #: Maximum number of tokens.
    max_new_tokens: int
    #: Deadline of the batch, by `time.monotonic`.
    deadline: float = math.inf


@dataclass(frozen=True)
class Generation:
    """Generated text."""

    text: str
    #: float32[len(text)] in [0, 1]: probability of the token of each character.
    confidence: npt.NDArray[np.float32]
    #: bool[len(text)]: characters inside a repetition loop.
    looped: npt.NDArray[np.bool_]
    #: "end" if the model ended the text, "length" at the maximum length, "loop" if it was stopped in a loop.
    finish_reason: FinishReason


class NgramHistory:
    """Index of the n-grams of a sequence, none of which may occur twice within a window."""

    def __init__(self, rule: RepeatRule) -> None:
        self.rule = rule
        self.tokens: list[int] = []
        self._followers: dict[tuple[int, ...], dict[int, int]] = defaultdict(
            dict
        )  # n-1 tokens → next token → start of the n-gram

    @property
    def banned(self) -> set[int]:
        """Tokens that would repeat an n-gram."""
        size = self.rule.size
        first = len(self.tokens) - self.rule.window
        if len(self.tokens) < size:
            return set()
        followers = self._followers.get(tuple(self.tokens[len(self.tokens) - size + 1 :]), {})
        return {token for token, begun in followers.items() if begun >= first} - self.rule.exempt

    def append(self, token: int) -> None:
        """Appends a token to the sequence."""
        self.tokens.append(token)
        begun = len(self.tokens) - self.rule.size
        if begun >= 0:
            self._followers[tuple(self.tokens[begun:-1])][token] = begun


class NoRepeatNgramProcessor:
    """Logits processor for greedy decoding that limits repetitions, records the probability of each chosen token, and
    stops sequences that loop."""

    def __init__(self, rule: RepeatRule, n_sequences: int, budget: Budget) -> None:
        self._rule = rule
        self._counts: Tensor | None = None  # float [B, vocabulary]: count of each generated token
        self._histories = [NgramHistory(rule) for _ in range(n_sequences)]
        self._budget = budget
        #: For each sequence, the best token of each step after the penalties, banned or not.
        self.wanted: list[list[int]] = [[] for _ in range(n_sequences)]
        self._looping = [False] * n_sequences
        self._log_probabilities: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns `scores`, logits float [B, vocabulary], less the penalties and with banned tokens at −∞."""
        scores = scores.float()
        total = scores.logsumexp(-1)
        if self._log_probabilities:
            for history, token in zip(self._histories, input_ids[:, -1].tolist(), strict=True):
                history.append(token)
        allowed = penalised = self._penalised(input_ids, scores)
        for index, best in enumerate(penalised.argmax(-1).tolist()):
            self.wanted[index].append(best)
            banned = self._histories[index].banned
            if best in banned:
                if allowed is penalised:
                    allowed = penalised.clone()
                allowed[index, list(banned)] = -torch.inf
        chosen = allowed.argmax(-1, keepdim=True)
        self._log_probabilities.append(scores.gather(-1, chosen).squeeze(-1) - total)
        return allowed

    def _penalised(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns `scores` less the presence and frequency penalties of the rule."""
        if not (self._rule.presence_penalty or self._rule.frequency_penalty):
            return scores
        if self._counts is None:
            self._counts = torch.zeros_like(scores)
        if self._log_probabilities:
            self._counts.scatter_add_(1, input_ids[:, -1:], torch.ones_like(scores[:, :1]))
        penalty = self._rule.frequency_penalty * self._counts + self._rule.presence_penalty * (self._counts > 0)
        return scores - penalty

    def looping(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Implements the stopping criterion: returns bool[B], the sequences that loop. Raises `ReadFailed` after the
        deadline."""
        if monotonic() > self._budget.deadline:
            raise ReadFailed("decoding a batch of pages took longer than its limit; use a faster device")
        for index, preferred in enumerate(self.wanted):
            self._looping[index] = self._looping[index] or loops(preferred, self._budget.max_new_tokens)
        return torch.tensor(self._looping, device=input_ids.device)

    def probabilities(self) -> npt.NDArray[np.float32]:
        """Returns the probabilities of the chosen tokens before penalties and bans: float32[B, steps]."""
        return torch.stack(self._log_probabilities, dim=1).exp().cpu().numpy()


@torch.inference_mode()
def generate(model: VisionModel, pages: Sequence[PageFeatures], budget: Budget) -> list[Generation]:
    """Decodes one batch greedily; returns one `Generation` per page. Tiers may be mixed; shorter prompts are padded on
    the left. Raises `ReadFailed` after the deadline."""
    before, after = model.prompt_ids()
    eos_ids = model.eos_token_ids
    pad = min(eos_ids)
    rows = [before + [model.image_token_id] * model.positions(page.tier) + after for page in pages]
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
    budget = replace(budget, max_new_tokens=min(budget.max_new_tokens, model.context_length - longest))
    processor = NoRepeatNgramProcessor(model.repeat_rule, len(pages), budget)
    package = transformers()
    generated = model.network.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=package.GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=budget.max_new_tokens,
            eos_token_id=sorted(eos_ids),
            pad_token_id=pad,
        ),
        logits_processor=package.LogitsProcessorList([processor]),
        stopping_criteria=package.StoppingCriteriaList([processor.looping]),
        **model.inputs(pages, ids),
    )[:, longest:].tolist()
    probabilities = processor.probabilities()
    return [
        detokenize(model, row, processor.wanted[index], probabilities[index]) for index, row in enumerate(generated)
    ]


def detokenize(
    model: VisionModel, ids: Sequence[int], best_ids: Sequence[int], probabilities: npt.NDArray[np.float32]
) -> Generation:
    """Returns the `Generation` of a token sequence. `ids`: generated tokens, the end-of-sequence token included;
    `best_ids`: best token of each step, banned or not: the text; `probabilities`: float32[at least len(ids)],
    of `ids`."""
    stop = next((step for step, token in enumerate(ids) if token in model.eos_token_ids), len(ids))
    read = list(best_ids[:stop])
    tail = None if stop < len(ids) else loop_start(read)
    reason: FinishReason = "end" if stop < len(ids) else "length" if tail is None else "loop"
    text, spans = align_characters(model.tokenizer, read)
    confidence = np.array([probabilities[a:b].min() for a, b in spans], dtype=np.float32)
    looped = np.array([tail is not None and b > tail for _, b in spans], dtype=bool)
    return Generation(text, confidence, looped, reason)


def loops(tokens: Sequence[int], max_new_tokens: int) -> bool:
    """Returns whether to stop a text of at most `max_new_tokens`, because it ends in a loop longer than repetitions on
    a page usually are: equal lines are legitimate text."""
    length = max(MIN_LOOP_TOKENS, max_new_tokens // LOOP_SHARE)
    if len(tokens) % CHECK_EVERY or len(tokens) < length + 1:
        return False
    tail = np.asarray(tokens[-length - MAX_PERIOD :], dtype=np.int64)
    return any(
        float((tail[-length:] == tail[-length - period : -period]).mean()) >= SAME
        for period in range(1, min(MAX_PERIOD, len(tail) - length) + 1)
    )


def loop_start(tokens: Sequence[int]) -> int | None:
    """Returns the start of the second repetition of a loop at the end of the text; None if there is no loop."""
    sequence = np.asarray(tokens, dtype=np.int64)
    for period in range(1, min(MAX_PERIOD, len(sequence) - 1) + 1):
        same = np.concatenate([np.zeros(period, dtype=bool), sequence[period:] == sequence[:-period]])
        length = max(MIN_LOOP_TOKENS, 2 * period)
        if len(sequence) < length + period or same[-length:].mean() < SAME:
            continue
        start = len(sequence) - length
        while start >= CHECK_EVERY and same[start - CHECK_EVERY : start].mean() >= SAME:
            start -= CHECK_EVERY
        while start > period and same[start - 1]:
            start -= 1
        return start
    return None


def align_characters(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """Returns the text of `ids`, and for each of its characters the half-open range of tokens that spells it."""
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    context = 0  # ids[context:] are decoded together; ids[:done] are already in `pieces`
    done = 0
    for stop in range(1, len(ids) + 1):
        prefix = tokenizer.decode(ids[context:done], skip_special_tokens=False)
        text = tokenizer.decode(ids[context:stop], skip_special_tokens=False)
        if len(text) <= len(prefix) or (text.endswith("\ufffd") and stop < len(ids)):
            continue  # in the middle of a character
        pieces.append(text[len(prefix) :])
        spans += [(done, stop)] * (len(text) - len(prefix))
        context = done
        done = stop
    return "".join(pieces), spans
