"""API keys of a service: create, list, revoke, rotate, and check them."""

import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection

from foxing.renderer.clock import later

from .access import Access, KeyRole
from .audit import audited
from .cursors import decode_cursor, encode_cursor
from .errors import Conflict, Forbidden, InvalidCursor, InvalidInput, NotFound
from .storage.database import Database
from .storage.repositories import api_keys
from .storage.repositories.api_keys import ApiKeyRow
from .values.base import INVALID_CURSOR, check_limit
from .values.keys import KeyInfo, KeyRequest, Keys, NewKey

#: Maximum number of keys that are neither revoked nor expired: a service holds all of them.
MAX_KEYS = 10_000
MARK = "foxing"
_PREFIX_BYTES = 4
_SALT_BYTES = 16
_SECRET_BYTES = 32
_FORM = re.compile(rf"{MARK}_([0-9a-f]{{{2 * _PREFIX_BYTES}}})_")


@audited(lambda owner: owner._database)
class ApiKeys:
    """The keys of a database; with an owner, those of the owner."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def create(self, request: KeyRequest | Mapping[str, Any]) -> NewKey:
        """Creates a key and returns it with its secret, of which the database keeps a salted hash. Raises
        `InvalidInput`, and `Conflict` if there are `MAX_KEYS` keys."""
        request = request if isinstance(request, KeyRequest) else KeyRequest.from_fields(request)
        now = self._now()
        expires_at = None if request.expires_after is None else later(now, request.expires_after)
        tenant = _tenant_for(request.tenant)
        row = ApiKeyRow("", b"", b"", request.name, request.role, tenant, request.banks, now, expires_at)
        row = replace(row, requests_per_s=request.requests_per_s, recalls_at_once=request.recalls_at_once)
        with self._database.write() as connection:
            if api_keys.count_live(connection, now) >= MAX_KEYS:
                raise Conflict(f"there are {MAX_KEYS:,} keys; revoke those that are not needed")
            return _insert(connection, row)

    def list(self, *, limit: int = 50, cursor: str | None = None) -> Keys:
        """Returns keys, those that were revoked or have expired included, in the order of their creation. `limit`: 1 to
        500. `cursor`: `next_cursor` of the previous call. Raises `InvalidInput`, `InvalidCursor`."""
        check_limit(limit)
        after = _key_after(cursor) if cursor else None
        with self._database.read() as connection:
            rows = api_keys.list_after(connection, Access.current().tenant, after, limit + 1)
        following = encode_cursor("keys", [rows[limit - 1].prefix]) if len(rows) > limit else None
        return Keys(keys=[_info(row) for row in rows[:limit]], next_cursor=following)

    def revoke(self, key_id: str) -> KeyInfo:
        """Revokes a key for good and returns it. Revoking a revoked key has no effect. Raises `NotFound`."""
        with self._database.write() as connection:
            row = _get(connection, key_id)
            if row.revoked_at is None:
                row = replace(row, revoked_at=self._now())
                api_keys.end(connection, row.prefix, revoked_at=row.revoked_at)
        return _info(row)

    def rotate(self, key_id: str, *, overlap: timedelta = timedelta(0)) -> NewKey:
        """Creates a key with the name, role, banks and expiry of another, which is revoked, or expires after `overlap`.
        Raises `NotFound`, `Conflict` for a key that was revoked or has expired, and `InvalidInput` for a negative
        overlap."""
        if overlap < timedelta(0):
            raise InvalidInput("overlap must not be negative")
        now = self._now()
        with self._database.write() as connection:
            row = _get(connection, key_id)
            if row.revoked_at is not None or _is_over(row.expires_at, now):
                raise Conflict(f"the key '{key_id}' was revoked or has expired; create a new one")
            ends_at = later(now, overlap)
            if not overlap:
                api_keys.end(connection, row.prefix, revoked_at=now)
            elif row.expires_at is None or row.expires_at > ends_at:
                api_keys.end(connection, row.prefix, expires_at=ends_at)
            return _insert(connection, replace(row, created_at=now, last_used_at=None))

    def live(self) -> "LiveKeys":
        """Returns the keys that work now, for the checks of a service."""
        with self._database.read() as connection:
            rows = api_keys.live(connection, self._now())
            return LiveKeys({row.prefix: row for row in rows}, bool(rows) or api_keys.exist(connection))

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Sets the time of the last use of keys. `uses`: id → time."""
        if uses:
            self._database.repeatable(lambda connection: api_keys.note_uses(connection, uses))


