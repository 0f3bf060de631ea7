"""Weights of the scorer of statements: a small network on pairs of messages.

python -m training.updates.train --out memory/text/data/succession.npz

Pairs are made from the sentences of this folder, which are written by hand: see `pairs.py`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from foxing.memory.text.statements.scorer import BITS, WEIGHTS, PairFeatures, Weights

from .pairs import examples_of, written_pairs

HIDDEN, EPOCHS, BATCH, RATE = 12, 8, 256, 0.004
DECAY, DECAY_OF_WORDS = 1e-4, 1e-3


def fit(features: Sequence[PairFeatures], follows: Sequence[bool], counts: Sequence[float], seed: int = 0) -> Weights:
    """Returns the weights. `follows`: whether the later message of each pair replaces the earlier one; `counts`: how
    much each pair counts."""
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    numbers = torch.tensor([pair.numbers for pair in features], dtype=torch.float32)
    mean, scale = numbers.mean(0), numbers.std(0).clamp_min(0.05)
    numbers = (numbers - mean) / scale
    wanted = torch.tensor(follows, dtype=torch.float32)
    weights = torch.tensor(counts, dtype=torch.float32)
    lengths = np.array([len(pair.words) for pair in features])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    flat = torch.tensor([word for pair in features for word in pair.words], dtype=torch.int64)
    table = torch.nn.EmbeddingBag(1 << BITS, 1, mode="sum")
    torch.nn.init.zeros_(table.weight)
    inner, outer = torch.nn.Linear(numbers.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, 1)
    modules = torch.nn.ModuleList([inner, outer, table])
    optimizer = torch.optim.Adam(modules.parameters(), lr=RATE)
    places = np.arange(len(features))
    for epoch in range(EPOCHS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - epoch / EPOCHS)
        order.shuffle(places)
        for at in range(0, len(places), BATCH):
            batch = places[at : at + BATCH]
            offsets = np.concatenate([[0], np.cumsum(lengths[batch])[:-1]])
            of_words = np.repeat(starts[batch] - offsets, lengths[batch]) + np.arange(lengths[batch].sum())
            logits = outer(torch.relu(inner(numbers[batch]))).squeeze(1)
            logits = logits + table(flat[torch.from_numpy(of_words)], torch.from_numpy(offsets)).squeeze(1)
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted[batch], reduction="none")
            loss = (losses * weights[batch]).mean() + DECAY_OF_WORDS * table.weight.square().sum()
            loss = loss + DECAY * (inner.weight.square().sum() + outer.weight.square().sum())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Weights(
        mean.numpy(),
        scale.numpy(),
        inner.weight.detach().numpy().T,
        inner.bias.detach().numpy(),
        outer.weight.detach().numpy()[0],
        outer.bias.detach().numpy(),
        table.weight.detach().numpy().ravel(),
    )


def save(weights: Weights, path: Path) -> None:
    """Writes weights to a file, those of words as integers of 8 bits."""
    arrays = {name: array.astype(np.float32) for name, array in weights._asdict().items()}
    words_scale = np.float32(max(float(np.abs(weights.words).max()), 1e-6) / 127)
    arrays["words"] = np.round(weights.words / words_scale).astype(np.int8)
    np.savez_compressed(path, words_scale=words_scale, **arrays)


def main() -> None:
    """Trains from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE")
    parser.add_argument("--number", type=int, default=3_200, help="Pairs to make in each language.")
    options = parser.parse_args()
    pairs = written_pairs(options.number)
    examples = [each for pair in pairs for each in examples_of(pair)]
    features, follows, counts = zip(*examples, strict=True)
    save(fit(features, follows, counts), options.out)
    print(f"{len(pairs):,} pairs, {sum(follows):,} of them replaced")


if __name__ == "__main__":
    main()
