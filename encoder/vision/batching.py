"""Batches that fit in memory."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from foxing.encoder.errors import CodecError

#: Pages at once, on a GPU and elsewhere.
GPU_PAGES = 32
PAGES = 4

T = TypeVar("T")
R = TypeVar("R")


class Batches:
    """Runs items in batches of as many as have fitted into memory."""

    def __init__(self, device: torch.device, failure: type[CodecError] = CodecError) -> None:
        """`failure`: the error to raise if a single item does not fit."""
        self._size = GPU_PAGES if device.type == "cuda" else PAGES
        self._failure = failure

    def run(self, run: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
        """Returns the results of `run` for all items, in their order. When memory runs out, batches are halved from
        then on."""
        results: list[R] = []
        while len(results) < len(items):
            batch = items[len(results) : len(results) + self._size]
            try:
                results += run(batch)
                continue
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise self._failure(
                        "not enough memory for a single page; free memory on the device, or choose the device 'cpu'"
                    ).naming("device") from error
            # outside the handler, because its traceback keeps the tensors of the failed attempt alive
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._size = len(batch) // 2
        return results
