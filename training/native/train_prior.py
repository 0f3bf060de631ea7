"""Trains the prior of the native codec on the same texts as the network; minutes on two cores.

    python -m training.native.train_prior --data FOLDER --output prior.safetensors --minutes 20

Every step rounds the weights as the final prior will, with straight-through gradients.
"""

import argparse
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.entropy.alphabet import N_SYMBOLS, Alphabet, Symbols
from foxing.encoder.native.entropy.prior import (
    FIRST_ROW,
    MAX_ACTIVATION,
    N_EMBED,
    N_HIDDEN,
    SCALE,
    TABLES,
    Prior,
    context_ids,
    context_rows,
    context_windows,
)
from foxing.renderer import Cells

from .evaluation import EVALUATED, held_out_pages
from .options import TrainingOptions
from .strips import StripSource

STREAM_ROWS = 4
STRIPS = 10
STRIP_ROWS = 16
SAVE_EVERY_S = 60
INT8_MAX = 127
WARMUP_STEPS = 50
FINAL_RATE = 0.01  # share of the learning rate at the end

Array = npt.NDArray[Any]


class PriorModel(nn.Module):
    """A `Prior` with trainable weights."""

    def __init__(self, n_embed: int = N_EMBED, n_hidden: int = N_HIDDEN) -> None:
        """`n_embed`: numbers per context; `n_hidden`: hidden units."""
        super().__init__()
        self.tables = nn.ParameterList(torch.randn(rows, n_embed) * 0.2 for rows in TABLES.values())
        self.hidden = nn.Linear(n_embed * len(TABLES), n_hidden)
        self.out = nn.Linear(n_hidden, N_SYMBOLS)

    def forward(self, rows: list[Tensor]) -> Tensor:
        """Logits, [N, 416], from the row of each table, int64 [N] each."""
        embedded = [F.embedding(row, table) for table, row in zip(self.tables, rows, strict=True)]
        x = _round_weights(torch.cat(embedded, dim=-1))
        x = F.linear(x, _round_weights(self.hidden.weight), self.hidden.bias)
        x = x.clamp(0, MAX_ACTIVATION / SCALE)
        x = x + ((x * SCALE).floor() / SCALE - x).detach()
        return F.linear(x, _round_weights(self.out.weight), self.out.bias)

    @torch.no_grad()
    def load_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Sets the weights to those of a trained prior, the inverse of `arrays`."""
        for name, table in zip(TABLES, self.tables, strict=True):
            table.copy_(torch.from_numpy(arrays[f"table_{name}"] / SCALE))
        for name, layer in (("hidden", self.hidden), ("out", self.out)):
            layer.weight.copy_(torch.from_numpy(arrays[name].T / SCALE))
            layer.bias.copy_(torch.from_numpy(arrays[f"{name}_bias"] / SCALE**2))

    def arrays(self) -> dict[str, Array]:
        """The integer arrays that `Prior` takes."""
        tables = {f"table_{name}": _to_int8(table) for name, table in zip(TABLES, self.tables, strict=True)}
        return {
            **tables,
            "hidden": _to_int8(self.hidden.weight).T.copy(),
            "hidden_bias": _to_integers(self.hidden.bias, SCALE * SCALE, np.int32),
            "out": _to_int8(self.out.weight).T.copy(),
            "out_bias": _to_integers(self.out.bias, SCALE * SCALE, np.int32),
        }


def _to_integers(weight: Tensor, scale: int, dtype: type[np.signedinteger[Any]]) -> Array:
    return np.ascontiguousarray((weight.detach() * scale).round().numpy().astype(dtype))


def _to_int8(weight: Tensor) -> Array:
    return _to_integers(weight.clamp(-INT8_MAX / SCALE, INT8_MAX / SCALE), SCALE, np.int8)


def _round_weights(weight: Tensor) -> Tensor:
    """`weight` as int8 will hold it, with straight-through gradients."""
    limit = INT8_MAX / SCALE
    clamped = weight.clamp(-limit, limit)
    return clamped + ((clamped * SCALE).round() / SCALE - clamped).detach()


def mark_unreadable(symbols: Symbols, unreadable_class: int, generator: random.Random) -> None:
    """Marks cells of a strip, [rows, 160], as unreadable or blank in place: in a block, or scattered."""
    rows, columns = symbols.shape
    top, left = generator.randrange(rows), 2 * generator.randrange(columns // 2)
    block = symbols[top : top + generator.randint(1, rows), left:] if generator.random() < 0.5 else symbols
    share = generator.choice((0.5, 0.9, 1.0))
    drawn = np.random.default_rng(generator.getrandbits(32)).random(block.shape)
    block[drawn < share] = unreadable_class
    block[drawn >= share] = 0


def bits_per_cell(prior: Prior, alphabet: Alphabet, pages: Mapping[str, list[Cells]]) -> dict[str, float]:
    """Bits per cell of each text, by the integer weights that packed tokens use."""
    result: dict[str, float] = {}
    for name, cells in pages.items():
        grid = np.concatenate([c[: len(c) // STREAM_ROWS * STREAM_ROWS] for c in cells])
        symbols, _ = alphabet.symbols(grid)
        symbols = symbols.reshape(-1, STREAM_ROWS * grid.shape[1])
        weights = prior.weights(context_rows(*context_windows(context_ids(symbols)))).numpy()
        chosen = weights[np.arange(len(weights)), symbols.ravel()] / weights.sum(-1)
        result[name] = float(-np.log2(chosen).mean())
    return result


@dataclass
class StreamSource:
    """Draws the symbols that the prior learns from."""

    strips: StripSource
    charset: Charset
    alphabet: Alphabet
    generator: random.Random
    #: Share of the strips with unreadable cells.
    unreadable_share: float

    def symbols(self) -> Symbols:
        """int64 [S, T]: a batch of streams."""
        drawn = [self.alphabet.symbols(self.strips.strip(STRIP_ROWS))[0] for _ in range(STRIPS)]
        for strip in drawn:
            if self.generator.random() < self.unreadable_share:
                mark_unreadable(strip, self.charset.unreadable_class, self.generator)
        return np.concatenate(drawn).reshape(-1, STREAM_ROWS * drawn[0].shape[1])


class PriorTrainer:
    """A prior with its optimiser."""

    def __init__(self, model: PriorModel, rate: float) -> None:
        self.model = model
        self.rate = rate
        self._optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.99))
        self.steps = 0
        #: Moving average of the loss.
        self.bits_per_cell = 6.0

    def step(self, symbols: Symbols, progress: float) -> None:
        """Takes one step on streams of `symbols`, [S, T]. `progress`: share of the time that is over, in [0, 1]."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * min(1.0, (self.steps + 1) / WARMUP_STEPS, FINAL_RATE + (1 - progress))
        contexts = context_rows(*context_windows(context_ids(symbols))) - FIRST_ROW
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model([torch.from_numpy(row) for row in contexts])
        loss = F.cross_entropy(logits.float(), torch.from_numpy(symbols.ravel()))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.steps += 1
        self.bits_per_cell = 0.99 * self.bits_per_cell + 0.01 * loss.item() / np.log(2)


