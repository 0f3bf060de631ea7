"""How calls are sent over HTTP: requests, what their responses mean, and when they are sent again.

httpx and stamina are imported with the first client: they take longer than everything else here.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from foxing.memory.errors import InvalidInput, Unavailable
from foxing.memory.values.base import build_values

from .errors import TimedOut, Unreachable
from .requests import Request, json_of

if TYPE_CHECKING:
    import httpx

FIRST_PAUSE_S = 0.1  # doubles with every retry
LONGEST_PAUSE_S = 2.0
CONNECT_S = 5.0
#: Problems that another attempt does not mend.
_LASTING = frozenset({"database-too-new", "plugin-broken", "embedder"})


@dataclass(frozen=True)
class ServiceOptions:
    """Where a service is, and how long to wait for it. Raises `InvalidInput` for what is no address."""

    #: Such as "http://127.0.0.1:8000".
    url: str = field(repr=False)  # may hold a password
    #: The key of the service, if one is set.
    api_key: str | None = field(default=None, repr=False)
    #: Seconds to wait for an answer. Sealing, ageing and context have longer.
    timeout_s: float = 60.0
    #: Seconds for which a call that fails is tried again.
    retry_for_s: float = 20.0
    #: Requests at once; further ones wait.
    connections: int = 100

    def __post_init__(self) -> None:
        try:
            valid = self.url.startswith(("http://", "https://")) and bool(urlsplit(self.url).hostname)
        except ValueError:
            valid = False
        if not valid:
            shown = "this" if "@" in self.url else f"'{self.url}'"
            raise InvalidInput(f"{shown} is no address of a service; write it like http://127.0.0.1:8000")

    @property
    def address(self) -> str:
        """The address without a user name and password; safe to show."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def client_options(self) -> dict[str, Any]:
        """Arguments of `httpx.Client` and `httpx.AsyncClient`."""
        import httpx

        build_values()
        authorization = {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}
        parts = urlsplit(self.url)
        has_user = parts.username is not None
        return {
            "base_url": self.address,
            # apart from the address, which httpx logs
            "auth": (unquote(parts.username or ""), unquote(parts.password or "")) if has_user else None,
            "headers": {"Accept": "application/json", **authorization},
            "timeout": httpx.Timeout(self.timeout_s, connect=CONNECT_S, pool=None),
            "limits": httpx.Limits(max_connections=self.connections, max_keepalive_connections=self.connections),
        }

    def attempts(self) -> Any:
        """The attempts of a call: an iterator of context managers, asynchronous as well."""
        import stamina

        return stamina.retry_context(
            _is_worth_another,
            attempts=None,  # the time decides
            timeout=self.retry_for_s,
            wait_initial=FIRST_PAUSE_S,
            wait_max=LONGEST_PAUSE_S,
            wait_jitter=FIRST_PAUSE_S,
        )


def request_arguments(request: Request) -> dict[str, Any]:
    """Arguments of `httpx.Client.request`."""
    headers = {} if request.idempotency_key is None else {"Idempotency-Key": request.idempotency_key}
    arguments: dict[str, Any] = {"method": request.method, "url": request.path, "headers": headers}
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    if parameters:
        arguments["params"] = parameters
    if request.body is not None:
        arguments["json"] = json_of(request.body)
    if request.timeout_s is not None:
        import httpx

        arguments["timeout"] = httpx.Timeout(request.timeout_s, connect=CONNECT_S, pool=None)
    return arguments


def connection_error(error: "httpx.HTTPError", url: str, request: Request) -> Unavailable:
    """The error for a request without a response."""
    import httpx

    key = request.idempotency_key
    again = "" if key is None else f"; sending it again with idempotency_key='{key}' does nothing twice"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Unreachable(f"there is no service at {url} ({error}); start it with 'foxing serve'")
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"the service at {url} did not answer in time{again}")
    return Unreachable(f"the connection to {url} broke ({error or type(error).__name__}){again}")


def _is_worth_another(error: Exception) -> bool:
    """Whether a call is tried again: every call may be, because none does anything twice."""
    worth = isinstance(error, Unavailable) and not isinstance(error, TimedOut) and error.problem not in _LASTING
    if worth:
        _keep_stdout_clean()
    return worth


@cache
def _keep_stdout_clean() -> None:
    """Removes structlog from stamina's hooks, unless the program has configured it. stamina uses it wherever it is
    installed, as it is with Foxing, and unconfigured it prints to stdout."""
    from stamina.instrumentation import StructlogOnRetryHook, get_on_retry_hooks, set_on_retry_hooks

    try:
        import structlog
    except ImportError:
        return
    printing = StructlogOnRetryHook.hook_factory.__module__
    if not structlog.is_configured():
        set_on_retry_hooks([hook for hook in get_on_retry_hooks() if hook.__module__ != printing])
