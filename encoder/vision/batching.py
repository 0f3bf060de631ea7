"""Work in batches that fit into memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from foxing.encoder.errors import CodecError

T = TypeVar("T")
R = TypeVar("R")


def batches(costs: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of items in batches. A batch costs its length times its dearest item, since shorter ones are padded,
    and no more than `budget` unless it is one item alone. Items of like cost come together."""
    batch: list[int] = []
    for position in sorted(range(len(costs)), key=lambda p: -costs[p]):
        if batch and costs[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def halving(
    run: Callable[[Sequence[T]], list[R]], items: Sequence[T], failure: type[CodecError] = CodecError
) -> list[R]:
    """`run(items)`, in halves where memory does not suffice for all. Raises `failure` when it does not for one."""
    try:
        return run(items)
    except torch.OutOfMemoryError as error:
        if len(items) == 1:
            raise failure(
                "there is too little memory for a single page; free some on the device, or choose the dtype "
                "'bfloat16' or the device 'cpu'"
            ) from error
    # outside the handler, whose traceback holds on to what the attempt has allocated
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return halving(run, items[:half], failure) + halving(run, items[half:], failure)
