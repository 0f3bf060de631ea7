"""DeepSeek-OCR's encoder compared with an independent implementation of its equations, with the same random weights."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from foxing.encoder.vision.models.checkpoint import locate, read_config
from foxing.encoder.vision.models.deepseek import DeepSeekOcr

MODES = {"large": (1280, 421), "base": (1024, 273), "small": (640, 111), "tiny": (512, 73)}


class ReferenceEncoder:
    """SAM with windows and relative positions → neck → two convolutions of stride 2 → CLIP over their output → both
    concatenated → a linear map → newline and separator embeddings. Written from the paper and the published code of its
    parts, with plain loops where a tensor trick could hide a mistake."""

    def __init__(self, parameters: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        self.p = parameters
        self.sam = config["vision_config"]["width"]["sam_vit_b"]
        self.clip = config["vision_config"]["width"]["clip-l-14-224"]

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"]

    def norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
        return scaled * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def positions(self, table: Tensor, side: int) -> Tensor:
        """`table` resampled: [old, old, C] → [side, side, C]."""
        if table.shape[0] == side:
            return table
        image = table.permute(2, 0, 1)[None]
        return F.interpolate(image, (side, side), mode="bicubic", antialias=True)[0].permute(1, 2, 0)

    def relative(self, name: str, side: int) -> Tensor:
        """Embedding of the distance of query i and key j: [side, side, C]."""
        table = self.p[name]
        if len(table) != 2 * side - 1:
            table = F.interpolate(table.T[None], 2 * side - 1, mode="linear")[0].T
        distance = torch.arange(side)[:, None] - torch.arange(side)[None, :]
        return table[distance + side - 1]

    def sam_attention(self, x: Tensor, block: str) -> Tensor:
        """Attention within a square of patches: [s, s, C] → [s, s, C]."""
        side, _, width = x.shape
        size = width // self.sam["heads"]
        q, k, v = self.linear(x, f"{block}.attn.qkv").reshape(side * side, 3, width).unbind(1)
        down, across = (self.relative(f"{block}.attn.rel_pos_{axis}", side) for axis in "hw")
        heads = []
        for head in range(self.sam["heads"]):
            part = slice(head * size, (head + 1) * size)
            square = q[:, part].reshape(side, side, size)
            bias_down = torch.einsum("ijc,ikc->ijk", square, down)
            bias_across = torch.einsum("ijc,jkc->ijk", square, across)
            bias = (bias_down[:, :, :, None] + bias_across[:, :, None, :]).reshape(side * side, side * side)
            heads.append((q[:, part] @ k[:, part].T / math.sqrt(size) + bias).softmax(-1) @ v[:, part])
        return self.linear(torch.cat(heads, -1), f"{block}.attn.proj").reshape(side, side, width)

    def windows(self, x: Tensor, block: str, window: int = 14) -> Tensor:
        """Attention within windows; those at the edge are padded with zeros."""
        side = x.shape[0]
        full = -(-side // window) * window
        padded = torch.zeros(full, full, x.shape[2])
        padded[:side, :side] = x
        out = torch.zeros_like(padded)
        for top in range(0, full, window):
            for left in range(0, full, window):
                part = padded[top : top + window, left : left + window]
                out[top : top + window, left : left + window] = self.sam_attention(part, block)
        return out[:side, :side]

    def sam_features(self, pixels: Tensor) -> Tensor:
        """Compressed features: [3, S, S] → [c, S / 64, S / 64]."""
        at = "model.sam_model"
        weight, bias = (self.p[f"{at}.patch_embed.proj.{name}"] for name in ("weight", "bias"))
        x = F.conv2d(pixels[None], weight, bias, stride=16)[0].permute(1, 2, 0)
        x = x + self.positions(self.p[f"{at}.pos_embed"][0], x.shape[0])
        for layer in range(self.sam["layers"]):
            block = f"{at}.blocks.{layer}"
            attend = self.sam_attention if layer in self.sam["global_attn_indexes"] else self.windows
            x = x + attend(self.norm(x, f"{block}.norm1", 1e-6), block)
            hidden = F.gelu(self.linear(self.norm(x, f"{block}.norm2", 1e-6), f"{block}.mlp.lin1"))
            x = x + self.linear(hidden, f"{block}.mlp.lin2")
        y = F.conv2d(x.permute(2, 0, 1)[None], self.p[f"{at}.neck.0.weight"])
        y = self.norm(y.permute(0, 2, 3, 1), f"{at}.neck.1", 1e-6).permute(0, 3, 1, 2)
        y = F.conv2d(y, self.p[f"{at}.neck.2.weight"], padding=1)
        y = self.norm(y.permute(0, 2, 3, 1), f"{at}.neck.3", 1e-6).permute(0, 3, 1, 2)
        for name in ("net_2", "net_3"):
            y = F.conv2d(y, self.p[f"{at}.{name}.weight"], stride=2, padding=1)
        return y[0]

    def clip_features(self, patches: Tensor) -> Tensor:
        """CLIP over the patches of a square, class embedding first: [n, C] → [n + 1, C]."""
        at = "model.vision_model"
        side = math.isqrt(len(patches))
        table = self.p[f"{at}.embeddings.position_embedding.weight"]
        old = math.isqrt(len(table) - 1)
        square = self.positions(table[1:].reshape(old, old, -1), side).reshape(side * side, -1)
        x = torch.cat([self.p[f"{at}.embeddings.class_embedding"][None], patches]) + torch.cat([table[:1], square])
        x = self.norm(x, f"{at}.pre_layrnorm", 1e-5)
        size = x.shape[1] // self.clip["heads"]
        for layer in range(self.clip["layers"]):
            block = f"{at}.transformer.layers.{layer}"
            normed = self.norm(x, f"{block}.layer_norm1", 1e-5)
            q, k, v = self.linear(normed, f"{block}.self_attn.qkv_proj").chunk(3, -1)
            heads = [
                (a @ b.T / math.sqrt(size)).softmax(-1) @ c
                for a, b, c in zip(q.split(size, -1), k.split(size, -1), v.split(size, -1), strict=True)
            ]
            x = x + self.linear(torch.cat(heads, -1), f"{block}.self_attn.out_proj")
            hidden = self.linear(self.norm(x, f"{block}.layer_norm2", 1e-5), f"{block}.mlp.fc1")
            x = x + self.linear(hidden * torch.sigmoid(1.702 * hidden), f"{block}.mlp.fc2")
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """Decoder input for an image: [3, S, S] → [q (q + 1) + 1, channels]."""
        compressed = self.sam_features(pixels)
        side = compressed.shape[1]
        patches = compressed.flatten(1).T
        both = torch.cat([self.clip_features(patches)[1:], patches], -1)
        tokens = self.linear(both, "model.projector.layers").reshape(side, side, -1)
        rows = [torch.cat([row, self.p["model.image_newline"][None]]) for row in tokens]
        return torch.cat([*rows, self.p["model.view_seperator"][None]])


@pytest.fixture(scope="module")
def model(deepseek: DeepSeekOcr) -> DeepSeekOcr:
    return deepseek


@pytest.fixture(scope="module")
def reference(deepseek_folder: Path) -> ReferenceEncoder:
    checkpoint = locate(str(deepseek_folder), None)
    return ReferenceEncoder(load_file(deepseek_folder / "model.safetensors"), read_config(checkpoint))


@pytest.mark.parametrize(
    "tier", ["tiny", *(pytest.param(tier, marks=pytest.mark.slow) for tier in MODES if tier != "tiny")]
)
@torch.inference_mode()
def test_features_equal_those_of_the_reference(model: DeepSeekOcr, reference: ReferenceEncoder, tier: str) -> None:
    side, positions = MODES[tier]
    pixels = torch.rand(3, side, side, generator=torch.Generator().manual_seed(side)) * 2 - 1
    expected = reference.features(pixels)
    assert expected.shape[0] == positions == model.positions(tier)
    embeddings = model.image_embeddings(model.image_features(pixels[None], tier)[0])
    assert embeddings.shape == expected.shape
    assert float(expected.std()) > 0.1
    assert float((embeddings - expected).abs().max()) <= 1e-5


@torch.inference_mode()
def test_tokens_with_newlines_and_separator_equal_the_models_output_bitwise(model: DeepSeekOcr) -> None:
    pixels = torch.rand(1, 3, 512, 512) * 2 - 1
    expected = model.network.get_image_features(pixel_values=pixels).pooler_output[0]
    assert torch.equal(model.image_embeddings(model.image_features(pixels, "tiny")[0]), expected)
