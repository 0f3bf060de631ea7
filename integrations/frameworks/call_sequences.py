"""Sequences of dependent calls, written once for synchronous and asynchronous callers.

A generator yields calls, receives their results and returns a result; `run` and `run_async` execute it:

    def number_of_notes(bank: str) -> CallSequence[int]:
        found = yield from ask(lambda memory: memory.records.search(bank, namespace=["notes"]))
        return len(found.records)
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

from foxing.integrations.client import Call, Connection
from foxing.memory import Fields, NotFound, StoreResult
from foxing.renderer import FoxingError

from .batches import batches

M = TypeVar("M")
R = TypeVar("R")

#: A generator of calls that returns an `R`.
CallSequence: TypeAlias = Generator[Call[Any], Any, R]


class CallRunner(Protocol):
    """Runner of calls on a memory, such as a `Connection`."""

    def run(self, call: Call[R]) -> R:
        """Runs a call and returns its result. Raises the errors of the call."""


def ask(call: Call[R]) -> CallSequence[R]:
    """Yields a call and returns its result. Raises the errors of the call."""
    answer: R = yield call
    return answer


def ask_or(missing: M, call: Call[R]) -> CallSequence[R | M]:
    """Yields a call and returns its result, or `missing` if the call raises `NotFound`."""
    try:
        return (yield from ask(call))
    except NotFound:
        return missing


def store_all(bank: str, messages: Iterable[Fields]) -> CallSequence[None]:
    """Stores messages in as many calls as they need. Raises the errors of the calls."""
    for batch in batches(messages):
        yield from _store(bank, batch)


def _store(bank: str, messages: Sequence[Fields]) -> CallSequence[StoreResult]:
    return ask(lambda memory: memory.store(bank, messages))


def run(connection: CallRunner, sequence: CallSequence[R]) -> R:
    """Runs a sequence and returns its result. Raises the errors of its calls that it does not handle."""
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
    """Like `run`, without blocking the event loop. Closes the sequence if it is cancelled."""
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
