"""Sessions of the console: a cookie that a browser gets for the API key of the service."""

import hmac
import secrets
import time
from hashlib import sha256
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "foxing_console"
LIFETIME_S = 12 * 3_600


class Sessions:
    """Signed cookies. Without an API key there are none: the service then answers only on loopback addresses."""

    def __init__(self, key: str | None) -> None:
        self._key = None if key is None else key.encode()
        self._lock = Lock()
        #: Ended sessions → when their cookie expires.
        self._ended: dict[str, int] = {}

    @property
    def needed(self) -> bool:
        """True if the service has an API key."""
        return self._key is not None

    def is_open(self, request: Request) -> bool:
        """Returns True if a request needs no session, or has one."""
        if self._key is None:
            return True
        expires, _, code = request.cookies.get(COOKIE, "").partition(".")
        nonce, _, signature = code.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and int(expires) > time.time()):
            return False
        if not hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), self._sign(expires, nonce).encode()):
            return False
        with self._lock:
            return nonce not in self._ended

    def matches(self, key_sent: str) -> bool:
        """Returns True if `key_sent` is the API key."""
        return self._key is not None and hmac.compare_digest(key_sent.encode("utf-8", "surrogateescape"), self._key)

    def begin(self, response: Response, *, secure: bool) -> None:
        """Adds the cookie of a new session to a response. `secure`: whether the request came over HTTPS."""
        expires = str(int(time.time()) + LIFETIME_S)
        nonce = secrets.token_hex(16)
        value = f"{expires}.{nonce}.{self._sign(expires, nonce)}"
        response.set_cookie(
            COOKIE, value, max_age=LIFETIME_S, path="/console", httponly=True, samesite="strict", secure=secure
        )

    def end(self, request: Request, response: Response) -> None:
        """Ends the session of a request."""
        expires, _, signature = request.cookies.get(COOKIE, "").partition(".")
        if self.is_open(request) and expires:
            with self._lock:
                now = time.time()
                self._ended = {nonce: until for nonce, until in self._ended.items() if until > now}
                self._ended[signature.partition(".")[0]] = int(expires)
        response.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict")

    def _sign(self, expires: str, nonce: str) -> str:
        assert self._key is not None
        return hmac.new(self._key, f"console {expires} {nonce}".encode("utf-8", "surrogateescape"), sha256).hexdigest()
