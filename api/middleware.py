"""What happens around every request: an id, a line in the log, the figures; the key; the size and encoding of its body.

Plain ASGI: nothing here starts a task or a thread for a request."""

import re
import time
import uuid
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import Authenticator
from .logs import get_logger
from .metrics import Metrics
from .problems import (
    BODY_TOO_LARGE,
    INTERNAL,
    INVALID_ENCODING,
    INVALID_TEXT,
    MEDIA_TYPE,
    UNSUPPORTED_MEDIA,
    Problem,
    RequestError,
    make_problem,
    problem_of,
)

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json\s*(;.*)?", re.IGNORECASE)
#: The escape of a surrogate, and what may look like one or hold two that belong together.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NO_HALF = re.compile(rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.document(), problem.status, headers, MEDIA_TYPE)


class RequestLogging:
    """Gives every request an id, logs and counts it, and turns what nothing else caught into a problem document."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics
        self.log = get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            self.log.exception("request failed", request_id=request_id, method=scope["method"], path=route_of(scope))
            if status:
                raise  # the answer has begun; the server closes the connection
            detail = f"this is a fault in Foxing, not in the request; the log has it under the request id {request_id}"
            problem = make_problem(INTERNAL, detail, instance=scope["path"], request_id=request_id)
            await problem_response(problem)(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - begun
            self.metrics.request(scope["method"], route_of(scope), status, seconds)
            self._log(scope, request_id, status, seconds)

    def _log(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        fields: dict[str, Any] = {
            "request_id": request_id,
            "method": scope["method"],
            "path": route_of(scope),
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
        }
        bank = scope.get("path_params", {}).get("bank")
        if bank is not None:
            fields["bank"] = bank
        write = self.log.debug if scope["path"] in _QUIET_PATHS and status < 400 else self.log.info
        write("request", **fields)


def route_of(scope: Scope) -> str:
    """The template of the path that matched, as "/v1/banks/{bank}"."""
    return str(getattr(scope.get("route"), "path_format", "unmatched"))


class RequestGuard:
    """Refuses what must not reach the application: callers without the key, bodies too large, not JSON or not UTF-8.
    A body is read here whole, and handed on."""

    def __init__(self, app: ASGIApp, gate: Authenticator, max_body_bytes: int) -> None:
        self.app = app
        self.gate = gate
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self.gate.check(scope["path"], headers)
            body = await self._body(headers, receive)
        except RequestError as error:
            problem = problem_of(error, instance=scope["path"], request_id=scope["state"]["request_id"])
            await problem_response(problem, error.headers)(scope, receive, send)
            return
        if body is None:
            return  # the caller hung up
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body, or None when the caller hung up before its end. Raises `RequestError`."""
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self.max_body_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.max_body_bytes:
                raise self._too_large()
            chunks.append(chunk)
            more = message.get("more_body", False)
        body = b"".join(chunks)
        if body:
            check_json_text(headers, body)
        return body

    def _too_large(self) -> RequestError:
        # The rest of the body is not read, so the connection cannot be used again.
        return RequestError(
            BODY_TOO_LARGE,
            f"a request body may have {self.max_body_bytes} bytes; send fewer messages in one request, or raise "
            "FOXING_MAX_BODY_BYTES",
            {"Connection": "close"},
        )


def check_json_text(headers: Headers, body: bytes) -> None:
    """Raises `RequestError` for a body that is not declared as JSON, is not UTF-8 or spells half characters."""
    media_type = headers.get("content-type", "")
    if not _JSON_TYPE.fullmatch(media_type.strip()):
        given = f"'{media_type}'" if media_type else "nothing"
        raise RequestError(
            UNSUPPORTED_MEDIA, f"send the body as JSON with the header 'Content-Type: application/json', not {given}"
        )
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            INVALID_ENCODING, f"the body must be UTF-8, and byte {error.start} of it is not; nothing was stored"
        ) from error
    if _SURROGATE.search(body) and _SURROGATE.search(_NO_HALF.sub(b" ", body)):
        raise RequestError(
            INVALID_TEXT,
            "the body holds a lone surrogate (an escape \\ud800 to \\udfff that is not one of a pair), which is half "
            "a character; send both halves or leave it out",
        )
