"""Memories that the workers of a pool open. The functions are imported by other processes."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from foxing.memory import Memory, MemoryOptions
from foxing.memory.bulk.work import BulkWork

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")


def open_noted(database: str, folder: str, embedder: str = "none") -> Memory:
    """The memory of a worker, whose process id is the name of a file in `folder`."""
    (Path(folder) / str(os.getpid())).touch()
    return Memory(database, device="cpu", options=MemoryOptions(embedder=embedder))


def open_and_die(database: str, folder: str) -> Memory:
    """Kills the worker that opens its memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return open_noted(database, folder)


class ForgetfulPool:
    """A pool in this process. The worker of every second batch is killed after it has written, before it has answered;
    the batch is carried out again."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def run(
        self, work: Callable[[BulkWork, _Batch], _Result], batches: Sequence[_Batch], *, in_order: bool = False
    ) -> Iterator[tuple[_Batch, _Result]]:
        for number, batch in enumerate(batches):
            if number % 2 == 0:
                work(self.memory.operations.bulk, batch)
            yield batch, work(self.memory.operations.bulk, batch)
