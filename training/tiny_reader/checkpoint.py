"""Checkpoint of the model in DeepSeek-OCR's published format."""

import json
import shutil
from pathlib import Path
from typing import Any

from foxing.encoder.vision.models.checkpoint import LAYOUT_FILE, Checkpoint
from foxing.encoder.vision.models.deepseek import PUBLISHED_TYPE

from .synthetic_pages import TINY_PAGE
from .vocabulary import LOCATION_MARKS, MARKS, SPECIAL, TOKEN_IDS, UNKNOWN, VOCABULARY

#: The published `config.json` with small dimensions.
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
    """Writes a checkpoint without weights to `folder` and returns it: configuration, tokenizer of single characters,
    page layout."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", encoding="utf-8")
    layout = {"layout": TINY_PAGE.to_dict()}
    (folder / LAYOUT_FILE).write_text(json.dumps(layout, indent=1) + "\n", encoding="utf-8")
    tokenizer = Tokenizer(models.WordLevel(TOKEN_IDS, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*SPECIAL, *LOCATION_MARKS, *MARKS)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return Checkpoint(folder.name, folder)


def save(network: Any, folder: Path) -> None:
    """Replaces `folder` with a checkpoint of `network`: parameters under their published names, in float16."""
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
