"""Text generation from vision tokens, with the probability of every character and loop detection."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .checkpoint import transformers
from .model import PageFeatures, VisionModel

MAX_BLOCKS = 3  # blocked repetitions that a text may have; one more is a loop
MAX_PERIOD = 64  # tokens per turn of a loop that is recognised from the text alone
MIN_LOOP_TOKENS = 24  # repeated tokens that make a loop; at least two repetitions

FinishReason = Literal["end", "length", "loop"]


@dataclass(frozen=True)
class Generation:
    """A generated text."""

    text: str
    #: float32[len(text)] in [0, 1], the probability of the token that each character came from.
    confidence: npt.NDArray[np.float32]
    #: bool[len(text)], the characters inside an endless repetition.
    looped: npt.NDArray[np.bool_]
    #: Whether the model ended the text, reached the maximum length or was stopped in a loop.
    finish_reason: FinishReason
    #: Probability of the end-of-sequence token; 0 if there is none.
    end_probability: float


class NgramHistory:
    """The n-grams of a sequence, none of which may occur twice."""

    def __init__(self, size: int) -> None:
        """`size`: tokens per n-gram."""
        self.size = size
        self.tokens: list[int] = []
        self._followers: dict[tuple[int, ...], set[int]] = defaultdict(set)

    @property
    def banned(self) -> set[int]:
        """Tokens that would repeat an n-gram."""
        tail = self.tokens[len(self.tokens) - self.size + 1 :] if len(self.tokens) >= self.size - 1 else None
        return set() if tail is None else self._followers.get(tuple(tail), set())

    def append(self, token: int) -> None:
        self.tokens.append(token)
        if len(self.tokens) >= self.size:
            self._followers[tuple(self.tokens[-self.size : -1])].add(token)


class NoRepeatNgramProcessor:
    """Logits processor for greedy decoding that bans repeated n-grams, records the probability of each chosen token and
    stops sequences that loop."""

    def __init__(self, ngram_size: int, n_sequences: int) -> None:
        self._histories = [NgramHistory(ngram_size) for _ in range(n_sequences)]
        #: By sequence, the steps at which the best token was banned.
        self.blocked: list[list[int]] = [[] for _ in range(n_sequences)]
        self._log_probabilities: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` with banned tokens at −∞. `scores`: float [B, vocabulary], logits."""
        scores = scores.float()
        total = scores.logsumexp(-1)
        if self._log_probabilities:
            for history, token in zip(self._histories, input_ids[:, -1].tolist(), strict=True):
                history.append(token)
        allowed = scores
        for index, best in enumerate(scores.argmax(-1).tolist()):
            banned = self._histories[index].banned
            if best in banned:
                if allowed is scores:
                    allowed = scores.clone()
                self.blocked[index].append(len(self._histories[index].tokens))
                allowed[index, list(banned)] = -torch.inf
        chosen = allowed.argmax(-1, keepdim=True)
        self._log_probabilities.append(scores.gather(-1, chosen).squeeze(-1) - total)
        return allowed

    def looping(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Stopping criterion: bool[B], the sequences that loop."""
        return torch.tensor([len(steps) > MAX_BLOCKS for steps in self.blocked], device=input_ids.device)

    def probabilities(self) -> npt.NDArray[np.float32]:
        """Probabilities of the chosen tokens before banning: float32[B, steps]."""
        return torch.stack(self._log_probabilities, dim=1).exp().cpu().numpy()


@torch.inference_mode()
def generate(model: VisionModel, pages: Sequence[PageFeatures], prompt: str, max_new_tokens: int) -> list[Generation]:
    """Greedy decoding of one batch, a `Generation` per page. Tiers may be mixed; shorter prompts are padded on the
    left."""
    before, after = model.prompt_ids(prompt)
    eos_ids = model.eos_token_ids
    pad = min(eos_ids)
    rows = [before + [model.image_token_id] * model.positions(page.tier) + after for page in pages]
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
    processor = NoRepeatNgramProcessor(model.no_repeat_ngram_size, len(pages))
    package = transformers()
    generated = model.network.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=package.GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=min(max_new_tokens, model.context_length - longest),
            eos_token_id=sorted(eos_ids),
            pad_token_id=pad,
        ),
        logits_processor=package.LogitsProcessorList([processor]),
        stopping_criteria=package.StoppingCriteriaList([processor.looping]),
        **model.inputs(pages, ids),
    )[:, longest:].tolist()
    probabilities = processor.probabilities()
    return [
        detokenize(model, row, probabilities[index], processor.blocked[index]) for index, row in enumerate(generated)
    ]


def detokenize(
    model: VisionModel, ids: Sequence[int], probabilities: npt.NDArray[np.float32], blocked: Sequence[int]
) -> Generation:
    """The `Generation` of a token sequence. `ids`: generated tokens, the end-of-sequence token included;
    `probabilities`: float32[at least len(ids)]; `blocked`: steps at which the best token was banned."""
    stop = next((step for step, token in enumerate(ids) if token in model.eos_token_ids), len(ids))
    blocked = [step for step in blocked if step < stop]
    reason: FinishReason = "loop" if len(blocked) > MAX_BLOCKS else "end" if stop < len(ids) else "length"
    looped_tokens = loop_mask(ids[:stop])
    if reason == "loop":
        looped_tokens[max(0, blocked[0] - model.no_repeat_ngram_size + 1) :] = True
    text, spans = align_characters(model.tokenizer, ids[:stop])
    confidence = np.array([probabilities[a:b].min() for a, b in spans], dtype=np.float32)
    looped = np.array([looped_tokens[a:b].any() for a, b in spans], dtype=bool)
    return Generation(text, confidence, looped, reason, float(probabilities[stop]) if reason == "end" else 0.0)


def loop_mask(ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    """bool[len(ids)], the tokens of a loop after its first turn."""
    tokens = np.asarray(ids, dtype=np.int64)
    looped = np.zeros(len(tokens), dtype=bool)
    for period in range(1, min(MAX_PERIOD, len(tokens) - 1) + 1):
        same = np.concatenate([[False], tokens[period:] == tokens[:-period], [False]])
        edges = np.flatnonzero(np.diff(same.astype(np.int8))).reshape(-1, 2)
        for first, stop in edges[edges[:, 1] - edges[:, 0] >= max(MIN_LOOP_TOKENS, 2 * period)].tolist():
            looped[period + first : period + stop] = True
    return looped


def align_characters(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of `ids`, and the half-open range of tokens that spells each of its characters."""
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    context, done = 0, 0  # ids[context:] are decoded together; ids[:done] are already in `pieces`
    for stop in range(1, len(ids) + 1):
        prefix = tokenizer.decode(ids[context:done], skip_special_tokens=False)
        text = tokenizer.decode(ids[context:stop], skip_special_tokens=False)
        if len(text) <= len(prefix) or (text.endswith("\ufffd") and stop < len(ids)):
            continue  # in the middle of a character
        pieces.append(text[len(prefix) :])
        spans += [(done, stop)] * (len(text) - len(prefix))
        context, done = done, stop
    return "".join(pieces), spans
