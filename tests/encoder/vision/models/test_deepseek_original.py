"""DeepSeek-OCR's encoder at full size (401 million random parameters) compared with the original repository's own code.

Needs a checkout of github.com/deepseek-ai/DeepSeek-OCR, whose folder is given in DEEPSEEK_OCR_SOURCE, and about 8 GB of
memory; none of its code is part of this repository.
"""

import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.deepseek_checkpoint import DEEPSEEK_CONFIG, MARKS, SPECIAL
from support.random_checkpoint import VOCABULARY_SIZE, write_tokenizer
from torch import Tensor, nn

from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr

SOURCE = "DEEPSEEK_OCR_SOURCE"
CODE = Path("DeepSeek-OCR-master") / "DeepSeek-OCR-vllm" / "deepencoder"
WIDTH = 1280
MODES = {"tiny": 512, "small": 640, "base": 1024, "large": 1280}
#: The published `config.json` as far as the encoder goes.
CONFIG: dict[str, Any] = {
    **DEEPSEEK_CONFIG,
    "language_config": {
        **DEEPSEEK_CONFIG["language_config"],
        **{"hidden_size": WIDTH, "num_attention_heads": 10, "num_hidden_layers": 0},
    },
    "projector_config": {"input_dim": 2048, "n_embed": WIDTH, "projector_type": "linear"},
    "vision_config": {
        "image_size": 1024,
        "width": {
            "clip-l-14-224": {"heads": 16, "image_size": 224, "layers": 24, "patch_size": 14, "width": 1024},
            "sam_vit_b": {
                "downsample_channels": [512, 1024],
                "global_attn_indexes": [2, 5, 8, 11],
                "heads": 12,
                "layers": 12,
                "width": 768,
            },
        },
    },
}


class Original(nn.Module):
    """The original encoder and projector, put together as its `_pixel_values_to_embedding` does without parts."""

    def __init__(self, code: Path) -> None:
        super().__init__()
        self.sam_model = load(code / "sam_vary_sdpa.py").build_sam_vit_b()
        self.vision_model = load(code / "clip_sdpa.py").build_clip_l()
        self.projector = nn.ModuleDict({"layers": nn.Linear(2048, WIDTH)})
        self.image_newline = nn.Parameter(torch.zeros(WIDTH))
        self.view_seperator = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, pixels: Tensor) -> Tensor:
        """[q (q + 1) + 1, channels]. `pixels`: [1, 3, S, S]."""
        sam = self.sam_model(pixels)
        clip = self.vision_model(pixels, sam)
        both = torch.cat((clip[:, 1:], sam.flatten(2).permute(0, 2, 1)), dim=-1)
        features = self.projector["layers"](both)[0]
        side = int(len(features) ** 0.5)
        newlines = self.image_newline.expand(side, 1, WIDTH)
        rows = torch.cat([features.view(side, side, WIDTH), newlines], dim=1)
        return torch.cat([rows.flatten(0, 1), self.view_seperator[None]])


def load(file: Path) -> ModuleType:
    """A module of the original repository."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def code() -> Path:
    given = os.environ.get(SOURCE)
    if not given:
        pytest.skip(f"needs a checkout of deepseek-ai/DeepSeek-OCR in {SOURCE}")
    folder = Path(given) / CODE
    if not folder.is_dir():
        pytest.skip(f"{SOURCE} has no folder {CODE}")
    return folder


@pytest.fixture(scope="module")
def original(code: Path) -> Original:
    """With random weights. What it imports and does not use is replaced."""
    stubs = {"flash_attn": ModuleType("flash_attn"), "easydict": ModuleType("easydict")}
    stubs["flash_attn"].__dict__.update(flash_attn_qkvpacked_func=None, flash_attn_func=None)
    stubs["easydict"].__dict__["EasyDict"] = type("EasyDict", (dict,), {"__getattr__": dict.__getitem__})
    missing = {name: module for name, module in stubs.items() if name not in sys.modules}
    sys.modules.update(missing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the original code
            built = Original(code).eval()
    finally:
        for name in missing:
            del sys.modules[name]
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.normal_(0, 0.02, generator=generator)
            if "norm" in name and name.endswith("weight"):
                parameter += 1
    return built.requires_grad_(False)


@pytest.fixture(scope="module")
def model(original: Original, tmp_path_factory: pytest.TempPathFactory) -> DeepSeekOcr:
    """The same weights, under their published names."""
    folder = tmp_path_factory.mktemp("full-size")
    tensors = {f"model.{name}": value.contiguous() for name, value in original.state_dict().items()}
    tensors = {name: value for name, value in tensors.items() if not name.endswith("position_ids")}
    tensors["model.embed_tokens.weight"] = torch.zeros(VOCABULARY_SIZE, WIDTH)
    tensors["lm_head.weight"] = torch.zeros(VOCABULARY_SIZE, WIDTH)
    tensors["model.norm.weight"] = torch.ones(WIDTH)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    write_tokenizer(folder, SPECIAL, MARKS)
    del tensors
    return DeepSeekOcr.load(locate(str(folder), None), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("tier", MODES)
@torch.inference_mode()
def test_features_equal_those_of_the_original_code(original: Original, model: DeepSeekOcr, tier: str) -> None:
    side = MODES[tier]
    pixels = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(side)) * 2 - 1
    expected = original(pixels)
    features = model.image_embeddings(model.image_features(pixels, tier)[0])
    assert len(expected) == model.positions(tier)
    assert float(expected.std()) > 0.1
    assert float((features - expected).abs().max()) <= 2e-5
