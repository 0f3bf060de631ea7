"""Tiny random models in the form in which the real ones are published."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from foxing.renderer import PageLayout

pytest.importorskip("transformers", reason="needs transformers (the extra 'gpu')")

#: A page of few cells, so that a text has few tokens: square, whole, in the outline font.
SMALL_PAGE = PageLayout(
    columns=8, rows=4, cell_width_px=160, cell_height_px=320, newline="break", font="dejavu-sans-mono", cropped=False
)
SPECIAL = ("<|begin|>", "<|end|>")
MARKS = ("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>")
VOCABULARY = 300

DEEPSEEK_CONFIG: dict[str, Any] = {
    "architectures": ["DeepseekOCRForCausalLM"],
    "auto_map": {"AutoModel": "modeling_deepseekocr.DeepseekOCRForCausalLM"},
    "model_type": "deepseek_vl_v2",
    "language_config": {
        "bos_token_id": 0,
        "eos_token_id": 1,
        "first_k_dense_replace": 1,
        "hidden_size": 32,
        "intermediate_size": 64,
        "max_position_embeddings": 8192,
        "moe_intermediate_size": 16,
        "n_group": 1,
        "n_routed_experts": 4,
        "n_shared_experts": 2,
        "num_attention_heads": 2,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "topk_group": 1,
        "topk_method": "greedy",
        "vocab_size": VOCABULARY,
    },
    "projector_config": {"input_dim": 64, "n_embed": 32, "projector_type": "linear"},
    "vision_config": {
        "image_size": 1024,
        "width": {
            "clip-l-14-224": {"heads": 2, "image_size": 224, "layers": 2, "patch_size": 14, "width": 32},
            "sam_vit_b": {
                "downsample_channels": [16, 32],
                "global_attn_indexes": [1],
                "heads": 2,
                "layers": 2,
                "width": 16,
            },
        },
    },
}


def deepseek_shapes(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every parameter of DeepSeek-OCR under its published name, with its shape."""
    language, width = config["language_config"], config["vision_config"]["width"]
    sam, clip = width["sam_vit_b"], width["clip-l-14-224"]
    s, c, d = sam["width"], clip["width"], language["hidden_size"]
    down = sam["downsample_channels"]
    for name, out, into in (("lm_head", language["vocab_size"], d), ("model.embed_tokens", language["vocab_size"], d)):
        yield f"{name}.weight", (out, into)
    yield "model.norm.weight", (d,)
    yield "model.image_newline", (d,)
    yield "model.view_seperator", (d,)
    yield "model.projector.layers.weight", (d, c + down[1])
    yield "model.projector.layers.bias", (d,)
    for layer in range(language["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}.{norm}.weight", (d,)
        for part in "qkvo":
            yield f"{at}.self_attn.{part}_proj.weight", (d, d)
        if layer < language["first_k_dense_replace"]:
            parts = {"mlp": language["intermediate_size"]}
        else:
            size = language["moe_intermediate_size"]
            parts = {f"mlp.experts.{expert}": size for expert in range(language["n_routed_experts"])}
            parts["mlp.shared_experts"] = size * language["n_shared_experts"]
            yield f"{at}.mlp.gate.weight", (language["n_routed_experts"], d)
        for part, size in parts.items():
            for way in ("gate_proj", "up_proj"):
                yield f"{at}.{part}.{way}.weight", (size, d)
            yield f"{at}.{part}.down_proj.weight", (d, size)
    at = "model.sam_model"
    yield f"{at}.patch_embed.proj.weight", (s, 3, 16, 16)
    yield f"{at}.patch_embed.proj.bias", (s,)
    yield f"{at}.pos_embed", (1, 64, 64, s)
    for layer in range(sam["layers"]):
        block = f"{at}.blocks.{layer}"
        for norm in ("norm1", "norm2"):
            yield f"{block}.{norm}.weight", (s,)
            yield f"{block}.{norm}.bias", (s,)
        reach = 2 * (64 if layer in sam["global_attn_indexes"] else 14) - 1
        for axis in "hw":
            yield f"{block}.attn.rel_pos_{axis}", (reach, s // sam["heads"])
        for part, out, into in (
            ("attn.qkv", 3 * s, s),
            ("attn.proj", s, s),
            ("mlp.lin1", 4 * s, s),
            ("mlp.lin2", s, 4 * s),
        ):
            yield f"{block}.{part}.weight", (out, into)
            yield f"{block}.{part}.bias", (out,)
    for name, shape in {
        "neck.0.weight": (256, s, 1, 1),
        "neck.1.weight": (256,),
        "neck.1.bias": (256,),
        "neck.2.weight": (256, 256, 3, 3),
        "neck.3.weight": (256,),
        "neck.3.bias": (256,),
        "net_2.weight": (down[0], 256, 3, 3),
        "net_3.weight": (down[1], down[0], 3, 3),
    }.items():
        yield f"{at}.{name}", shape
    at = "model.vision_model"
    yield f"{at}.embeddings.class_embedding", (c,)
    yield f"{at}.embeddings.patch_embedding.weight", (c, 3, 14, 14)  # published, and not used
    yield f"{at}.embeddings.position_embedding.weight", (257, c)
    yield f"{at}.pre_layrnorm.weight", (c,)
    yield f"{at}.pre_layrnorm.bias", (c,)
    for layer in range(clip["layers"]):
        block = f"{at}.transformer.layers.{layer}"
        for norm in ("layer_norm1", "layer_norm2"):
            yield f"{block}.{norm}.weight", (c,)
            yield f"{block}.{norm}.bias", (c,)
        for part, out, into in (
            ("self_attn.qkv_proj", 3 * c, c),
            ("self_attn.out_proj", c, c),
            ("mlp.fc1", 4 * c, c),
            ("mlp.fc2", c, 4 * c),
        ):
            yield f"{block}.{part}.weight", (out, into)
            yield f"{block}.{part}.bias", (out,)


def drawn(shapes: Iterator[tuple[str, tuple[int, ...]]], seed: int = 0) -> dict[str, Tensor]:
    """Random parameters of a scale at which numbers stay of order 1."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes:
        values = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            tensors[name] = values * 0.1 + ("norm" in name and name.endswith("weight"))
        elif "embed" in name or "rel_pos" in name:
            tensors[name] = values * 0.3
        else:
            tensors[name] = values / math.sqrt(math.prod(shape[1:]))
    return tensors


def write_tokenizer(folder: Path, special: tuple[str, ...] = SPECIAL, marks: tuple[str, ...] = MARKS) -> None:
    """A tokenizer of single bytes: the special tokens first, the marks at the end of the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*special, *symbols])}
    unused = range(len(vocabulary), VOCABULARY - len(marks))
    vocabulary |= {f"<|unused{index}|>": index for index in unused}
    vocabulary |= {mark: VOCABULARY - len(marks) + index for index, mark in enumerate(marks)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*special, *marks)])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_deepseek(folder: Path, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(DEEPSEEK_CONFIG))
    save_file(drawn(deepseek_shapes(DEEPSEEK_CONFIG), seed), folder / "model.safetensors", {"format": "pt"})
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def deepseek_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_deepseek(tmp_path_factory.mktemp("deepseek"))


@pytest.fixture(scope="session")
def make_deepseek() -> Callable[[Path, int], Path]:
    return write_deepseek


@pytest.fixture(scope="session")
def small_page() -> PageLayout:
    return SMALL_PAGE
