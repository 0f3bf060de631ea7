"""Tiny random models in the form in which the real ones are published."""

import json
import math
from collections.abc import Callable, Iterator
from functools import cache
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


CHAT_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "<|image_pad|>")
GOT_MARKS = ("<img>", "</img>", "<imgpad>")
IMAGE_ID = VOCABULARY - 1

_DECODER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "vocab_size": VOCABULARY,
}
_QWEN: dict[str, Any] = {
    "image_token_id": IMAGE_ID,
    "video_token_id": IMAGE_ID - 1,
    "vision_end_token_id": IMAGE_ID - 2,
    "vision_start_token_id": IMAGE_ID - 3,
}
_QWEN2: dict[str, Any] = {
    **_DECODER,
    **_QWEN,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "max_position_embeddings": 16384,
    "rope_scaling": {"mrope_section": [2, 3, 3], "type": "mrope"},
    "tie_word_embeddings": True,
}

#: The `config.json` of models in the form of transformers, by their type, as published but for the sizes.
CONFIGS: dict[str, dict[str, Any]] = {
    "got_ocr2": {
        "architectures": ["GotOcr2ForConditionalGeneration"],
        "ignore_index": -100,
        "image_seq_length": 576,
        "image_token_index": IMAGE_ID,
        "model_type": "got_ocr2",
        "text_config": {**_DECODER, "model_type": "qwen2", "num_key_value_heads": 2, "tie_word_embeddings": True},
        "vision_config": {
            "global_attn_indexes": [1],
            "hidden_size": 16,
            "mlp_dim": 64,
            "model_type": "",
            "num_attention_heads": 1,
            "num_hidden_layers": 2,
            "output_channels": 16,
        },
    },
    "qwen2_5_vl": {
        **_QWEN2,
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "vision_config": {
            "depth": 2,
            "fullatt_block_indexes": [1],
            "hidden_size": 32,
            "in_chans": 3,
            "intermediate_size": 48,
            "model_type": "qwen2_5_vl",
            "num_heads": 1,
            "out_hidden_size": 32,
            "spatial_patch_size": 14,
            "tokens_per_second": 2,
        },
    },
    "qwen2_vl": {
        **_QWEN2,
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "vision_config": {
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "in_chans": 3,
            "mlp_ratio": 2,
            "model_type": "qwen2_vl",
            "num_heads": 1,
            "spatial_patch_size": 14,
        },
    },
    "qwen3_vl": {
        **_QWEN,
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "text_config": {
            **_DECODER,
            "head_dim": 16,
            "max_position_embeddings": 16384,
            "model_type": "qwen3_vl_text",
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
        },
        "tie_word_embeddings": False,
        "vision_config": {
            "deepstack_visual_indexes": [0, 1],
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "model_type": "qwen3_vl",
            "num_heads": 1,
            "num_position_embeddings": 64,
            "out_hidden_size": 32,
            "patch_size": 16,
        },
    },
}

_LAYER = """input_layernorm.weight post_attention_layernorm.weight mlp.gate_proj.weight mlp.up_proj.weight
    mlp.down_proj.weight self_attn.q_proj.weight self_attn.k_proj.weight self_attn.v_proj.weight
    self_attn.o_proj.weight"""
_QWEN2_LAYER = _LAYER + " self_attn.q_proj.bias self_attn.k_proj.bias self_attn.v_proj.bias"
_ATTENTION = "attn.qkv.weight attn.qkv.bias attn.proj.weight attn.proj.bias"
_MERGER = "norm.weight norm.bias linear_fc1.weight linear_fc1.bias linear_fc2.weight linear_fc2.bias"
_QWEN2_MERGER = "ln_q.weight mlp.0.weight mlp.0.bias mlp.2.weight mlp.2.bias"

