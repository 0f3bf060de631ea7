"""Vision tokens of a model as bytes and back."""

import torch
from torch import Tensor

from foxing.encoder.tokens import SCALED_NUMBERS, VisionTokens, bytes_of

#: What tokens can be stored in. Every one of them is read, whatever a codec writes.
STORED: dict[str, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
    "float8_e4m3": torch.float8_e4m3fn,
    "int8": torch.int8,
}
LARGEST_INT8 = 127
LARGEST_SCALED = 1e38  # beyond which a scale times 127 would be no number


def to_bytes(features: Tensor, dtype: str) -> bytes:
    """`features`: float [rows, columns, numbers] → its numbers in `dtype`, little-endian. What is beyond the range of
    the dtype becomes the nearest number within it."""
    numbers = features.detach().float().cpu()
    if dtype == "int8":
        return _scaled(numbers)
    stored = STORED[dtype]
    largest = torch.finfo(stored).max
    return _bytes(numbers.clamp(-largest, largest).to(stored)).numpy().tobytes()


def from_tokens(tokens: VisionTokens) -> Tensor:
    """The inverse: float32 [rows, columns, numbers]."""
    data = torch.frombuffer(bytearray(tokens.data), dtype=torch.uint8)
    if tokens.dtype == "int8":
        return _unscaled(data, tokens.shape)
    return data.view(STORED[tokens.dtype]).view(tokens.shape).float()


def _scaled(numbers: Tensor) -> bytes:
    """Each run of `SCALED_NUMBERS` numbers of a token times what makes its largest 127: the scales of a token, then its
    numbers."""
    bounded = numbers.flatten(0, -2).nan_to_num().clamp(-LARGEST_SCALED, LARGEST_SCALED)
    runs = torch.split(bounded, SCALED_NUMBERS, dim=-1)
    scales = torch.stack([run.abs().amax(-1) for run in runs], dim=-1) / LARGEST_INT8
    steps = scales.clamp_min(torch.finfo(torch.float32).tiny)  # a run of nothing but zeros
    whole = [(run / steps[:, n : n + 1]).round().clamp(-LARGEST_INT8, LARGEST_INT8) for n, run in enumerate(runs)]
    parts = [_bytes(scales), _bytes(torch.cat(whole, dim=-1).to(torch.int8))]
    return torch.cat(parts, dim=-1).numpy().tobytes()


def _unscaled(data: Tensor, shape: tuple[int, int, int]) -> Tensor:
    tokens = data.view(-1, bytes_of("int8", shape[2]))
    scales = tokens[:, : -shape[2]].flatten().view(torch.float32).view(len(tokens), -1)
    numbers = tokens[:, -shape[2] :].view(torch.int8).float()
    return (numbers * scales.repeat_interleave(SCALED_NUMBERS, dim=-1)[:, : shape[2]]).view(shape)


def _bytes(numbers: Tensor) -> Tensor:
    """uint8 [..., bytes]."""
    return numbers.contiguous().view(torch.uint8)
