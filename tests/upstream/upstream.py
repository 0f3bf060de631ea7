"""A recording upstream on loopback: what a test scripts, and what it finds afterwards."""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from .answers import Fault, ModelAnswer, Part
from .cache import Bill, MovableClock
from .chat_completions import ChatCompletionsWire
from .messages import MessagesWire
from .models import RequestLimits
from .problems import Provider, RefusedRequest
from .responses import ConversationsWire, ResponsesWire
from .server import Sent, Server
from .state import Json, Reply, UpstreamState, Wire
from .tokens import CountText, count_bytes

#: Answers the requests that no script is left for.
Responder = Callable[["RecordedCall"], ModelAnswer | Fault]


@dataclass
class RecordedCall:
    """A request as it came over the wire, and what became of it."""

    #: Counts from 1.
    number: int
    #: "messages", "count_tokens", "chat_completions", "responses", "input_tokens", "conversations"; empty for others.
    wire: str
    method: str
    path: str
    #: Names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    #: Exact bytes of the body, as sent.
    body: bytes
    #: The body as JSON, decompressed; None if it is not a JSON object.
    value: Json | None = None
    #: Status of the response; None while there is none, or if the connection was dropped.
    status: int | None = None
    #: Why the request was refused; None for an accepted one.
    refusal: RefusedRequest | None = None
    #: Tokens by price; None for what is free or was not answered.
    bill: Bill | None = None
    #: The response as JSON; None for a fault and a refusal. A stream says the same.
    answered: Json | None = None
    #: True once the response is sent, or given up.
    done: bool = False
    _written: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def sent(self) -> bytes:
        """Bytes of the response body that were sent so far."""
        return bytes(self._written)


