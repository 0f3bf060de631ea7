"""Asking the server: one request for a page, tried again where that may help, and every failure told in a sentence that
says what to do."""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from foxing.encoder.errors import CodecError, ReadFailed

from .address import Address, without
from .circuit_breaker import Breaker, Shut
from .completions import Completion
from .connections import Wires
from .error_responses import Refusal
from .options import RemoteOptions
from .responses import Answer, BadAnswer, NoReading
from .usage import Meter

if TYPE_CHECKING:
    import httpx

FIRST_PAUSE_S = 0.5  # doubles with every further try
LONGEST_PAUSE_S = 30.0
LONGEST_RETRY_AFTER_S = 120.0  # a server that asks for more is given up
LEAST_LEFT_S = 1.0  # no try is begun with less
LEAST_MISSES = 5  # in a row, after which the server is left in peace
LISTING_S = 10.0  # that the list of models may take where it is only an advice
LARGEST_ANSWER_BYTES = 32 << 20
LONGEST_SENTENCE = 300  # characters of what a server says that are repeated

CLOSED = "the codec was closed before the page was read; ask for it again"

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})


@dataclass(frozen=True)
class Timing:
    """Where time and chance come from."""

    sleep: Callable[[float], None] | None = None  # None: really, though no longer than until the endpoint is closed
    chance: Callable[[], float] = random.random  # in [0, 1)
    seconds: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Counted(Protocol):
    """An answer that says what it cost."""

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def completion_tokens(self) -> int: ...


A = TypeVar("A", bound=Counted)


@dataclass(frozen=True)
class Call(Generic[A]):
    """A call of the API. `read`: the JSON of its answer → the answer; raises `BadAnswer`. `name`: of such an answer;
    `advice`: what to check when the server does not take the request."""

    path: str
    read: Callable[[Any], A]
    name: str
    advice: str


CHAT = Call(
    "/chat/completions",
    Answer.of,
    "chat completion",
    "check that the model takes images, and take fields out or add some with FOXING_REMOTE_EXTRA",
)
COMPLETION = Call(
    "/completions",
    Completion.of,
    "completion",
    "start vLLM with --enable-prompt-embeds and the model of FOXING_CODEC_MODEL, or set FOXING_CODEC_DECODER=here",
)


