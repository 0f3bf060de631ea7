"""Tiny random checkpoints in the published format of DeepSeek-OCR."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from .random_checkpoint import VOCABULARY_SIZE, random_tensors, write_tokenizer

SPECIAL = ("<|begin|>", "<|end|>")
MARKS = ("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>")

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
        "vocab_size": VOCABULARY_SIZE,
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
    """Published name and shape of every parameter."""
    width = config["vision_config"]["width"]
    yield from _language_shapes(config)
    yield from _sam_shapes("model.sam_model", width["sam_vit_b"])
    yield from _clip_shapes("model.vision_model", width["clip-l-14-224"])


def _language_shapes(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    language, width = config["language_config"], config["vision_config"]["width"]
    d, c = language["hidden_size"], width["clip-l-14-224"]["width"]
    down = width["sam_vit_b"]["downsample_channels"]
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


def _sam_shapes(at: str, sam: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    s, down = sam["width"], sam["downsample_channels"]
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


def _clip_shapes(at: str, clip: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    c = clip["width"]
    yield f"{at}.embeddings.class_embedding", (c,)
    yield f"{at}.embeddings.patch_embedding.weight", (c, 3, 14, 14)  # published but unused
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


def write_deepseek(folder: Path, seed: int = 0) -> Path:
    """Writes a checkpoint of DeepSeek-OCR and returns `folder`."""
    return _write(folder, DEEPSEEK_CONFIG, deepseek_shapes, seed)


def _write(
    folder: Path,
    config: dict[str, Any],
    shapes: Callable[[dict[str, Any]], Iterator[tuple[str, tuple[int, ...]]]],
    seed: int,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(random_tensors(shapes(config), seed), folder / "model.safetensors", {"format": "pt"})
    write_tokenizer(folder, SPECIAL, MARKS)
    return folder