class Upstream:
    """A server that speaks the APIs of Anthropic and OpenAI strictly, with scripted answers. A context manager.

        with Upstream() as upstream:
            upstream.answer("It is raining.")
            client = Anthropic(base_url=upstream.url, api_key="test")
            client.messages.create(…)
            assert upstream.exchanges[0].bill.price < 100

    Nothing leaves the machine. Safe to use from several threads.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: MovableClock | None = None,
        limits: RequestLimits | None = None,
        count_text: CountText = count_bytes,
        prefix_mismatch: str = "error",
    ) -> None:
        """`port`: 0 for a free one. `clock`: by default one that stands still until `clock.advance(seconds)`.
        `count_text`: tokens of a text; by default a quarter of its bytes. `prefix_mismatch`: what happens to thinking
        of another conversation where a request does not say: "error" or "drop_block"."""
        self.clock = clock or MovableClock()
        self._state = UpstreamState(
            clock=self.clock,
            limits=limits or RequestLimits(),
            count_text=count_text,
            prefix_mismatch=prefix_mismatch,
        )
        self._script: deque[ModelAnswer | Fault] = deque()
        self._responder: Responder | None = None
        self._changed = threading.Condition(threading.RLock())
        self._exchanges: list[RecordedCall] = []
        self._wires: dict[str, Wire] = {
            "/v1/messages": MessagesWire(self._state),
            "/v1/messages/count_tokens": MessagesWire(self._state, counting=True),
            "/v1/chat/completions": ChatCompletionsWire(self._state),
            "/v1/responses": ResponsesWire(self._state),
            "/v1/responses/input_tokens": ResponsesWire(self._state, counting=True),
            "/v1/conversations": ConversationsWire(self._state),
        }
        self._server = Server(self._respond, host, port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Starts the server; the `with` statement does so by itself."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stops the server and closes its connections."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Base URL for Anthropic's SDK and Claude Code."""
        return self._server.url

    @property
    def openai_url(self) -> str:
        """Base URL for OpenAI's SDK and Codex, which ends with `/v1`."""
        return f"{self._server.url}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead the SDKs and the command lines here."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": "sk-test",
        }

    def answer(self, *parts: Part, **options: Any) -> None:
        """Appends an answer to the script: texts, `Thinking`, `ScriptedCall`. `options`: fields of `ModelAnswer`."""
        self._append(ModelAnswer(parts, **options))

    def fail(
        self,
        status: int,
        message: str = "scripted fault",
        *,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Appends an error in the shape of the provider to the script."""
        given = dict(headers or {})
        if retry_after_s is not None:
            given["retry-after"] = f"{retry_after_s:g}"
        self._append(Fault(status, message, given))

    def send_html(self, status: int = 502, body: bytes = b"<html><body>Bad gateway</body></html>") -> None:
        """Appends a page of a gateway to the script."""
        self._append(Fault(status, body=body))

    def drop(self) -> None:
        """Appends a connection that closes without a response to the script."""
        self._append(Fault(0, drop=True))

    def respond_with(self, responder: Responder | None) -> None:
        """Sets what answers the requests that no script is left for. Without one they are answered “Understood.”"""
        with self._changed:
            self._responder = responder

    @property
    def exchanges(self) -> list[RecordedCall]:
        """All requests so far, in the order of their arrival."""
        with self._changed:
            return list(self._exchanges)

    @property
    def calls(self) -> list[RecordedCall]:
        """Requests to a model: without counts of tokens and unknown paths."""
        return [each for each in self.exchanges if each.wire in ("messages", "chat_completions", "responses")]

    @property
    def refused(self) -> list[RecordedCall]:
        """Requests that broke a rule."""
        return [each for each in self.exchanges if each.refusal is not None]

    @property
    def total(self) -> Bill:
        """Sum of all bills; `price` is right unless the prices of long-lived writes differ."""
        bills = [each.bill for each in self.exchanges if each.bill is not None]
        return Bill(
            fresh=sum(bill.fresh for bill in bills),
            read=sum(bill.read for bill in bills),
            written=sum(bill.written for bill in bills),
            written_long=sum(bill.written_long for bill in bills),
            output=sum(bill.output for bill in bills),
            thinking=sum(bill.thinking for bill in bills),
            long_price=bills[0].long_price if bills else 2.0,
        )

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
        """Waits until a condition on this upstream holds, and returns whether it does. It is looked at again whenever
        a request arrives or is answered."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def _append(self, step: ModelAnswer | Fault) -> None:
        with self._changed:
            self._script.append(step)

    def _respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes, too_large: bool) -> Sent:
        """Records a request and returns what is sent. Checks and state changes of requests do not overlap."""
        route, _, query = path.partition("?")
        wire = self._wires.get(route.rstrip("/")) if method == "POST" else None
        with self._changed:
            exchange = RecordedCall(len(self._exchanges) + 1, wire.name if wire else "", method, path, headers, body)
            self._exchanges.append(exchange)
            self._changed.notify_all()
            provider = _provider(wire, route, headers)
            request_id = f"req_{exchange.number:024d}"
            try:
                sent = self._accepted(wire, exchange, query, too_large) or _other(method, route, provider)
            except RefusedRequest as refusal:
                exchange.refusal = refusal
                sent = _refused(refusal, provider, request_id)
            sent.headers["request-id" if provider == "anthropic" else "x-request-id"] = request_id
            exchange.status = None if sent.drop else sent.status
        exchange._written = sent.written
        sent.finished = lambda: self._finish(exchange)
        return sent

    def _accepted(self, wire: Wire | None, exchange: RecordedCall, query: str, too_large: bool) -> Sent | None:
        """Returns the response to a request of a wire; None for other paths. Raises `RefusedRequest`."""
        if wire is None:
            return None
        exchange.value = _parsed(exchange, wire.provider, self._state.limits, too_large)
        accepted = wire.accept(exchange.value, exchange.headers, query)
        step = self._next(exchange) if accepted.scripted else ModelAnswer(())
        if isinstance(step, Fault):
            return _fault(step, wire.provider, f"req_{exchange.number:024d}")
        reply = accepted.reply(step)
        exchange.bill, exchange.answered = reply.bill, reply.value
        return _answered(step, reply, wire.provider)

    def _next(self, exchange: RecordedCall) -> ModelAnswer | Fault:
        if self._script:
            return self._script.popleft()
        return self._responder(exchange) if self._responder is not None else ModelAnswer(("Understood.",))

    def _finish(self, exchange: RecordedCall) -> None:
        with self._changed:
            exchange.done = True
            self._changed.notify_all()


def _provider(wire: Wire | None, route: str, headers: Mapping[str, str]) -> Provider:
    if wire is not None:
        return wire.provider
    return "anthropic" if "anthropic-version" in headers or route.startswith("/v1/messages") else "openai"


