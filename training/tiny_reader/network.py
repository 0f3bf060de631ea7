"""The network of the tiny reader: its configuration, vocabulary and first weights, and how it becomes a checkpoint."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foxing.encoder.contract import UNREADABLE
from foxing.encoder.vision.checkpoint import LAYOUT_FILE, Checkpoint, read_config, transformers
from foxing.encoder.vision.deepseek import PUBLISHED_TYPE, DeepSeekOcr, model_config

from .pages import ALPHABET, RUN_CELLS, TINY_PAGE, Scribe, draw, mark

SPECIAL = ("<|begin|>", "<|end|>")
MARKS = ("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>")
UNKNOWN = chr(UNREADABLE)
#: Marks of places on the page, one token each.
PLACES = tuple(mark(row, run) for row in range(TINY_PAGE.rows) for run in range(TINY_PAGE.columns // RUN_CELLS))
VOCABULARY = (*SPECIAL, UNKNOWN, *ALPHABET, *PLACES, *MARKS)

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


def write_description(folder: Path) -> Checkpoint:
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
    return Checkpoint(folder.name, folder)


def new_network(place: Checkpoint) -> Any:
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
        down, across = middles(tokens.shape[1])
        shown = tokens[:, down.long()][:, :, across.long()]
        where = torch.stack(torch.meshgrid(down % 1, across % 1, indexing="ij"), dim=-1)
        angles = where[..., None] * math.pi * torch.arange(1, 5)
        place = self.place(torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(2))
        hidden = nn.functional.gelu(self.seen(shown) * place)  # a product picks the cell out of those in the token
        down, across = middles(patches.shape[2])
        return self.out(hidden), self.patch_out(patches.movedim(1, 3)[:, down.long()][:, :, across.long()])


def middles(side: int) -> tuple[Tensor, Tensor]:
    """Of rows and columns of the page, in a grid of `side` on a side."""
    rows, columns = TINY_PAGE.rows, TINY_PAGE.columns
    return (torch.arange(rows) + 0.5) * side / rows, (torch.arange(columns) + 0.5) * side / columns


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
