"""Contents of columns, with large ones in object storage if the database has one.

A blob is named by the digest of its content and stored once per bank. It is uploaded within the transaction that
references it: if that is rolled back, the object is an orphan, which a sweep removes. An unused blob remains until
`Database.purge_deleted` deletes the object.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, select

from foxing.memory.errors import StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.blobs.reference import REFERENCE_BYTES, BlobReference, MissingBlob
from foxing.memory.storage.blobs.store import BlobStore
from foxing.memory.storage.dialects import insert_into
from foxing.memory.storage.options import BLOBS, BlobOptions
from foxing.memory.storage.secrets import blob_folder, digest_key

_c = schema.blobs.c


def put(connection: Connection, bank_id: int, contents: Sequence[bytes | None]) -> list[bytes | None]:
    """Returns the values to write to columns in place of `contents`. Large ones are uploaded and counted as used."""
    place = _place(connection)
    if place is None:
        return list(contents)
    stored: list[bytes | None] = []
    uploads: dict[str, bytes] = {}
    key = None
    folder = ""
    for content in contents:
        if content is None or len(content) < place.min_bytes:
            stored.append(content)
            continue
        if key is None:
            key = digest_key(connection)
            folder = blob_folder(connection)
        reference = BlobReference.new(digest_of(key, bank_id, content), len(content))
        used = _use(connection, bank_id, reference)
        if used == reference:
            uploads[path_of(folder, reference)] = content
        stored.append(used.to_bytes())
    place.store.put(uploads)
    return stored


def get(connection: Connection, stored: Sequence[tuple[int, bytes | None]]) -> list[bytes | None]:
    """Returns the contents of columns, given as (bank id, stored value). A blob that is missing from the storage, or
    was changed there, becomes a `MissingBlob`."""
    references = [BlobReference.read(item) for _, item in stored]
    used = [reference for reference in references if reference is not None]
    if not used:
        return [item for _, item in stored]
    folder = blob_folder(connection)
    key = digest_key(connection)
    contents = store_of(connection).get([path_of(folder, reference) for reference in used])
    result: list[bytes | None] = []
    for (bank_id, item), reference in zip(stored, references, strict=True):
        if reference is None:
            result.append(item)
            continue
        content = contents.get(path_of(folder, reference))
        intact = content is not None and digest_of(key, bank_id, content) == reference.digest
        result.append(content if intact else MissingBlob())
    return result


def release(connection: Connection, columns: Sequence[Column[Any]], where: ColumnElement[bool]) -> None:
    """Decrements the reference counts of blobs in columns of rows that are about to be overwritten or deleted."""
    for column in columns:  # selects references only, not contents
        references = select(column).where(where, func.length(column) == REFERENCE_BYTES)
        stored = (BlobReference.read(item) for item in connection.execute(references).scalars())
        for name, number in Counter(reference.name for reference in stored if reference is not None).items():
            connection.execute(schema.blobs.update().where(_c.name == name).values(uses=_c.uses - number))


def release_bank(connection: Connection, bank_id: int) -> None:
    """Sets the reference counts of all blobs of a bank to 0, before it is deleted."""
    connection.execute(schema.blobs.update().where(_c.bank == bank_id).values(uses=0))


def store_of(connection: Connection) -> BlobStore:
    """Returns the object storage of the database. Raises `StorageError` if none is configured."""
    place = _place(connection)
    if place is None:
        raise StorageError(
            "some blobs of this database are in object storage, but none is configured; configure the one it used"
        ).naming("blobs_url")
    return place.store


def path_of(folder: str, reference: BlobReference) -> str:
    """Returns the path of a blob in the storage."""
    return f"{folder}/{reference.name[:2]}/{reference.name}"


def _use(connection: Connection, bank_id: int, reference: BlobReference) -> BlobReference:
    """Returns the blob with the same content, or `reference` as a new one, after incrementing its reference count."""
    values = {"name": reference.name, "digest": reference.digest, "bank": bank_id, "size": reference.size, "uses": 1}
    insert = insert_into(connection, schema.blobs).values(values)
    upsert = insert.on_conflict_do_update(index_elements=[_c.digest], set_={"uses": _c.uses + 1})
    name = connection.execute(upsert.returning(_c.name)).scalar_one()
    return BlobReference.named(name, reference.size)


def digest_of(key: bytes, bank_id: int, content: bytes) -> bytes:
    """Returns the digest of the content, keyed and specific to the bank, so that banks share no blobs."""
    return hashlib.blake2b(content, digest_size=32, key=key, salt=bank_id.to_bytes(8, "big")).digest()


def _place(connection: Connection) -> BlobOptions | None:
    place: BlobOptions | None = connection.get_execution_options().get(BLOBS)
    return place
