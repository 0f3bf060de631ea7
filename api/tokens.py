"""Tokens (JWT, RFC 7519) of an issuer, which say what their caller may do, checked by the keys in a file."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from foxing.memory import Access, InvalidInput, KeyRequest

from .logs import get_logger
from .settings.names import InvalidSettings
from .settings.tokens import TokenSettings

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWKSet

#: Seconds after which the file of keys is looked at again.
REREAD_S = 5.0
#: Algorithms with a public key. With a shared secret, who may check a token could make one.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
_REQUIRED = ["iss", "aud", "exp"]


class WrongToken(Exception):
    """A token is not accepted. The message says why, without the token."""


class TokenChecks:
    """Checks of the tokens of an issuer. The file of its keys is read again when it changes."""

    def __init__(self, settings: TokenSettings) -> None:
        """Raises `InvalidSettings` if the file of keys cannot be read, or has none that is usable."""
        self._settings = settings
        self._path = settings.keys_file
        self._changed_at = _changed_at(self._path)
        self._keys = _keys_of(self._path)
        self._looked_at = time.monotonic()

    @property
    def issuer(self) -> str:
        """The issuer, as clients find its metadata."""
        return self._settings.issuer

    def access(self, token: str) -> Access:
        """Returns the access that a token gives. Raises `WrongToken`."""
        import jwt

        settings = self._settings
        try:
            key = self._key_of(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=settings.issuer,
                audience=settings.audience,
                leeway=settings.leeway_s,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWTError as error:
            raise WrongToken(f"the token is not accepted ({error})") from error
        return self._access_of(claims)

    def _key_of(self, header: dict[str, Any]) -> "PyJWK":
        self._reread()
        usable = [key for key in self._keys.keys if key.algorithm_name in ALGORITHMS]
        named = [key for key in usable if key.key_id == header.get("kid")] if "kid" in header else usable
        if len(named) != 1:
            raise WrongToken("the token is not accepted (it names no key of the issuer)")
        return named[0]

    def _reread(self) -> None:
        """Reads the keys again if their file has changed; those that were read last stay if that fails."""
        if time.monotonic() - self._looked_at < REREAD_S:
            return
        self._looked_at = time.monotonic()
        try:
            changed_at = _changed_at(self._path)
            if changed_at != self._changed_at:
                self._keys = _keys_of(self._path)
                self._changed_at = changed_at
        except InvalidSettings as error:
            get_logger().warning("keys of the issuer cannot be read", reason=str(error))

    def _access_of(self, claims: dict[str, Any]) -> Access:
        """Returns the access that claims give, which are checked like a key to create. Raises `WrongToken`."""
        settings = self._settings
        tenant = claims.get(settings.tenant_claim)
        if not tenant:
            raise WrongToken(f"the token names no tenant in its claim {settings.tenant_claim}")
        banks = claims.get(settings.banks_claim)
        patterns = banks.split() if isinstance(banks, str) else banks
        role = claims.get(settings.role_claim, "read")
        try:
            request = KeyRequest.from_fields({"name": "token", "role": role, "tenant": tenant, "banks": patterns})
        except InvalidInput as error:
            raise WrongToken(f"the claims of the token are invalid: {error}") from error
        return Access(request.role, request.banks, request.tenant)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise InvalidSettings(f"tokens.keys_file: {path} cannot be read ({error.strerror})") from error


def _keys_of(path: Path) -> "PyJWKSet":
    """Returns the keys in a file. Raises `InvalidSettings`."""
    import jwt

    try:
        keys = jwt.PyJWKSet.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, AttributeError, ValidationError, jwt.PyJWTError) as error:
        raise InvalidSettings(f"tokens.keys_file: {path} is not a usable JSON Web Key Set ({error})") from error
    if not any(key.algorithm_name in ALGORITHMS for key in keys.keys):
        raise InvalidSettings(f"tokens.keys_file: {path} has no public key; give those of the issuer")
    return keys
