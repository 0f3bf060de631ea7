"""Secrets of a database: the key of digests, and the name of its blob folder."""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from pydantic import JsonValue
from sqlalchemy import Connection, Pool, select

from foxing.memory.compact_json import compact_json
from foxing.memory.storage import schema

from .dialects import insert_into

DIGEST_BYTES = 16
FOLDER_BYTES = 16

_FOLDER = "blobs"

_c = schema.secrets.c


#: Key of the digests of each database that was used, which never changes.
_keys: WeakKeyDictionary[Pool, bytes] = WeakKeyDictionary()


def digest_key(connection: Connection) -> bytes:
    """Returns the key of the digests of messages and requests, 32 random bytes. It is read once."""
    pool = connection.engine.pool
    key = _keys.get(pool)
    if key is None:
        key = _keys[pool] = bytes(connection.execute(select(_c.value).where(_c.name == "digests")).scalar_one())
    return key


def blob_folder(connection: Connection) -> str:
    """Returns the folder of this database in an object storage, which several databases may share. A database restored
    from a backup gets a new one."""
    query = select(_c.value).where(_c.name == _FOLDER)
    value = connection.execute(query).scalar_one_or_none()
    if value is None:
        insert = insert_into(connection, schema.secrets).values(name=_FOLDER, value=os.urandom(FOLDER_BYTES))
        connection.execute(insert.on_conflict_do_nothing())
        value = connection.execute(query).scalar_one()
    return bytes(value).hex()


def new_blob_folder() -> str:
    """Returns a random folder name, unique to one database."""
    return os.urandom(FOLDER_BYTES).hex()


def keyed_digest(key: bytes, digest: bytes) -> bytes:
    """Returns a digest of `DIGEST_BYTES` bytes that cannot be found by brute force without the key."""
    return hmac.digest(key, digest, "sha256")[:DIGEST_BYTES]


def message_digest(key: bytes, identity: Sequence[str | None], metadata: Mapping[str, JsonValue] | None) -> bytes:
    """Returns the digest of a message, `DIGEST_BYTES` bytes. `identity`: role, name and text, or role, name, its parts
    as JSON and "parts"."""
    parts = list(identity)
    if metadata:
        parts.append(compact_json(dict(metadata), sort_keys=True))
    return keyed_digest(key, hashlib.sha256(json.dumps(parts).encode()).digest()[:DIGEST_BYTES])
