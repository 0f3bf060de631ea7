"""Several calls that depend on each other, written once for synchronous and asynchronous callers.

A function yields calls, receives their answers and returns a result; `run` and `run_async` carry it out:

    def number_of_notes(bank: str) -> Steps[int]:
        found = yield from ask(calls.search_records(bank, ["notes"]))
        return len(found.records)
"""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Any, TypeAlias, TypeVar

from foxing.integrations.client import ClientError, Connection
from foxing.integrations.client.calls import Call

R = TypeVar("R")

#: Calls whose answers lead to an `R`.
Steps: TypeAlias = Generator[Call[Any], Any, R]


def ask(call: Call[R]) -> Steps[R]:
    """The answer to a call. Raises `ClientError`."""
    answer: R = yield call
    return answer


def run(connection: Connection, steps: Steps[R]) -> R:
    """The result of the steps. Raises what they do not handle."""
    resume: Callable[[], Call[Any]] = partial(next, steps)
    with closing(steps):
        while True:
            try:
                call = resume()
            except StopIteration as done:
                result: R = done.value
                return result
            try:
                resume = partial(steps.send, connection.run(call))
            except ClientError as error:
                resume = partial(steps.throw, error)


async def run_async(connection: Connection, steps: Steps[R]) -> R:
    """The same without blocking the event loop. Steps that are cancelled are closed."""
    resume: Callable[[], Call[Any]] = partial(next, steps)
    with closing(steps):
        while True:
            try:
                call = resume()
            except StopIteration as done:
                result: R = done.value
                return result
            try:
                resume = partial(steps.send, await connection.run_async(call))
            except ClientError as error:
                resume = partial(steps.throw, error)
