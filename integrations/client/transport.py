"""HTTP transport of the clients: options, request arguments, connection errors and retries.

httpx and stamina are imported with the first client, because importing them is slow.
"""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from foxing.memory import InvalidInput, MemoryFault, Unavailable
from foxing.memory.regular_files import open_regular
from foxing.renderer import FoxingError

from .errors import TimedOut, Unreachable, error_of
from .requests import Request, json_of

if TYPE_CHECKING:
    import httpx

F = TypeVar("F", bound=MemoryFault)

FIRST_PAUSE_S = 0.1  # doubles with every retry
LONGEST_PAUSE_S = 2.0
CONNECT_S = 5.0
CHUNK_BYTES = 1 << 18  # of a file that is sent


@dataclass(frozen=True)
class ServiceOptions:
    """URL, API key and timeouts of a service. Raises `InvalidInput` for an invalid URL."""

    #: Base URL, such as "http://127.0.0.1:8765".
    url: str = field(repr=False)  # may contain a password
    #: API key of the service, if one is set.
    api_key: str | None = field(default=None, repr=False)
    #: Timeout of a request in seconds. Sealing, ageing and context have a longer one.
    timeout_s: float = 60.0
    #: Time for which failed calls are retried, in seconds.
    retry_for_s: float = 20.0
    #: Maximum number of concurrent requests; further ones wait.
    connections: int = 100

    def __post_init__(self) -> None:
        try:
            valid = self.url.startswith(("http://", "https://")) and bool(urlsplit(self.url).hostname)
        except ValueError:
            valid = False
        if not valid:
            place = "this" if "@" in self.url else f"'{self.url}'"
            raise InvalidInput(f"{place} is not the URL of a service; write it like http://127.0.0.1:8765")

    @property
    def address(self) -> str:
        """The URL without user name and password; safe to show."""
        return address_of(self.url)

    @property
    def place(self) -> tuple[str, str, str]:
        """Scheme, host with port, and path without a slash at its end."""
        parts = urlsplit(self.address)
        return parts.scheme, parts.netloc, parts.path.rstrip("/")

    @property
    def authorization(self) -> dict[str, str]:
        """Header with user name and password of the URL, else with the API key; empty without any."""
        parts = urlsplit(self.url)
        if parts.username is None:
            return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}

    def client_options(self) -> dict[str, Any]:
        """Returns the arguments of `httpx.Client`."""
        import httpx

        return {
            "base_url": self.address,
            # separate from the URL, which httpx logs
            "headers": {"Accept": "application/json", **self.authorization},
            "timeout": httpx.Timeout(self.timeout_s, connect=CONNECT_S, pool=None),
            "limits": httpx.Limits(max_connections=self.connections, max_keepalive_connections=self.connections),
        }

    def attempts(self) -> Any:
        """Returns an iterator of context managers, one per attempt at a call."""
        import stamina

        return stamina.retry_context(
            self._pause,
            attempts=None,  # limited by time only
            timeout=self.retry_for_s,
            wait_initial=FIRST_PAUSE_S,
            wait_max=LONGEST_PAUSE_S,
            wait_jitter=FIRST_PAUSE_S,
        )

    def _pause(self, error: Exception) -> bool | float:
        """Returns whether a call is tried again after `error`, or after how many seconds."""
        if not isinstance(error, FoxingError) or error.retry == "never":
            return False
        pause_s = error.retry_after_s
        if pause_s is not None and pause_s >= self.retry_for_s:
            return False
        _keep_stdout_clean()
        return True if pause_s is None else pause_s


def address_of(url: str) -> str:
    """Returns a URL without user name, password and query; safe to show."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def file_chunks(path: Path) -> Iterator[bytes]:
    """Yields the contents of a file. Raises `InvalidInput` if it cannot be read."""
    try:
        with open_regular(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error


def request_arguments(request: Request) -> dict[str, Any]:
    """Returns the arguments of `httpx.Client.request`."""
    headers: dict[str, str] = {} if request.idempotency_key is None else {"Idempotency-Key": request.idempotency_key}
    arguments: dict[str, Any] = {"method": request.method, "url": request.path, "headers": headers}
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    if parameters:
        arguments["params"] = parameters
    if request.body is not None:
        arguments["json"] = json_of(request.body)
    if request.file is not None:
        headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(request.file.stat().st_size)}
        arguments["content"] = file_chunks(request.file)
    if request.timeout_s is not None:
        import httpx

        arguments["timeout"] = httpx.Timeout(request.timeout_s, connect=CONNECT_S, pool=None)
    return arguments


def connection_error(error: "httpx.HTTPError", url: str, request: Request) -> Unavailable:
    """Returns the error for a request without a response. `url`: shown in the message."""
    import httpx

    key = request.idempotency_key
    again = "" if key is None else f"; to retry safely, repeat the call with idempotency_key='{key}'"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Unreachable(f"there is no service at {url} ({error}); start it with 'foxing serve'")
    again = again if request.repeatable else "; it may have been processed, and is not sent again: see what is there"
    lost: Unavailable
    if isinstance(error, httpx.TimeoutException):
        lost = TimedOut(f"the service at {url} did not respond in time{again}")
    else:
        lost = Unreachable(f"the connection to {url} broke ({error or type(error).__name__}){again}")
    return lost if request.repeatable else _final(lost)


def response_error(response: "httpx.Response", request: Request) -> MemoryFault:
    """Returns the error for a failed response to a request."""
    error = error_of(response.status_code, response.content, response.headers)
    # without a problem document, it is of a server in between, behind which the service may have processed the request
    return error if request.repeatable or error.details is not None else _final(error)


def _final(error: F) -> F:
    """Returns an error that is not retried."""
    error.kind = replace(error.kind, retry="never", retry_after_s=None)
    return error


@cache
def _keep_stdout_clean() -> None:
    """Removes structlog from stamina's hooks unless the program has configured it. stamina uses structlog if it is
    installed, and unconfigured structlog prints to stdout."""
    from stamina.instrumentation import StructlogOnRetryHook, get_on_retry_hooks, set_on_retry_hooks

    try:
        import structlog
    except ImportError:
        return
    printing = StructlogOnRetryHook.hook_factory.__module__
    if not structlog.is_configured():
        set_on_retry_hooks([hook for hook in get_on_retry_hooks() if hook.__module__ != printing])