def train_prior(
    data: Path,
    output: Path,
    options: TrainingOptions,
    minutes: float,
    *,
    resume: Path | None = None,
    rate: float = 4e-3,
) -> None:
    """Trains for `minutes` and writes `output`, a safetensors file with the arrays of a `Prior`. `resume`: such a file
    to start from."""
    torch.manual_seed(options.seed)
    charset = load_charset()
    alphabet, generator = Alphabet(charset), random.Random(options.seed)
    held_out = held_out_pages(data / "eval", charset, EVALUATED)
    strips = StripSource(data / "train", charset, options)
    source = StreamSource(strips, charset, alphabet, generator, options.negative_share)
    model = PriorModel()
    if resume is not None:
        model.load_arrays(load_file(resume))
    trainer = PriorTrainer(model, rate)
    started = saved_at = time.monotonic()
    while (elapsed := (time.monotonic() - started) / 60) < minutes:
        trainer.step(source.symbols(), elapsed / minutes)
        if time.monotonic() - saved_at > SAVE_EVERY_S:
            saved_at = time.monotonic()
            save_file(model.arrays(), output)
            report = bits_per_cell(Prior(model.arrays()), alphabet, held_out)
            shown = " ".join(f"{name} {value:.3f}" for name, value in report.items())
            average = f"{trainer.bits_per_cell:.3f} bits a cell"
            print(f"{trainer.steps} {elapsed:.1f} min {average}; held out: {shown}", flush=True)
    save_file(model.arrays(), output)
    print(bits_per_cell(Prior(model.arrays()), alphabet, held_out), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="A folder with train/*.jsonl.gz and eval/*.jsonl.gz.")
    parser.add_argument("--output", type=Path, required=True, help="The safetensors file to write.")
    parser.add_argument("--minutes", type=float, default=20.0, help="Length of the training; 20.")
    parser.add_argument("--rate", type=float, default=4e-3, help="Learning rate; 0.004.")
    parser.add_argument("--resume", type=Path, help="A trained prior to start from.")
    given = parser.parse_args()
    train_prior(given.data, given.output, TrainingOptions(), given.minutes, resume=given.resume, rate=given.rate)


if __name__ == "__main__":
    main()