def _parsed(exchange: RecordedCall, provider: Provider, limits: RequestLimits, too_large: bool) -> Json:
    from .server import decoded

    most = limits.anthropic_body_bytes if provider == "anthropic" else limits.openai_body_bytes
    if too_large or len(exchange.body) > most:
        raise RefusedRequest("Request exceeds the maximum size", 413, code="request_too_large")
    encoding = exchange.headers.get("content-encoding", "")
    try:
        content = decoded(exchange.body, encoding)
    except ValueError as error:
        code = "request_body_encoding_unsupported" if "unknown" in str(error) else "request_body_encoding_invalid"
        raise RefusedRequest(f"the body is not valid {encoding}", 400, details={"error_code": code}) from error
    if len(content) > most:
        raise RefusedRequest("Request exceeds the maximum size", 413, code="request_too_large")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        if provider == "anthropic":
            raise RefusedRequest(f"The request body is not valid JSON: {error}") from error
        raise RefusedRequest(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
        ) from error
    if not isinstance(value, dict):
        raise RefusedRequest(
            "Input should be a valid dictionary" if provider == "anthropic" else "Expected a JSON object."
        )
    return value


def _refused(refusal: RefusedRequest, provider: Provider, request_id: str) -> Sent:
    body = json.dumps(refusal.body(provider, request_id)).encode()
    return Sent(refusal.status, {"content-type": "application/json"}, [body])


def _fault(fault: Fault, provider: Provider, request_id: str) -> Sent:
    headers = dict(fault.headers)
    if fault.body is not None:
        headers["content-type"] = fault.content_type
        return Sent(fault.status, headers, [fault.body], hold=fault.hold)
    headers["content-type"] = "application/json"
    body = json.dumps(RefusedRequest(fault.message, fault.status).body(provider, request_id)).encode()
    return Sent(fault.status, headers, [body], drop=fault.drop, hold=fault.hold)


def _answered(answer: ModelAnswer, reply: Reply, provider: Provider) -> Sent:
    timing: dict[str, Any] = {
        "delay_s": answer.delay_s,
        "pause_s": answer.pause_s,
        "hold": answer.hold,
        "hold_before": answer.hold_before_event,
    }
    if not reply.stream:
        body = json.dumps(reply.value, ensure_ascii=False).encode()
        cut = len(body) // 2 if answer.cut_after_events is not None else None
        return Sent(200, {"content-type": "application/json"}, [body], cut_after_bytes=cut, **timing)
    frames = reply.frames
    cut_after = answer.cut_after_events
    if answer.error_after_events is not None:
        frames = [*frames[: answer.error_after_events], _error_frame(provider)]
    if cut_after is not None:
        frames = frames[:cut_after]
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    return Sent(200, headers, frames, stream=True, cut=cut_after is not None, **timing)


def _error_frame(provider: Provider) -> bytes:
    if provider == "anthropic":
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return f"event: error\ndata: {json.dumps(error)}\n\n".encode()
    error = {"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": None}}
    return f"data: {json.dumps(error)}\n\n".encode()


_MODELS = {
    "anthropic": ("claude-fable-5-1", "claude-opus-5", "claude-sonnet-5", "claude-haiku-4-5"),
    "openai": ("gpt-5.6", "gpt-5.6-sol"),
}


def _other(method: str, route: str, provider: Provider) -> Sent:
    """Returns the list of models, the empty root, or the error for an unknown path."""
    headers = {"content-type": "application/json"}
    if method == "GET" and route == "/v1/models":
        if provider == "anthropic":
            models = [
                {"type": "model", "id": name, "display_name": name, "created_at": "2026-11-01T00:00:00Z"}
                for name in _MODELS[provider]
            ]
            value: Json = {"data": models, "has_more": False, "first_id": models[0]["id"], "last_id": models[-1]["id"]}
        else:
            listed = [{"id": name, "object": "model", "created": 0, "owned_by": "x"} for name in _MODELS[provider]]
            value = {"object": "list", "data": listed}
        return Sent(200, headers, [json.dumps(value).encode()])
    if method in ("GET", "HEAD") and route == "/":
        return Sent(200, headers, [b"{}"])
    message = f"Not found: {method} {route}" if provider == "anthropic" else f"Invalid URL ({method} {route})"
    return Sent(404, headers, [json.dumps(RefusedRequest(message, 404).body(provider, "req_0")).encode()])
