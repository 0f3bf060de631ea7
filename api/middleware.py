"""Middleware: request ids, request logging and metrics; authentication and checks of the request body.

Plain ASGI middleware, because Starlette's `BaseHTTPMiddleware` starts a task per request."""

import math
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import anyio
import anyio.to_thread
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foxing.memory import Access, LimitReached, Problem
from foxing.memory.audit import through
from foxing.memory.doors import check_length
from foxing.memory.keys import key_id_of
from foxing.memory.problems import VERSION_HEADER
from foxing.memory.values.audit import AuditDoor
from foxing.renderer import FoxingError
from foxing.renderer.announcement import PROOF_HEADER
from foxing.renderer.plugins import CLIENT

from .auth import CONSOLE, FULL, NONE, Authenticator, given_key
from .bodies import LARGE_BODY, check_json_body
from .logs import get_logger
from .metrics import Metrics
from .permissions import needs_of
from .plugins.apps import PREFIX
from .problems import (
    BODY_TOO_LARGE,
    BUSY,
    INTERNAL,
    MEDIA_TYPE,
    REFUSED,
    REQUEST_TIMEOUT,
    UNSUPPORTED_MEDIA,
    RequestError,
    problem_of,
)

#: Beginning of a path → its door.
_DOORS: dict[str, AuditDoor] = {CONSOLE: "console", f"{PREFIX}mcp": "mcp", f"{PREFIX}hooks": "hook"}
REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_UPLOAD = re.compile(r"/v1/banks/[^/]+/(?:import|bundle)")
_MESSAGES = re.compile(r"/v1/banks/[^/]+/messages")
_CONVERSATION = re.compile(r"/v1/(?:banks/[^/]+/fold|compress)")
#: Minimum limit of a body that is a whole conversation, which providers take with as many bytes of images.
CONVERSATION_BYTES = 32 << 20
BODY_S = 60.0  # timeout for receiving the body of a request
#: Key in the state of a request that the server rejects; its value is the reason.
REFUSAL = "refusal"
#: Key in the state of a request of its path as the caller wrote it.
PATH = "path"
#: Keys in the state of a request of what the log names: the route of one that is refused before it reaches the router,
#: the id of its key, and the address of a caller that is refused.
ROUTE = "route"
KEY_ID = "key_id"
ADDRESS = "address"
#: Paths that are polled; their successful requests are logged at debug level.
POLLED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Returns the HTTP response of a problem document."""
    if problem.retry_after_s is not None and problem.status in (BUSY.status, LimitReached.kind.status):
        headers = {"Retry-After": f"{math.ceil(problem.retry_after_s)}", **(headers or {})}
    return JSONResponse(problem.document(), problem.status, headers, MEDIA_TYPE)


class RequestLogging:
    """Assigns an id to each request, logs and counts it, and turns unhandled exceptions into problem documents."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics
        self.log = get_logger()
        self.version = version(CLIENT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application with a request id, and logs and counts the request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        header = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = header if _REQUEST_ID.fullmatch(header) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                headers[VERSION_HEADER] = self.version
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            with through(_door_of(scope["path"])):
                await self.app(scope, receive, send_with_id)
        except ClientDisconnect:  # of a mounted app that reads a body
            pass
        except Exception:
            self.log.exception("request failed", request_id=request_id, method=scope["method"], path=route_of(scope))
            if status:
                raise  # the response has started; the server closes the connection
            detail = f"this is a bug in Foxing, not in the request; see the log for request id {request_id}"
            problem = Problem.of(INTERNAL, detail, scope["path"], request_id=request_id)
            await problem_response(problem)(scope, receive, send_with_id)
        finally:
            duration_s = time.perf_counter() - started
            self.metrics.http.record_request(scope["method"], route_of(scope), status, duration_s)
            self._log(scope, request_id, status, duration_s)

    def _log(self, scope: Scope, request_id: str, status: int, duration_s: float) -> None:
        bank = scope.get("path_params", {}).get("bank")
        caller = {name: scope["state"][name] for name in (KEY_ID, ADDRESS) if scope["state"].get(name) is not None}
        write = self.log.debug if scope["path"] in POLLED_PATHS and status < 400 else self.log.info
        write(
            "request",
            request_id=request_id,
            method=scope["method"],
            path=route_of(scope),
            status=status,
            duration_ms=round(duration_s * 1000, 2),
            **({} if bank is None else {"bank": bank}),
            **caller,
        )


def _door_of(path: str) -> AuditDoor:
    """Returns the door that a path belongs to, for the audit log."""
    return next((door for prefix, door in _DOORS.items() if path.startswith(prefix)), "http")


def _with_header(send: Send, name: str, value: str) -> Send:
    """Returns `send` with a header in the response."""

    async def with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[name] = value
        await send(message)

    return with_header


def route_of(scope: Scope) -> str:
    """Returns the path template of the route, such as "/v1/banks/{bank}", or "unmatched". That of a mounted
    application, such as the console, begins with the path at which it is mounted."""
    path = getattr(scope.get("route"), "path_format", None)
    if path is None:
        return str(scope.get("state", {}).get(ROUTE) or "unmatched")
    mounted = scope["root_path"].removeprefix(scope["app_root_path"]) if "app_root_path" in scope else ""
    return f"{mounted}{path}" if path != mounted else mounted  # the route may be the mount itself


class RequestGuard:
    """Rejects unauthenticated requests, requests over the limits of the server, and bodies that are too large, not JSON
    or not UTF-8.

    Buffers the whole body and replays it to the application. For mounted apps and uploads of histories, it checks
    only authentication, the limits, and the time between the chunks of a body."""

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        max_body_bytes: int,
        admit: Callable[[Access], Awaitable[None]],
        refuse: Callable[[str, Access | None, str | None, FoxingError], None],
    ) -> None:
        """`admit`: counts a request of a caller, or raises `LimitReached`. `refuse`: see `AuditLog.refuse`."""
        self.app = app
        self.refuse = refuse
        self.admit = admit
        self.authenticator = authenticator
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application if the request is accepted; responds with a problem document otherwise."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            await self._guard_websocket(scope, receive, send)
            return
        streaming = scope["path"].startswith((PREFIX, CONSOLE)) or _is_upload(scope)
        try:
            _check_room(scope)
            check_length(scope["headers"])
            access = await self._access(scope, headers)
            proof = self.authenticator.proof(headers)
            if proof is not None:
                send = _with_header(send, PROOF_HEADER, proof)
            # Mounted apps and imports may stream and accept any media type.
            limit = self.max_body_bytes
            if _CONVERSATION.fullmatch(scope["path"]):
                limit = max(limit, CONVERSATION_BYTES)
            body = None if streaming else await self._read_body(headers, receive, limit)
        except FoxingError as error:
            scope["state"][ROUTE] = needs_of(scope).route
            scope["state"][ADDRESS] = (scope.get("client") or (None,))[0]
            problem = problem_of(error, instance=scope["path"], request_id=scope["state"]["request_id"])
            await problem_response(problem, getattr(error, "headers", None))(scope, receive, send)
            return
        if streaming:
            with access.limiting():
                await self._run_streaming(scope, receive, send)
            return
        if body is None:
            return  # the client disconnected
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        with access.limiting():
            await self.app(scope, replay, send)

    async def _access(self, scope: Scope, headers: Headers) -> Access:
        """Returns the access of a request, checked against what its route needs. Raises `RequestError`, `Forbidden`,
        and `NotFound` for a bank that does not exist for it."""
        scope.setdefault("state", {})[PATH] = scope["path"]
        if scope["type"] == "http" and self.authenticator.is_local(headers):
            return FULL
        needs = needs_of(scope)
        access: Access | None = None
        scope["state"][KEY_ID] = key_id_of(given_key(headers))  # that it states, until it is checked
        try:
            access = await self.authenticator.access(scope["path"], scope["scheme"], headers, needs)
            if access is None:
                return NONE
            if needs.role is not None:
                scope["state"][KEY_ID] = access.key_id
            needs.check(access, f"{scope.get('method', 'GET')} {scope['path']}")
            scope["path"] = needs.path_for(access, scope["path"])
            if needs.role is not None:
                await self.admit(access)
        except FoxingError as error:
            if error.kind.status in REFUSED:
                self.refuse(needs.action, access, needs.bank, error)
            raise
        return access

    async def _run_streaming(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application, which reads the body itself; cancels it if a chunk of the body is late."""
        more_body = True
        started = False
        late = False

        async def timed_receive() -> Message:
            nonlocal more_body, late
            if not more_body:
                return await receive()
            with anyio.move_on_after(BODY_S):
                message = await receive()
                more_body = message.get("more_body", False)
                return message
            late = True
            running.cancel()
            await anyio.sleep_forever()
            raise AssertionError("unreachable")

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        with anyio.CancelScope() as running:
            await self.app(scope, timed_receive, noting_send)
        if late and not started:
            error = self._too_slow()
            problem = problem_of(error, instance=scope["path"], request_id=scope["state"]["request_id"])
            await problem_response(problem, error.headers)(scope, receive, send)

    async def _guard_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticates a websocket, which only mounted apps have. A rejected one is closed before it is accepted,
        which the client sees as status 403."""
        try:
            access = await self._access(scope, Headers(scope=scope))
        except FoxingError as error:
            await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
            return
        with access.limiting():
            await self.app(scope, receive, send)

    async def _read_body(self, headers: Headers, receive: Receive, limit: int) -> bytes | None:
        """Returns the body, or None if the client disconnected before its end. `limit`: its maximum size in bytes.
        Raises `RequestError`."""
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestError(
                UNSUPPORTED_MEDIA,
                "compressed bodies are not supported; send the body without Content-Encoding",
                {"Connection": "close"},
            )
        content_length = headers.get("content-length", "")
        if content_length.isdigit() and int(content_length) > limit:
            raise self._too_large(limit)
        chunks: list[bytes] = []
        size = 0
        more_body = True
        ends_at = anyio.current_time() + BODY_S
        while more_body:
            with anyio.move_on_after(max(0.0, ends_at - anyio.current_time())) as waiting:
                message = await receive()
            if waiting.cancelled_caught:
                raise self._too_slow()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise self._too_large(limit)
            chunks.append(chunk)
            more_body = message.get("more_body", False)
        body = b"".join(chunks)
        if len(body) > LARGE_BODY:
            await anyio.to_thread.run_sync(check_json_body, headers, body)
        elif body:
            check_json_body(headers, body)
        return body

    @staticmethod
    def _too_slow() -> RequestError:
        return RequestError(
            REQUEST_TIMEOUT,
            f"the request body did not arrive within {BODY_S:g} s; send fewer messages per request",
            {"Connection": "close"},
        )

    @staticmethod
    def _too_large(limit: int) -> RequestError:
        # The rest of the body stays unread, so the connection cannot be reused.
        return RequestError(
            BODY_TOO_LARGE,
            f"the request body is larger than {limit} bytes; send fewer messages per request, or raise "
            "FOXING_MAX_BODY_BYTES",
            {"Connection": "close"},
        )


def _is_upload(scope: Scope) -> bool:
    """True if the body of a request is a history to import."""
    return scope["method"] == "POST" and _UPLOAD.fullmatch(scope["path"]) is not None


def _check_room(scope: Scope) -> None:
    """Raises `RequestError` if the server rejected the request because of its limits."""
    refusal = scope["state"].get(REFUSAL)
    if refusal is not None:
        raise RequestError(BUSY, refusal, {"Connection": "close"})
