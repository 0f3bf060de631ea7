"""A tiny model of DeepSeek-OCR's shape, trained on pages of a small vocabulary: a checkpoint in the published format.

    python -m foxing.encoder.vision.tiny_reader --run runs/tiny-reader --minutes 60
    FOXING_CODEC=deepseek-ocr FOXING_CODEC_MODEL=runs/tiny-reader/best foxing serve

It proves that a memory over such a model reads, from the page through stored tokens and ageing to recall; it is no
reader for pages of other words. `RUN/best` is the checkpoint of the highest held-out accuracy, `RUN/log.jsonl` has the
curve, and a run that was stopped goes on where it was when it is started again.
"""

import argparse
import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from foxing.encoder.contract import UNREADABLE
from foxing.renderer import Page

from .codec import VisionCodec
from .deepseek import PUBLISHED_TYPE, DeepSeekOcr, model_config
from .loading import LAYOUT_FILE, Place, load_tokenizer, read_config, transformers
from .model import READ
from .tiny_pages import ALPHABET, RUN_CELLS, TINY_PAGE, Scribe, draw, mark, page_lines, page_text, written

SPECIAL = ("<|begin|>", "<|end|>")
MARKS = ("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>")
UNKNOWN = chr(UNREADABLE)
#: Marks of places on the page, one token each.
PLACES = tuple(mark(row, run) for row in range(TINY_PAGE.rows) for run in range(TINY_PAGE.columns // RUN_CELLS))
VOCABULARY = (*SPECIAL, UNKNOWN, *ALPHABET, *PLACES, *MARKS)
HELD_OUT_SEED = 1_000_003  # of pages that are only read
IGNORED = -100  # the target of what is no text
#: Which heads of which layer of the decoder are taught where to look.
POINTING_LAYER, POINTING_HEADS = 1, 2

#: The published `config.json` with small numbers.
CONFIG: dict[str, Any] = {
    "architectures": ["DeepseekOCRForCausalLM"],
    "model_type": PUBLISHED_TYPE,
    "language_config": {
        "bos_token_id": 0,
        "eos_token_id": 1,
        "first_k_dense_replace": 1,
        "hidden_size": 128,
        "intermediate_size": 192,
        "max_position_embeddings": 8192,
        "moe_intermediate_size": 48,
        "n_group": 1,
        "n_routed_experts": 4,
        "n_shared_experts": 2,
        "num_attention_heads": 4,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 4,
        "num_key_value_heads": 4,
        "topk_group": 1,
        "topk_method": "greedy",
        "vocab_size": len(VOCABULARY),
    },
    "projector_config": {"input_dim": 192, "n_embed": 128, "projector_type": "linear"},
    "vision_config": {
        "image_size": 1024,
        "width": {
            "clip-l-14-224": {"heads": 3, "image_size": 224, "layers": 2, "patch_size": 14, "width": 96},
            "sam_vit_b": {
                "downsample_channels": [48, 96],
                "global_attn_indexes": [],
                "heads": 2,
                "layers": 1,
                "width": 48,
            },
        },
    },
}


@dataclass(frozen=True)
class ReaderOptions:
    """First the encoder learns alone, from what its vision tokens tell of the cells that they show; then the decoder
    learns as well, and reads most of the pages several times, since looking at them costs more; at last all pages are
    new. `encoder_until` and `decoder_until`: shares of the time."""

    minutes: float = 60.0
    encoder_until: float = 0.2
    decoder_until: float = 0.85
    muon_rate: float = 5e-3
    adam_rate: float = 2e-3
    warmup_steps: int = 30  # of each part
    together_rate: float = 0.3  # share of the rates with which the last part begins
    weight_decay: float = 0.01
    megapixels: float = 2.2  # of the images of a step
    looked_at: int = 150  # batches that are kept to be read again
    look_share: float = 0.3  # of the steps of the second part that look at new pages
    strange_share: float = 0.04  # of the pages: noise, or words of unknown characters
    strings_share: float = 0.15  # of the pages: a fifth of their words without meaning
    altered_share: float = 0.25  # of the images: shifted and noised a little
    evaluate_every_s: float = 420.0
    held_out_pages: int = 8
    seed: int = 1
    tiers: Mapping[str, float] = field(
        default_factory=lambda: {"tiny": 0.27, "small": 0.33, "base": 0.22, "large": 0.18}
    )

    def part(self, progress: float) -> tuple[str, float]:
        """Which part of the training it is at `progress` (0…1), and how far that has come."""
        edges = {"encoder": (0.0, self.encoder_until), "decoder": (self.encoder_until, self.decoder_until)}
        for name, (start, stop) in edges.items():
            if progress < stop:
                return name, (progress - start) / (stop - start)
        return "together", (progress - self.decoder_until) / (1 - self.decoder_until)

    def rate(self, part: str, done: float) -> float:
        """Share of the rates at which `part` is trained when so much of it is done."""
        if part == "together":
            return self.together_rate * (1 - done) + 0.01
        return 1.0 if part == "encoder" else min(1.0, 2 * (1 - done) + self.together_rate)


def write_description(folder: Path) -> Place:
    """A folder with all of a checkpoint but its weights: configuration, tokenizer of single characters, page layout."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", encoding="utf-8")
    layout = {"layout": TINY_PAGE.to_dict()}
    (folder / LAYOUT_FILE).write_text(json.dumps(layout, indent=1) + "\n", encoding="utf-8")
    ids = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*SPECIAL, *PLACES, *MARKS)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return Place(folder.name, folder)


def new_network(place: Place) -> Any:
    """A network of the folder's configuration with random weights of a scale at which it learns."""
    network = transformers().UnlimitedOcrForConditionalGeneration(model_config(read_config(place), place))
    network.set_attn_implementation({"": "sdpa"})
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            _initialize(name, parameter)
        embed_patches(network.model.vision_tower.sam_encoder.patch_embed.projection)
        clip = network.model.vision_tower.vision_encoder.embeddings
        clip.position_embedding.weight[1:] = grid_codes(16, clip.embed_dim)
    # windows and the second stage tell places; a position for each of 4,096 patches would be an eighth of the weights
    network.model.vision_tower.sam_encoder.pos_embed.requires_grad_(False)
    return network


def _initialize(name: str, parameter: Tensor) -> None:
    if "rel_pos" in name or "pos_embed" in name or (name.endswith("bias") and parameter.ndim == 1):
        nn.init.zeros_(parameter)
    elif parameter.ndim == 1:
        if name.endswith("weight"):
            nn.init.ones_(parameter)
        else:
            nn.init.normal_(parameter, std=0.3)
    elif "lm_head" in name:
        nn.init.normal_(parameter, std=0.02)
    elif "embed" in name and "patch" not in name:
        nn.init.normal_(parameter, std=0.3)
    else:
        inputs = parameter.shape[-1] if "experts" in name else math.prod(parameter.shape[1:])
        ends_branch = any(part in name for part in ("o_proj", "out_proj", "down_proj", "fc2", "lin2", "attn.proj"))
        nn.init.normal_(parameter, std=(0.5 if ends_branch else 1.0) / math.sqrt(inputs))


@torch.no_grad()
def embed_patches(projection: nn.Conv2d) -> None:
    """Lets the embedding of patches begin with what patches of pages differ in most, each at unit variance; blank paper
    is zero. Random weights would give all patches the same vector but for a little."""
    scribe, size = Scribe(0), projection.kernel_size[0]
    patches = []
    for tier, side in DeepSeekOcr.tiers.items():
        for _ in range(4):
            ink = np.asarray(draw(scribe.page(), tier), dtype=np.float32) / 127.5 - 2  # 0 for paper, -2 for ink
            patches.append(ink.reshape(side // size, size, -1, size).swapaxes(1, 2).reshape(-1, size * size))
    shown = torch.from_numpy(np.concatenate(patches))
    shown = shown[shown.std(dim=1) > 0.05]
    _, spread, directions = torch.linalg.svd(shown, full_matrices=False)
    weights = directions / spread[:, None] * math.sqrt(len(shown))
    weights = weights[: projection.out_channels]
    channels = projection.in_channels
    projection.weight.copy_(weights.view(-1, 1, size, size).expand(-1, channels, -1, -1) / channels)
    assert projection.bias is not None
    projection.bias.copy_(-weights.sum(dim=1))  # the value of paper is 1


def grid_codes(side: int, numbers: int) -> Tensor:
    """Sines and cosines of the place on a square grid: float32[side², numbers], rows first. Neighbours are alike, so
    that they stay places where the grid is resampled for another tier."""
    waves = numbers // 4
    rates = math.pi * torch.arange(1, waves + 1) * (side / 2 / waves)
    angles = (torch.arange(side) + 0.5)[:, None] / side * rates
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = axis[:, None].expand(side, side, 2 * waves)
    columns = axis[None].expand(side, side, 2 * waves)
    return 0.7 * torch.cat([rows, columns], dim=2).reshape(side * side, 4 * waves)


class Glance(nn.Module):
    """Reads the cells of a page, all at once, from the vision tokens that show their middle, and from the patches there
    before compression. It only helps in training: tokens learn what stands in their cells before the decoder has
    learnt where to look."""

    def __init__(self, numbers: int, patch_numbers: int, hidden: int = 384) -> None:
        super().__init__()
        self.seen = nn.Linear(numbers, hidden)
        self.place = nn.Linear(16, hidden)
        self.out = nn.Linear(hidden, len(VOCABULARY))
        self.patch_out = nn.Linear(patch_numbers, len(VOCABULARY))

    def forward(self, tokens: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """`tokens`: [B, side, side, numbers]; `patches`: [B, patch numbers, 4 · side, 4 · side] → logits of either,
        [B, rows, columns, vocabulary]."""
        down, across = _middles(tokens.shape[1])
        shown = tokens[:, down.long()][:, :, across.long()]
        where = torch.stack(torch.meshgrid(down % 1, across % 1, indexing="ij"), dim=-1)
        angles = where[..., None] * math.pi * torch.arange(1, 5)
        place = self.place(torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(2))
        hidden = nn.functional.gelu(self.seen(shown) * place)  # a product picks the cell out of those in the token
        down, across = _middles(patches.shape[2])
        return self.out(hidden), self.patch_out(patches.movedim(1, 3)[:, down.long()][:, :, across.long()])


def _middles(side: int) -> tuple[Tensor, Tensor]:
    """Of rows and columns of the page, in a grid of `side` on a side."""
    rows, columns = TINY_PAGE.rows, TINY_PAGE.columns
    return (torch.arange(rows) + 0.5) * side / rows, (torch.arange(columns) + 0.5) * side / columns


@dataclass(frozen=True)
class Batch:
    """Pages of one tier. `pixels`: float [B, 3, side, side]; `text`: int64[B, T], what is written, the end included,
    `IGNORED` after it; `places`: int64[B, T], in which cell of the page each character stands, -1 for what is none;
    `cells`: int64[B, rows, columns], what stands where."""

    tier: str
    pixels: Tensor
    text: Tensor
    places: Tensor
    cells: Tensor


def _places(ids: Sequence[int]) -> list[int]:
    """In which cell of the page each token stands, -1 for what is no character. Marks are in the order of the cells."""
    first, stop, row_end = VOCABULARY.index(PLACES[0]), VOCABULARY.index(MARKS[0]), VOCABULARY.index("\n")
    places, cell = [], -1
    for token in ids:
        if first <= token < stop:
            cell = (token - first) * RUN_CELLS
            places.append(-1)
        elif token == row_end:
            places.append(-1)
        else:
            places.append(cell)
            cell += 1
    return places


class Batches:
    """Draws batches without end."""

    def __init__(self, model: DeepSeekOcr, options: ReaderOptions, seed: int) -> None:
        self._model = model
        self._options = options
        self._scribe = Scribe(seed)
        self._numbers = np.random.default_rng(seed)
        self._ids = {token: number for number, token in enumerate(VOCABULARY)}

    def draw(self) -> Batch:
        shares = self._options.tiers
        tier = str(self._numbers.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
        count = max(1, round(self._options.megapixels * 1e6 / self._model.tiers[tier] ** 2))
        drawn = [self._page(tier) for _ in range(count)]
        unknown, blank = self._ids[UNKNOWN], self._ids[" "]
        texts = [[self._ids.get(token, unknown) for token in written(lines)] for _, lines in drawn]
        text = torch.full((count, max(map(len, texts)) + 1), IGNORED)
        places = torch.full_like(text, -1)
        cells = torch.full((count, TINY_PAGE.rows, TINY_PAGE.columns), blank)
        for index, (ids, (_, lines)) in enumerate(zip(texts, drawn, strict=True)):
            text[index, : len(ids) + 1] = torch.tensor([*ids, self._ids[SPECIAL[1]]])
            places[index, : len(ids)] = torch.tensor(_places(ids), dtype=torch.int64)
            for row, line in enumerate(lines):
                cells[index, row, : len(line)] = torch.tensor([self._ids.get(c, unknown) for c in line])
        return Batch(tier, self._model.pixels([image for image, _ in drawn]), text, places, cells)

    def _page(self, tier: str) -> tuple[Image.Image, list[str]]:
        """An image and the rows that stand on it."""
        options, chance = self._options, self._numbers.random
        if chance() < options.strange_share:
            if chance() < 0.5:
                return self._noise(tier), []
            page = self._scribe.foreign_page()
        else:
            page = self._scribe.page(0.2 if chance() < options.strings_share else 0.0)
        image = draw(page, tier)
        if chance() < options.altered_share:
            image = self._altered(image)
        return image, page_lines(page.cells)

    def _noise(self, tier: str) -> Image.Image:
        side = self._model.tiers[tier]
        grain = int(self._numbers.choice([1, 2, 4, 8, 16, 32]))
        values = self._numbers.integers(0, 256, (side // grain, side // grain), dtype=np.uint8)
        return Image.fromarray(values.repeat(grain, axis=0).repeat(grain, axis=1))

    def _altered(self, image: Image.Image) -> Image.Image:
        down, across = self._numbers.integers(-2, 3, 2)
        values = np.roll(np.asarray(image), (down, across), axis=(0, 1)).astype(np.float32)
        values += self._numbers.normal(0, self._numbers.uniform(0, 12), values.shape)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))


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
        before, after = model.question(model.prompt(READ))
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
        down, across = _middles(side)
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


def save(network: Any, folder: Path) -> None:
    """The checkpoint, its parameters under their published names, in float16."""
    from safetensors.torch import load_file, save_file

    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    write_description(partial)
    network.save_pretrained(partial / "native", save_original_format=True)
    tensors = load_file(partial / "native" / "model.safetensors")
    shutil.rmtree(partial / "native")
    halves = {name: tensor.half().contiguous() for name, tensor in tensors.items()}
    save_file(halves, partial / "model.safetensors", {"format": "pt"})
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


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
