"""Which bank a request is about: the one that the server is for, or the one that its address names."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from foxing.integrations.client import Client, Connection, Target, connect

if TYPE_CHECKING:
    from foxing.memory import Memory

R = TypeVar("R")

#: Returns the connection to the bank of the request that is being answered. Raises `FoxingError`.
ConnectionOf: TypeAlias = Callable[[], Connection]

#: A call of a memory or a client, and the bank that it is about.
BankCall: TypeAlias = Callable[["Memory | Client", str], R]

#: The bank that the address of the present request names.
_bank: ContextVar[str] = ContextVar("bank", default="")


def fixed(connection: Connection) -> ConnectionOf:
    """The same bank for every request."""
    return lambda: connection


def by_address(target: Target) -> ConnectionOf:
    """The bank that `note_bank` has seen. `target`: what holds the banks."""
    return lambda: connect(target, _bank.get())


async def note_bank(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: keeps the bank that ends the path of a request while it is answered."""
    request = ctx.request
    token = _bank.set("" if request is None else str(request.path_params.get("bank", "")))
    try:
        return await call_next(ctx)
    finally:
        _bank.reset(token)


async def answer_of(connection_of: ConnectionOf, call: BankCall[R]) -> R:
    """The answer to a call about the bank of the request. Raises what it raises."""
    connection = connection_of()
    return await connection.run_async(lambda memory: call(memory, connection.bank))
