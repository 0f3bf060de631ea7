"""Request bodies: checks before a body is parsed, and parsing and validation of large bodies in a thread.

No body may block the event loop or take many times its size in memory.
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
from fastapi import Request, Response
from fastapi._compat import ModelField
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from foxing.memory.bounded_json import has_more_values

from .problems import INVALID_ENCODING, INVALID_REQUEST, INVALID_TEXT, UNSUPPORTED_MEDIA, RequestError

#: Larger bodies are checked, parsed and validated in a thread.
LARGE_BODY = 64 << 10
#: Maximum number of large bodies parsed concurrently.
PARSERS = 2
#: Maximum number of values (objects, lists, strings, numbers…) in a body; a parsed value takes up to 100 bytes.
MAX_VALUES = 500_000
#: Maximum number of members of an object; each unknown member makes an error entry.
MAX_MEMBERS = 10_000

#: Admits `PARSERS` bodies, one in each event loop.
_parsers: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("parsers")

_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
#: A text up to the first escaped lone surrogate.
_NO_LONE_SURROGATE = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u[dD][89a-fA-F])[\s\S])*+"
)


class BodyRoute(APIRoute):
    """A route that parses and validates large bodies in a thread."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler of the route."""
        handle = super().get_route_handler()
        field = self.body_field
        if field is None:
            return handle

        async def handle_large(request: Request) -> Response:
            body = await request.body()
            if len(body) <= LARGE_BODY:
                return await handle(request)
            try:
                value = await anyio.to_thread.run_sync(_validated, field, body, limiter=_limiter_of_parsers())
            except (json.JSONDecodeError, RecursionError, ValueError) as error:
                value = error
            return await handle(_ParsedRequest(request, value))

        return handle_large


class _ParsedRequest(Request):
    """A request with an already parsed body, or with the error of parsing it."""

    def __init__(self, request: Request, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = b" "  # FastAPI calls `json` only if the body is not empty
        self._value = value

    async def json(self) -> Any:
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


def _limiter_of_parsers() -> anyio.CapacityLimiter:
    limiter = _parsers.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(PARSERS)
        _parsers.set(limiter)
    return limiter


def _validated(field: ModelField, body: bytes) -> Any:
    """Returns the validated value of a body. Raises `ValueError` for invalid JSON, and `RequestValidationError`."""
    value = json.loads(body)
    _check_members(value)
    valid, errors = field.validate(value, {}, loc=("body",))
    if errors:
        raise RequestValidationError(errors)
    return valid


def check_json_body(headers: Headers, body: bytes) -> None:
    """Raises `RequestError` if the body is not declared as JSON, is not UTF-8, or contains an escaped lone surrogate or
    too many values."""
    media_type = headers.get("content-type", "")
    if not _JSON_TYPE.fullmatch(media_type.strip()):
        declared = f", not '{media_type}'" if media_type else ""
        raise RequestError(
            UNSUPPORTED_MEDIA, f"send the body as JSON with the header 'Content-Type: application/json'{declared}"
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
            "the body contains a lone surrogate (an escape from \\ud800 to \\udfff without its other half), which is "
            "not a character; send both halves or remove it",
        )
    if has_more_values(body, MAX_VALUES):
        raise RequestError(
            INVALID_REQUEST,
            f"the body contains more than {MAX_VALUES:,} values; send fewer messages per request, and large lists as "
            "text",
        )


def _check_members(value: Any) -> None:
    """Raises `RequestError` for an object with too many members."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict) and len(item) > MAX_MEMBERS:
            raise RequestError(
                INVALID_REQUEST, f"an object in the body has more than {MAX_MEMBERS:,} members; split the request"
            )
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        waiting += [child for child in children if isinstance(child, (dict, list))]
