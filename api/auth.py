"""Authentication by API key; without a key, checks of the `Host` and `Origin` headers."""

import hmac

from starlette.datastructures import Headers

from foxing.memory import doors
from foxing.renderer import TOKEN_HEADER
from foxing.renderer.announcement import CHALLENGE_HEADER, proof_for

from .problems import UNAUTHORIZED, WRONG_HOST, RequestError
from .settings import Settings

#: Paths that need no key: health checks for orchestrators, the API reference, and the icon.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json", "/favicon.ico"})

CONSOLE = "/console/"
SCHEME = "bearer "
_HOW_ELSEWHERE = "set FOXING_API_KEY to serve it under another name"
_HOW_FROM_PAGES = "set FOXING_API_KEY and send the key, or call the service from outside a browser"


class Authenticator:
    """Checks the API key of requests or, if no key is set, their `Host` and `Origin` headers."""

    def __init__(self, settings: Settings, token: str | None = None) -> None:
        """`token`: that of the service in its announcement."""
        self._token = token
        self._key = None if settings.key is None else settings.key.encode()
        self._console = settings.console  # which has sessions instead, see `console.session`
        self._hosts = doors.LOOPBACK_NAMES | {settings.host.lower()}

    def is_local(self, headers: Headers) -> bool:
        """Returns True for a request with the token of the service, which needs no key. Raises `RequestError`, 421, for
        that of another service."""
        sent = headers.get(TOKEN_HEADER)
        if sent is None:
            return False
        token = None if self._token is None else self._token.encode()
        if token is None or not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token):
            raise RequestError(WRONG_HOST, f"the header {TOKEN_HEADER} names another service; leave it out")
        return True

    def proof(self, headers: Headers) -> str | None:
        """Returns the proof that this service knows its token, for a request with a nonce; None without one."""
        nonce = headers.get(CHALLENGE_HEADER)
        return None if nonce is None or self._token is None else proof_for(self._token, nonce)

    def check(self, path: str, scheme: str, headers: Headers) -> None:
        """Raises `RequestError`: 401 if the API key is missing or wrong; if no key is set, 421 for a host name that is
        not served and 403 for a cross-site request of a browser. `scheme`: that of the connection."""
        if self._key is None:
            doors.check_host(headers.raw, self._hosts, _HOW_ELSEWHERE)
            if path not in OPEN_PATHS:
                check_site(scheme, headers)
        elif path not in OPEN_PATHS and not (self._console and (path + "/").startswith(CONSOLE)):
            self._check_key(self._key, headers)

    @staticmethod
    def _check_key(key: bytes, headers: Headers) -> None:
        sent = given_key(headers)
        if not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), key):
            reason = "the API key is wrong" if sent else "an API key is required"
            raise RequestError(
                UNAUTHORIZED,
                f"{reason}: send the header 'Authorization: Bearer <key>' with the FOXING_API_KEY of the service",
                {"WWW-Authenticate": "Bearer"},
            )


def given_key(headers: Headers) -> str:
    """Returns the bearer token of a request; "" if it has none."""
    value = headers.get("authorization", "")
    return value[len(SCHEME) :].strip() if value.lower().startswith(SCHEME) else ""


def check_site(scheme: str, headers: Headers) -> None:
    """Raises `RequestError`, 403, for a cross-site request of a browser. `scheme`: that of the connection."""
    doors.check_site(scheme, headers.raw, _HOW_FROM_PAGES)
