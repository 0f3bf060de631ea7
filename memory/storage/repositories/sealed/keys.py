"""Public ids of messages. A generated id encodes the row id; ids chosen by callers are found by their hash."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.secrets import digest_key

_c = schema.message_keys.c
_HALF = 5  # bytes of the row id, and of its authentication code
_LENGTH = 16  # characters
_HASH_BYTES = 4


def generated(connection: Connection, message_id: int) -> str:
    """Returns the id of a message that was stored without one: 16 characters that sort in order of storage. It contains
    an authentication code with the secret of the database, so that no caller can choose it beforehand."""
    number = message_id.to_bytes(_HALF, "big")
    return base64.b32hexencode(number + _proof(connection, number)).decode().lower()


def message_id_of(connection: Connection, key: str) -> int | None:
    """Returns the row id encoded in a generated id; None if `key` was not generated."""
    if len(key) != _LENGTH or not key.isascii() or key != key.lower():
        return None
    try:
        raw = base64.b32hexdecode(key.upper())
    except ValueError:
        return None
    number = raw[:_HALF]
    proof = raw[_HALF:]
    return int.from_bytes(number, "big") if hmac.compare_digest(proof, _proof(connection, number)) else None


def _proof(connection: Connection, number: bytes) -> bytes:
    return hashlib.blake2b(number, digest_size=_HALF, key=digest_key(connection), person=b"message id").digest()


def hash_of(bank_id: int, key: str) -> int:
    """Returns the hash by which a message of a bank is found, for an id chosen by the caller."""
    digest = hashlib.blake2b(
        key.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES, salt=bank_id.to_bytes(8, "little")
    )
    return int.from_bytes(digest.digest(), "little", signed=True)


def add(connection: Connection, bank_id: int, ids: Mapping[str, int]) -> None:
    """Adds ids chosen by callers to the hash index, given as key → row id."""
    rows = [{"hash": hash_of(bank_id, key), "message_id": message_id} for key, message_id in ids.items()]
    if rows:
        connection.execute(schema.message_keys.insert(), rows)


def remove(connection: Connection, bank_id: int, ids: Iterable[tuple[str, int]]) -> None:
    """Removes ids chosen by callers from the hash index, given as (key, row id)."""
    for key, message_id in ids:
        connection.execute(
            schema.message_keys.delete().where(_c.hash == hash_of(bank_id, key), _c.message_id == message_id)
        )


def remove_of(connection: Connection, message_ids: Sequence[int]) -> None:
    """Removes messages from the hash index by row id."""
    connection.execute(schema.message_keys.delete().where(columns.among(_c.message_id, message_ids)))


def unindexed(connection: Connection, bank_id: int, ids: Mapping[str, int]) -> dict[str, int]:
    """Returns the messages that are missing from the hash index, from those given as key → row id."""
    hashes = {hash_of(bank_id, key): key for key in ids}
    query = select(_c.hash, _c.message_id).where(columns.among(_c.hash, list(hashes)))
    indexed = {(hashed, message_id) for hashed, message_id in connection.execute(query)}
    return {key: message_id for key, message_id in ids.items() if (hash_of(bank_id, key), message_id) not in indexed}


def candidates(connection: Connection, bank_id: int, keys: Sequence[str]) -> list[int]:
    """Returns the row ids of messages that may have these keys: all that do, and rarely others."""
    ids = {message_id for key in keys if (message_id := message_id_of(connection, key)) is not None}
    hashes = [hash_of(bank_id, key) for key in keys]
    ids.update(connection.execute(_hashed, {"ids": hashes}).scalars())
    return sorted(ids)


_hashed = select(_c.message_id).where(columns.is_given(_c.hash))
