"""Who may call: the key, and the host names the service answers to."""

import hmac
from collections.abc import Mapping

from starlette.datastructures import Headers

from .problems import UNAUTHORIZED, WRONG_HOST, RequestError
from .settings import LOOPBACK_NAMES, Settings

#: Paths that need no key: liveness for orchestrators, and the description of the interface.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})

SCHEME = "bearer "


class Authenticator:
    """Lets a request in, or raises `RequestError` (401, 421)."""

    def __init__(self, settings: Settings) -> None:
        self._key = None if settings.key is None else settings.key.encode()
        self._hosts = LOOPBACK_NAMES | {settings.host.lower()}

    def check(self, path: str, headers: Headers) -> None:
        if self._key is None:
            self._check_host(headers)
        elif path not in OPEN_PATHS:
            self._check_key(self._key, headers)

    def _check_host(self, headers: Headers) -> None:
        # Without a key, a web page whose own name resolves to 127.0.0.1 could otherwise talk to the service through
        # its reader's browser.
        host = host_name(headers)
        if host not in self._hosts:
            raise RequestError(
                WRONG_HOST,
                f"without a key the service answers only to {', '.join(sorted(self._hosts))}, not to '{host}'; "
                "set FOXING_API_KEY to serve it under another name",
            )

    @staticmethod
    def _check_key(key: bytes, headers: Headers) -> None:
        value = headers.get("authorization", "")
        given = value[len(SCHEME) :].strip() if value.lower().startswith(SCHEME) else ""
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key):
            what = "the key is wrong" if given else "a key is needed"
            raise RequestError(
                UNAUTHORIZED,
                f"{what}: send the header 'Authorization: Bearer <key>' with the FOXING_API_KEY of the service",
                {"WWW-Authenticate": "Bearer"},
            )


def host_name(headers: Mapping[str, str]) -> str:
    """The host a request was sent to, without its port, in lower case."""
    host = headers.get("host", "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
