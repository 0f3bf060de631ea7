"""Initial weights of the network."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foxing.encoder.vision.models.checkpoint import Checkpoint, read_config
from foxing.encoder.vision.models.deepseek import DeepSeekOcr

from .synthetic_pages import PageGenerator, draw


def new_network(checkpoint: Checkpoint) -> Any:
    """Returns a network of the checkpoint's configuration with trainable random weights."""
    network = DeepSeekOcr.network_class()(DeepSeekOcr.config(read_config(checkpoint), checkpoint))
    network.set_attn_implementation({"": "sdpa"})
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            _initialize(name, parameter)
        initialize_patch_embedding(network.model.vision_tower.sam_encoder.patch_embed.projection)
        clip = network.model.vision_tower.vision_encoder.embeddings
        clip.position_embedding.weight[1:] = sinusoidal_positions(16, clip.embed_dim)
    # windows and CLIP provide positions; an embedding for each of 4,096 patches would be an eighth of the weights
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
        fan_in = parameter.shape[-1] if "experts" in name else math.prod(parameter.shape[1:])
        ends_branch = any(part in name for part in ("o_proj", "out_proj", "down_proj", "fc2", "lin2", "attn.proj"))
        nn.init.normal_(parameter, std=(0.5 if ends_branch else 1.0) / math.sqrt(fan_in))


@torch.no_grad()
def initialize_patch_embedding(projection: nn.Conv2d) -> None:
    """Sets `projection` to the principal components of page patches, each with unit variance and zero for blank paper.
    Random weights would give all patches nearly the same vector."""
    generator, size = PageGenerator(0), projection.kernel_size[0]
    patches = []
    for tier, side in DeepSeekOcr.tiers.items():
        for _ in range(4):
            ink = np.asarray(draw(generator.page(), tier), dtype=np.float32) / 127.5 - 2  # 0 for paper, -2 for ink
            patches.append(ink.reshape(side // size, size, -1, size).swapaxes(1, 2).reshape(-1, size * size))
    inked = torch.from_numpy(np.concatenate(patches))
    inked = inked[inked.std(dim=1) > 0.05]
    _, singular_values, components = torch.linalg.svd(inked, full_matrices=False)
    weights = components / singular_values[:, None] * math.sqrt(len(inked))
    weights = weights[: projection.out_channels]
    channels = projection.in_channels
    projection.weight.copy_(weights.view(-1, 1, size, size).expand(-1, channels, -1, -1) / channels)
    assert projection.bias is not None
    projection.bias.copy_(-weights.sum(dim=1))  # paper has the value 1


def sinusoidal_positions(side: int, channels: int) -> Tensor:
    """Returns sines and cosines of positions on a square grid, float32 [side², channels], in row order. Neighbours are
    similar, so the embedding survives resampling for another tier."""
    waves = channels // 4
    rates = math.pi * torch.arange(1, waves + 1) * (side / 2 / waves)
    angles = (torch.arange(side) + 0.5)[:, None] / side * rates
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = axis[:, None].expand(side, side, 2 * waves)
    columns = axis[None].expand(side, side, 2 * waves)
    return 0.7 * torch.cat([rows, columns], dim=2).reshape(side * side, 4 * waves)
