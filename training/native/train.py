"""Training the native codec.

    foxing train --data FOLDER --run runs/native --minutes 90
    foxing train --data FOLDER --run runs/native --minutes 90 --resume    # goes on where the run stopped
    foxing train --data FOLDER --run runs/native --recipe recipes/FILE.json    # other options than the usual

`FOLDER/train` and `FOLDER/eval` hold JSON Lines of messages, gzipped, named `<language>_<source>.jsonl.gz`. Pages are
typeset and drawn by the renderer, so there is no end of images; a part of them is drawn from all characters at random,
so that rare glyphs and strings without meaning are read as well. The best weights by held-out accuracy are kept beside
the latest.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.codec import NetworkRunner, to_pixels
from foxing.encoder.native.model import NativeModel, resample
from foxing.encoder.native.network.encoder import Targets
from foxing.encoder.native.network.layers import NativeDims
from foxing.encoder.native.weights import load_weights, save_weights
from foxing.renderer import BLANK, DENSE_PAGE, WIDE_TAIL, Cells, render

from .dataset import Batches, held_out_pages
from .objective import loss
from .optimizer import MuonAdamW

EVALUATED = (
    *("en_sgd", "en_irc", "en_swe_agent", "ko_nsmc", "ja_real_persona_chat", "zh_kdconv", "de_gesetze", "fr_tldr"),
    "ru_tldr",
)


@dataclass(frozen=True)
class TrainingOptions:
    """All shares are relative. A text share is that of the file with this name; a drawn share that of a method of
    `Drawer`."""

    minutes: float = 90.0
    muon_rate: float = 8e-3
    adam_rate: float = 4e-3
    warmup_steps: int = 50
    decay_from: float = 0.15  # share of the time after which the rates go down, linearly
    weight_decay: float = 0.01
    strips: int = 6  # in a batch
    seed: int = 1
    evaluate_every_s: float = 480.0
    augmented_share: float = 0.35  # of the images
    strange_share: float = 0.03  # of the images: no pages at all
    tier_shares: Mapping[str, float] = field(
        default_factory=lambda: {"large": 0.08, "base": 0.2, "small": 0.27, "tiny": 0.25, "micro": 0.2}
    )
    text_shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "en_sgd": 0.08,
            "en_irc": 0.13,
            "en_tau_bench": 0.06,
            "en_swe_agent": 0.06,
            "code_python": 0.06,
            "ko_nsmc": 0.12,
            "ko_songys": 0.02,
            "ko_tldr": 0.03,
            "ja_real_persona_chat": 0.07,
            "ja_tldr": 0.02,
            "zh_kdconv": 0.05,
            "zh_tldr": 0.03,
            "de_gesetze": 0.04,
            "de_tldr": 0.01,
            "fr_tldr": 0.025,
            "ru_tldr": 0.025,
        }
    )
    drawn_shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "identifiers": 0.035,
            "record": 0.05,
            "ascii": 0.025,
            "narrow": 0.015,
            "full_width": 0.025,
            "ideographs": 0.025,
            "hangul": 0.015,
            "chat": 0.12,
            "mixed": 0.04,
            "figure": 0.03,
            "formula": 0.03,
        }
    )

    @classmethod
    def from_recipe(cls, path: Path) -> Self:
        """Options out of a JSON object. Raises `CodecError` for a field that does not exist."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CodecError(f"the recipe {path.name} cannot be used: {error}") from error


def cell_accuracy(model: NativeModel, pages: Sequence[Cells], tier: str, charset: Charset) -> float:
    """Share of the characters of `pages` that the encoder sees right, blanks aside."""
    reader = NetworkRunner(model, charset)
    right = total = 0
    for start in range(0, len(pages), 4):
        part = pages[start : start + 4]
        seen = reader.look(to_pixels([render(cells, DENSE_PAGE, tier) for cells in part]), tier)
        for cells, read in zip(part, seen.cells, strict=True):
            original = np.where(cells == BLANK, 0x20, cells)
            used = (original != 0x20) & (original != WIDE_TAIL)
            right += int(((read[: len(cells)] == original) & used).sum())
            total += int(used.sum())
    return right / max(1, total)


class Trainer:
    """A model with its optimiser, stepping over batches."""

    def __init__(self, model: NativeModel, charset: Charset, options: TrainingOptions) -> None:
        self.model = model
        self.charset = charset
        self.options = options
        self.optimizer = MuonAdamW(model, options.muon_rate, options.adam_rate, options.weight_decay)

    def step(self, tier: str, pixels: Tensor, target: Targets, progress: float, warmth: float) -> float:
        """One step at `progress` (0…1) through the run; `warmth` scales the rates. Returns the loss."""
        options, model = self.options, self.model
        falling = min(1.0, 0.02 + 0.98 * (1 - progress) / (1 - options.decay_from))
        self.optimizer.set_rate(warmth * falling)
        rows = target.cells.shape[1] // (DENSE_PAGE.columns // 2)
        token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
        with torch.autocast("cpu", torch.bfloat16):
            sized = resample(pixels, model.dims.tiers[tier], rows)
            total = loss(model.encoder(sized, tier, token_rows, token_pairs, target), target)
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        return total.item()


