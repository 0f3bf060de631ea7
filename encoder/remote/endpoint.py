"""Requests to an OpenAI-compatible API, with retries. Every failure says what to do about it."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from foxing.encoder.errors import ReadFailed

from .address import Address, redact
from .circuit_breaker import CircuitBreaker, CircuitOpen
from .completions import Completion
from .connections import Connections
from .error_responses import ErrorResponse
from .options import ServerOptions
from .responses import BadAnswer, ChatCompletion, NoReading
from .usage import UsageMeter

if TYPE_CHECKING:
    import httpx

FIRST_PAUSE_S = 0.5  # doubles with every retry
MAX_PAUSE_S = 30.0
MAX_RETRY_AFTER_S = 120.0  # the page fails if the server asks for more
MIN_ATTEMPT_S = 1.0  # no retry starts with less time than this left
MIN_CIRCUIT_THRESHOLD = 5  # attempts in a row without a response
MODEL_LIST_TIMEOUT_S = 10.0
MAX_RESPONSE_BYTES = 32 << 20
MAX_MESSAGE_CHARS = 300  # of a server's message, when repeated

CLOSED = "the codec was closed before the page was read; ask for it again"

_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})


@dataclass(frozen=True)
class Timing:
    """Sources of time and randomness; tests replace them."""

    #: Pauses for some seconds. None waits for real, and stops waiting when the endpoint is closed.
    sleep: Callable[[float], None] | None = None
    #: A random number in [0, 1).
    chance: Callable[[], float] = random.random
    #: Monotonic time in seconds.
    clock: Callable[[], float] = time.monotonic
    #: The current time, timezone-aware.
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class TokenCounts(Protocol):
    """A response that says how many tokens it took."""

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def completion_tokens(self) -> int: ...


ResponseT = TypeVar("ResponseT", bound=TokenCounts)


@dataclass(frozen=True)
class Call(Generic[ResponseT]):
    """A call of the API."""

    path: str
    #: Parses the JSON of the response. Raises `BadAnswer`.
    parse: Callable[[Any], ResponseT]
    #: What the response is called in error messages.
    name: str
    #: What to check if the server rejects the request.
    advice: str


CHAT = Call(
    "/chat/completions",
    ChatCompletion.parse,
    "chat completion",
    "check that the model takes images, and remove or add fields with the option 'extra'",
)
COMPLETION = Call(
    "/completions",
    Completion.of,
    "completion",
    "start vLLM with --enable-prompt-embeds and the same model, or remove the option 'remote'",
)


class _HttpResponse(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


class _AttemptFailed(Exception):
    """An attempt failed. `retry`: whether another may succeed; `retry_once`: at most one more; `retry_after_s`: the
    pause that the server asks for; `no_response`: whether the server was unresponsive."""

    def __init__(
        self,
        message: str,
        *,
        retry: bool = False,
        retry_once: bool = False,
        retry_after_s: float | None = None,
        no_response: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.retry_once = retry_once
        self.retry_after_s = retry_after_s
        self.no_response = no_response


class Endpoint:
    """An OpenAI-compatible API. Thread-safe; the first request opens the connections. No error message holds the API
    key or a user name, password or query of the address."""

    def __init__(self, options: ServerOptions, timing: Timing | None = None) -> None:
        """Raises `CodecError` if the address is invalid."""
        self._address = Address.parse(options.url)
        self._secrets = tuple(secret for secret in (options.api_key, *self._address.secrets) if secret)
        #: The base URL without credentials and query.
        self.url = self._address.base_url
        self.options = options
        self.meter = UsageMeter(options.prompt_price, options.completion_price)
        self._timing = timing or Timing()
        self._breaker = CircuitBreaker(max(MIN_CIRCUIT_THRESHOLD, options.concurrency), self._timing.clock)
        self._connections = Connections()
        self._closing = Event()
        self._client: httpx.Client | None = None
        self._lock = Lock()

    def close(self) -> None:
        """Aborts requests and pauses in progress, which fail. A later request opens new connections."""
        with self._lock:
            client, self._client = self._client, None
            closing, self._closing = self._closing, Event()
        closing.set()
        self._connections.abort()
        if client is not None:
            client.close()

    def ask(self, call: Call[ResponseT], body: Mapping[str, Any]) -> ResponseT:
        """The response to a request.

        Server errors, timeouts and invalid responses are retried, with pauses that double and that honour Retry-After;
        empty responses and refusals are retried once. All attempts together have `page_timeout_s`. Raises `ReadFailed`,
        at once while the server is unresponsive.
        """
        try:
            with self._breaker.page():
                return self._ask_with_retries(call, body, self._closing)
        except CircuitOpen:
            raise ReadFailed(
                f"{self.url} did not answer the last pages, so this one was not sent; start the server, or "
                "change the option 'url'"
            ) from None

    def _ask_with_retries(self, call: Call[ResponseT], body: Mapping[str, Any], closing: Event) -> ResponseT:
        clock = self._timing.clock
        deadline = clock() + self.options.page_timeout_s
        pause_s = FIRST_PAUSE_S
        retried_once = False
        for attempt in range(self.options.retries + 1):
            start = clock()
            try:
                response = self._attempt(call, body, deadline)
            except _AttemptFailed as failure:
                end = clock()
                self.meter.count_request(end - start, failed=True)
                if closing.is_set():
                    raise ReadFailed(CLOSED) from failure
                (self._breaker.record_silence if failure.no_response else self._breaker.record_response)()
                wait_s = None if retried_once and failure.retry_once else self._retry_pause_s(failure, pause_s)
                retried_once |= failure.retry_once
                late = wait_s is not None and end + wait_s > deadline - MIN_ATTEMPT_S
                if wait_s is None or late or attempt == self.options.retries:
                    raise ReadFailed(f"{failure}{self._attempts_note(attempt, late)}") from failure
                (self._timing.sleep or closing.wait)(wait_s)
                if closing.is_set():
                    raise ReadFailed(CLOSED) from failure
                pause_s = min(MAX_PAUSE_S, 2 * pause_s)
            else:
                self._breaker.record_response()
                self.meter.count_request(
                    clock() - start, response.prompt_tokens, response.completion_tokens, failed=False
                )
                return response
        raise AssertionError("the last attempt returns or raises")

    def _retry_pause_s(self, failure: _AttemptFailed, pause_s: float) -> float | None:
        """Seconds to wait before the next attempt; None if there is no point in one."""
        if not failure.retry:
            return None
        if failure.retry_after_s is not None:
            return None if failure.retry_after_s > MAX_RETRY_AFTER_S else max(failure.retry_after_s, pause_s / 2)
        return pause_s * (0.5 + self._timing.chance() / 2)

    def _attempts_note(self, attempt: int, late: bool) -> str:
        """How often the request was tried, for the end of an error message. `late`: there is no time for a retry."""
        if not attempt and not late:
            return ""
        tries = f"tried {attempt + 1} times" if attempt else "tried once"
        if late and attempt < self.options.retries:
            tries += f"; a page has {self.options.page_timeout_s:g} s, the option 'page_timeout_s'"
        return f" ({tries})"

    def _attempt(self, call: Call[ResponseT], body: Mapping[str, Any], deadline: float) -> ResponseT:
        document = self._document(self._send("POST", call.path, body, deadline), call.advice)
        try:
            return call.parse(document)
        except NoReading as error:
            message = f"{self.url} {self.clean(str(error))}"
            raise _AttemptFailed(message, retry=True, retry_once=error.deliberate) from error
        except BadAnswer as error:
            raise _AttemptFailed(f"{self.url} returned no {call.name}: {error}", retry=True) from error

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, deadline: float) -> _HttpResponse:
        """One HTTP exchange.

        Once connected it has `timeout_s`, and no longer than until `deadline`, even if the server sends slowly; then
        the connection is aborted. Name resolution before that takes as long as the system allows.
        """
        import httpx

        timeout_s = min(self.options.timeout_s, deadline - self._timing.clock())
        timed_out = _AttemptFailed(
            f"{self.url} did not answer within {round(timeout_s, 1):g} s; raise the option 'timeout_s' or "
            "lower 'concurrency'",
            retry=True,
            no_response=True,
        )
        if timeout_s <= 0:
            raise timed_out
        url = self._address.url_of(path)
        timeout = httpx.Timeout(timeout_s, pool=None)  # waiting for a connection is not the server's fault
        with self._connections.connection(timeout_s) as connection:
            extensions = {"trace": connection}
            try:
                with self._http().stream(method, url, json=body, timeout=timeout, extensions=extensions) as response:
                    content = self._content(response)
                if connection.aborted:  # a response without a length seems complete
                    raise timed_out
                return _HttpResponse(response.status_code, response.headers, content)
            except httpx.TransportError as error:
                raise (timed_out if connection.aborted else self._transport_failure(error, timed_out)) from error
            except (httpx.InvalidURL, httpx.DecodingError, UnicodeError, RuntimeError) as error:
                cause = self.clean(str(error))
                message = f"the request to {self.url} failed ({cause}); check the option 'url'"
                raise _AttemptFailed(message) from error

    def _content(self, response: "httpx.Response") -> bytes:
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > MAX_RESPONSE_BYTES:
                raise _AttemptFailed(
                    f"{self.url} returned more than {MAX_RESPONSE_BYTES:,} bytes; check that the option 'url' is "
                    "the base of the API"
                )
        return bytes(content)

    def _transport_failure(self, error: "httpx.TransportError", timed_out: _AttemptFailed) -> _AttemptFailed:
        """The failure that an interrupted exchange amounts to."""
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return timed_out
        cause = self.clean(str(error))
        if isinstance(error, httpx.ConnectError):
            message = f"nothing answers at {self.url} ({cause}); start the server, or change the option 'url'"
            return _AttemptFailed(message, retry=True, no_response=True)
        return _AttemptFailed(f"the connection to {self.url} broke ({cause or type(error).__name__})", retry=True)

    def _http(self) -> "httpx.Client":
        import httpx

        with self._lock:
            if self._client is None:
                options = self.options
                key = {} if options.api_key is None else {"Authorization": f"Bearer {options.api_key}"}
                # without keep-alive, as aborting a connection must not affect another request
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
                self._client = httpx.Client(headers=key, auth=self._address.auth, limits=limits)
            return self._client

    def _document(self, response: _HttpResponse, advice: str) -> Any:
        """The JSON of a successful response. Raises `_AttemptFailed`."""
        status, headers, content = response
        html = "html" in headers.get("content-type", "") or content.lstrip()[:1] == b"<"
        if status >= 300:
            error = ErrorResponse() if html else ErrorResponse.parse(_json_or_text(content))
            raise self._rejection(status, headers, error, advice, f"{status}")
        if html:
            raise _AttemptFailed(
                f"{self.url} returned an HTML page; the option 'url' must be the base of an OpenAI-compatible API, "
                "usually ending in /v1"
            )
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as invalid:
            raise _AttemptFailed(f"{self.url} returned invalid JSON ({invalid})", retry=True) from invalid
        if isinstance(document, dict) and document.get("error") and not document.get("choices"):
            error = ErrorResponse.parse(document)  # a gateway may report its upstream's error with status 200
            raise self._rejection(error.status or 500, headers, error, advice, f"{status} with an error")
        return document

    def _rejection(
        self, status: int, headers: Mapping[str, str], error: ErrorResponse, advice: str, shown_status: str
    ) -> _AttemptFailed:
        """The failure that an error response amounts to. `status`: the one to judge by; `advice`: see `Call`."""
        message = f": {self.clean(error.message)[:MAX_MESSAGE_CHARS]}" if error.message else ""
        answered = f"{self.url} answered {shown_status}{message}"
        if 300 <= status < 400:
            location = self.clean(headers.get("location", "nowhere").partition("?")[0])
            return _AttemptFailed(f"{answered}: it redirects to {location}; set the option 'url' to the new address")
        if status in (401, 403):
            return _AttemptFailed(f"{answered}; check the option 'api_key' and what it permits")
        if status == 404 or (status == 400 and error.model_missing):
            return _AttemptFailed(f"{answered}; check the options 'model' and 'url'{self._models_note()}")
        if status == 402 or error.quota_exhausted:
            return _AttemptFailed(f"{answered}; the account of the option 'api_key' is out of credit")
        if status in _RETRIED_STATUSES:
            return _AttemptFailed(answered, retry=True, retry_after_s=self._retry_after_s(headers))
        return _AttemptFailed(f"{answered}; the server does not accept this request: {advice}")

    def _models_note(self) -> str:
        """The models that the server lists, for the end of an error message; "" if it lists none."""
        try:
            status, _, content = self._send("GET", "/models", None, self._timing.clock() + MODEL_LIST_TIMEOUT_S)
            names = [self.clean(str(model["id"])) for model in json.loads(content)["data"]] if status == 200 else []
        except (_AttemptFailed, ValueError, KeyError, TypeError, RecursionError):
            return ""
        return f"; it serves {', '.join(names[:10])}" if names else ""

    def _retry_after_s(self, headers: Mapping[str, str]) -> float | None:
        """The Retry-After header, given in seconds or as a date."""
        value = headers.get("retry-after")
        if value is None:
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            pass
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - self._timing.now()).total_seconds())

    def clean(self, text: str) -> str:
        """`text` of a server or a package, without secrets."""
        return redact(text, self._secrets)


def _json_or_text(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
