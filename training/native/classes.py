"""Transfers trained weights to a charset in which some characters have moved between `common` and `rare`.

    python -m training.native.classes --data FOLDER WEIGHTS OUTPUT

Trains only the rows of those characters and of the classes of rare and unreadable characters, in the classifiers of
cells and of rare characters. All other weights are frozen, so that other characters are read as before. The class of
rare characters keeps its probability where nothing has moved. The class of unreadable characters is trained because two
rows of gaps at the end of a page resemble nothing that the network was trained on. The objective is convex and the
features are fixed, so a few hundred images suffice: strips of full pages of FOLDER/train and of synthetic text with the
moved characters inserted, faded pages, and images that are not pages. Takes about ten minutes on one core.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foxing.encoder.bench.documents import entries, full_pages, read_messages
from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.model import NativeModel
from foxing.encoder.native.network.dims import PAIRS
from foxing.encoder.native.network.patches import resample
from foxing.encoder.native.weights import LoadedWeights, load_weights, save_weights
from foxing.renderer import BLANK, DENSE_PAGE, WIDE_TAIL, Cells, Typesetter, render

from .batches import Batch, degrade, draw_batch, to_batch
from .options import TrainingOptions
from .texts.faded import PageFader
from .texts.strips import StripSource

STRIPS, FADED = 60, 40  # strips of full pages or synthetic text, and faded pages, per tier
OPTIONS = TrainingOptions(negative_share=0.08)
SPRINKLED = 0.01  # share of the cells of a strip that are replaced by moved characters
FADED_PAGES = 6  # per file and size
PAGES = 60  # per file, from which the faded ones are taken
PULL = 1e-4  # weight of the squared distance of a row from its start
DECAY = 1e-6  # weight of the squared norm of new rows
STEPS = 120  # maximum number of optimiser steps
ROUNDS = 2
SAMPLED = 0.1  # share of the cells of other characters used in the first round
CHUNK_CELLS = 1 << 14  # cells per batch of logits
NEAR = 1e-3  # probability from which the second round uses such a cell


@dataclass(frozen=True)
class Moves:
    """Characters that have moved between lists."""

    #: Classes of cells that have a new character.
    classes: list[int]
    #: Rows of the classifier of rare characters that have a new character.
    rare: list[int]
    #: uint32 [n]: all characters that moved.
    characters: Cells

    @classmethod
    def between(cls, trained: Charset, charset: Charset) -> "Moves":
        """Returns the moves between two charsets. Raises `CodecError` if they differ in anything else, or not at
        all."""
        classes = [i for i, (old, new) in enumerate(zip(trained.common, charset.common, strict=True)) if old != new]
        rare = [i for i, (old, new) in enumerate(zip(trained.rare, charset.rare, strict=False)) if old != new]
        moved = sorted(charset.common[i] for i in classes) + sorted(charset.rare[i] for i in rare)
        known = sorted(trained.rare[i] for i in rare) + sorted(trained.common[i] for i in classes)
        lists = [(c.wide, c.rare_wide, c.frequent_wide, len(c.rare)) for c in (trained, charset)]
        if not classes or moved != known or lists[0] != lists[1]:
            raise CodecError("the charset of these weights must differ from the present one by moved characters alone")
        return cls(classes, rare, np.array([ord(c) for c in moved], dtype=np.uint32))


class MarkedStrips(StripSource):
    """Draws faded pages, and strips of full pages and of synthetic text with the moved characters inserted."""

    def __init__(self, folder: Path, charset: Charset, characters: Cells) -> None:
        """`folder`: with *.jsonl.gz. Raises `CodecError` if there are no texts."""
        super().__init__(folder, charset, OPTIONS)
        self.charset = charset
        self.generator = random.Random(OPTIONS.seed)
        self._faded = list(_faded_pages(folder, charset))
        self._characters = characters

    def strip(self, rows: int) -> Cells:
        """Returns the next strip of full pages or synthetic text, uint32 [rows, 160]."""
        return self._sprinkled(super().strip(rows))

    def faded_page(self, tier: str) -> Cells:
        """Returns a faded page, uint32 [rows, 160], padded with blank rows to whole token rows."""
        page = self.generator.choice(self._faded)
        return np.pad(page, ((0, -len(page) % DENSE_PAGE.rows_per_token(tier)), (0, 0)))

    def _sprinkled(self, strip: Cells) -> Cells:
        numbers = np.random.default_rng(self.generator.getrandbits(32))
        wide = strip == WIDE_TAIL
        wide[:, :-1] |= wide[:, 1:]
        at = ~wide & (strip != BLANK) & (numbers.random(strip.shape) < SPRINKLED)
        result = strip.copy()
        result[at] = numbers.choice(self._characters, int(at.sum()))
        return result


def _faded_pages(folder: Path, charset: Charset) -> Iterator[Cells]:
    fader, setter = PageFader.released(), Typesetter(repertoire=charset.repertoire)
    for path in sorted(folder.glob("*.jsonl.gz")):
        messages = entries(list(read_messages(path)))
        pages = full_pages(messages, setter, PAGES)
        yield from (page.cells for page in fader.some(pages, {m.message_id: m for m in messages}, FADED_PAGES))


def draw(strips: MarkedStrips, tiers: Sequence[str]) -> Iterator[Batch]:
    """Yields `STRIPS` strips and `FADED` faded pages of each tier."""
    generator = strips.generator
    for tier in tiers:
        options = replace(OPTIONS, tier_shares={tier: 1.0})
        for _ in range(STRIPS // OPTIONS.strips):
            yield to_batch(*draw_batch(strips, options, generator), strips.charset)
        for _ in range(FADED):
            cells = strips.faded_page(tier)
            image = render(cells, DENSE_PAGE, tier)
            if generator.random() < OPTIONS.augmented_share:
                image = degrade(image, tier, generator)
            yield to_batch(tier, [image], [cells], strips.charset)


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of a classifier."""

    #: float32 [N, C].
    features: Tensor
    #: int64 [N]: the right row.
    answers: Tensor
    #: bool [N]: True if the cell shows a character that has moved.
    moved: Tensor