class Run:
    """The folder of a run: weights, the optimiser's state, and a log with the held-out accuracies."""

    def __init__(self, folder: Path, trainer: Trainer, meta: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._state = folder / "optimizer.pt"
        self._trainer = trainer
        self._best = float(meta.get("score", 0.0))
        self.step = int(meta.get("step", 0))

    def resume(self) -> None:
        """Takes the optimiser up where it stopped, if its state is here."""
        if self._state.exists():
            self._trainer.optimizer.load_state_dict(torch.load(self._state, weights_only=True))

    def note(self, record: Mapping[str, Any]) -> None:
        """Appends a line to `log.jsonl`."""
        line = json.dumps({"step": self.step, **record})
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def save(self, report: Mapping[str, float]) -> None:
        """Writes the latest weights, and the best where these are."""
        scores = [value for name, value in report.items() if not name.startswith("micro")]
        score = float(np.mean(scores)) if scores else 0.0
        info = {"step": self.step, "score": score, "held_out": dict(report)}
        names = ["latest", "best"] if score >= self._best else ["latest"]
        self._best = max(score, self._best)
        for name in names:
            save_weights(self._trainer.model, self._trainer.charset, self._folder / f"{name}.safetensors", info)
        partial = self._state.with_suffix(".part")
        torch.save(self._trainer.optimizer.state_dict(), partial)
        partial.replace(self._state)


def train(data: Path, run: Path, options: TrainingOptions, *, resume: Path | None = None) -> dict[str, Any]:
    """Trains for `options.minutes` and returns the last held-out accuracies.

    Writes `latest.safetensors`, `best.safetensors`, `optimizer.pt` and `log.jsonl` into `run`. `resume` is a weights
    file to start from; when `optimizer.pt` lies in `run` the optimiser and the step count go on as well. Raises
    `CodecError` when there are no texts in `data`.
    """
    torch.manual_seed(options.seed)
    meta: dict[str, Any] = {}
    if resume is not None:
        model, charset, meta = load_weights(resume)
    else:
        charset = load_charset()
        model = NativeModel(NativeDims(), charset)
    model.train()
    trainer = Trainer(model, charset, options)
    kept = Run(run, trainer, meta)
    if resume is not None:
        kept.resume()
    first_step = kept.step
    held_out = held_out_pages(data / "eval", charset, EVALUATED)
    losses: dict[str, float] = {}
    cells_seen = 0
    with Batches(data / "train", charset, options, options.seed + kept.step) as batches:
        batches.wait()
        kept.note({"options": asdict(options), "threads": torch.get_num_threads()})
        begun = last_evaluation = time.monotonic()
        for tier, pixels, target in batches:
            minutes = (time.monotonic() - begun) / 60
            warmth = min(1.0, (kept.step - first_step + 1) / options.warmup_steps)
            progress = min(1.0, minutes / options.minutes)
            value = trainer.step(tier, pixels, target, progress, warmth)
            losses[tier] = 0.95 * losses.get(tier, value) + 0.05 * value
            kept.step += 1
            cells_seen += target.cells.numel()
            if kept.step % 50 == 0:
                speed = cells_seen / (time.monotonic() - begun) / 1e3
                shown = " ".join(f"{name} {losses[name]:.4f}" for name in sorted(losses))
                print(f"{kept.step} {minutes:.1f} min {speed:.0f}k cells/s {shown}", flush=True)
            done = minutes >= options.minutes
            if done or time.monotonic() - last_evaluation > options.evaluate_every_s:
                report = evaluate(model, charset, held_out)
                kept.note({"minutes": round(minutes, 1), "cells": cells_seen, "loss": losses, "held_out": report})
                kept.save(report)
                last_evaluation = time.monotonic()
            if done:
                return report
    raise AssertionError("batches never end")


def evaluate(model: NativeModel, charset: Charset, held_out: Mapping[str, Sequence[Cells]]) -> dict[str, float]:
    """Accuracy by "tier/text"."""
    model.eval()
    report = {
        f"{tier}/{name}": round(cell_accuracy(model, pages, tier, charset), 5)
        for tier in model.dims.tiers
        for name, pages in held_out.items()
    }
    model.train()
    return report
