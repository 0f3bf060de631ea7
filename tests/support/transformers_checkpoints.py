"""Tiny random checkpoints in their published format: GOT-OCR 2.0, and models that take a grid of patches."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .random_checkpoint import VOCABULARY_SIZE, random_tensors, write_tokenizer

CHAT_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "<|image_pad|>")
GOT_MARKS = ("<img>", "</img>", "<imgpad>")
IMAGE_ID = VOCABULARY_SIZE - 1

_DECODER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "vocab_size": VOCABULARY_SIZE,
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

#: `config.json` by model type, as published except for the sizes.
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
_GATED = "mlp.gate_proj.{0} mlp.up_proj.{0} mlp.down_proj.{0}"
_WEIGHTS, _BIASES = _GATED.format("weight"), _GATED.format("bias")
_SIGLIP_LAYER = " ".join(
    f"{part}.{kind}"
    for part in [
        "layer_norm1",
        "layer_norm2",
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.out_proj",
        "mlp.fc1",
        "mlp.fc2",
    ]
    for kind in ("weight", "bias")
)
_QWEN2_MERGER = "ln_q.weight mlp.0.weight mlp.0.bias mlp.2.weight mlp.2.bias"

#: Published parameter names by model type and prefix; `#` stands for the number of each of two layers.
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
#: Prefixes that transformers renames: published → loaded.
_RENAMED = {
    "got_ocr2": {"language_model.model.": "model.language_model.", "": "model."},
    "qwen2_5_vl": {"visual.": "model.visual.", "model.": "model.language_model."},
    "qwen2_vl": {"visual.": "model.visual.", "model.": "model.language_model."},
    "qwen3_vl": {"": ""},
}
#: Special tokens and marks by the model's type; those of the Qwen family by default.
_TOKENS = {
    "got_ocr2": (CHAT_SPECIAL, GOT_MARKS),
}


def published_names(kind: str) -> list[str]:
    """Parameter names in a published checkpoint of the type `kind`."""
    return [
        prefix.replace("#", number) + name
        for prefix, names in PARAMETERS[kind].items()
        for number in ("01" if "#" in prefix else "0")
        for name in names.split()
    ]


def write_checkpoint(kind: str, folder: Path, seed: int = 1) -> Path:
    """Writes a checkpoint of the type `kind` whose generation settings ask for sampling, and returns `folder`."""
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
    known_shapes = {name: shapes[renamed(name)] for name in names}
    tensors = random_tensors(iter(known_shapes.items()), seed)
    for name in tensors:  # makes the generated text depend on the image
        if name.endswith("embed_tokens.weight"):
            tensors[name] *= 0.1
        elif name.endswith(("q_proj.weight", "k_proj.weight", "q_norm.weight")):
            tensors[name] *= 4
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    sampling = {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.5}
    (folder / "generation_config.json").write_text(json.dumps({**sampling, "eos_token_id": [2, 0], "pad_token_id": 0}))
    write_tokenizer(folder, *_TOKENS.get(kind, (CHAT_SPECIAL, QWEN_MARKS)))
    return folder
