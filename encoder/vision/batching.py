"""Batches that fit in memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from foxing.encoder.errors import CodecError

T = TypeVar("T")
R = TypeVar("R")


def batches(costs: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yields batches of indices of `costs`, with similar costs together. Items are padded, so the cost of a batch is
    its length times its largest item: at most `budget`, unless a single item exceeds it."""
    batch: list[int] = []
    for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
        if batch and costs[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def split_on_oom(
    run: Callable[[Sequence[T]], list[R]], items: Sequence[T], failure: type[CodecError] = CodecError
) -> list[R]:
    """Returns `run(items)`; if memory runs out, splits the items into halves and retries. Raises `failure` if a single
    item does not fit."""
    try:
        return run(items)
    except torch.OutOfMemoryError as error:
        if len(items) == 1:
            raise failure(
                "not enough memory for a single page; free memory on the device, or choose the dtype 'bfloat16' or the "
                "device 'cpu'"
            ).naming("device") from error
    # outside the handler, because its traceback keeps the tensors of the failed attempt alive
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return split_on_oom(run, items[:half], failure) + split_on_oom(run, items[half:], failure)