#: Their published parameters: prefix → names after it, the prefixes with a number once for each of two layers.
PARAMETERS: dict[str, dict[str, str]] = {
    "got_ocr2": {
        "language_model.model.": "embed_tokens.weight norm.weight",
        "language_model.model.layers.#.": _QWEN2_LAYER,
        "vision_tower.": """pos_embed patch_embed.projection.weight patch_embed.projection.bias neck.conv1.weight
            neck.conv2.weight neck.layer_norm1.weight neck.layer_norm1.bias neck.layer_norm2.weight
            neck.layer_norm2.bias""",
        "vision_tower.layers.#.": f"""{_ATTENTION} attn.rel_pos_h attn.rel_pos_w layer_norm1.weight layer_norm1.bias
            layer_norm2.weight layer_norm2.bias mlp.lin1.weight mlp.lin1.bias mlp.lin2.weight mlp.lin2.bias""",
        "multi_modal_projector.": """conv_upsampler1.weight conv_upsampler2.weight multimodal_projector.weight
            multimodal_projector.bias""",
    },
    "qwen2_5_vl": {
        "model.": "embed_tokens.weight norm.weight",
        "model.layers.#.": _QWEN2_LAYER,
        "visual.": "patch_embed.proj.weight",
        "visual.merger.": _QWEN2_MERGER,
        "visual.blocks.#.": f"""{_ATTENTION} norm1.weight norm2.weight mlp.gate_proj.weight mlp.gate_proj.bias
            mlp.up_proj.weight mlp.up_proj.bias mlp.down_proj.weight mlp.down_proj.bias""",
    },
    "qwen2_vl": {
        "model.": "embed_tokens.weight norm.weight",
        "model.layers.#.": _QWEN2_LAYER,
        "visual.": "patch_embed.proj.weight",
        "visual.merger.": f"{_QWEN2_MERGER} ln_q.bias",
        "visual.blocks.#.": f"""{_ATTENTION} norm1.weight norm1.bias norm2.weight norm2.bias mlp.fc1.weight mlp.fc1.bias
            mlp.fc2.weight mlp.fc2.bias""",
    },
    "qwen3_vl": {
        "": "lm_head.weight",
        "model.language_model.": "embed_tokens.weight norm.weight",
        "model.language_model.layers.#.": f"{_LAYER} self_attn.q_norm.weight self_attn.k_norm.weight",
        "model.visual.": "patch_embed.proj.weight patch_embed.proj.bias pos_embed.weight",
        "model.visual.merger.": _MERGER,
        "model.visual.deepstack_merger_list.#.": _MERGER,
        "model.visual.blocks.#.": f"""{_ATTENTION} norm1.weight norm1.bias norm2.weight norm2.bias mlp.linear_fc1.weight
            mlp.linear_fc1.bias mlp.linear_fc2.weight mlp.linear_fc2.bias""",
    },
}
#: How transformers calls what is published under another prefix.
_RENAMED = {
    "got_ocr2": {"language_model.model.": "model.language_model.", "": "model."},
    "qwen2_5_vl": {"visual.": "model.visual.", "model.": "model.language_model."},
    "qwen2_vl": {"visual.": "model.visual.", "model.": "model.language_model."},
    "qwen3_vl": {"": ""},
}


def published_names(kind: str) -> list[str]:
    return [
        prefix.replace("#", number) + name
        for prefix, names in PARAMETERS[kind].items()
        for number in ("01" if "#" in prefix else "0")
        for name in names.split()
    ]


def write_model(kind: str, folder: Path, seed: int = 1) -> Path:
    """A checkpoint of the type `kind` with its published parameter names, random, beside settings that sample."""
    import transformers

    config = CONFIGS[kind]
    with torch.device("meta"):
        known = {type.model_type: type for type in transformers.CONFIG_MAPPING.values()}[kind]
        network = getattr(transformers, config["architectures"][0])(known.from_dict(json.loads(json.dumps(config))))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}

    def renamed(name: str) -> str:
        old, new = next(pair for pair in _RENAMED[kind].items() if name.startswith(pair[0]))
        return new + name.removeprefix(old)

    names = published_names(kind)
    assert set(shapes) - {renamed(name) for name in names} <= {"lm_head.weight"}
    folder.mkdir(parents=True, exist_ok=True)
    tensors = drawn(((name, shapes[renamed(name)]) for name in names), seed)
    for name in tensors:  # so that what is written depends on what is seen
        if name.endswith("embed_tokens.weight"):
            tensors[name] *= 0.1
        elif name.endswith(("q_proj.weight", "k_proj.weight", "q_norm.weight")):
            tensors[name] *= 4
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    sampling = {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.5}
    (folder / "generation_config.json").write_text(json.dumps({**sampling, "eos_token_id": [2, 0], "pad_token_id": 0}))
    write_tokenizer(folder, CHAT_SPECIAL, GOT_MARKS if kind == "got_ocr2" else QWEN_MARKS)
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a model of a type, written once."""
    return cache(lambda kind: write_model(kind, tmp_path_factory.mktemp(kind)))
