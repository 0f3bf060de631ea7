"""Websockets, passed on frame by frame."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from .upstream import Headers, passed_headers

log = logging.getLogger(__name__)

#: Headers of the handshake, which the connection to the upstream makes itself.
_OF_HANDSHAKE = (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol")


async def pass_websocket(url: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Connects a client with the upstream until one of them closes. `url`: that of the upstream, with http."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus

    await receive()  # websocket.connect
    headers: Headers = scope["headers"]
    passed = [(name, value) for name, value in passed_headers(headers) if name not in _OF_HANDSHAKE]
    try:
        upstream = await connect(
            f"ws{url.removeprefix('http')}",
            additional_headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in passed],
            subprotocols=scope.get("subprotocols") or None,
            user_agent_header=None,
            max_size=None,
            proxy=None,
        )
    except InvalidStatus as error:
        await _refuse(
            scope, send, error.response.status_code, error.response.headers.raw_items(), bytes(error.response.body)
        )
        return
    except (OSError, InvalidHandshake, TimeoutError) as error:
        log.warning("the upstream accepts no websocket: %s", error)
        await _refuse(scope, send, 502, [], b"the upstream cannot be reached")
        return
    async with upstream:
        await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol, "headers": []})
        to_upstream = asyncio.create_task(_to_upstream(upstream, receive))
        try:
            async for frame in upstream:
                kind = "text" if isinstance(frame, str) else "bytes"
                await send({"type": "websocket.send", kind: frame})
        except Exception as error:
            log.debug("a websocket ended: %s", error)
        finally:
            to_upstream.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await to_upstream
        with suppress(Exception):
            code = upstream.close_code or 1000
            await send({"type": "websocket.close", "code": 1011 if code == 1006 else code})


async def _to_upstream(upstream: Any, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await upstream.close(message.get("code") or 1000)
            return
        data = message.get("text")
        await upstream.send(data if data is not None else message["bytes"])


async def _refuse(scope: Scope, send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    """Answers a handshake with an error."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1011})
        return
    kept = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
        if name.lower() in ("content-type", "retry-after")
    ]
    await send({"type": "websocket.http.response.start", "status": status, "headers": kept})
    await send({"type": "websocket.http.response.body", "body": body})
