"""Batch sizes that fit into the free memory."""

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import torch

from .models.model import VisionModel

#: Share of the free memory that a batch may take; the rest is for allocations that are not estimated.
SHARE = 0.8
#: Positions per batch if free memory is unknown, and the maximum on any device; larger batches are not faster.
UNKNOWN_BATCH_TOKENS = 32_768
MAX_BATCH_TOKENS = 1 << 18
#: Pages per encoder call on devices other than a GPU, and the maximum on a GPU.
UNKNOWN_BATCH_PAGES = 4
MAX_BATCH_PAGES = 64
#: Memory of a position beyond its keys and values, as a multiple of these: hidden states and inputs of the experts.
ACTIVATION_SHARE = 1.0

R = TypeVar("R")


def free_bytes(device: torch.device) -> int | None:
    """Returns the memory available for new tensors on `device` in bytes; None if it is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if device.type == "cpu" else None
    except (ValueError, OSError, AttributeError):  # not on every system
        return None


def bytes_per_position(config: Any, dtype: torch.dtype) -> int:
    """Returns the memory of one context position in the decoder in bytes. `config`: transformers configuration of the
    decoder."""
    heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    size = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    cache = 2 * int(config.num_hidden_layers) * heads * size * dtype.itemsize
    return max(1, round(cache * (1 + ACTIVATION_SHARE)))


def batch_tokens(model: VisionModel) -> int:
    """Returns the total number of context positions of a batch for which the decoder currently has memory."""
    free = free_bytes(model.device)
    if free is None:
        return UNKNOWN_BATCH_TOKENS
    per_position = bytes_per_position(model.network.config.text_config, model.dtype)
    return min(MAX_BATCH_TOKENS, max(1, int(SHARE * free / per_position)))


class EncoderMemory:
    """Memory of the encoder per page and tier, learned from measurements. Thread-safe."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._per_page: dict[str, int] = {}
        self._lock = Lock()

    def pages_at_once(self, tier: str) -> int:
        """Returns the number of pages of `tier` for which there is currently memory; on a GPU, 1 before the first
        measurement."""
        if self._device.type != "cuda":
            return UNKNOWN_BATCH_PAGES
        with self._lock:
            per_page = self._per_page.get(tier)
        free = free_bytes(self._device)
        if per_page is None or free is None:
            return 1
        return min(MAX_BATCH_PAGES, max(1, int(SHARE * free / per_page)))

    def measured(self, tier: str, pages: int, run: Callable[[], R]) -> R:
        """Returns the result of `run`, which encodes `pages` pages of `tier`, and records the GPU memory that it
        took."""
        if self._device.type != "cuda":
            return run()
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        result = run()
        self.record(tier, pages, torch.cuda.max_memory_allocated(self._device) - before)
        return result

    def record(self, tier: str, pages: int, bytes_used: int) -> None:
        """Records that `pages` pages took `bytes_used` bytes; the maximum per page counts."""
        with self._lock:
            self._per_page[tier] = max(self._per_page.get(tier, 1), bytes_used // max(1, pages))
