"""Requests to an OpenAI-compatible API, with retries. Every error message says what to do."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import httpx

from foxing.encoder.errors import ReadFailed

from .address import Address, redact
from .circuit_breaker import CircuitBreaker, CircuitOpen
from .error_responses import ErrorResponse
from .event_loop import event_loop
from .options import ServerOptions
from .responses import ChatCompletion, InvalidCompletion, NoReading, billed_tokens
from .retries import AttemptFailed, Timing, with_retries
from .usage import UsageMeter

MIN_CIRCUIT_THRESHOLD = 5  # consecutive attempts without a response
MODEL_LIST_TIMEOUT_S = 10.0
MAX_RESPONSE_BYTES = 32 << 20
MAX_MESSAGE_CHARS = 300  # maximum length of a quoted server message
#: Idle connections are closed before uvicorn, which vLLM and SGLang run on, closes them after 5 s: a request sent at
#: that moment would fail.
KEEP_ALIVE_S = 2.0
#: The same over TLS, where opening a connection takes two more round trips, and gateways keep connections for at least
#: a minute.
TLS_KEEP_ALIVE_S = 30.0

CLOSED = "the codec was closed before the page was read; ask for it again"

_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})


class TokenCounts(Protocol):
    """Response that reports its tokens."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""
        ...

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answer."""
        ...


T = TypeVar("T")
ResponseT = TypeVar("ResponseT", bound=TokenCounts)


@dataclass(frozen=True)
class Call(Generic[ResponseT]):
    """Call of the API."""

    path: str
    #: Parses the JSON of the response. Raises `InvalidCompletion`.
    parse: Callable[[Any], ResponseT]
    #: Name of the response in error messages.
    name: str
    #: Advice if the server rejects the request.
    advice: str


CHAT = Call(
    "/chat/completions",
    ChatCompletion.parse,
    "chat completion",
    "check that the model accepts images, and remove or add fields with the option 'extra'",
)


class HttpResponse(NamedTuple):
    """Complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Endpoint:
    """OpenAI-compatible API. Thread-safe; the first request opens the connections. Error messages never contain the API
    key, or the user name, password or query of the address."""

    def __init__(
        self, options: ServerOptions, timing: Timing | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """`headers`: replaces the header with the API key. Raises `CodecError` if the address is invalid."""
        self._address = Address.parse(options.url)
        self._secrets = tuple(secret for secret in (options.api_key, *self._address.secrets) if secret)
        #: Base URL without credentials and query.
        self.url = self._address.base_url
        self.options = options
        self.meter = UsageMeter(options.prompt_price, options.completion_price)
        self._timing = timing or Timing()
        self._breaker = CircuitBreaker(max(MIN_CIRCUIT_THRESHOLD, options.concurrency), self._timing.clock)
        key = {} if options.api_key is None else {"Authorization": f"Bearer {options.api_key}"}
        self._headers = {"Content-Type": "application/json", **(key if headers is None else headers)}
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[Any] | None] = set()

    def submit(self, work: Callable[[], Awaitable[T]]) -> Future[T]:
        """Schedules `work`, which sends requests, on the event loop of requests. `close` cancels it."""
        return asyncio.run_coroutine_threadsafe(self._until_closed(work), event_loop())

    async def _until_closed(self, work: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            return await work()
        finally:
            self._tasks.discard(task)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs `work`, see `submit`, and returns its result. Raises `ReadFailed` if the endpoint is closed
        meanwhile."""
        future = self.submit(work)
        try:
            return future.result()
        except CancelledError:
            raise ReadFailed(CLOSED) from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancels all requests and pauses in progress. A later request opens new connections."""
        asyncio.run_coroutine_threadsafe(self._abort(), event_loop()).result()

    async def _abort(self) -> None:
        tasks = [task for task in self._tasks if task is not None]
        for task in tasks:
            task.cancel()
        client = self._client
        self._client = None
        await asyncio.gather(*tasks, return_exceptions=True)
        if client is not None:
            await client.aclose()

    def ask(self, call: Call[ResponseT], body: Mapping[str, Any]) -> ResponseT:
        """Sends a request and waits for the response; see `request`."""
        return self.run(partial(self.request, call, body))

    async def request(self, call: Call[ResponseT], body: Mapping[str, Any]) -> ResponseT:
        """Sends a request and returns the response; for use within `submit` or `run`.

        Server errors, timeouts and invalid responses are retried with exponential backoff, which honours Retry-After;
        empty responses and refusals are retried once. `page_timeout_s` limits all attempts together. Raises
        `ReadFailed`, immediately while the circuit breaker is open.
        """
        content = json.dumps(body).encode()
        try:
            with self._breaker.page():
                return await with_retries(partial(self._attempt, call, content), self.options, self._timing)
        except CircuitOpen:
            raise ReadFailed(
                f"{self.url} did not respond to the last requests, so this page was not sent; start the server, or "
                "change the option 'url'"
            ) from None

    async def _attempt(self, call: Call[ResponseT], content: bytes, deadline: float) -> ResponseT:
        """Makes one attempt and counts it. Raises `AttemptFailed`."""
        clock = self._timing.clock
        start = clock()
        failed = True
        counts = (0, 0)
        try:
            response = await self._response(call, content, deadline)
            failed = False
            counts = (response.prompt_tokens, response.completion_tokens)
        except AttemptFailed as failure:
            counts = failure.billed
            (self._breaker.record_timeout if failure.no_response else self._breaker.record_response)()
            raise
        finally:  # a cancelled attempt may be billed too
            self.meter.count_request(clock() - start, *counts, failed=failed)
        self._breaker.record_response()
        return response

    async def _response(self, call: Call[ResponseT], content: bytes, deadline: float) -> ResponseT:
        exchanged = await self._send("POST", call.path, content, deadline)
        document = await self._document(exchanged, call.advice)
        try:
            return call.parse(document)
        except NoReading as error:
            message = f"{self.url} {self.clean(str(error))}"
            billed = billed_tokens(document)
            raise AttemptFailed(message, retry=True, retry_once=error.deliberate, billed=billed) from error
        except InvalidCompletion as error:
            message = f"{self.url} returned no {call.name}: {error}"
            raise AttemptFailed(message, retry=True, billed=billed_tokens(document)) from error

    async def _send(self, method: str, path: str, content: bytes | None, deadline: float) -> HttpResponse:
        """Makes one HTTP exchange, limited by `timeout_s` and `deadline` even if the server sends slowly. Raises
        `AttemptFailed`."""
        timeout_s = max(0.0, min(self.options.timeout_s, deadline - self._timing.clock()))
        try:
            async with self._timing.timeout(timeout_s):
                return await self._exchange(method, path, content)
        except TimeoutError as error:
            raise AttemptFailed(
                f"{self.url} did not respond within {round(timeout_s, 1):g} s; raise the option 'timeout_s' or lower "
                "'concurrency'",
                retry=True,
                no_response=True,
            ) from error
        except httpx.ConnectError as error:
            raise AttemptFailed(
                f"cannot connect to {self.url} ({self._cause(error)}); start the server, or change the option 'url'",
                retry=True,
                no_response=True,
            ) from error
        except httpx.TransportError as error:
            raise AttemptFailed(f"the connection to {self.url} broke ({self._cause(error)})", retry=True) from error
        except (httpx.InvalidURL, httpx.DecodingError, UnicodeError) as error:
            message = f"the request to {self.url} failed ({self._cause(error)}); check the option 'url'"
            raise AttemptFailed(message) from error

    async def _exchange(self, method: str, path: str, content: bytes | None) -> HttpResponse:
        """Makes one HTTP exchange. Raises `AttemptFailed` for a response that is too large, and the exceptions of
        httpx."""
        url = self._address.url_of(path)
        auth = self._address.auth
        received = bytearray()
        async with self._open_client().stream(
            method, url, content=content, headers=self._headers, auth=auth
        ) as response:
            async for part in response.aiter_bytes():
                received += part
                if len(received) > MAX_RESPONSE_BYTES:
                    raise AttemptFailed(
                        f"{self.url} returned more than {MAX_RESPONSE_BYTES:,} bytes; check that the option 'url' is "
                        "the base of the API"
                    )
        return HttpResponse(response.status_code, response.headers, bytes(received))

    def _open_client(self) -> httpx.AsyncClient:
        if self._client is None:
            keep_alive_s = TLS_KEEP_ALIVE_S if self.url.startswith("https:") else KEEP_ALIVE_S
            limits = httpx.Limits(max_keepalive_connections=self.options.concurrency, keepalive_expiry=keep_alive_s)
            self._client = httpx.AsyncClient(limits=limits, timeout=None)
        return self._client

    def _cause(self, error: Exception) -> str:
        return self.clean(str(error)) or type(error).__name__

    async def _document(self, response: HttpResponse, advice: str) -> Any:
        """Returns the JSON of a successful response. Raises `AttemptFailed`."""
        status, headers, content = response
        html = "html" in headers.get("content-type", "") or content.lstrip()[:1] == b"<"
        if status >= 300:
            error = ErrorResponse() if html else ErrorResponse.parse(_json_or_text(content))
            raise await self._rejection(response, status, error, advice)
        if html:
            raise AttemptFailed(
                f"{self.url} returned an HTML page; the option 'url' must be the base of an OpenAI-compatible API, "
                "usually ending in /v1"
            )
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as invalid:
            raise AttemptFailed(f"{self.url} returned invalid JSON ({invalid})", retry=True) from invalid
        if isinstance(document, dict) and document.get("error") and not document.get("choices"):
            error = ErrorResponse.parse(document)  # a gateway may report its upstream's error with status 200
            raise await self._rejection(response, error.status or 500, error, advice)
        return document

    async def _rejection(self, response: HttpResponse, status: int, error: ErrorResponse, advice: str) -> AttemptFailed:
        """Returns the failure for an error response. `status`: the effective HTTP status; `advice`: see `Call`."""
        headers = response.headers
        message = f": {self.clean(error.message)[:MAX_MESSAGE_CHARS]}" if error.message else ""
        shown_status = f"{response.status}" if response.status >= 300 else f"{response.status} with an error"
        answered = f"{self.url} answered {shown_status}{message}"
        if 300 <= status < 400:
            location = self.clean(headers.get("location", "nowhere").partition("?")[0])
            return AttemptFailed(f"{answered}: it redirects to {location}; set the option 'url' to the new address")
        if status in (401, 403):
            return AttemptFailed(f"{answered}; check the option 'api_key' and its permissions")
        if status == 404 or (status == 400 and error.model_missing):
            models = await self._models_note()
            return AttemptFailed(f"{answered}; check the options 'model' and 'url'{models}")
        if status == 402 or error.quota_exhausted:
            return AttemptFailed(f"{answered}; the account of the option 'api_key' is out of credit")
        if status in _RETRIED_STATUSES:
            return AttemptFailed(answered, retry=True, retry_after_s=self._retry_after_s(headers))
        return AttemptFailed(f"{answered}; the server does not accept this request: {advice}")

    async def _models_note(self) -> str:
        """Returns the models that the server lists, for the end of an error message; "" if it lists none."""
        try:
            deadline = self._timing.clock() + MODEL_LIST_TIMEOUT_S
            status, _, content = await self._send("GET", "/models", None, deadline)
            names = [self.clean(str(model["id"])) for model in json.loads(content)["data"]] if status == 200 else []
        except (AttemptFailed, ValueError, KeyError, TypeError, RecursionError):
            return ""
        return f"; it serves {', '.join(names[:10])}" if names else ""

    def _retry_after_s(self, headers: Mapping[str, str]) -> float | None:
        """Parses the Retry-After header, given in seconds or as a date; returns seconds, None if it is missing or
        invalid."""
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
        """Returns `text`, such as a server's message, without secrets."""
        return redact(text, self._secrets)


def _json_or_text(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