def examples(model: NativeModel, drawn: Sequence[Batch], layer: nn.Linear, moves: Moves) -> Examples:
    """Returns the inputs of `layer` of `model` for the batches: all cells, or only those of rare characters if `layer`
    is their classifier."""
    rare_class = model.encoder.glyphs.rare_class
    inputs: list[Tensor] = []
    answers: list[Tensor] = []
    moved: list[Tensor] = []
    with _inputs_of(layer, inputs), torch.no_grad():
        for tier, pixels, target in drawn:
            token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
            sized = resample(pixels, model.dims.tiers[tier], target.cells.shape[1] // PAIRS)
            model.encoder(sized, tier, token_rows, token_pairs, target)
            rare, listed = target.cells == rare_class, layer is model.encoder.glyphs.rare
            seen = rare if listed else torch.ones_like(rare)
            answers.append((target.lists if listed else target.cells)[seen])
            moved.append((_in(target.cells, moves.classes) | (rare & _in(target.lists, moves.rare)))[seen])
    return Examples(torch.cat([part.flatten(0, -2) for part in inputs]), torch.cat(answers), torch.cat(moved))


def _in(numbers: Tensor, chosen: Sequence[int]) -> Tensor:
    return torch.isin(numbers, torch.tensor(chosen, dtype=numbers.dtype))


@contextmanager
def _inputs_of(layer: nn.Linear, inputs: list[Tensor]) -> Iterator[None]:
    """Appends the inputs of `layer` to `inputs` while the context is open."""
    handle = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0].clone()))
    try:
        yield
    finally:
        handle.remove()


def fit_rows(layer: nn.Linear, given: Examples, new: Sequence[int], old: Mapping[int, bool] | None = None) -> None:
    """Fits the rows `new` and `old` of `layer` in place to maximise the likelihood of the right row; `old` rows stay
    near their start.

    `old`: row → True if it keeps its probability, relative to the frozen rows, on cells where nothing has moved. Uses
    all examples of the rows and a sample of the others, and in the second round also those that nearly read as one of
    the rows.
    """
    old = old or {}
    rows = [*new, *old]
    places, answers = _places(given.answers, rows), _answers(layer, given, rows, [row for row in old if old[row]])
    own = (places < len(rows)) | given.moved
    sampled = torch.rand(len(places), generator=torch.Generator().manual_seed(0)) < SAMPLED
    near = torch.zeros_like(own)
    start = torch.cat([layer.weight[rows], layer.bias[rows, None]], dim=1).detach()
    pull = _Pull(start, torch.tensor([row in old for row in rows]))
    for _ in range(ROUNDS):
        at = own | sampled | near
        weights = torch.where(own | near, 1.0, 1 / SAMPLED)[at]
        _fit(layer, Examples(given.features[at], answers[at], given.moved[at]), weights / len(places), rows, pull)
        near |= _share(layer, given.features, rows) > NEAR


