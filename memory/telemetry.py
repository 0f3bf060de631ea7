"""Operations of a memory: storing, sealing, ageing, recalling, and what they consist of, for whoever measures them.

An operation has a name and figures, names of banks and ids of pages; never anything of what was said.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

Value = str | int | float | bool | Sequence[str]

MOST_IDS = 64  # of a list in an operation

_P = ParamSpec("_P")
_Owner = TypeVar("_Owner")
_Report = TypeVar("_Report")


@dataclass
class Operation:
    """An operation that is going on."""

    #: "store", "seal", "age", "recall", "job"; "search", "embed", "encode", "draw", "decode" within them.
    name: str
    attributes: dict[str, Value] = field(default_factory=dict)

    def note(self, **attributes: Value) -> None:
        """Adds what is known only as the operation goes on. Long lists are cut."""
        for name, value in attributes.items():
            self.attributes[name] = value if isinstance(value, str | int | float) else value[:MOST_IDS]


#: Entered when an operation begins, and left when it ends, with the error if it raises one.
Watcher = Callable[[Operation], AbstractContextManager[object]]

_watchers: tuple[Watcher, ...] = ()
_changing = Lock()


def watch(watcher: Watcher) -> Callable[[], None]:
    """Has `watcher` see all operations of this process, in the threads that carry them out; returns what ends that."""
    global _watchers
    with _changing:
        _watchers = (*_watchers, watcher)

    def end() -> None:
        global _watchers
        with _changing:
            _watchers = tuple(other for other in _watchers if other is not watcher)

    return end


@contextmanager
def operation(name: str, **attributes: Value) -> Iterator[Operation]:
    """An operation, from the beginning of the block to its end."""
    taken = Operation(name)
    taken.note(**attributes)
    with ExitStack() as stack:
        for watcher in _watchers:
            stack.enter_context(watcher(taken))
        yield taken


def bank_operation(
    name: str, figures: Callable[[_Report], Mapping[str, Value]]
) -> Callable[
    [Callable[Concatenate[_Owner, str, _P], _Report]],
    Callable[Concatenate[_Owner, str, _P], _Report],
]:
    """Decorator of a method whose first argument is the name of a bank: each call is an operation, which notes the bank
    and the `figures` of what the method returns."""

    def decorate(
        method: Callable[Concatenate[_Owner, str, _P], _Report],
    ) -> Callable[Concatenate[_Owner, str, _P], _Report]:
        @wraps(method)
        def call(owner: _Owner, bank_name: str, /, *args: _P.args, **kwargs: _P.kwargs) -> _Report:
            with operation(name, bank=bank_name) as taken:
                report = method(owner, bank_name, *args, **kwargs)
                taken.note(**figures(report))
            return report

        return call

    return decorate


class OperationInContext:
    """An operation in a context that is not the thread's, from its creation to `end`: a thread works for several
    callers."""

    def __init__(self, context: Context, name: str, **attributes: Value) -> None:
        self._context = context
        self._block = operation(name, **attributes)
        #: What is known of it so far.
        self.taken = context.run(self._block.__enter__)

    def end(self, error: BaseException | None = None) -> None:
        """Ends the operation. `error`: why it failed."""
        kind, traceback = (None, None) if error is None else (type(error), error.__traceback__)
        self._context.run(self._block.__exit__, kind, error, traceback)
