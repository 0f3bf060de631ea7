"""Ids of messages as callers know them. One that was generated says which message it is; others are found by a hash."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from foxing.memory.storage import columns, schema

from .cache import cache_of

_c = schema.message_keys.c
_HALF = 5  # bytes of the message's number, and of what proves that it was generated
_LENGTH = 16  # characters
_HASH_BYTES = 4


def generated(connection: Connection, message_id: int) -> str:
    """The id of a message that was stored without one: 16 characters, in the order in which messages are stored. It
    cannot be guessed without the secret of the database, so that no caller can choose one beforehand."""
    number = message_id.to_bytes(_HALF, "big")
    return base64.b32hexencode(number + _proof(connection, number)).decode().lower()


def message_id_of(connection: Connection, key: str) -> int | None:
    """The message whose id was generated as `key`; None if it was not generated."""
    if len(key) != _LENGTH or not key.isascii() or key != key.lower():
        return None
    try:
        raw = base64.b32hexdecode(key.upper())
    except ValueError:
        return None
    number, proof = raw[:_HALF], raw[_HALF:]
    return int.from_bytes(number, "big") if hmac.compare_digest(proof, _proof(connection, number)) else None


def _proof(connection: Connection, number: bytes) -> bytes:
    return hashlib.blake2b(
        number, digest_size=_HALF, key=cache_of(connection).secret(connection), person=b"message id"
    ).digest()


def hash_of(bank_id: int, key: str) -> int:
    """What finds a message of a bank by an id that a caller chose."""
    digest = hashlib.blake2b(
        key.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES, salt=bank_id.to_bytes(8, "little")
    )
    return int.from_bytes(digest.digest(), "little", signed=True)


def add(connection: Connection, bank_id: int, ids: Mapping[str, int]) -> None:
    """Has messages found by ids that callers chose: key → id."""
    rows = [{"hash": hash_of(bank_id, key), "message_id": message_id} for key, message_id in ids.items()]
    if rows:
        connection.execute(schema.message_keys.insert(), rows)


def remove(connection: Connection, bank_id: int, ids: Iterable[tuple[str, int]]) -> None:
    """Has messages no longer found by ids that callers chose."""
    for key, message_id in ids:
        connection.execute(
            schema.message_keys.delete().where(_c.hash == hash_of(bank_id, key), _c.message_id == message_id)
        )


def remove_of(connection: Connection, message_ids: Sequence[int]) -> None:
    """The same for messages of which only the numbers are known."""
    connection.execute(schema.message_keys.delete().where(columns.among(_c.message_id, message_ids)))


def lacking(connection: Connection, bank_id: int, ids: Mapping[str, int]) -> dict[str, int]:
    """Those of the messages that are not found by the ids that callers chose: key → id."""
    hashes = {hash_of(bank_id, key): key for key in ids}
    query = select(_c.hash, _c.message_id).where(columns.among(_c.hash, list(hashes)))
    found = {(hashed, message_id) for hashed, message_id in connection.execute(query)}
    return {key: message_id for key, message_id in ids.items() if (hash_of(bank_id, key), message_id) not in found}


def candidates(connection: Connection, bank_id: int, keys: Sequence[str]) -> list[int]:
    """Ids of the messages that may have these keys: all that do, and hardly any other."""
    ids = {found for key in keys if (found := message_id_of(connection, key)) is not None}
    hashes = [hash_of(bank_id, key) for key in keys]
    ids.update(connection.execute(select(_c.message_id).where(columns.among(_c.hash, hashes))).scalars())
    return sorted(ids)
