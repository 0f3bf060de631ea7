"""Weights of the recognition of instructions to a model in data.

    python -m training.planted.train --ordinary ordinary.jsonl --out memory/text/data/planted.npz

Texts are made from the sentences of this folder (see `texts.py`) and taken from `examples.jsonl`. `--ordinary` are
files of other ordinary texts, JSON Lines with `text`: half of them are fitted, by the other half the threshold is set.
The score of a text is that of its best window, in training as in use.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from foxing.memory.text.planted import (
    BITS,
    WEIGHTS,
    WINDOW,
    PlantedWeights,
    Windows,
    planted_terms,
    window_scores,
    windows_of,
)

from .texts import examples

EXAMPLES = Path(__file__).with_name("examples.jsonl")
#: How much a written example counts, where one that is made counts 1.
COUNT_OF_WRITTEN = 3.0
#: Steps with all windows of each text, and with the `BEST` of them.
STEPS, MORE_STEPS, BEST, RATE = 30, 250, 4, 0.06
DECAY, DECAY_OF_PAIRS, DECAY_OF_WORDS = 1e-5, 3e-5, 5e-7
#: Added to weights of concepts after the fit: made texts hold few of what everyone writes.
ADDED = {"override": 1.5}
#: Share of texts in a step whose words, or whose concepts, do not count: neither is to rely on the other.
DROPPED = 0.25


class Design:
    """Windows of many texts, one after the other."""

    def __init__(self, texts: Sequence[Windows]) -> None:
        counts = np.array([len(text.first) for text in texts])
        self.count = len(texts)
        self.text = torch.from_numpy(np.repeat(np.arange(len(texts)), counts))
        self.concepts = torch.from_numpy(np.concatenate([text.concepts for text in texts]))
        self.neighbours = torch.from_numpy(np.concatenate([text.neighbours for text in texts]))
        self.length = torch.from_numpy(np.log(np.concatenate([text.length for text in texts])))
        self.size = torch.from_numpy(np.concatenate([text.end - text.first - 1 for text in texts]))
        shifts = np.concatenate([[0], np.cumsum([len(text.words) for text in texts])])
        rows = np.concatenate([[0], np.cumsum([len(text.word_starts) - 1 for text in texts])])
        self.words = torch.from_numpy(np.concatenate([text.words for text in texts]))
        starts = [text.word_starts[:-1] + shift for text, shift in zip(texts, shifts, strict=False)]
        self.word_starts = torch.from_numpy(np.concatenate(starts))
        self.first = torch.from_numpy(np.concatenate([t.first + row for t, row in zip(texts, rows, strict=False)]))
        counted = [text.word_starts[text.end] - text.word_starts[text.first] for text in texts]
        self.norm = torch.from_numpy(1 / np.sqrt(np.concatenate(counted).astype(np.float32) + 4))

    def keep(self, chosen: torch.Tensor) -> None:
        """Keeps some of the windows."""
        for name in ("text", "concepts", "neighbours", "length", "size", "first", "norm"):
            setattr(self, name, getattr(self, name)[chosen])


class Scorer(torch.nn.Module):
    """The scorer of windows with weights that can be fitted."""

    def __init__(self) -> None:
        super().__init__()
        count = len(planted_terms().concepts)
        self.size = torch.nn.Parameter(torch.full((WINDOW,), -3.0))
        self.length = torch.nn.Parameter(torch.zeros(1))
        self.concepts = torch.nn.Parameter(torch.zeros(count))
        self.pairs = torch.nn.Parameter(torch.zeros(count, count))
        self.neighbours = torch.nn.Parameter(torch.zeros(count))
        self.words = torch.nn.EmbeddingBag(1 << BITS, 1, mode="sum")
        torch.nn.init.zeros_(self.words.weight)

    def forward(self, design: Design, dropped: torch.Tensor | None = None) -> torch.Tensor:
        """Returns the score of each window. Shape (windows,).

        `dropped`: of each text a number from 0 to 1, by which it is chosen whether its words or its concepts count.
        """
        own = torch.nn.functional.pad(self.words(design.words, design.word_starts)[:, 0], (0, WINDOW))
        by_words = own[design.first]
        for step in range(1, WINDOW):
            by_words = by_words + torch.where(design.size >= step, own[design.first + step], 0.0)
        by_words = by_words * design.norm
        by_concepts = design.concepts @ self.concepts + design.neighbours @ self.neighbours
        by_concepts = by_concepts + ((design.concepts @ self.upper()) * design.concepts).sum(1)
        if dropped is not None:
            chosen = dropped[design.text]
            by_words = by_words * (chosen > DROPPED)
            by_concepts = by_concepts * (chosen < 1 - DROPPED)
        return self.size[design.size] + self.length * design.length + by_words + by_concepts

    def upper(self) -> torch.Tensor:
        """Returns the weights of pairs, each pair once."""
        return torch.triu(self.pairs, 1)


def fit(texts: Sequence[Windows], planted: Sequence[bool], counts: Sequence[float], seed: int = 0) -> PlantedWeights:
    """Returns weights. `counts`: how much each text counts."""
    torch.manual_seed(seed)
    scorer, design = Scorer(), Design(texts)
    wanted = torch.tensor(planted, dtype=torch.float32)
    weights = torch.tensor(counts, dtype=torch.float32)
    weights /= weights.mean()
    optimizer = torch.optim.Adam(scorer.parameters(), lr=RATE)
    for step in range(STEPS + MORE_STEPS):
        if step == STEPS:
            with torch.no_grad():
                design.keep(_best(design.text, scorer(design)))
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / (STEPS + MORE_STEPS))
        scores = scorer(design, torch.rand(design.count))
        best = torch.full((design.count,), -1e9).scatter_reduce(0, design.text, scores, "amax")
        losses = torch.nn.functional.binary_cross_entropy_with_logits(best, wanted, reduction="none")
        loss = (losses * weights).mean() + DECAY_OF_PAIRS * scorer.upper().square().sum()
        loss = loss + DECAY * (scorer.concepts.square().sum() + scorer.neighbours.square().sum())
        loss = loss + DECAY_OF_WORDS * scorer.words.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    pairs = scorer.upper().detach().numpy()
    added = np.array([ADDED.get(name, 0.0) for name in planted_terms().concepts], dtype=np.float32)
    return PlantedWeights(
        scorer.size.detach().numpy(),
        scorer.length.detach().numpy(),
        scorer.concepts.detach().numpy() + added,
        (pairs + pairs.T) / 2,
        scorer.neighbours.detach().numpy(),
        scorer.words.weight.detach().numpy()[:, 0],
        np.zeros(1, np.float32),
    )


def _best(text: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Returns which windows are among the best of their text."""
    order = np.lexsort((-scores.numpy(), text.numpy()))
    sorted_text = text.numpy()[order]
    first = np.searchsorted(sorted_text, sorted_text)
    return torch.from_numpy(np.sort(order[np.arange(len(order)) - first < BEST]))


