"""Websockets, passed on message by message."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from .options import ProxyOptions
from .upstream import Headers, passed_headers

log = logging.getLogger(__name__)

#: Headers of the handshake, which the connection to the upstream makes itself.
_OF_HANDSHAKE = (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol")
#: Messages of the upstream that wait for the client.
_MOST_WAITING = 2
_GOING_AWAY, _TOO_MANY = 1001, 1013


class Websockets:
    """Connects clients with the upstream. Neither side compresses: what is decompressed, the event loop decompresses,
    and 16 KiB may become 16 MiB."""

    def __init__(self, options: ProxyOptions) -> None:
        self._options = options
        self._open = 0

    async def run(self, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Connects a client with the upstream until one of them closes. `url`: that of the upstream, with http."""
        await receive()  # websocket.connect
        if self._open >= self._options.max_websockets:
            log.warning("a websocket is refused: %d are open", self._open)
            body = f"{self._open} websockets are open; close one, or try again later".encode()
            await _refuse(scope, send, 503, [("retry-after", "1")], body, _TOO_MANY)
            return
        self._open += 1
        try:
            await self._connect(url, scope, receive, send)
        finally:
            self._open -= 1

    async def _connect(self, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus

        headers: Headers = scope["headers"]
        passed = [(name, value) for name, value in passed_headers(headers) if name not in _OF_HANDSHAKE]
        try:
            upstream = await connect(
                f"ws{url.removeprefix('http')}",
                additional_headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in passed],
                subprotocols=scope.get("subprotocols") or None,
                user_agent_header=None,
                max_size=self._options.max_frame_bytes,
                max_queue=_MOST_WAITING,
                compression=None,
                proxy=None,
            )
        except InvalidStatus as error:
            given = error.response
            await _refuse(scope, send, given.status_code, given.headers.raw_items(), bytes(given.body or b""))
            return
        except (OSError, InvalidHandshake, TimeoutError) as error:
            log.warning("the upstream accepts no websocket: %s", error)
            await _refuse(scope, send, 502, [], b"the upstream cannot be reached")
            return
        async with upstream:
            await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol, "headers": []})
            directions = [
                asyncio.create_task(_to_upstream(upstream, receive)),
                asyncio.create_task(_to_client(upstream, send)),
            ]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in directions:
                    task.cancel()
                for result in await asyncio.gather(*directions, return_exceptions=True):
                    if isinstance(result, Exception):
                        log.debug("a websocket ended: %s", result)
            with suppress(Exception):
                code = upstream.close_code or 1000
                await send({"type": "websocket.close", "code": 1011 if code == 1006 else code})


async def _to_client(upstream: Any, send: Send) -> None:
    async for message in upstream:
        await send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})


async def _to_upstream(upstream: Any, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code") or 1000
            # a client that is gone has sent none of the codes that may be sent
            await upstream.close(code if code == 1000 or 3000 <= code < 5000 else _GOING_AWAY)
            return
        data = message.get("text")
        await upstream.send(data if data is not None else message["bytes"])


async def _refuse(
    scope: Scope, send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes, code: int = 1011
) -> None:
    """Answers a handshake with an error. `code`: for a server that can only close."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": code})
        return
    kept = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
        if name.lower() in ("content-type", "retry-after")
    ]
    await send({"type": "websocket.http.response.start", "status": status, "headers": kept})
    await send({"type": "websocket.http.response.body", "body": body})
