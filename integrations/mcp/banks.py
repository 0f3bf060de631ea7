"""Which bank a request is about: the one that the server is for, or the one that its address names."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeAlias

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from foxing.integrations.client import Connection, Target, connect

#: Returns the connection to the bank of the request that is being answered. Raises `ClientError`.
ConnectionOf: TypeAlias = Callable[[], Connection]

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
