"""Trains the network of the native codec. The command line is in `__main__`."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.model import NativeModel
from foxing.encoder.native.network.dims import PAIRS, NativeDims
from foxing.encoder.native.network.patches import resample
from foxing.encoder.native.runner import fast_dtype
from foxing.encoder.native.weights import LoadedWeights, WeightsInfo, load_weights, save_weights
from foxing.renderer import DENSE_PAGE

from .batches import Batch, Batches
from .evaluation import EVALUATED, evaluate, held_out_pages
from .objective import loss
from .optimizer import MuonAdamW
from .options import TrainingOptions

PROGRESS_STEPS = 50  # between progress lines
FINAL_RATE = 0.02  # share of the learning rate at the end of the run


class Trainer:
    """A model and its optimiser."""

    def __init__(self, model: NativeModel, charset: Charset, options: TrainingOptions) -> None:
        self.model = model
        self.charset = charset
        self.options = options
        self.optimizer = MuonAdamW(model, options.muon_rate, options.adam_rate, options.weight_decay)

    def step(self, batch: Batch, progress: float, warmup: float) -> float:
        """Takes one step and returns the loss. `progress`: share of the run completed; `warmup`: factor of the learning
        rates; both in [0, 1]."""
        tier, pixels, target = batch
        options, model = self.options, self.model
        falling = min(1.0, FINAL_RATE + (1 - FINAL_RATE) * (1 - progress) / (1 - options.decay_from))
        self.optimizer.set_rate(warmup * falling)
        rows = target.cells.shape[1] // PAIRS
        token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_dtype(torch.device("cpu")) == torch.bfloat16):
            sized = resample(pixels, model.dims.tiers[tier], rows)
            total = loss(model.encoder(sized, tier, token_rows, token_pairs, target), target)
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        return total.item()


class RunFolder:
    """Folder of a run: weights, state of the optimiser, and a log with held-out accuracies."""

    def __init__(self, folder: Path, trainer: Trainer, start: LoadedWeights) -> None:
        """`start`: weights that the run starts from."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._state = folder / "optimizer.pt"
        self._trainer = trainer
        self._start = start
        self._best = float(start.info.get("score", 0.0))
        #: Steps so far, including earlier runs.
        self.step = int(start.info.get("step", 0))

    @property
    def weights(self) -> LoadedWeights:
        """Weights in training."""
        return self._start

    def load_optimizer(self) -> None:
        """Restores the state of the optimiser if the folder has one."""
        if self._state.exists():
            self._trainer.optimizer.load_state_dict(torch.load(self._state, weights_only=True))

    def log(self, record: Mapping[str, Any]) -> None:
        """Appends a line to `log.jsonl` and prints it."""
        line = json.dumps({"step": self.step, **record})
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def save(self, report: Mapping[str, float]) -> None:
        """Writes the latest weights, and the best ones if the score has not dropped. `report`: held-out accuracies by
        "tier/text"."""
        scores = [value for name, value in report.items() if not name.startswith("micro")]
        score = float(np.mean(scores)) if scores else 0.0
        info: WeightsInfo = {"step": self.step, "score": score, "held_out": dict(report)}
        names = ["latest", "best"] if score >= self._best else ["latest"]
        self._best = max(score, self._best)
        for name in names:
            save_weights(self._start._replace(info=info), self._folder / f"{name}.safetensors")
        partial = self._state.with_suffix(".part")
        torch.save(self._trainer.optimizer.state_dict(), partial)
        partial.replace(self._state)


@dataclass
class Progress:
    """Time, loss and speed of a run."""

    started: float = field(default_factory=time.monotonic)
    #: Steps of this run.
    steps: int = 0
    #: Cells trained on.
    cells: int = 0
    #: Moving average of the loss by tier.
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def minutes(self) -> float:
        """Minutes since the start of the run."""
        return (time.monotonic() - self.started) / 60

    def add(self, batch: Batch, value: float) -> None:
        """Counts a step with the loss `value`."""
        self.losses[batch.tier] = 0.95 * self.losses.get(batch.tier, value) + 0.05 * value
        self.steps += 1
        self.cells += batch.target.cells.numel()

    def line(self, minutes: float) -> str:
        """Returns a progress line with speed and losses."""
        speed = self.cells / (time.monotonic() - self.started) / 1e3
        losses = " ".join(f"{name} {self.losses[name]:.4f}" for name in sorted(self.losses))
        return f"{minutes:.1f} min {speed:.0f}k cells/s {losses}"


def train(data: Path, run: Path, options: TrainingOptions, *, resume: Path | None = None) -> dict[str, float]:
    """Trains for `options.minutes` and returns the last held-out accuracies by "tier/text".

    Writes `latest.safetensors`, `best.safetensors`, `optimizer.pt` and `log.jsonl` into `run`. `resume` is a weights
    file to start from; if `run` holds `optimizer.pt`, the optimiser's state and the step count continue too. Raises
    `CodecError` if there are no texts in `data`.
    """
    torch.manual_seed(options.seed)
    start = _start(resume)
    trainer = Trainer(start.model, start.charset, options)
    folder = RunFolder(run, trainer, start)
    if resume is not None:
        folder.load_optimizer()
    with Batches(data / "train", trainer.charset, options, options.seed + folder.step) as batches:
        return _train_on(batches, trainer, folder, data / "eval")


def _start(resume: Path | None) -> LoadedWeights:
    """Weights in `resume`, adapted to the present charset if they had another; or a new model with the prior of the
    released weights, which is trained separately."""
    charset = load_charset()
    if resume is None:
        weights = LoadedWeights(NativeModel(NativeDims(), charset), charset, load_weights().prior, {})
    else:
        weights = load_weights(resume)
        if weights.charset != charset:
            raise CodecError(f"{resume} was trained with another charset; start without --resume")
    weights.model.train()
    return weights


def _train_on(batches: Batches, trainer: Trainer, folder: RunFolder, eval_folder: Path) -> dict[str, float]:
    """Trains until the time is over; returns the last held-out accuracies."""
    options = trainer.options
    held_out = held_out_pages(eval_folder, trainer.charset, EVALUATED)
    batches.wait()
    folder.log({"options": asdict(options), "threads": torch.get_num_threads()})
    progress = Progress()
    evaluated_at = progress.started
    for batch in batches:
        minutes = progress.minutes
        warmup = min(1.0, (progress.steps + 1) / options.warmup_steps)
        progress.add(batch, trainer.step(batch, min(1.0, minutes / options.minutes), warmup))
        folder.step += 1
        if folder.step % PROGRESS_STEPS == 0:
            print(f"{folder.step} {progress.line(minutes)}", flush=True)
        done = minutes >= options.minutes
        if done or time.monotonic() - evaluated_at > options.evaluate_every_s:
            report = evaluate(folder.weights, held_out)
            measured = {"cells": progress.cells, "loss": progress.losses, "held_out": report}
            folder.log({"minutes": round(minutes, 1), **measured})
            folder.save(report)
            evaluated_at = time.monotonic()
        if done:
            return report
    raise AssertionError("batches never end")
