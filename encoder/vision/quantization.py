"""Quantisation: vision tokens → bytes in a storage dtype, and back."""

import torch
from torch import Tensor

from foxing.encoder.tokens import SCALED_NUMBERS, VisionTokens, bytes_of

#: Storage dtypes of tokens. A codec reads all of them, whichever it writes.
STORAGE_DTYPES: dict[str, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
    "float8_e4m3": torch.float8_e4m3fn,
    "int8": torch.int8,
}
INT8_MAX = 127
QUANTIZED_MAX = 1e38  # bound on values, so that a scale times 127 is finite


def to_bytes(features: Tensor, dtype: str) -> bytes:
    """Returns `features`, float [rows, columns, channels], as little-endian bytes in `dtype`. Values outside the range
    of the dtype are clamped."""
    values = features.detach().float().cpu()
    if dtype == "int8":
        return _quantize(values)
    stored = STORAGE_DTYPES[dtype]
    largest = torch.finfo(stored).max
    return _as_bytes(values.clamp(-largest, largest).to(stored)).numpy().tobytes()


def from_tokens(tokens: VisionTokens) -> Tensor:
    """Returns the stored features: float32 [rows, columns, channels]."""
    data = torch.frombuffer(bytearray(tokens.data), dtype=torch.uint8)
    if tokens.dtype == "int8":
        return _dequantize(data, tokens.shape)
    return data.view(STORAGE_DTYPES[tokens.dtype]).view(tokens.shape).float()


def _quantize(values: Tensor) -> bytes:
    """Quantises to int8 with one float32 scale per run of `SCALED_NUMBERS` values: a token's scales, then its
    values."""
    bounded = values.flatten(0, -2).nan_to_num().clamp(-QUANTIZED_MAX, QUANTIZED_MAX)
    runs = torch.split(bounded, SCALED_NUMBERS, dim=-1)
    scales = torch.stack([run.abs().amax(-1) for run in runs], dim=-1) / INT8_MAX
    steps = scales.clamp_min(torch.finfo(torch.float32).tiny)  # a run may be all zeros
    rounded = [(run / steps[:, n : n + 1]).round().clamp(-INT8_MAX, INT8_MAX) for n, run in enumerate(runs)]
    parts = [_as_bytes(scales), _as_bytes(torch.cat(rounded, dim=-1).to(torch.int8))]
    return torch.cat(parts, dim=-1).numpy().tobytes()


def _dequantize(data: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Inverts `_quantize`. `data`: uint8 [bytes]."""
    tokens = data.view(-1, bytes_of("int8", shape[2]))
    scales = tokens[:, : -shape[2]].flatten().view(torch.float32).view(len(tokens), -1)
    values = tokens[:, -shape[2] :].view(torch.int8).float()
    return (values * scales.repeat_interleave(SCALED_NUMBERS, dim=-1)[:, : shape[2]]).view(shape)


def _as_bytes(values: Tensor) -> Tensor:
    """Returns the bytes of `values`: uint8 [..., bytes]."""
    return values.contiguous().view(torch.uint8)