class _Failure(Exception):
    """A try that failed. `again`: whether another one may do better; `once`: one more at most; `after_s`: what the
    server asks to wait; `missed`: whether nobody answered."""

    def __init__(
        self,
        sentence: str,
        *,
        again: bool = False,
        once: bool = False,
        after_s: float | None = None,
        missed: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.again = again
        self.once = once
        self.after_s = after_s
        self.missed = missed


class Endpoint:
    """An OpenAI-compatible API. Safe to share between threads; connections are opened with the first request.

    `url`: as it may be shown. No sentence holds the key, or a name, password or query out of the address."""

    def __init__(self, options: RemoteOptions, timing: Timing | None = None) -> None:
        """Raises `CodecError` where the settings do not say what to ask."""
        if not options.url or not options.model:
            missing = "FOXING_REMOTE_URL" if not options.url else "FOXING_REMOTE_MODEL"
            raise CodecError(
                f"reading by a server needs {missing}: set FOXING_REMOTE_URL to the base of an OpenAI-compatible API, "
                "as http://127.0.0.1:8000/v1, and FOXING_REMOTE_MODEL to a model with vision that it serves"
            )
        self._address = Address.of(options.url)
        self._secrets = tuple(secret for secret in (options.api_key, *self._address.secrets) if secret)
        self.url = self._address.shown
        self.options = options
        self.meter = Meter(options.prompt_price, options.completion_price)
        self._timing = timing or Timing()
        self._breaker = Breaker(max(LEAST_MISSES, options.concurrency), self._timing.seconds)
        self._wires = Wires()
        self._closing = Event()
        self._client: httpx.Client | None = None
        self._lock = Lock()

    def close(self) -> None:
        """Cuts the connections and ends the pauses: what runs fails. A later request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
            closing, self._closing = self._closing, Event()
        closing.set()
        self._wires.cut()
        if client is not None:
            client.close()

    def ask(self, call: Call[A], body: Mapping[str, Any]) -> A:
        """The answer to a request, tried again after server errors, stalls and broken answers, with pauses that
        double and that honour Retry-After, and once where the model answers nothing or refuses. All tries together
        have `page_timeout_s`. Fails at once while the server does not answer anybody. Raises `ReadFailed`."""
        try:
            with self._breaker.page():
                return self._asked(call, body, self._closing)
        except Shut:
            raise ReadFailed(
                f"{self.url} did not answer the last pages; this one waits until it does: start the server, or set "
                "FOXING_REMOTE_URL"
            ) from None

    def _asked(self, call: Call[A], body: Mapping[str, Any], closing: Event) -> A:
        options = self.options
        until = self._timing.seconds() + options.page_timeout_s
        pause_s = FIRST_PAUSE_S
        told = False
        for attempt in range(options.retries + 1):
            begun = self._timing.seconds()
            try:
                answer = self._try(call, body, until)
            except _Failure as failure:
                ended = self._timing.seconds()
                self.meter.request(ended - begun, failed=True)
                if closing.is_set():
                    raise ReadFailed(CLOSED) from failure
                (self._breaker.missed if failure.missed else self._breaker.reached)()
                wait_s = None if told and failure.once else self._wait_s(failure, pause_s)
                told |= failure.once
                late = wait_s is not None and ended + wait_s > until - LEAST_LEFT_S
                if wait_s is None or late or attempt == options.retries:
                    tries = f"tried {attempt + 1} times" if attempt else "tried once" if late else ""
                    if late and attempt < options.retries:
                        tries += f"; a page has {options.page_timeout_s:g} s, FOXING_REMOTE_PAGE_TIMEOUT_S"
                    raise ReadFailed(f"{failure} ({tries})" if tries else str(failure)) from failure
                (self._timing.sleep or closing.wait)(wait_s)
                if closing.is_set():
                    raise ReadFailed(CLOSED) from failure
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
            else:
                self._breaker.reached()
                elapsed = self._timing.seconds() - begun
                self.meter.request(elapsed, answer.prompt_tokens, answer.completion_tokens, failed=False)
                return answer
        raise AssertionError("the last try returns or raises")

    def models(self) -> list[str]:
        """What the server says it serves. Raises `ReadFailed`."""
        try:
            until = self._timing.seconds() + self.options.timeout_s
            status, headers, content = self._send("GET", "/models", None, until)
            document = self._document(status, headers, content, "check FOXING_REMOTE_URL")
            return [str(model["id"]) for model in document["data"]]
        except _Failure as failure:
            raise ReadFailed(str(failure)) from failure
        except (KeyError, TypeError) as error:
            raise ReadFailed(f"{self.url}/models does not list models; check FOXING_REMOTE_URL") from error

    def _wait_s(self, failure: _Failure, pause_s: float) -> float | None:
        """How long to wait before the next try, None where there is no point in one."""
        if not failure.again:
            return None
        if failure.after_s is not None:
            return None if failure.after_s > LONGEST_RETRY_AFTER_S else max(failure.after_s, pause_s / 2)
        return pause_s * (0.5 + self._timing.chance() / 2)

    def _try(self, call: Call[A], body: Mapping[str, Any], until: float) -> A:
        status, headers, content = self._send("POST", call.path, body, until)
        document = self._document(status, headers, content, call.advice)
        try:
            return call.read(document)
        except NoReading as error:
            raise _Failure(f"{self.url} {self.clean(str(error))}", again=True, once=error.told) from error
        except BadAnswer as error:
            raise _Failure(f"{self.url} answered something that is no {call.name}: {error}", again=True) from error

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, until: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and content. Once a connection is made, the exchange has `timeout_s` and no longer than
        `until`, however slowly the server writes, headers included: the connection is cut then. Before that, looking up
        the name of the server takes as long as the system lets it."""
        import httpx

        seconds = min(self.options.timeout_s, until - self._timing.seconds())
        late = _Failure(
            f"{self.url} did not answer within {round(seconds, 1):g} s; raise FOXING_REMOTE_TIMEOUT_S or lower "
            "FOXING_REMOTE_CONCURRENCY",
            again=True,
            missed=True,
        )
        if seconds <= 0:
            raise late
        url = self._address.at(path)
        timeout = httpx.Timeout(seconds, pool=None)  # those who wait for a connection are not stalled
        content = bytearray()
        with self._wires.wire(seconds) as wire:
            try:
                client = self._connected()
                with client.stream(method, url, json=body, timeout=timeout, extensions={"trace": wire}) as response:
                    for part in response.iter_bytes():
                        content += part
                        if len(content) > LARGEST_ANSWER_BYTES:
                            most = f"{LARGEST_ANSWER_BYTES:,}"
                            raise _Failure(f"{self.url} answered more than {most} bytes; is it the API?")
                if wire.was_cut:  # an answer without a length seems to be all there
                    raise late
                return response.status_code, response.headers, bytes(content)
            except httpx.TransportError as error:
                raise (late if wire.was_cut else self._broken(error, late)) from error
            except (httpx.InvalidURL, httpx.DecodingError, UnicodeError, RuntimeError) as error:
                what = self.clean(str(error))
                raise _Failure(f"{self.url} cannot be asked ({what}); check FOXING_REMOTE_URL") from error

    def _broken(self, error: "httpx.TransportError", late: _Failure) -> _Failure:
        """What it means that the exchange has ended before its end."""
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return late
        if isinstance(error, httpx.ConnectError):
            return _Failure(
                f"nothing answers at {self.url} ({self.clean(str(error))}); start the server, or set FOXING_REMOTE_URL",
                again=True,
                missed=True,
            )
        what = self.clean(str(error)) or type(error).__name__
        return _Failure(f"the connection to {self.url} broke ({what})", again=True)

    def _connected(self) -> "httpx.Client":
        import httpx

        with self._lock:
            if self._client is None:
                options = self.options
                key = {} if options.api_key is None else {"Authorization": f"Bearer {options.api_key}"}
                # a wire that is cut must not take another request along
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
                self._client = httpx.Client(headers=key, auth=self._address.auth, limits=limits)
            return self._client

    def _document(self, status: int, headers: Mapping[str, str], content: bytes, advice: str) -> Any:
        """The JSON of a good answer. Raises `_Failure` that says what a bad one means."""
        html = "html" in headers.get("content-type", "") or content.lstrip()[:1] == b"<"
        if status >= 300:
            raise self._refusal(status, headers, Refusal() if html else Refusal.of(_json(content)), advice)
        if html:
            raise _Failure(
                f"{self.url} answered an HTML page; FOXING_REMOTE_URL must be the base of an OpenAI-compatible API, "
                "usually ending in /v1"
            )
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _Failure(f"{self.url} answered what is no JSON ({error})", again=True) from error
        if isinstance(document, dict) and document.get("error") and not document.get("choices"):
            refusal = Refusal.of(document)  # of gateways, whose status tells of themselves
            raise self._refusal(refusal.status or 500, headers, refusal, advice, f"{status} with an error")
        return document

    def _refusal(
        self, status: int, headers: Mapping[str, str], refusal: Refusal, advice: str, answered: str = ""
    ) -> _Failure:
        """What it means. `status`: what it is judged by; `advice`: see `Call`; `answered`: what came in place of
        the status."""
        said = f": {self.clean(refusal.message)[:LONGEST_SENTENCE]}" if refusal.message else ""
        where = f"{self.url} answered {answered or status}{said}"
        if 300 <= status < 400:
            to = self.clean(headers.get("location", "nowhere").partition("?")[0])
            return _Failure(f"{where}: it redirects to {to}; set FOXING_REMOTE_URL to where it is")
        if status in (401, 403):
            return _Failure(f"{where}; check FOXING_REMOTE_API_KEY and what it may do")
        if status == 404 or (status == 400 and refusal.no_model):
            return _Failure(f"{where}; check FOXING_REMOTE_MODEL and FOXING_REMOTE_URL{self._served()}")
        if status == 402 or refusal.no_quota:
            return _Failure(f"{where}; the account behind FOXING_REMOTE_API_KEY has nothing left to spend")
        if status in _TRY_AGAIN:
            return _Failure(where, again=True, after_s=self._retry_after_s(headers))
        return _Failure(f"{where}; it does not take this request: {advice}")

    def _served(self) -> str:
        """What could have been asked for, as far as the server tells."""
        try:
            until = self._timing.seconds() + LISTING_S
            status, _, content = self._send("GET", "/models", None, until)
            names = [self.clean(str(model["id"])) for model in json.loads(content)["data"]] if status == 200 else []
        except (_Failure, ValueError, KeyError, TypeError, RecursionError):
            return ""
        return f"; it serves {', '.join(names[:10])}" if names else ""

    def _retry_after_s(self, headers: Mapping[str, str]) -> float | None:
        """Retry-After in seconds or as a date."""
        said = headers.get("retry-after")
        if said is None:
            return None
        try:
            return max(0.0, float(said))
        except ValueError:
            pass
        try:
            at = parsedate_to_datetime(said)
        except ValueError:
            return None
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - self._timing.now()).total_seconds())

    def clean(self, said: str) -> str:
        """What a server or a package has said, without what is secret."""
        return without(said, self._secrets)


def _json(content: bytes) -> Any:
    """What it says, or its text where it is no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
