"""Several calls that depend on each other, written once for synchronous and asynchronous callers.

A function yields calls, receives their answers and returns a result; `run` and `run_async` carry it out:

    def number_of_notes(bank: str) -> CallSequence[int]:
        found = yield from ask(lambda memory: memory.records.search(bank, namespace=["notes"]))
        return len(found.records)
"""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Any, TypeAlias, TypeVar

from foxing.integrations.client import Call, Connection
from foxing.memory.errors import NotFound
from foxing.renderer.errors import FoxingError

M = TypeVar("M")
R = TypeVar("R")

#: Calls whose answers lead to an `R`.
CallSequence: TypeAlias = Generator[Call[Any], Any, R]


def ask(call: Call[R]) -> CallSequence[R]:
    """The answer to a call. Raises what it raises."""
    answer: R = yield call
    return answer


def ask_or(missing: M, call: Call[R]) -> CallSequence[R | M]:
    """The same, or `missing` where the bank, or what is asked for, does not exist."""
    try:
        return (yield from ask(call))
    except NotFound:
        return missing


def run(connection: Connection, sequence: CallSequence[R]) -> R:
    """The result of the calls. Raises what they do not handle."""
    resume: Callable[[], Call[Any]] = partial(next, sequence)
    with closing(sequence):
        while True:
            try:
                call = resume()
            except StopIteration as done:
                result: R = done.value
                return result
            try:
                resume = partial(sequence.send, connection.run(call))
            except FoxingError as error:
                resume = partial(sequence.throw, error)


async def run_async(connection: Connection, sequence: CallSequence[R]) -> R:
    """The same without blocking the event loop. A sequence that is cancelled is closed."""
    resume: Callable[[], Call[Any]] = partial(next, sequence)
    with closing(sequence):
        while True:
            try:
                call = resume()
            except StopIteration as done:
                result: R = done.value
                return result
            try:
                resume = partial(sequence.send, await connection.run_async(call))
            except FoxingError as error:
                resume = partial(sequence.throw, error)
