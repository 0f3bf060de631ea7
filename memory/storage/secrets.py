"""Secrets of a database: the key of digests, and the name of its blob folder."""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from cachetools import LRUCache
from pydantic import JsonValue
from sqlalchemy import BigInteger, Connection, Pool, bindparam, select

from foxing.memory.compact_json import compact_json
from foxing.memory.storage import schema, snapshot

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


def index_key(connection: Connection, bank_id: int) -> bytes:
    """Returns the key of the hashes of terms in the index of a bank: its own if the bank came in a bundle, whose index
    moves with it, else one that follows from the secret of the database and does not reveal it."""
    cache = _index_keys.setdefault(connection.engine.pool, LRUCache(_INDEX_KEYS))
    key: bytes | None = cache.get(bank_id)
    if key is None:
        own = connection.execute(_own_index_key, {"bank": bank_id}).scalar_one_or_none()
        derived = hashlib.blake2b(bank_id.to_bytes(8, "big"), key=digest_key(connection), person=b"bank terms")
        key = derived.digest()[:32] if own is None else bytes(own)
        if snapshot.of(connection) is not None:  # else the bank may be rolled back, and its id given again
            cache[bank_id] = key
    return key


_INDEX_KEYS = 1 << 14
_index_keys: WeakKeyDictionary[Pool, LRUCache[int, bytes]] = WeakKeyDictionary()
_own_index_key = select(schema.banks.c.index_key).where(schema.banks.c.id == bindparam("bank", type_=BigInteger))


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
