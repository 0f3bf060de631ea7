"""Weights of the scorer of redaction: a logistic regression on marked lines.

python -m training.redaction.train --out memory/ingest/data/redaction.npz

A line marks its secrets as ⟦…⟧ and writes `\\n` for a new line. Lines are those written by hand in this folder and for
the tests, generated ones, and the source and documents of this repository, which hold no secret. All are made up.
"""

import argparse
import re
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from foxing.memory.ingest.redaction.forms import RULES, Subject, Time
from foxing.memory.ingest.redaction.rules import SENSITIVE
from foxing.memory.ingest.redaction.scorer import BITS, WEIGHTS, Context, ranges_of

from .generate import lines as generated
from .variants import Variants

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TESTS = ROOT / "tests" / "memory" / "ingest" / "data"
LINES = [
    HERE / "situations.txt",
    HERE / "secrets.txt",
    HERE / "ordinary.txt",
    TESTS / "marked.txt",
    TESTS / "plain.txt",
]
STANDARD = ("asyncio", "email", "http", "json", "logging", "urllib", "xml")
STEPS, DECAY = 50, 1e-5
#: How much a line that was written by hand counts beside one that was generated, with its variants.
WRITTEN = 4.0
#: Variants of a written line with a secret, and of one without.
VARIANTS, ORDINARY_VARIANTS = 4, 2


@dataclass(frozen=True)
class Example:
    """A range of a line."""

    features: NDArray[np.int32]
    secret: bool


def marked_lines(path: Path) -> list[str]:
    """Returns the lines of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [line.replace("\\n", "\n") for line in lines if line and not line.startswith("## ")]


def clean_chunks(number: int, seed: int = 1) -> list[str]:
    """Returns pieces and lines of this repository's files and of Python's standard library, as many of each."""
    folders = ("memory", "api", "docs", "integrations", "benchmarks", "encoder", "renderer")
    own = [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".md", ".toml", ".yaml")
        and not any(word in str(path) for word in ("redaction", "secret", "LOG.md"))
    ]
    standard = Path(sysconfig.get_path("stdlib"))
    others = [*standard.glob("*.py"), *(path for name in STANDARD for path in (standard / name).glob("*.py"))]
    chosen = list[str]()
    random = Random(seed)
    for paths in (own, sorted(others)):
        chunks = []
        for path in paths:
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
            pieces = ["\n".join(lines[at : at + 6])[:800] for at in range(0, len(lines), 6)]
            chunks += [piece for piece in [*pieces, *random.sample(lines, len(lines) // 6)] if piece.strip()]
        random.shuffle(chunks)
        chosen += chunks[:number]
    return chosen


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
    context = Context(text)
    ranges = [span for span in ranges_of(text, context) if not any(a <= span[0] and span[1] <= b for a, b in issues)]
    if not ranges:
        return
    for span, features in zip(ranges, context.features(text, ranges), strict=True):
        over = [secret for secret in secrets if span[0] < secret[1] and span[1] > secret[0]]
        exact = any(_alike(text, span, secret) for secret in over)
        if exact or not over:
            yield Example(features.astype(np.int32), exact)


def issued_ranges(text: str) -> list[tuple[int, int]]:
    """Returns the ranges that forms of issuers and check digits find."""
    subject = Subject.of(text, Time(60))
    forms = [form for rule in SENSITIVE for form in RULES[rule]() if form.name != "secret"]
    return [(match.start, match.stop) for form in forms for match in form.found(subject)]


def _alike(text: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one == other or text[slice(*one)].rstrip(".,!?#*") == text[slice(*other)].rstrip(".,!?#*")


def fit(examples: Sequence[Example], weights: Sequence[float]) -> NDArray[np.float32]:
    """Returns the weights of features, float32 of 2 ** BITS. `weights`: how much each example counts."""
    lengths = np.array([len(example.features) for example in examples])
    starts = np.cumsum(lengths) - lengths
    flat = np.concatenate([example.features for example in examples])
    signs = np.array([1.0 if example.secret else -1.0 for example in examples], np.float32)
    counts = np.array(weights, np.float32) / len(examples)
    table = torch.zeros(1 << BITS, dtype=torch.float64)
    optimizer = torch.optim.LBFGS([table], max_iter=STEPS, history_size=8, line_search_fn="strong_wolfe")

    def loss() -> float:
        values = table.numpy().astype(np.float32)
        margins = signs * np.add.reduceat(values[flat], starts)
        slopes = -counts * signs / (1 + np.exp(np.minimum(margins, 60)))
        gradient = np.bincount(flat, np.repeat(slopes, lengths), 1 << BITS) + 2 * DECAY * values
        table.grad = torch.from_numpy(gradient)
        return float((counts * np.logaddexp(0, -margins)).sum() + DECAY * np.square(values, dtype=np.float64).sum())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return table.numpy().astype(np.float32)


def main() -> None:
    """Trains from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE")
    parser.add_argument("--generated", type=int, default=8_000, help="Lines to generate.")
    parser.add_argument("--clean", type=int, default=4_000, help="Pieces of this repository, and as many of Python.")
    options = parser.parse_args()
    written = [line for path in LINES for line in marked_lines(path)]
    unwritten = [*generated(options.generated), *clean_chunks(options.clean)]
    ranges, weights = list[Example](), list[float]()
    variants = Variants(written, Random(0))
    for line in written:
        number = VARIANTS if "⟦" in line else ORDINARY_VARIANTS
        of_line = [example for _ in range(number) for example in examples(variants.of(line))]
        of_line += examples(line)
        ranges += of_line
        weights += [WRITTEN / (number + 1)] * len(of_line)
    for line in unwritten:
        of_line = list(examples(line, issued=False))
        ranges += of_line
        weights += [1.0] * len(of_line)
    table = fit(ranges, weights)
    scale = float(np.abs(table).max()) / 127
    np.savez_compressed(options.out, weights=np.round(table / scale).astype(np.int8), scale=np.float32(scale))
    print(f"{len(ranges):,} ranges, {sum(example.secret for example in ranges):,} of them secrets")


if __name__ == "__main__":
    main()
