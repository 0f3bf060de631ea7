"""Vision tokens of a model as bytes and back."""

import torch
from torch import Tensor

from foxing.encoder.tokens import VisionTokens

#: What tokens can be stored in. Every one of them is read, whatever a codec writes.
STORED: dict[str, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
    "float8_e4m3": torch.float8_e4m3fn,
}


def to_bytes(features: Tensor, dtype: str) -> bytes:
    """`features`: float [rows, columns, numbers] → its numbers in `dtype`, little-endian. What is beyond the range of
    the dtype becomes the nearest number within it."""
    stored = STORED[dtype]
    largest = torch.finfo(stored).max
    numbers = features.detach().float().clamp(-largest, largest).to(stored).cpu().contiguous()
    return numbers.view(torch.uint8).numpy().tobytes()


def from_tokens(tokens: VisionTokens) -> Tensor:
    """The inverse: float32 [rows, columns, numbers]."""
    numbers = torch.frombuffer(bytearray(tokens.data), dtype=STORED[tokens.dtype])
    return numbers.view(tokens.shape).float()
