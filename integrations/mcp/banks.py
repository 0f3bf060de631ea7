"""Selection of the bank of a request: a fixed bank, or the bank in the path of the request."""

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from foxing.integrations.client import Client, Connection, Target, connect
from foxing.memory import Access, Forbidden
from foxing.renderer import FoxingError

if TYPE_CHECKING:
    from foxing.memory import Memory

R = TypeVar("R")

#: Returns the connection to the bank of the current request. Raises `FoxingError`.
ConnectionOf: TypeAlias = Callable[[], Connection]

#: A function that calls a method of a memory or a client for a bank.
BankCall: TypeAlias = Callable[["Memory | Client", str], R]

#: The bank in the path of the current request.
_bank: ContextVar[str] = ContextVar("bank", default="")


def fixed(connection: Connection) -> ConnectionOf:
    """Returns a `ConnectionOf` with the same connection for every request."""
    return lambda: connection


def by_address(target: Target) -> ConnectionOf:
    """Returns a `ConnectionOf` to the bank recorded by `note_bank`. `target`: the service, database or memory of the
    banks."""
    return lambda: connect(target, _bank.get())


async def note_bank(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware that records the bank in the path of a request."""
    request = ctx.request
    token = _bank.set("" if request is None else str(request.path_params.get("bank", "")))
    try:
        return await call_next(ctx)
    finally:
        _bank.reset(token)


async def note_refusal(connection_of: ConnectionOf, tool: str, error: Forbidden) -> None:
    """Records in the audit log of the memory that a caller was refused a tool. A service records the refusals of its
    own."""
    access = Access.current()

    def note(memory: "Memory | Client", bank: str) -> None:
        if not isinstance(memory, Client):
            memory.operations.audit.refuse(f"mcp.{tool}", access, bank, error)

    with suppress(FoxingError):
        await answer_of(connection_of, note)


async def answer_of(connection_of: ConnectionOf, call: BankCall[R]) -> R:
    """Runs a call for the bank of the current request and returns its result. Raises the errors of the call."""
    connection = connection_of()
    return await connection.run_async(lambda memory: call(memory, connection.bank))
