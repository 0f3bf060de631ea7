"""Authentication by API key; without a key, checks of the `Host` and `Origin` headers."""

import hmac
from collections.abc import Callable

from starlette.datastructures import Headers

from foxing.memory import Access, doors
from foxing.renderer import TOKEN_HEADER
from foxing.renderer.announcement import CHALLENGE_HEADER, proof_for

from .key_checks import KeyChecks
from .permissions import RequestNeeds
from .problems import UNAUTHORIZED, WRONG_HOST, RequestError
from .settings import Settings
from .tokens import TokenChecks, WrongToken

CONSOLE = "/console/"
SCHEME = "bearer "
MCP = "/x/mcp/"
#: Path of the metadata of a protected resource, before the path of the resource (RFC 9728).
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
_HOW_ELSEWHERE = "set FOXING_API_KEY to serve it under another name"
_HOW_FROM_PAGES = "set FOXING_API_KEY and send the key, or call the service from outside a browser"
FULL = Access("admin")
#: Access of a request without a key: to no bank.
NONE = Access("read", ())


class Authenticator:
    """Checks the API key of requests or, if there is none, their `Host` and `Origin` headers. A service needs a key if
    one is set, or has been created in its database."""

    def __init__(self, settings: Settings, token: str | None, checks: Callable[[], KeyChecks]) -> None:
        """`token`: that of the service in its announcement. `checks`: returns the keys of the database."""
        self._token = token
        self._checks = checks
        self._console = settings.console  # which has sessions instead, see `console.session`
        self._hosts = doors.LOOPBACK_NAMES | {settings.host.lower()}
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Checks the key and the tokens of other settings from now on. Raises `InvalidSettings`."""
        self._tokens = None if settings.tokens is None else TokenChecks(settings.tokens)
        self._key = None if settings.key is None else settings.key.encode()

    @property
    def issuer(self) -> str | None:
        """Issuer of tokens; None if there is none."""
        return None if self._tokens is None else self._tokens.issuer

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

    async def access(self, path: str, scheme: str, headers: Headers, needs: RequestNeeds) -> Access | None:
        """Returns the access of a request, None for a page of the console, which asks for it itself. `scheme`: that of
        the connection.

        Raises `RequestError`: 401 if the API key is missing or wrong; if no key is set, 421 for a host name that is not
        served; if none is needed, 403 for a cross-site request of a browser. Raises `StorageError` if the keys have
        never been read."""
        if self._key is None:
            doors.check_host(headers.raw, self._hosts, _HOW_ELSEWHERE)
        is_console = self._console and (path + "/").startswith(CONSOLE)
        if needs.role is None and not is_console:
            return NONE
        if self._key is None and not await self._checks().required():
            check_site(scheme, headers)
            return None if is_console else FULL
        return None if is_console else await self._access_of(given_key(headers), path)

    def _challenge(self, path: str) -> str:
        """Returns what a client is asked for: of an MCP server with the address of its metadata (RFC 9728)."""
        if self._tokens is None or not path.startswith(MCP):
            return "Bearer"
        return f'Bearer resource_metadata="{RESOURCE_METADATA}{path}"'

    async def _access_of(self, sent: str, path: str) -> Access:
        if self._key is not None and hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), self._key):
            return FULL
        reason = "the API key is wrong, expired or revoked" if sent else "an API key is required"
        if self._tokens is not None and sent.count(".") == 2:
            try:
                return self._tokens.access(sent)
            except WrongToken as error:
                reason = str(error)
        key = await self._checks().find(sent) if sent else None
        if key is None:
            raise RequestError(
                UNAUTHORIZED,
                f"{reason}: send the header 'Authorization: Bearer <key>' with FOXING_API_KEY or a key of "
                "foxing keys create",
                {"WWW-Authenticate": self._challenge(path)},
            )
        return key.access


def given_key(headers: Headers) -> str:
    """Returns the bearer token of a request; "" if it has none."""
    value = headers.get("authorization", "")
    return value[len(SCHEME) :].strip() if value.lower().startswith(SCHEME) else ""


def check_site(scheme: str, headers: Headers) -> None:
    """Raises `RequestError`, 403, for a cross-site request of a browser. `scheme`: that of the connection."""
    doors.check_site(scheme, headers.raw, _HOW_FROM_PAGES)