def key_id_of(key: str) -> str | None:
    """Returns the id that a key states; None for what is not in the form of a key."""
    match = _FORM.match(key)
    return None if match is None else match[1]


class LiveKeys:
    """The keys that worked when they were read."""

    def __init__(self, rows: Mapping[str, ApiKeyRow], required: bool) -> None:
        self._rows = rows
        self._infos = {prefix: _info(row) for prefix, row in rows.items()}
        #: True if a service over the database requires a key, since one has been created. Revoking the last one does
        #: not open the service.
        self.required = required

    def find(self, key: str, now: datetime) -> KeyInfo | None:
        """Returns a key; None if it is wrong or has expired. Takes the same time for a right key and a wrong one."""
        mark, _, prefix = key.partition("_")
        row = self._rows.get(prefix.partition("_")[0], _NO_KEY)
        matches = hmac.compare_digest(_digest(row.salt, key), row.digest)
        return self._infos.get(row.prefix) if matches and mark == MARK and not _is_over(row.expires_at, now) else None

    def by_id(self, key_id: str, now: datetime) -> tuple[KeyInfo, bytes] | None:
        """Returns the key with an id and its digest, 32 bytes, for signatures that are valid while it works; None if
        there is none, or it has expired."""
        row = self._rows.get(key_id)
        return None if row is None or _is_over(row.expires_at, now) else (self._infos[key_id], row.digest)


#: Compared with keys whose prefix is unknown. No key has its digest.
_NO_KEY = ApiKeyRow("", b"\0" * _SALT_BYTES, b"\0" * 32, "", "read", None, [], datetime.min.replace(tzinfo=UTC))


def _digest(salt: bytes, key: str) -> bytes:
    return hmac.digest(salt, key.encode("utf-8", "surrogateescape"), "sha256")


def _insert(connection: Connection, row: ApiKeyRow) -> NewKey:
    """Inserts a row under a new prefix, with the digest of a new secret, and returns the key."""
    while True:
        prefix = secrets.token_hex(_PREFIX_BYTES)
        key = f"{MARK}_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        salt = os.urandom(_SALT_BYTES)
        row = replace(row, prefix=prefix, salt=salt, digest=_digest(salt, key))
        if api_keys.insert(connection, row):
            return NewKey(**dict(_info(row)), key=key)


def _get(connection: Connection, key_id: str) -> ApiKeyRow:
    row = api_keys.find_locked(connection, key_id)
    if row is None or Access.current().tenant not in (None, row.tenant):
        raise NotFound(f"there is no key '{key_id[:40]}'; list the keys, and give the id of one")
    return row


def _tenant_for(tenant: str | None) -> str | None:
    """Returns the tenant of a key to create. Raises `Forbidden` if it is not that of the caller."""
    own = Access.current().tenant
    if own is not None and tenant not in (None, own):
        raise Forbidden(f"this key belongs to the tenant {own} and creates keys of it alone; leave out tenant")
    return tenant if own is None else own


def _info(row: ApiKeyRow) -> KeyInfo:
    return KeyInfo.model_construct(
        id=row.prefix,
        name=row.name,
        role=cast("KeyRole", row.role),
        tenant=row.tenant,
        banks=row.banks,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        requests_per_s=row.requests_per_s,
        recalls_at_once=row.recalls_at_once,
    )


def _is_over(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at <= now


def _key_after(cursor: str) -> str:
    """Returns the id of the key after which a list continues. Raises `InvalidCursor`."""
    after = decode_cursor(cursor, "keys")[0]
    if not isinstance(after, str):
        raise InvalidCursor(INVALID_CURSOR)
    return after
