"""Parts of a random checkpoint: tensors and a tokenizer."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

VOCABULARY_SIZE = 300


def random_tensors(shapes: Iterator[tuple[str, tuple[int, ...]]], seed: int = 0) -> dict[str, Tensor]:
    """Random parameters scaled so that activations stay of order 1."""
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


def write_tokenizer(folder: Path, special: tuple[str, ...], marks: tuple[str, ...]) -> None:
    """Writes a tokenizer of single bytes: special tokens first, marks at the end of the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*special, *symbols])}
    unused = range(len(vocabulary), VOCABULARY_SIZE - len(marks))
    vocabulary |= {f"<|unused{index}|>": index for index in unused}
    vocabulary |= {mark: VOCABULARY_SIZE - len(marks) + index for index, mark in enumerate(marks)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*special, *marks)])
    tokenizer.save(str(folder / "tokenizer.json"))
