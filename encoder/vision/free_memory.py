"""How many pages fit into the memory that is free."""

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import torch

from .models.model import VisionModel

#: Share of the free memory that a batch may take: the rest is for what is not counted.
SHARE = 0.8
#: Positions per batch where free memory is unknown, and the most on any device: larger batches gain nothing.
UNKNOWN_BATCH_TOKENS = 32_768
MAX_BATCH_TOKENS = 1 << 18
#: Pages per call of the encoder where its memory has not been measured, and the most on any device.
UNKNOWN_BATCH_PAGES = 4
MAX_BATCH_PAGES = 64
#: Memory of a position beside its keys and values, as a multiple of them: hidden states and the experts' inputs.
ACTIVATION_SHARE = 1.0

R = TypeVar("R")


def free_bytes(device: torch.device) -> int | None:
    """Memory that a new tensor on `device` may take; None if that is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if device.type == "cpu" else None
    except (ValueError, OSError, AttributeError):  # not on every system
        return None


def bytes_per_position(config: Any, dtype: torch.dtype) -> int:
    """Memory of one position of a text or page in the decoder. `config`: that of the decoder in transformers."""
    heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    size = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    cache = 2 * int(config.num_hidden_layers) * heads * size * dtype.itemsize
    return max(1, round(cache * (1 + ACTIVATION_SHARE)))


def batch_tokens(model: VisionModel) -> int:
    """Positions of all pages of a batch together that the decoder has memory for now."""
    free = free_bytes(model.device)
    if free is None:
        return UNKNOWN_BATCH_TOKENS
    per_position = bytes_per_position(model.network.config.text_config, model.dtype)
    return min(MAX_BATCH_TOKENS, max(1, int(SHARE * free / per_position)))


class EncoderMemory:
    """What pages of each tier take in the encoder, learned from what they took."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._per_page: dict[str, int] = {}
        self._lock = Lock()

    def pages_at_once(self, tier: str) -> int:
        """How many pages of `tier` there is memory for now: one until it was measured on a GPU."""
        if self._device.type != "cuda":
            return UNKNOWN_BATCH_PAGES
        with self._lock:
            per_page = self._per_page.get(tier)
        free = free_bytes(self._device)
        if per_page is None or free is None:
            return 1
        return min(MAX_BATCH_PAGES, max(1, int(SHARE * free / per_page)))

    def measured(self, tier: str, pages: int, run: Callable[[], R]) -> R:
        """What `run` returns, which encodes `pages` of `tier`; remembers the memory that it took on a GPU."""
        if self._device.type != "cuda":
            return run()
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        result = run()
        self.record(tier, pages, torch.cuda.max_memory_allocated(self._device) - before)
        return result

    def record(self, tier: str, pages: int, taken: int) -> None:
        """Remembers that `pages` took so many bytes, unless fewer took more each."""
        with self._lock:
            self._per_page[tier] = max(self._per_page.get(tier, 1), taken // max(1, pages))
