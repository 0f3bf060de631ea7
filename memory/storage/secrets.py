"""The secret of a database, with which digests of texts are keyed."""

import hmac

from sqlalchemy import Connection, select

from foxing.memory.storage import schema

DIGEST_BYTES = 16

_c = schema.secrets.c


def digest_key(connection: Connection) -> bytes:
    """The key of the digests of messages and requests: 32 random bytes."""
    return bytes(connection.execute(select(_c.value).where(_c.name == "digests")).scalar_one())


def keyed_digest(key: bytes, digest: bytes) -> bytes:
    """A digest that cannot be found by trying texts without the key: `DIGEST_BYTES` bytes."""
    return hmac.digest(key, digest, "sha256")[:DIGEST_BYTES]
