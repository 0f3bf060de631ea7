"""Training run: a folder with checkpoints, state to resume from, and the learning curve."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foxing.encoder.vision.models.checkpoint import load_tokenizer
from foxing.encoder.vision.models.deepseek import DeepSeekOcr

from .batches import Batch, BatchSampler
from .checkpoint import save, write_description
from .evaluation import accuracies
from .initialization import new_network
from .options import Phase, TrainingOptions
from .trainer import Trainer

MIN_REPLAY_BATCHES = 8  # before encoded batches are reused
PROGRESS_STEPS = 25


class Run:
    """Folder of a run, and the model trained in it."""

    def __init__(self, folder: Path, options: TrainingOptions) -> None:
        """Resumes from `folder/state.pt` if it exists."""
        self.folder = folder
        self.options = options
        checkpoint = write_description(folder / "new")
        torch.manual_seed(options.seed)
        self.model = DeepSeekOcr(new_network(checkpoint), load_tokenizer(checkpoint))
        self.trainer = Trainer(self.model, options)
        self.steps, self.best = 0, 0.0
        self._earlier_s = 0.0
        if (folder / "state.pt").exists():
            state = torch.load(folder / "state.pt", weights_only=True)
            self.trainer.resume(state)
            self.steps, self.best = int(state["steps"]), float(state["best"])
            self._earlier_s = float(state["seconds"])
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, earlier runs included."""
        return self._earlier_s + time.monotonic() - self._started

    def log(self, record: Mapping[str, Any]) -> None:
        """Appends a line to `log.jsonl` and prints it."""
        line = json.dumps({"step": self.steps, "minutes": round(self.seconds / 60, 2), **record})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def save(self, losses: Mapping[str, float], evaluate: bool) -> dict[str, float]:
        """Writes `latest`, `best` if it improved, and `state.pt`. Returns the held-out accuracies, none unless
        `evaluate`."""
        report: dict[str, float] = {}
        if evaluate:
            self.model.network.eval()
            report = accuracies(self.model, self.options.held_out_pages)
            self.model.network.train()
        self.log({"loss": dict(losses), "held_out": report})
        score = sum(report.values()) / len(self.options.tiers)
        save(self.model.network, self.folder / "latest")
        if score > self.best:
            self.best = score
            save(self.model.network, self.folder / "best")
        state = {**self.trainer.state(), "steps": self.steps, "best": self.best, "seconds": self.seconds}
        torch.save(state, self.folder / "state.part")
        (self.folder / "state.part").replace(self.folder / "state.pt")
        return report


@dataclass(frozen=True)
class _EncodedBatch:
    #: float [B, side², channels], detached.
    features: Tensor
    #: Without pixels.
    batch: Batch


class TrainingLoop:
    """Draws or replays batches and steps the trainer."""

    def __init__(self, run: Run) -> None:
        self._options = run.options
        self._trainer = run.trainer
        seed = run.options.seed + run.steps
        self._sampler = BatchSampler(run.model, run.options, seed)
        self._random = np.random.default_rng(seed)
        self._replay: list[_EncodedBatch] = []
        self._phase_name, self._phase_steps = "", 0
        #: Moving average of each loss by "name/tier".
        self.losses: dict[str, float] = {}

    def step(self, phase: Phase) -> None:
        """Trains on one batch."""
        self._phase_steps = self._phase_steps + 1 if phase.name == self._phase_name else 1
        self._phase_name = phase.name
        factor = min(1.0, self._phase_steps / self._options.warmup_steps) * self._options.rate(phase)
        losses: dict[str, Tensor] = {}
        with torch.autocast("cpu", torch.bfloat16):
            if phase.name == "decoder" and self._replays():
                encoded = self._replay[int(self._random.integers(len(self._replay)))]
                features, batch = encoded.features, encoded.batch
            else:
                batch = self._sampler.draw()
                features = self._trainer.encode(batch)
                losses["cells"], losses["patches"] = self._trainer.cell_losses(features, batch)
                self._replay.append(_EncodedBatch(features.detach(), replace(batch, pixels=torch.empty(0))))
                del self._replay[: -self._options.replay_batches]
            if phase.name != "encoder":
                losses["text"], losses["pointing"] = self._trainer.text_losses(features, batch)
        self._trainer.step(torch.stack(list(losses.values())).sum(), factor)
        for name, loss in losses.items():
            key = f"{name}/{batch.tier}"
            self.losses[key] = round(0.95 * self.losses.get(key, loss.item()) + 0.05 * loss.item(), 4)

    def _replays(self) -> bool:
        return len(self._replay) >= MIN_REPLAY_BATCHES and self._random.random() > self._options.fresh_share


def train(folder: Path, options: TrainingOptions) -> dict[str, float]:
    """Trains for `options.minutes`, including earlier runs in `folder`, and returns the final held-out accuracy of each
    tier. Writes `best`, `latest`, `state.pt` and `log.jsonl` into `folder`."""
    run = Run(folder, options)
    loop = TrainingLoop(run)
    run.log({"options": asdict(options), "threads": torch.get_num_threads()})
    evaluated = time.monotonic()
    while True:
        progress = min(1.0, run.seconds / 60 / options.minutes)
        phase = options.phase(progress)
        loop.step(phase)
        run.steps += 1
        if run.steps % PROGRESS_STEPS == 0:
            print(f"{run.steps} {run.seconds / 60:.1f} min {phase.name} {loop.losses}", flush=True)
        if progress >= 1 or time.monotonic() - evaluated > options.evaluate_every_s:
            report = run.save(loop.losses, evaluate=phase.name != "encoder")
            evaluated = time.monotonic()
            if progress >= 1:
                return report
