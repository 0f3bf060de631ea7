"""The secret of a database, with which digests of texts are keyed."""

import hmac
import os

from sqlalchemy import Connection, select

from foxing.memory.storage import schema

from .upsert import insert_into

DIGEST_BYTES = 16
FOLDER_BYTES = 16

_FOLDER = "blobs"

_c = schema.secrets.c


def digest_key(connection: Connection) -> bytes:
    """The key of the digests of messages and requests: 32 random bytes."""
    return bytes(connection.execute(select(_c.value).where(_c.name == "digests")).scalar_one())


def blob_folder(connection: Connection) -> str:
    """The folder of this database in an object storage, which others may use as well. A database that is restored from
    a backup gets another."""
    query = select(_c.value).where(_c.name == _FOLDER)
    value = connection.execute(query).scalar_one_or_none()
    if value is None:
        insert = insert_into(connection, schema.secrets).values(name=_FOLDER, value=os.urandom(FOLDER_BYTES))
        connection.execute(insert.on_conflict_do_nothing())
        value = connection.execute(query).scalar_one()
    return bytes(value).hex()


def new_blob_folder() -> str:
    """A folder that no database has."""
    return os.urandom(FOLDER_BYTES).hex()


def keyed_digest(key: bytes, digest: bytes) -> bytes:
    """A digest that cannot be found by trying texts without the key: `DIGEST_BYTES` bytes."""
    return hmac.digest(key, digest, "sha256")[:DIGEST_BYTES]