def scores_of(texts: Iterable[Windows], weights: PlantedWeights) -> NDArray[np.float32]:
    """Returns the score of each text."""
    return np.array([window_scores(text, weights).max() for text in texts])


def save(weights: PlantedWeights, path: Path) -> None:
    """Writes weights to a file, those of words and pairs as integers of 8 bits."""
    arrays = {name: array.astype(np.float32) for name, array in weights._asdict().items()}
    for name in ("pairs", "words"):
        scale = np.float32(max(float(np.abs(arrays[name]).max()), 1e-6) / 127)
        arrays[f"{name}_scale"] = scale
        arrays[name] = np.round(arrays[name] / scale).astype(np.int8)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _texts(paths: Iterable[Path]) -> list[str]:
    return [json.loads(line)["text"] for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Trains from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE")
    parser.add_argument("--ordinary", type=Path, nargs="*", default=[], metavar="FILE", help="Other ordinary texts.")
    parser.add_argument("--number", type=int, default=1200, help="Texts to make of each kind in each language.")
    parser.add_argument("--flagged", type=float, default=0.0002, help="Share of ordinary texts that may be flagged.")
    parser.add_argument("--threshold", type=float, help="Threshold in place of the one of that share.")
    options = parser.parse_args()
    made = examples(options.number)
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    others = _texts(options.ordinary)
    texts = [*(each.text for each in made), *(each["text"] for each in written), *(text[:500] for text in others[::2])]
    planted = [*(each.planted for each in made), *(each["planted"] for each in written), *(False for _ in others[::2])]
    counts = [1.0] * len(made) + [COUNT_OF_WRITTEN] * len(written) + [1.0] * len(others[::2])
    windows = [windows_of(text) for text in texts]
    weights = fit(windows, planted, counts)
    scores = scores_of(windows[len(made) : len(made) + len(written)], weights)
    labels = np.array([each["planted"] for each in written])
    ordinary = np.concatenate([scores[~labels], scores_of(map(windows_of, others[1::2]), weights)])
    by_share = max(np.quantile(ordinary, 1 - options.flagged), 0.0)
    threshold = np.float32(by_share if options.threshold is None else options.threshold)
    save(weights._replace(threshold=threshold.reshape(1)), options.out)
    recognised, flagged = (scores[labels] >= threshold).mean(), (ordinary >= threshold).mean()
    print(f"{len(texts):,} texts, threshold {threshold:.2f}: {recognised:.1%} of the examples recognised")
    print(f"{flagged:.2%} of {len(ordinary):,} ordinary texts flagged")


if __name__ == "__main__":
    main()