def _answers(layer: nn.Linear, given: Examples, rows: list[int], kept: Sequence[int]) -> Tensor:
    """Target probabilities of `rows`, and of all others together, float32 [N, len(rows) + 1]. Rows in `kept` keep their
    probability."""
    places = _places(given.answers, rows)
    result = F.one_hot(places, len(rows) + 1).float()
    others = _logsumexp(layer, given.features, [row for row in range(layer.out_features) if row not in rows])
    for row in kept:
        share = torch.sigmoid(_logsumexp(layer, given.features, [row]) - others)
        place = rows.index(row)
        at = ~given.moved & ((places == place) | (places == len(rows)))
        result[at, place], result[at, len(rows)] = share[at], 1 - share[at]
    return result


class _Pull(NamedTuple):
    """Penalty that keeps rows near their start."""

    #: float32 [K, C + 1]: weights and biases.
    start: Tensor
    #: bool [K]: rows held near their start; the norm of the others is penalised instead.
    held: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        return PULL * ((rows - self.start)[self.held] ** 2).sum() + DECAY * (rows[~self.held] ** 2).sum()


def _fit(layer: nn.Linear, given: Examples, weights: Tensor, rows: list[int], pull: _Pull) -> None:
    """Runs one fit. `given.answers`: from `_answers`; `weights`: float32 [N], of the examples."""
    others = _logsumexp(layer, given.features, [row for row in range(layer.out_features) if row not in rows])
    learned = torch.cat([layer.weight[rows], layer.bias[rows, None]], dim=1).detach().requires_grad_()
    optimizer = torch.optim.LBFGS([learned], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = torch.cat([F.linear(given.features, learned[:, :-1], learned[:, -1]), others[:, None]], dim=1)
        total: Tensor = (F.cross_entropy(logits, given.answers, reduction="none") * weights).sum() + pull(learned)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    before = loss().item()
    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight[rows], layer.bias[rows] = learned[:, :-1], learned[:, -1]
    print(f"{len(weights)} cells, loss {before:.3g} → {loss().item():.3g}", flush=True)


@torch.no_grad()
def _logsumexp(layer: nn.Linear, features: Tensor, rows: list[int]) -> Tensor:
    """Logarithm of the summed exponentials of the logits of `rows`, float32 [N]."""
    weight, bias = layer.weight[rows], layer.bias[rows]
    return torch.cat([F.linear(part, weight, bias).logsumexp(1) for part in torch.split(features, CHUNK_CELLS)])


def _share(layer: nn.Linear, features: Tensor, rows: list[int]) -> Tensor:
    """Probability of `rows`, float32 [N]."""
    everything = list(range(layer.out_features))
    return (_logsumexp(layer, features, rows) - _logsumexp(layer, features, everything)).exp()


def _places(answers: Tensor, rows: list[int]) -> Tensor:
    """Index in `rows` of each of `answers`, int64 [N]; `len(rows)` for other rows."""
    places = torch.full_like(answers, len(rows))
    for place, row in enumerate(rows):
        places[answers == row] = place
    return places


def move_classes(data: Path, weights: LoadedWeights, charset: Charset) -> LoadedWeights:
    """Returns `weights` transferred to `charset`. Raises `CodecError` if the charsets do not fit, or if there are no
    texts in `data`."""
    moves = Moves.between(weights.charset, charset)
    model = NativeModel(weights.model.dims, charset)
    model.load_state_dict(weights.model.state_dict())
    model.eval().requires_grad_(False)
    drawn = list(draw(MarkedStrips(data / "train", charset, moves.characters), list(model.dims.tiers)))
    glyphs = model.encoder.glyphs
    last = glyphs.cell[-1]
    assert isinstance(last, nn.Linear)
    # `glance` first, because its result is an input of the other layers
    fit_rows(glyphs.glance, examples(model, drawn, glyphs.glance, moves), moves.classes)
    old = {charset.rare_class: True, charset.unreadable_class: False}
    fit_rows(last, examples(model, drawn, last, moves), moves.classes, old)
    fit_rows(glyphs.rare, examples(model, drawn, glyphs.rare, moves), moves.rare)
    return weights._replace(model=model, charset=charset)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with status 1 and a message if the weights do not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m training.native.classes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="A folder with train/*.jsonl.gz.")
    parser.add_argument("weights", type=Path, help="The weights to move to the present charset.")
    parser.add_argument("output", type=Path, help="The weights file to write.")
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    try:
        save_weights(move_classes(given.data, load_weights(given.weights), load_charset()), given.output)
    except CodecError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
