"""Instrumentation hooks: spans for the operations of a memory, such as storing, sealing, ageing and recall.

An operation has a name and attributes: figures, bank names and page ids, never the content of messages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

Value = str | int | float | bool | Sequence[str]

MOST_IDS = 64  # maximum length of a list in the attributes

_P = ParamSpec("_P")
_Owner = TypeVar("_Owner")
_Report = TypeVar("_Report")


@dataclass
class Operation:
    """An operation in progress."""

    #: "store", "seal", "age", "recall" or "job"; nested: "search", "embed", "encode", "draw" or "decode".
    name: str
    attributes: dict[str, Value] = field(default_factory=dict)

    def note(self, **attributes: Value) -> None:
        """Adds attributes during the operation. Lists are truncated to `MOST_IDS`."""
        for name, value in attributes.items():
            self.attributes[name] = value if isinstance(value, str | int | float) else value[:MOST_IDS]


#: Returns a context manager that is entered when an operation begins and exited when it ends, with its error if any.
Hook = Callable[[Operation], AbstractContextManager[object]]

_hooks: tuple[Hook, ...] = ()
_changing = Lock()


def watch(hook: Hook) -> Callable[[], None]:
    """Registers a hook for all operations of this process, called in the threads that run them. Returns a function that
    unregisters it."""
    global _hooks
    with _changing:
        _hooks = (*_hooks, hook)

    def end() -> None:
        global _hooks
        with _changing:
            _hooks = tuple(other for other in _hooks if other is not hook)

    return end


@contextmanager
def operation(name: str, **attributes: Value) -> Iterator[Operation]:
    """Context manager that reports its block as an operation to the registered hooks."""
    span = Operation(name)
    span.note(**attributes)
    with ExitStack() as stack:
        for hook in _hooks:
            stack.enter_context(hook(span))
        yield span


def bank_operation(
    name: str, figures: Callable[[_Report], Mapping[str, Value]]
) -> Callable[
    [Callable[Concatenate[_Owner, str, _P], _Report]],
    Callable[Concatenate[_Owner, str, _P], _Report],
]:
    """Returns a decorator for methods whose first argument is a bank name. Each call is reported as an operation, with
    the bank and the `figures` of the method's result as attributes."""

    def decorate(
        method: Callable[Concatenate[_Owner, str, _P], _Report],
    ) -> Callable[Concatenate[_Owner, str, _P], _Report]:
        @wraps(method)
        def call(owner: _Owner, bank_name: str, /, *args: _P.args, **kwargs: _P.kwargs) -> _Report:
            with operation(name, bank=bank_name) as span:
                report = method(owner, bank_name, *args, **kwargs)
                span.note(**figures(report))
            return report

        return call

    return decorate


class OperationInContext:
    """An operation in a given context instead of the thread's, from construction to `end`, for threads that work on
    behalf of several callers."""

    def __init__(self, context: Context, name: str, **attributes: Value) -> None:
        self._context = context
        self._block = operation(name, **attributes)
        #: The operation, for its attributes.
        self.taken = context.run(self._block.__enter__)

    def end(self, error: BaseException | None = None) -> None:
        """Ends the operation. `error`: the exception that it failed with, if any."""
        kind, traceback = (None, None) if error is None else (type(error), error.__traceback__)
        self._context.run(self._block.__exit__, kind, error, traceback)
