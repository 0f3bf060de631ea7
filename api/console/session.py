"""Sessions of the console: a cookie that a browser gets for a key of the service."""

import hmac
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response

from foxing.api.auth import FULL
from foxing.api.key_checks import KeyChecks
from foxing.memory import Access

COOKIE = "foxing_console"
LIFETIME_S = 12 * 3_600


class Sessions:
    """Signed cookies, which name a key and are valid while it works. Without a key there are none: the service then
    answers only on loopback addresses."""

    def __init__(self, key: Callable[[], str | None], checks: Callable[[], KeyChecks]) -> None:
        """`key`: returns that of the settings. `checks`: returns the keys of the database."""
        self._of_settings = key
        self._checks = checks
        self._lock = Lock()
        #: Ended sessions → when their cookie expires.
        self._ended: dict[str, int] = {}

    @property
    def _key(self) -> bytes | None:
        key = self._of_settings()
        return None if key is None else key.encode("utf-8", "surrogateescape")

    @property
    def needed(self) -> bool:
        """True if the service has a key."""
        return self._key is not None or self._checks().are_required

    async def access(self, request: Request) -> Access | None:
        """Returns the access of a request; None if it needs a session and has none."""
        if self._key is None and not await self._checks().required():
            return FULL
        expires, nonce, key_id, signature = [*request.cookies.get(COOKIE, "").split("."), "", "", "", ""][:4]
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and int(expires) > time.time()):
            return None
        access, secret = await self._signer(key_id)
        if access is None or not hmac.compare_digest(
            signature.encode("utf-8", "surrogateescape"), _sign(secret, expires, nonce, key_id).encode()
        ):
            return None
        with self._lock:
            return None if nonce in self._ended else access

    async def begin(self, response: Response, key: str, *, secure: bool) -> bool:
        """Adds the cookie of a new session to a response. Returns False if the key is wrong. `secure`: whether the
        request came over HTTPS."""
        key_id = await self._id_of(key)
        if key_id is None:
            return False
        _, secret = await self._signer(key_id)
        expires = str(int(time.time()) + LIFETIME_S)
        nonce = secrets.token_hex(16)
        value = f"{expires}.{nonce}.{key_id}.{_sign(secret, expires, nonce, key_id)}"
        response.set_cookie(
            COOKIE, value, max_age=LIFETIME_S, path="/console", httponly=True, samesite="strict", secure=secure
        )
        return True

    async def end(self, request: Request, response: Response) -> None:
        """Ends the session of a request."""
        expires, _, rest = request.cookies.get(COOKIE, "").partition(".")
        if await self.access(request) is not None and expires:
            with self._lock:
                now = time.time()
                self._ended = {nonce: until for nonce, until in self._ended.items() if until > now}
                self._ended[rest.partition(".")[0]] = int(expires)
        response.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict")

    async def _id_of(self, key: str) -> str | None:
        """Returns the id of a key, empty for that of the settings; None if it is wrong."""
        if self._key is not None and hmac.compare_digest(key.encode("utf-8", "surrogateescape"), self._key):
            return ""
        info = await self._checks().find(key)
        return None if info is None else info.id

    async def _signer(self, key_id: str) -> tuple[Access | None, bytes]:
        """Returns the access of a key and the secret of its signatures; no access if it does not work."""
        if not key_id:
            return (None, b"") if self._key is None else (FULL, self._key)
        signer = await self._checks().by_id(key_id)
        return (None, b"") if signer is None else (signer[0].access, signer[1])


def _sign(secret: bytes, expires: str, nonce: str, key_id: str) -> str:
    signed = f"console {expires} {nonce} {key_id}".encode("utf-8", "surrogateescape")
    return hmac.new(secret, signed, sha256).hexdigest()
