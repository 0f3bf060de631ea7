"""Forwarding of requests to the first process of a service.

The console and most mounted apps remember earlier requests: jobs in progress, sessions that have ended, images of an
answer. The other processes forward their requests to the first, whichever process accepts the connection.
"""

from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import TYPE_CHECKING

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foxing.api.middleware import problem_response
from foxing.api.problems import BUSY, RequestError, problem_of

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0
#: Headers that belong to one connection (RFC 9110, 7.6.1).
_OF_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"})
_FRAMED = frozenset({b"transfer-encoding", b"content-length"})
#: Status of a websocket that should be opened again later (RFC 6455).
_TRY_LATER = 1013


class Forwarding:
    """Middleware that forwards requests to the process at `url`. `forwards`: returns True for the path of a request
    that it answers."""

    def __init__(self, app: ASGIApp, url: str, forwards: Callable[[str], bool]) -> None:
        self.app = app
        self.url = url
        self.forwards = forwards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, here or by the other process. Websockets are not forwarded."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
        elif not self.forwards(scope["path"]):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _TRY_LATER})
        else:
            await self._forward(scope, receive, send)

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing_receive() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown" and "_client" in vars(self):
                await self._client.aclose()
            return message

        await self.app(scope, closing_receive, send)

    @cached_property
    def _client(self) -> "httpx.AsyncClient":
        import httpx

        timeout = httpx.Timeout(None, connect=CONNECT_S)
        limits = httpx.Limits(max_connections=None, keepalive_expiry=2.0)
        return httpx.AsyncClient(base_url=self.url, timeout=timeout, limits=limits, trust_env=False)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        import httpx

        body = _Body(scope, receive)
        started = False
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(body.cancel_on_disconnect, tasks.cancel_scope)
                response = await self._client.send(_request(self.url, scope, body), stream=True)
                try:
                    headers = [(name.lower(), value) for name, value in response.headers.raw]
                    own_headers = [pair for pair in headers if pair[0] not in _OF_CONNECTION | {b"transfer-encoding"}]
                    started = True
                    await send({"type": "http.response.start", "status": response.status_code, "headers": own_headers})
                    async for chunk in response.aiter_raw():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                finally:
                    await response.aclose()
                tasks.cancel_scope.cancel()
        except* httpx.TransportError as errors:
            if started:
                raise  # the server closes the connection
            problem = problem_of(
                RequestError(
                    BUSY,
                    f"the first process of the service does not answer ({_reason(errors)}); it is "
                    "restarted, send the request again",
                ),
                instance=scope["path"],
            )
            await problem_response(problem)(scope, receive, send)


class _Body:
    """The body of a request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._read = anyio.Event()
        self.exists = any(name in _FRAMED for name, _ in scope["headers"])
        if not self.exists:
            self._read.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the body. Ends early if the client disconnects, which `cancel_on_disconnect` then notices."""
        continues = True
        while continues:
            message = await self._receive()
            continues = message.get("more_body", False)
            if message["type"] == "http.request":
                yield message.get("body", b"")
        self._read.set()

    async def cancel_on_disconnect(self, scope: anyio.CancelScope) -> None:
        """Cancels a scope when the client has disconnected."""
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        scope.cancel()


def _request(url: str, scope: Scope, body: _Body) -> "httpx.Request":
    import httpx

    query = scope.get("query_string", b"")
    target = httpx.URL(url).copy_with(raw_path=scope["raw_path"] + (b"?" + query if query else b""))
    headers = [pair for pair in scope["headers"] if pair[0] not in _OF_CONNECTION]
    if not any(name == b"x-forwarded-proto" for name, _ in headers):
        headers.append((b"x-forwarded-proto", scope["scheme"].encode()))
    return httpx.Request(scope["method"], target, headers=headers, content=body.chunks() if body.exists else None)


def _reason(errors: BaseExceptionGroup) -> str:
    return type(errors.exceptions[0]).__name__
