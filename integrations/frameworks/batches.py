"""Batches of items that fit into a request."""

import json
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

MOST_IN_A_REQUEST = 1_000
#: The service accepts 4 MiB by default.
REQUEST_BYTES = 3 << 20


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Yields `items`, which are JSON values, in lists that fit into a request."""
    batch: list[T] = []
    size = 0
    for item in items:
        length = len(json.dumps(item, ensure_ascii=False).encode())
        if batch and (len(batch) == MOST_IN_A_REQUEST or size + length > REQUEST_BYTES):
            yield batch
            batch = []
            size = 0
        batch.append(item)
        size += length
    if batch:
        yield batch
