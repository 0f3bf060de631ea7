"""Learning the prior of the native codec, from the same texts as the network; minutes on two cores.

    python -m training.native.train_prior --data DATA --output prior.safetensors --minutes 20

The weights are rounded in every step of the training as they will be in the end, with gradients straight through.
"""

import argparse
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from foxing.encoder.native.charset import load_charset
from foxing.encoder.native.entropy.alphabet import N_SYMBOLS, Alphabet, Symbols
from foxing.encoder.native.entropy.prior import (
    FIRST_ROW,
    N_EMBED,
    N_HIDDEN,
    SCALE,
    TABLES,
    TOP,
    Prior,
    context_ids,
    hashed,
    windows,
)

from .dataset import StripSource, held_out_pages
from .train import EVALUATED, TrainingOptions

STREAM_ROWS = 4
STRIPS = 10
STRIP_ROWS = 16


class PriorModel(nn.Module):
    """`Prior` with weights to learn; `n_embed` numbers of each context, `n_hidden` units."""

    def __init__(self, n_embed: int = N_EMBED, n_hidden: int = N_HIDDEN) -> None:
        super().__init__()
        self.tables = nn.ParameterList(torch.randn(rows, n_embed) * 0.2 for rows in TABLES.values())
        self.hidden = nn.Linear(n_embed * len(TABLES), n_hidden)
        self.out = nn.Linear(n_hidden, N_SYMBOLS)

    def forward(self, rows: list[Tensor]) -> Tensor:
        """Rows of each table, [N] each → logits [N, 416]."""
        found = [F.embedding(row, table) for table, row in zip(self.tables, rows, strict=True)]
        x = _rounded(torch.cat(found, dim=-1))
        x = F.linear(x, _rounded(self.hidden.weight), self.hidden.bias)
        x = x.clamp(0, TOP / SCALE)
        x = x + ((x * SCALE).floor() / SCALE - x).detach()
        return F.linear(x, _rounded(self.out.weight), self.out.bias)

    @torch.no_grad()
    def begin_with(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Goes on with what `arrays` gave."""
        for name, table in zip(TABLES, self.tables, strict=True):
            table.copy_(torch.from_numpy(arrays[f"table_{name}"] / SCALE))
        for name, layer in (("hidden", self.hidden), ("out", self.out)):
            layer.weight.copy_(torch.from_numpy(arrays[name].T / SCALE))
            layer.bias.copy_(torch.from_numpy(arrays[f"{name}_bias"] / SCALE**2))

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """As `Prior` takes them."""

        def whole(weight: Tensor, scale: int, dtype: Any) -> np.ndarray[Any, Any]:
            return np.ascontiguousarray((weight.detach() * scale).round().numpy().astype(dtype))

        def eighth(weight: Tensor) -> np.ndarray[Any, Any]:
            return whole(weight.clamp(-127 / SCALE, 127 / SCALE), SCALE, np.int8)

        tables = {f"table_{name}": eighth(table) for name, table in zip(TABLES, self.tables, strict=True)}
        return {
            **tables,
            "hidden": eighth(self.hidden.weight).T.copy(),
            "hidden_bias": whole(self.hidden.bias, SCALE * SCALE, np.int32),
            "out": eighth(self.out.weight).T.copy(),
            "out_bias": whole(self.out.bias, SCALE * SCALE, np.int32),
        }


def _rounded(weight: Tensor) -> Tensor:
    limit = 127 / SCALE
    kept = weight.clamp(-limit, limit)
    return kept + ((kept * SCALE).round() / SCALE - kept).detach()


def unreadable(symbols: Symbols, kind: int, generator: random.Random) -> None:
    """Puts what is no text into a strip, [rows, 160], in place: a block of it, or cells here and there."""
    rows, columns = symbols.shape
    top, left = generator.randrange(rows), 2 * generator.randrange(columns // 2)
    block = symbols[top : top + generator.randint(1, rows), left:] if generator.random() < 0.5 else symbols
    share = generator.choice((0.5, 0.9, 1.0))
    drawn = np.random.default_rng(generator.getrandbits(32)).random(block.shape)
    block[drawn < share] = kind
    block[drawn >= share] = 0


def bits(prior: Prior, alphabet: Alphabet, pages: Mapping[str, list[Any]]) -> dict[str, float]:
    """Bits a cell by text, with the whole numbers that packed codes use."""
    found: dict[str, float] = {}
    for name, cells in pages.items():
        grid = np.concatenate([c[: len(c) // STREAM_ROWS * STREAM_ROWS] for c in cells])
        symbols, _ = alphabet.symbols(grid)
        symbols = symbols.reshape(-1, STREAM_ROWS * grid.shape[1])
        weights = prior.weights(hashed(*windows(context_ids(symbols)))).numpy()
        chosen = weights[np.arange(len(weights)), symbols.ravel()] / weights.sum(-1)
        found[name] = float(-np.log2(chosen).mean())
    return found


def train_prior(
    data: Path,
    output: Path,
    options: TrainingOptions,
    minutes: float,
    *,
    resume: Path | None = None,
    rate: float = 4e-3,
) -> None:
    """Writes `output`, a safetensors file of the arrays of a `Prior`. `resume`: such a file to go on from."""
    torch.manual_seed(options.seed)
    generator = random.Random(options.seed)
    charset = load_charset()
    alphabet = Alphabet(charset)
    held_out = held_out_pages(data / "eval", charset, EVALUATED)
    source = StripSource(data / "train", charset, options)
    model = PriorModel()
    if resume is not None:
        model.begin_with(load_file(resume))
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.99))
    begun = last = time.monotonic()
    step, average = 0, 6.0
    while (elapsed := (time.monotonic() - begun) / 60) < minutes:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50, 0.01 + (1 - elapsed / minutes))
        strips = [alphabet.symbols(source.strip(STRIP_ROWS))[0] for _ in range(STRIPS)]
        for strip in strips:
            if generator.random() < options.strange_share:
                unreadable(strip, charset.unreadable_class, generator)
        symbols = np.concatenate(strips).reshape(-1, STREAM_ROWS * strips[0].shape[1])
        rows = [torch.from_numpy(row) for row in hashed(*windows(context_ids(symbols))) - FIRST_ROW]
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(rows)
        loss = F.cross_entropy(logits.float(), torch.from_numpy(symbols.ravel()))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        step += 1
        average = 0.99 * average + 0.01 * loss.item() / np.log(2)
        if time.monotonic() - last > 60:
            last = time.monotonic()
            save_file(model.arrays(), output)
            found = bits(Prior(model.arrays()), alphabet, held_out)
            shown = " ".join(f"{name} {value:.3f}" for name, value in found.items())
            print(f"{step} {elapsed:.1f} min {average:.3f} bits a cell; held out: {shown}", flush=True)
    save_file(model.arrays(), output)
    print(bits(Prior(model.arrays()), alphabet, held_out), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--resume", type=Path)
    given = parser.parse_args()
    train_prior(given.data, given.output, TrainingOptions(), given.minutes, resume=given.resume, rate=given.rate)


if __name__ == "__main__":
    main()
