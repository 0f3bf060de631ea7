"""Request bodies: what is refused before a body is parsed, and parsing and validating large ones in a thread.

Whatever a body holds, it must neither stop the event loop nor take many times its size in memory.
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.to_thread
from fastapi import Request, Response
from fastapi._compat import ModelField
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from .problems import INVALID_ENCODING, INVALID_REQUEST, INVALID_TEXT, UNSUPPORTED_MEDIA, RequestError

#: Larger bodies are checked, parsed and validated in a thread.
LARGE_BODY = 64 << 10
#: Large bodies that are parsed concurrently.
PARSERS = 2
#: Values (objects, lists, strings, numbers…) that a body may hold; parsed, one takes up to 100 bytes.
MAX_VALUES = 500_000
#: Members of an object; an unknown one is an error each.
MAX_MEMBERS = 10_000

_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
#: A text up to the first escaped lone surrogate.
_NO_LONE_SURROGATE = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u[dD][89a-fA-F])[\s\S])*+"
)
_STRING = re.compile(rb'"(?:[^"\\]++|\\[\s\S])*+"?')


class BodyRoute(APIRoute):
    """A route whose body is parsed and validated in a thread where it is large."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, field = super().get_route_handler(), self.body_field
        if field is None:
            return handle
        limiter = anyio.CapacityLimiter(PARSERS)

        async def handle_large(request: Request) -> Response:
            body = await request.body()
            if len(body) <= LARGE_BODY:
                return await handle(request)
            try:
                value = await anyio.to_thread.run_sync(_validated, field, body, limiter=limiter)
            except (json.JSONDecodeError, RecursionError, ValueError) as error:
                value = error
            return await handle(_ParsedRequest(request, value))

        return handle_large


class _ParsedRequest(Request):
    """A request whose body is parsed already, or why it cannot be."""

    def __init__(self, request: Request, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = b" "  # not empty; FastAPI asks for the JSON
        self._value = value

    async def json(self) -> Any:
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


def _validated(field: ModelField, body: bytes) -> Any:
    """The value of a body. Raises `ValueError` for what is not JSON, and `RequestValidationError`."""
    value = json.loads(body)
    _check_members(value)
    valid, errors = field.validate(value, {}, loc=("body",))
    if errors:
        raise RequestValidationError(errors)
    return valid


def check_json_body(headers: Headers, body: bytes) -> None:
    """Raises `RequestError` if the body is not declared as JSON, is not UTF-8, holds an escaped lone surrogate or too
    many values."""
    media_type = headers.get("content-type", "")
    if not _JSON_TYPE.fullmatch(media_type.strip()):
        given = f", not '{media_type}'" if media_type else ""
        raise RequestError(
            UNSUPPORTED_MEDIA, f"send the body as JSON with the header 'Content-Type: application/json'{given}"
        )
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            INVALID_ENCODING, f"the body must be UTF-8, but byte {error.start} is not; nothing was stored"
        ) from error
    match = _NO_LONE_SURROGATE.match(body)
    if match is not None and body[match.end() : match.end() + 2] == b"\\u":
        raise RequestError(
            INVALID_TEXT,
            "the body holds a lone surrogate (an escape from \\ud800 to \\udfff without its other half), which is not "
            "a character; send both halves or remove it",
        )
    if _marks(body) > MAX_VALUES and _marks(_STRING.sub(b"", body)) > MAX_VALUES:
        raise RequestError(
            INVALID_REQUEST,
            f"the body holds more than {MAX_VALUES:,} values; send fewer messages per request, and large lists as text",
        )


def _marks(text: bytes) -> int:
    """At least as many as there are values in JSON without strings, less one."""
    return sum(map(text.count, (b",", b"[", b"{")))


def _check_members(value: Any) -> None:
    """Raises `RequestError` for an object with too many members."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict) and len(item) > MAX_MEMBERS:
            raise RequestError(INVALID_REQUEST, f"an object of the body has more than {MAX_MEMBERS:,} members")
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        waiting += [child for child in children if isinstance(child, (dict, list))]
