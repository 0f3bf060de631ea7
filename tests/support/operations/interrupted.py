"""Operations on a bank that are interrupted at a statement: by a kill, or because the disk is full.

python -c "…; main()" DATABASE OPERATION STATEMENT
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from support.conversations import agent_loop
from support.operations.failures import at_each_statement

from foxing.memory import FoldRequest, Memory, MemoryOptions

BANK = "ana"
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
OPTIONS = MemoryOptions(embedder="none", read_images=False)


def opened(url: str) -> Memory:
    return Memory(url, clock=lambda: START + timedelta(days=1), options=OPTIONS)


def _fold(memory: Memory) -> Any:
    messages = tuple(agent_loop(24))
    request = FoldRequest(messages=messages, session="s", wire="anthropic", reader="text", budget=4_000, cache="cold")
    return memory.fold(BANK, request).messages


#: Name → what is done, which gives the same when it is done again. The pages have images, which age with them.
OPERATIONS: Mapping[str, Callable[[Memory], Any]] = {
    "ageing": lambda memory: memory.age(BANK, now=START + timedelta(days=400)) and None,
    "undo": lambda memory: memory.undo(BANK, now=START + timedelta(days=401)) and None,
    "fold": _fold,
}


def interrupt(number: int, how: Callable[[], None]) -> Callable[[int, Connection], None]:
    """Returns what interrupts the work of this process at the statement of this number."""

    def act(reached: int, _: Connection) -> None:
        if reached == number:
            how()

    return act


def full() -> None:
    """Fails as a statement does on a full disk."""
    raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))


def main() -> None:
    """Does an operation until this process kills itself."""
    url, operation, number = sys.argv[1:]
    memory = opened(url)
    with at_each_statement(url, interrupt(int(number), partial(os.kill, os.getpid(), signal.SIGKILL))):
        OPERATIONS[operation](memory)
    print("done", flush=True)
