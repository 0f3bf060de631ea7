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
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from queue import Queue
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor

from foxing.encoder.errors import CodecError
from foxing.renderer import BLANK, DENSE_PAGE, Cells, Page, Repertoire, Typesetter, render

from .charset import HANGUL_FIRST, HANGUL_LAST, N_LEAD, N_TAIL, N_VOWEL, Charset, load_charset
from .codec import PageReader, to_pixels
from .model import NativeDims, NativeModel, TierDims, build_model, resample
from .optimizer import MuonAdamW
from .texts import dense_pages, entries, read_messages
from .weights import load_weights, save_weights

IGNORED = -100  # a target that costs nothing: the right half of a full-width character


@dataclass(frozen=True)
class TrainingOptions:
    """`tier_shares` and `text_shares` are relative; a text share is that of the file with this name."""

    minutes: float = 90.0
    #: minutes of `minutes` spent on one tier alone; the others then start from its codes
    bootstrap_minutes: float = 11.0
    bootstrap_tier: str = "small"
    muon_rate: float = 8e-3
    adam_rate: float = 4e-3
    warmup_steps: int = 50
    decay_from: float = 0.35  # share of the time after which the rates go down, linearly
    weight_decay: float = 0.01
    strips: int = 6  # in a batch
    seed: int = 1
    evaluate_every_s: float = 480.0
    augmented_share: float = 0.33  # of the images
    random_share: float = 0.08  # of the strips
    tier_shares: Mapping[str, float] = field(
        default_factory=lambda: {"large": 0.05, "base": 0.11, "small": 0.38, "tiny": 0.30, "micro": 0.16}
    )
    text_shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "en_sgd": 0.13,
            "en_irc": 0.15,
            "en_tau_bench": 0.10,
            "en_swe_agent": 0.08,
            "ko_nsmc": 0.19,
            "ko_songys": 0.06,
            "ko_tldr": 0.09,
            "de_gesetze": 0.07,
            "de_tldr": 0.02,
            "fr_tldr": 0.05,
            "ru_tldr": 0.04,
        }
    )

    @classmethod
    def from_recipe(cls, path: Path) -> Self:
        """Options out of a JSON object. Raises `CodecError` for a field that does not exist."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CodecError(f"the recipe {path.name} cannot be used: {error}") from error


def random_cells(rows: int, charset: Charset, generator: random.Random) -> Cells:
    """Text without meaning: hex, digits and identifiers, or characters of the whole charset, uint32[rows, columns]."""
    columns = DENSE_PAGE.columns
    narrow = charset.common + charset.rare
    words: list[str] = []
    length = 0
    while length < rows * columns:
        kind = generator.random()
        size = generator.randint(2, 24)
        if kind < 0.15:
            word = "".join(generator.choices("0123456789abcdef", k=size))
        elif kind < 0.25:
            word = "".join(generator.choices("0123456789.,:-/ ", k=size))
        elif kind < 0.65:
            word = "".join(generator.choices(charset.common[:95], k=size))
        elif kind < 0.73:
            word = "".join(generator.choices(narrow, k=size))
        elif kind < 0.92:
            word = "".join(chr(generator.randint(HANGUL_FIRST, HANGUL_LAST)) for _ in range(size))
        else:
            word = "".join(generator.choices(charset.wide, k=size))
        words.append(word)
        length += size
    setter = Typesetter(repertoire=Repertoire(charset.characters))
    page = setter.page(entries([{"id": "r", "messages": [{"role": "user", "content": " ".join(words)}]}]))
    cells = page.cells[1 : rows + 1]
    if cells.shape[0] < rows:
        cells = np.concatenate([cells, np.full((rows - cells.shape[0], columns), BLANK, dtype=np.uint32)])
    return cells


class StripSource:
    """Strips of typeset text, drawn at random from the training texts."""

    def __init__(self, folder: Path, charset: Charset, options: TrainingOptions) -> None:
        self.charset = charset
        self.generator = random.Random(options.seed)
        self.random_share = options.random_share
        setter = Typesetter(repertoire=Repertoire(charset.characters))
        self.names: list[str] = []
        self.shares: list[float] = []
        self.cells: dict[str, Cells] = {}
        for name, share in options.text_shares.items():
            path = folder / f"{name}.jsonl.gz"
            if not path.exists():
                continue
            documents = list(read_messages(path))
            self.generator.shuffle(documents)
            pages = dense_pages(documents, setter)
            self.cells[name] = np.concatenate([page.cells for page in pages])
            self.names.append(name)
            self.shares.append(share)
            print(f"{name}: {len(pages)} pages", flush=True)
        if not self.names:
            raise CodecError(f"no training texts in {folder}; give --data a folder with train/*.jsonl.gz")

    def strip(self, rows: int) -> Cells:
        if self.generator.random() < self.random_share:
            return random_cells(rows, self.charset, self.generator)
        cells = self.cells[self.generator.choices(self.names, self.shares)[0]]
        start = self.generator.randrange(max(1, cells.shape[0] - rows))
        strip = cells[start : start + rows]
        if self.generator.random() < 0.05:  # pages end in blank rows
            strip = strip.copy()
            strip[self.generator.randrange(rows) :] = BLANK
        return strip


def degrade(image: Image.Image, generator: random.Random) -> Image.Image:
    """The same page as a scanner might give it: shifted, blurred, noisy, compressed, faded."""
    if generator.random() < 0.65:
        dx, dy = generator.choice([-1, 0, 1]), generator.choice([-1, 0, 1])
        image = image.transform(image.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), fillcolor=255)
    if generator.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0.1, 0.7)))
    if generator.random() < 0.4:
        pixels = np.asarray(image, dtype=np.float32)
        noise = np.random.default_rng(generator.getrandbits(32)).standard_normal(pixels.shape, dtype=np.float32)
        noisy = pixels * generator.uniform(0.85, 1.0) + generator.uniform(2, 12) * noise
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if generator.random() < 0.15:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=generator.randint(70, 95))
        image = Image.open(buffer).convert("L")
    return image


@dataclass(frozen=True)
class Targets:
    """Classes of a batch of grids: `cells` int64[B, L, 2]; `lists` int64[B, L, 2]; `jamo` int64[B, L, 3]."""

    cells: Tensor
    lists: Tensor
    jamo: Tensor


def targets(cells: Sequence[Cells], charset: Charset) -> Targets:
    """Raises `CodecError` when a character is outside the charset (the typesetter escapes those)."""
    grid = np.stack(cells).reshape(len(cells), -1, 2)
    classes = charset.cell_class[grid]
    if (classes < 0).any():
        raise CodecError("a page holds characters outside the charset")
    syllable = np.clip(grid[:, :, 0].astype(np.int64) - HANGUL_FIRST, 0, HANGUL_LAST - HANGUL_FIRST)
    jamo = np.stack([syllable // (N_VOWEL * N_TAIL), syllable // N_TAIL % N_VOWEL, syllable % N_TAIL], axis=-1)
    return Targets(
        torch.from_numpy(classes.astype(np.int64)),
        torch.from_numpy(charset.list_class[grid].astype(np.int64)),
        torch.from_numpy(jamo),
    )


def loss(model: NativeModel, cell_logits: Tensor, hidden: Tensor, target: Targets, charset: Charset) -> Tensor:
    """Negative log-likelihood of the grid, nats a cell."""
    decoder = model.decoder
    wide = target.cells[:, :, 0] == charset.wide_class
    narrow = ~wide
    classes = target.cells.clone()
    classes[:, :, 1][wide] = IGNORED
    total = F.cross_entropy(cell_logits.flatten(0, 2), classes.flatten(), ignore_index=IGNORED, reduction="sum")
    for side in range(2):
        rare = narrow & (target.cells[:, :, side] == charset.rare_class)
        if rare.any():
            total = total + F.cross_entropy(
                decoder.rare[side](hidden[rare]), target.lists[:, :, side][rare], reduction="sum"
            )
    if wide.any():
        total = total + F.cross_entropy(decoder.wide(hidden[wide]), target.lists[:, :, 0][wide], reduction="sum")
        hangul = wide & (target.lists[:, :, 0] == charset.hangul_class)
        if hangul.any():
            parts = decoder.jamo(hidden[hangul]).split((N_LEAD, N_VOWEL, N_TAIL), dim=-1)
            for index, part in enumerate(parts):
                total = total + F.cross_entropy(part, target.jamo[:, :, index][hangul], reduction="sum")
    return total / target.cells.numel()


def strip_rows(tier: str) -> int:
    """Rows of a training strip: whole token rows at every tier, at least 16."""
    step = DENSE_PAGE.rows_per_token(tier)
    return step * -(-16 // step)


class TierMix:
    """Which tier the next batch is of. While `bootstrapping`, always the bootstrap tier."""

    def __init__(self, options: TrainingOptions, bootstrapping: bool) -> None:
        self.bootstrapping = bootstrapping
        self._alone = options.bootstrap_tier
        self._names = list(options.tier_shares)
        self._shares = list(options.tier_shares.values())

    def draw(self, generator: random.Random) -> str:
        return self._alone if self.bootstrapping else generator.choices(self._names, self._shares)[0]


@torch.no_grad()
def share_codes(model: NativeModel, tier: str) -> None:
    """Starts all tiers from the codes of `tier`, so that one decoder serves them from the beginning.

    Numbers that another tier has beyond those of `tier` keep their random start. A stem for larger pixels starts as the
    mean over the pixels that make one of the smaller.
    """
    own = model.dims.tiers[tier]
    state = model.state_dict()  # its tensors are the parameters themselves
    stem = state[f"encoder.stems.{tier}.weight"]  # [n_stem, patch², 3, 3]
    patch = own.pair_px // 4
    for name, other in model.dims.tiers.items():
        if name == tier:
            continue
        scale = other.pair_px // own.pair_px
        grid = stem.unflatten(1, (patch, patch)) / scale**2
        grid = grid.repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)
        state[f"encoder.stems.{name}.weight"].copy_(grid.flatten(1, 2))
        for part in ("encoder.stems.{}.bias", "encoder.tier.{}", "decoder.expand.{}.bias"):
            state[part.format(name)].copy_(state[part.format(tier)])
        n = min(other.n_numbers, own.n_numbers)
        for part in ("quantizer.squeeze.{}.weight", "quantizer.squeeze.{}.bias"):
            state[part.format(name)][:n] = state[part.format(tier)][:n]
        expand = state[f"decoder.expand.{name}.weight"]
        expand[:, :n] = state[f"decoder.expand.{tier}.weight"][:, :n]
        expand[:, n:] *= 0.3  # numbers that mean nothing yet should not drown the others


@torch.no_grad()
def with_tiers(model: NativeModel, charset: Charset, tiers: Mapping[str, TierDims]) -> NativeModel:
    """The same network with tokens of other sizes: what a tier has too many numbers loses the last of them, new numbers
    start at random and mean nothing yet. The model itself where nothing differs."""
    if tiers == model.dims.tiers:
        return model
    resized = build_model(replace(model.dims, tiers=dict(tiers)), charset)
    state = resized.state_dict()
    for name, old in model.state_dict().items():
        new = state[name]
        if new.shape == old.shape:
            new.copy_(old)
        elif name.startswith("decoder.expand."):
            n = min(new.shape[1], old.shape[1])
            new[:, :n] = old[:, :n]
        else:
            n = min(new.shape[0], old.shape[0])
            new[:n] = old[:n]
    return resized


def batches(
    source: StripSource, options: TrainingOptions, mix: TierMix, seed: int
) -> Iterator[tuple[str, Tensor, Targets]]:
    """Endless batches (tier, pixels, targets), drawn one ahead in a thread."""
    queue: Queue[tuple[str, Tensor, Targets]] = Queue(maxsize=3)
    generator = random.Random(seed)

    def draw() -> None:
        while True:
            tier = mix.draw(generator)
            rows = strip_rows(tier)
            strips = [source.strip(rows) for _ in range(options.strips)]
            images = []
            for strip in strips:
                image = render(strip, DENSE_PAGE, tier)
                if generator.random() < options.augmented_share:
                    image = degrade(image, generator)
                images.append(image)
            queue.put((tier, to_pixels(images), targets(strips, source.charset)))

    threading.Thread(target=draw, daemon=True).start()
    while True:
        yield queue.get()


def held_out_pages(folder: Path, charset: Charset, pages_each: int) -> dict[str, list[Page]]:
    """Held-out pages by language."""
    setter = Typesetter(repertoire=Repertoire(charset.characters))
    result: dict[str, list[Page]] = {}
    for name in ("en_irc", "en_sgd", "ko_nsmc", "ko_songys"):
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            result.setdefault(name[:2], []).extend(dense_pages(list(read_messages(path)), setter, pages_each))
    return result


def cell_accuracy(model: NativeModel, pages: Sequence[Page], tier: str, charset: Charset) -> float:
    """Share of the cells of `pages` that are read right."""
    reader = PageReader(model, charset)
    right = total = 0
    for start in range(0, len(pages), 4):
        part = pages[start : start + 4]
        images = [render(page.cells, DENSE_PAGE, tier) for page in part]
        read, _ = reader.decode(reader.encode(to_pixels(images), tier), tier)
        for index, page in enumerate(part):
            rows = page.rows_used
            original = np.where(page.cells == BLANK, 0x20, page.cells)
            used = original != 0x20
            right += int(((read[index, :rows] == original) & used).sum())
            total += int(used.sum())
    return right / max(1, total)


def train(data: Path, run: Path, options: TrainingOptions, *, resume: Path | None = None) -> dict[str, Any]:
    """Trains for `options.minutes` and returns the last held-out accuracies.

    Writes `latest.safetensors`, `best.safetensors`, `optimizer.pt` and `log.jsonl` into `run`.
    `resume` is a weights file to start from;
    when `optimizer.pt` lies beside it the optimiser and the step count go on as well. Tokens of another size than
    `NativeDims` says are resized, and the optimiser begins anew.
    """
    torch.manual_seed(options.seed)
    run.mkdir(parents=True, exist_ok=True)
    charset = load_charset()
    same_sizes = True
    if resume is not None:
        model, charset, meta = load_weights(resume)
        same_sizes = model.dims.tiers == NativeDims().tiers
        model = with_tiers(model, charset, NativeDims().tiers)
    else:
        model, meta = build_model(NativeDims(), charset), {}
    model.train()
    optimizer = MuonAdamW(model, options.muon_rate, options.adam_rate, options.weight_decay)
    step = int(meta.get("step", 0))
    state = run / "optimizer.pt"
    if resume is not None and same_sizes and state.exists():
        optimizer.load_state_dict(torch.load(state, weights_only=True))
    source = StripSource(data / "train", charset, options)
    held_out = held_out_pages(data / "eval", charset, 2)
    best = float(meta.get("score", 0.0))
    begun = last_evaluation = time.monotonic()
    cells_seen = 0
    losses: dict[str, float] = {}
    first_step = step
    log = (run / "log.jsonl").open("a", encoding="utf-8")
    log.write(json.dumps({"options": asdict(options), "step": step, "threads": torch.get_num_threads()}) + "\n")
    report: dict[str, Any] = {}
    mix = TierMix(options, bootstrapping=resume is None and options.bootstrap_minutes > 0)
    for tier, pixels, target in batches(source, options, mix, options.seed + step):
        elapsed = (time.monotonic() - begun) / 60
        progress = min(1.0, elapsed / options.minutes)
        if mix.bootstrapping and elapsed >= options.bootstrap_minutes:
            share_codes(model, options.bootstrap_tier)
            mix.bootstrapping = False
        share = min(1.0, (step - first_step + 1) / options.warmup_steps)
        share *= min(1.0, 0.02 + 0.98 * (1 - progress) / (1 - options.decay_from))
        optimizer.set_rate(share)
        rows = target.cells.shape[1] // (DENSE_PAGE.columns // 2)
        token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
        with torch.autocast("cpu", torch.bfloat16):
            sized = resample(pixels, model.dims.tiers[tier], rows)
            logits = model(sized, tier, token_rows, token_pairs)
            value = loss(model, logits.cells, logits.hidden, target, charset)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        cells_seen += target.cells.numel()
        losses[tier] = 0.95 * losses.get(tier, value.item()) + 0.05 * value.item()
        if step % 50 == 0:
            seconds = time.monotonic() - begun
            shown = " ".join(f"{name} {losses[name]:.4f}" for name in sorted(losses))
            print(
                f"{step} {elapsed:.1f} min {cells_seen / seconds / 1e3:.0f}k cells/s rate {share:.2f} {shown}",
                flush=True,
            )
        done = elapsed >= options.minutes
        if done or time.monotonic() - last_evaluation > options.evaluate_every_s:
            model.eval()
            report = {
                f"{tier}/{language}": round(cell_accuracy(model, pages, tier, charset), 5)
                for tier in ([options.bootstrap_tier] if mix.bootstrapping else model.dims.tiers)
                for language, pages in held_out.items()
            }
            model.train()
            score = float(np.mean([v for k, v in report.items() if not k.startswith("micro")])) if report else 0.0
            record = {
                "step": step,
                "minutes": round(elapsed, 1),
                "cells": cells_seen,
                "loss": losses,
                "held_out": report,
            }
            log.write(json.dumps(record) + "\n")
            log.flush()
            print(json.dumps(record), flush=True)
            info = {"step": step, "score": score, "held_out": report}
            save_weights(model, charset, run / "latest.safetensors", info)
            partial = state.with_suffix(".part")
            torch.save(optimizer.state_dict(), partial)
            partial.replace(state)
            if score >= best:
                best = score
                save_weights(model, charset, run / "best.safetensors", info)
            last_evaluation = time.monotonic()
        if done:
            break
    log.close()
    return report
