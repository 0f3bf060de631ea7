"""A tiny model of DeepSeek-OCR's shape, trained on pages of a small vocabulary: a checkpoint in the published format.

    python -m training.tiny_reader.training --run runs/tiny-reader --minutes 60
    FOXING_CODEC=deepseek-ocr FOXING_CODEC_MODEL=runs/tiny-reader/best foxing serve

It proves that a memory over such a model reads, from the page through stored tokens and ageing to recall; it is no
reader for pages of other words. `RUN/best` is the checkpoint of the highest held-out accuracy, `RUN/log.jsonl` has the
curve, and a run that was stopped goes on where it was when it is started again.
"""

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from foxing.encoder.vision.checkpoint import load_tokenizer
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.deepseek import DeepSeekOcr
from foxing.encoder.vision.model import FREE_OCR
from foxing.renderer import Page

from .batches import IGNORED, Batch, Batches, ReaderOptions
from .network import Glance, middles, new_network, save, write_description
from .pages import TINY_PAGE, Scribe, draw, page_text

HELD_OUT_SEED = 1_000_003  # of pages that are only read
#: Which heads of which layer of the decoder are taught where to look.
POINTING_LAYER, POINTING_HEADS = 1, 2


class Trainer:
    """The network with what trains it."""

    def __init__(self, model: DeepSeekOcr, options: ReaderOptions) -> None:
        self.model = model
        self.network = model.network
        self.options = options
        sam = self.network.model.vision_tower.sam_encoder
        self.glance = Glance(int(self.network.config.text_config.hidden_size), int(sam.config.output_channels))
        #: what some parts of the network gave last
        self._given: dict[str, Tensor] = {}
        sam.neck.register_forward_hook(partial(self._keep, "patches"))
        decoder = self.network.model.language_model
        attention = decoder.layers[POINTING_LAYER].self_attn
        attention.q_proj.register_forward_hook(partial(self._keep, "queries"))
        attention.k_proj.register_forward_hook(partial(self._keep, "keys"))
        modules = (self.network, self.glance)
        named = [pair for module in modules for pair in module.named_parameters()]
        named = [(name, parameter) for name, parameter in named if parameter.requires_grad]
        inner = ("_proj", "qkv", "attn.proj", "fc1", "fc2", "lin1", "lin2")
        matrices = [p for name, p in named if p.ndim == 2 and any(part in name for part in inner)]
        taken = {id(p) for p in matrices}
        self.parameters = [p for _, p in named]
        others = [p for p in self.parameters if id(p) not in taken]
        muon = torch.optim.Muon(
            matrices,
            lr=options.muon_rate,
            weight_decay=options.weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        )
        adam = torch.optim.AdamW(others, lr=options.adam_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self._optimizers = ((muon, options.muon_rate), (adam, options.adam_rate))
        before, after = model.prompt_ids(model.prompt(FREE_OCR))
        self._before, self._after = torch.tensor(before), torch.tensor(after)

    def _keep(self, name: str, module: nn.Module, taken: Any, given: Tensor) -> None:
        self._given[name] = given

    def look(self, batch: Batch) -> Tensor:
        """What the encoder's two stages give for each patch of 64×64 px: float [B, side², numbers]."""
        seen: Tensor = self.network.model.vision_tower(batch.pixels).last_hidden_state
        return seen

    def glance_loss(self, seen: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of the cells read from what `look` has just seen, nats a cell: from the vision tokens, from the patches."""
        side = math.isqrt(seen.shape[1])
        tokens = self.network.model.multi_modal_projector(seen).unflatten(1, (side, side))
        cells = batch.cells.flatten()
        from_tokens, from_patches = (
            nn.functional.cross_entropy(logits.float().flatten(0, 2), cells)
            for logits in self.glance(tokens, self._given["patches"])
        )
        return from_tokens, from_patches

    def text_loss(self, seen: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of the text that the decoder writes, nats a token, and of where some of its heads look for it."""
        network, count = self.network.model, len(seen)
        side = math.isqrt(seen.shape[1])
        tokens = network.multi_modal_projector(seen).unflatten(1, (side, side))
        ends = network.image_newline.expand(count, side, 1, -1)
        image = torch.cat([tokens, ends.to(tokens.dtype)], dim=2).flatten(1, 2)
        separator = network.view_separator.expand(count, 1, -1)
        embed = network.language_model.embed_tokens
        before, after = (embed(ids).expand(count, -1, -1) for ids in (self._before, self._after))
        told = embed(batch.text[:, :-1].clamp(min=0))
        positions = torch.cat([before, image.to(told.dtype), separator, after, told], dim=1)
        states = network.language_model(inputs_embeds=positions, use_cache=False).last_hidden_state
        logits = self.network.lm_head(states[:, -batch.text.shape[1] :])
        text = nn.functional.cross_entropy(logits.float().flatten(0, 1), batch.text.flatten(), ignore_index=IGNORED)
        return text, self._pointing_loss(batch, side)

    def _pointing_loss(self, batch: Batch, side: int) -> Tensor:
        """Of the attention of the pointing heads to the vision token that shows the middle of the cell that is to be
        written next, nats a character."""
        from transformers.models.unlimited_ocr.modeling_unlimited_ocr import apply_rotary_pos_emb

        decoder = self.network.model.language_model
        count, length = self._given["queries"].shape[:2]
        queries, keys = (
            self._given[name].float().view(count, length, decoder.config.num_attention_heads, -1).transpose(1, 2)
            for name in ("queries", "keys")
        )
        cos, sin = decoder.rotary_emb(queries, position_ids=torch.arange(length)[None])
        queries, keys = apply_rotary_pos_emb(queries, keys, cos, sin)
        told = batch.text.shape[1] - 1
        queries, keys = queries[:, :POINTING_HEADS, length - told :], keys[:, :POINTING_HEADS]
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        later = torch.arange(length) > torch.arange(length - told, length)[:, None]
        scores = scores.masked_fill(later, -torch.inf).permute(0, 2, 3, 1)  # [B, told, length, heads]
        down, across = middles(side)
        place = batch.places[:, 1:].clamp(min=0)
        row, column = down.long()[place // TINY_PAGE.columns], across.long()[place % TINY_PAGE.columns]
        target = len(self._before) + row * (side + 1) + column
        target = target.masked_fill(batch.places[:, 1:] < 0, IGNORED)[..., None].expand(-1, -1, POINTING_HEADS)
        loss = nn.functional.cross_entropy(
            scores.flatten(0, 1), target.flatten(0, 1), ignore_index=IGNORED, reduction="sum"
        )
        return loss / (target != IGNORED).sum().clamp(min=1)  # noise has no characters

    def step(self, loss: Tensor, warmth: float) -> None:
        """One step down `loss` with rates at `warmth` (0…1)."""
        for optimizer, rate in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * warmth
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()  # type: ignore[no-untyped-call]

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "glance": self.glance.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self._optimizers],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.glance.load_state_dict(state["glance"])
        for (optimizer, _), one in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(one)


def held_out(tier: str, count: int) -> list[Page]:
    """Pages that no training draws."""
    scribe = Scribe(HELD_OUT_SEED + list(DeepSeekOcr.tiers).index(tier))
    return [scribe.page() for _ in range(count)]


def accuracies(model: DeepSeekOcr, count: int) -> dict[str, float]:
    """By tier: 1 − Levenshtein distance / longer length over the characters of `count` held-out pages, read from their
    tokens."""
    codec = VisionCodec(model, "0" * 12, layout=TINY_PAGE)
    pages = {tier: held_out(tier, count) for tier in model.tiers}
    tokens = [item for tier in pages for item in codec.encode([draw(page, tier) for page in pages[tier]], tier)]
    texts = iter([page_text(reading.cells) for reading in codec.decode(tokens)])
    report = {}
    for tier, some in pages.items():
        pairs = [(page_text(page.cells), next(texts)) for page in some]
        wrong = sum(Levenshtein.distance(*pair) for pair in pairs)
        report[tier] = round(1 - wrong / sum(max(map(len, pair)) for pair in pairs), 4)
    return report


class Run:
    """The folder of a run: checkpoints, the state to go on from, and the curve."""

    def __init__(self, folder: Path, options: ReaderOptions) -> None:
        self.folder = folder
        self.options = options
        place = write_description(folder / "new")
        torch.manual_seed(options.seed)
        self.model = DeepSeekOcr(new_network(place), load_tokenizer(place))
        self.trainer = Trainer(self.model, options)
        self.steps, self.before_s, self.best = 0, 0.0, 0.0
        if (folder / "state.pt").exists():
            state = torch.load(folder / "state.pt", weights_only=True)
            self.trainer.resume(state)
            self.steps, self.before_s, self.best = int(state["steps"]), float(state["seconds"]), float(state["best"])
        self.begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Of training so far, earlier runs included."""
        return self.before_s + time.monotonic() - self.begun

    def note(self, record: Mapping[str, Any]) -> None:
        """Appends a line to `log.jsonl`."""
        line = json.dumps({"step": self.steps, "minutes": round(self.seconds / 60, 2), **record})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def keep(self, losses: Mapping[str, float], reads: bool) -> dict[str, float]:
        """Evaluates where the decoder has learnt, and saves. Returns the held-out accuracies."""
        report: dict[str, float] = {}
        if reads:
            self.model.network.eval()
            report = accuracies(self.model, self.options.held_out_pages)
            self.model.network.train()
        self.note({"loss": dict(losses), "held_out": report})
        score = sum(report.values()) / len(self.options.tiers)
        save(self.model.network, self.folder / "latest")
        if score > self.best:
            self.best = score
            save(self.model.network, self.folder / "best")
        state = {**self.trainer.state(), "steps": self.steps, "best": self.best, "seconds": self.seconds}
        torch.save(state, self.folder / "state.part")
        (self.folder / "state.part").replace(self.folder / "state.pt")
        return report


def train(folder: Path, options: ReaderOptions) -> dict[str, float]:
    """Trains for `options.minutes`, all runs together, and returns the last held-out accuracy of each tier. Writes
    `best`, `latest`, `state.pt` and `log.jsonl` into `folder`."""
    run = Run(folder, options)
    trainer = run.trainer
    batches = Batches(run.model, options, options.seed + run.steps)
    chance = np.random.default_rng(options.seed + run.steps)
    run.note({"options": asdict(options), "threads": torch.get_num_threads()})
    looked_at: list[tuple[Tensor, Batch]] = []
    losses: dict[str, float] = {}
    part_before, part_steps, evaluated = "", 0, time.monotonic()
    while True:
        progress = min(1.0, run.seconds / 60 / options.minutes)
        part, done = options.part(progress)
        part_steps = part_steps + 1 if part == part_before else 1
        part_before = part
        warmth = min(1.0, part_steps / options.warmup_steps) * options.rate(part, done)
        parts: dict[str, Tensor] = {}
        with torch.autocast("cpu", torch.bfloat16):
            if part == "decoder" and len(looked_at) >= 8 and chance.random() > options.look_share:
                seen, batch = looked_at[int(chance.integers(len(looked_at)))]
            else:
                batch = batches.draw()
                seen = trainer.look(batch)
                parts["glance"], parts["patches"] = trainer.glance_loss(seen, batch)
                looked_at.append((seen.detach(), replace(batch, pixels=torch.empty(0))))
                del looked_at[: -options.looked_at]
            if part != "encoder":
                parts["text"], parts["pointing"] = trainer.text_loss(seen, batch)
        trainer.step(torch.stack(list(parts.values())).sum(), warmth)
        for name, loss in parts.items():
            key = f"{name}/{batch.tier}"
            losses[key] = round(0.95 * losses.get(key, loss.item()) + 0.05 * loss.item(), 4)
        run.steps += 1
        if run.steps % 25 == 0:
            print(f"{run.steps} {run.seconds / 60:.1f} min {part} {losses}", flush=True)
        if progress >= 1 or time.monotonic() - evaluated > options.evaluate_every_s:
            report = run.keep(losses, reads=part != "encoder")
            evaluated = time.monotonic()
            if progress >= 1:
                return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, default=ReaderOptions.minutes)
    parser.add_argument("--seed", type=int, default=ReaderOptions.seed)
    options = parser.parse_args()
    print(train(options.run, ReaderOptions(minutes=options.minutes, seed=options.seed)))


if __name__ == "__main__":
    main()
