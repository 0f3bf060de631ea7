"""Weights of the scorer of redaction: a logistic regression on marked lines.

python -m training.redaction.train --out memory/ingest/data/redaction.npz

A line marks its secrets as ⟦…⟧ and writes `\\n` for a new line. Lines are those written by hand in this folder and for
the tests, generated ones, and the source and documents of this repository, which hold no secret. All are made up.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch

from foxing.memory.ingest.redaction.forms import RULES, Subject, Time
from foxing.memory.ingest.redaction.rules import SENSITIVE
from foxing.memory.ingest.redaction.scorer import BITS, WEIGHTS, Context
from foxing.memory.ingest.redaction.spans import spans

from .generate import lines as generated

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TESTS = ROOT / "tests" / "memory" / "ingest" / "data"
LINES = [HERE / "secrets.txt", HERE / "ordinary.txt", TESTS / "marked.txt", TESTS / "plain.txt"]
BATCH, DECAY = 2048, 5e-6
#: How much a line that was written by hand counts beside one that was generated.
WRITTEN = 3.0


@dataclass(frozen=True)
class Example:
    """A range of a line."""

    features: np.ndarray
    secret: bool


def marked_lines(path: Path) -> list[str]:
    """Returns the lines of a file."""
    return [line.replace("\\n", "\n") for line in path.read_text(encoding="utf-8").split("\n") if line]


def clean_chunks(number: int, seed: int = 1) -> list[str]:
    """Returns pieces of this repository's files."""
    folders = ("memory", "api", "docs", "integrations", "benchmarks", "encoder", "renderer")
    paths = [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".md", ".toml", ".yaml")
        and not any(word in str(path) for word in ("redaction", "secret", "LOG.md"))
    ]
    chunks = []
    for path in paths:
        lines = path.read_text(encoding="utf-8").split("\n")
        chunks += [chunk for at in range(0, len(lines), 6) if (chunk := "\n".join(lines[at : at + 6])[:800]).strip()]
    Random(seed).shuffle(chunks)
    return chunks[:number]


def examples(marked: str, *, issued: bool = True) -> Iterator[Example]:
    """Yields the ranges of a line with what they are. What only touches a secret is neither. `issued`: whether to leave
    out what forms of issuers and check digits find."""
    text = re.sub("[⟦⟧]", "", marked)
    secrets, at = [], 0
    for piece in re.split("(⟦.*?⟧)", marked, flags=re.S):
        length = len(piece) - 2 * piece.startswith("⟦")
        if piece.startswith("⟦"):
            secrets.append((at, at + length))
        at += length
    issues = issued_ranges(text) if issued else []
    ranges = sorted({span for span in spans(text) if not any(a <= span[0] and span[1] <= b for a, b in issues)})
    if not ranges:
        return
    for span, features in zip(ranges, Context(text).features(text, ranges), strict=True):
        over = [secret for secret in secrets if span[0] < secret[1] and span[1] > secret[0]]
        exact = any(_alike(text, span, secret) for secret in over)
        if exact or not over:
            yield Example(features, exact)


def issued_ranges(text: str) -> list[tuple[int, int]]:
    """Returns the ranges that forms of issuers and check digits find."""
    subject = Subject.of(text, Time(60))
    forms = [form for rule in SENSITIVE for form in RULES[rule]() if form.name not in ("secret", "likely secret")]
    return [(match.start, match.stop) for form in forms for match in form.found(subject)]


def _alike(text: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one == other or text[slice(*one)].rstrip(".,!?#*") == text[slice(*other)].rstrip(".,!?#*")


def fit(examples: Sequence[Example], weights: Sequence[float], epochs: int = 10, rate: float = 0.03) -> np.ndarray:
    """Returns the weights of features, float32 of 2 ** BITS. `weights`: how much each example counts."""
    torch.manual_seed(0)
    order = np.random.default_rng(0)
    lengths = np.array([len(example.features) for example in examples])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    flat = torch.from_numpy(np.concatenate([example.features for example in examples]))
    secret = torch.tensor([float(example.secret) for example in examples])
    counts = torch.tensor(weights)
    table = torch.nn.EmbeddingBag(1 << BITS, 1, mode="sum")
    torch.nn.init.zeros_(table.weight)
    optimizer = torch.optim.Adam(table.parameters(), lr=rate)
    numbers = np.arange(len(examples))
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = rate * (1 - epoch / epochs)
        order.shuffle(numbers)
        for at in range(0, len(numbers), BATCH):
            batch = numbers[at : at + BATCH]
            offsets = np.concatenate([[0], np.cumsum(lengths[batch])[:-1]])
            places = np.repeat(starts[batch] - offsets, lengths[batch]) + np.arange(lengths[batch].sum())
            logits = table(flat[torch.from_numpy(places)], torch.from_numpy(offsets)).squeeze(1)
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, secret[batch], reduction="none")
            loss = (losses * counts[batch]).mean() + DECAY * table.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return table.weight.detach().numpy().ravel()


def main() -> None:
    """Trains from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE")
    parser.add_argument("--generated", type=int, default=20_000, help="Lines to generate.")
    parser.add_argument("--clean", type=int, default=2_500, help="Pieces of this repository's files.")
    options = parser.parse_args()
    written = [line for path in LINES for line in marked_lines(path)]
    unwritten = [*generated(options.generated), *clean_chunks(options.clean)]
    ranges, weights = list[Example](), list[float]()
    for lines, weight, issued in ((written, WRITTEN, True), (unwritten, 1.0, False)):
        for line in lines:
            of_line = list(examples(line, issued=issued))
            ranges += of_line
            weights += [weight] * len(of_line)
    table = fit(ranges, weights)
    scale = float(np.abs(table).max()) / 127
    np.savez_compressed(options.out, weights=np.round(table / scale).astype(np.int8), scale=np.float32(scale))
    print(f"{len(ranges):,} ranges, {sum(example.secret for example in ranges):,} of them secrets")


if __name__ == "__main__":
    main()
