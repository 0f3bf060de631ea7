"""Embedding codes of messages, one for each message, from one embedder."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import insert_into

from . import messages

_c = schema.embeddings.c
_EXAMINED = 1_000  # messages examined together for missing codes

ROW_BYTES = 12  # of a row without its code


class StoredCode(NamedTuple):
    """Code of a message; empty if there is no text to embed."""

    message_id: int
    code: bytes


def find_embedder(connection: Connection, name: str, dimensions: int) -> int | None:
    """Returns the id of an embedder; None if it has never stored a code."""
    return connection.execute(_embedder(name, dimensions)).scalar_one_or_none()


def _embedder(name: str, dimensions: int) -> Select[Any]:
    c = schema.embedders.c
    return select(c.id).where(c.name == name, c.dimensions == dimensions)


def embedder_id(connection: Connection, name: str, dimensions: int) -> int:
    """Returns the id of an embedder, inserting it if it is new."""
    known = find_embedder(connection, name, dimensions)
    if known is not None:
        return known
    statement = insert_into(connection, schema.embedders).values(name=name, dimensions=dimensions)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["name", "dimensions"]))
    found = find_embedder(connection, name, dimensions)
    assert found is not None
    return found


def add(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Inserts the codes of new messages, given as message id → code."""
    rows = [{"bank_id": bank_id, "message_id": i, "embedder_id": embedder, "code": code} for i, code in codes.items()]
    if rows:
        connection.execute(schema.embeddings.insert(), rows)


def replace(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Inserts or updates the codes of messages. Unchanged codes are not written."""
    codes = _changed(connection, bank_id, embedder, codes)
    if not codes:
        return
    newest = connection.execute(select(func.max(_c.message_id)).where(_c.bank_id == bank_id)).scalar_one()
    if newest is None or min(codes) > newest:
        add(connection, bank_id, embedder, codes)
        return
    remove(connection, bank_id, codes)
    add(connection, bank_id, embedder, codes)


def _changed(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> dict[int, bytes]:
    """Returns the codes that differ from the stored ones."""
    query = select(_c.message_id, _c.code).where(_c.bank_id == bank_id, _c.embedder_id == embedder)
    stored = {i: code for i, code in connection.execute(query.where(columns.among(_c.message_id, list(codes))))}
    return {i: code for i, code in codes.items() if stored.get(i) != code}


def remove(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Deletes the codes of messages. Messages without a code are ignored."""
    if not message_ids:
        return
    of_messages = columns.among(_c.message_id, list(message_ids))
    connection.execute(schema.embeddings.delete().where(_c.bank_id == bank_id, of_messages))
    version = schema.banks.c.embeddings_version
    connection.execute(schema.banks.update().where(schema.banks.c.id == bank_id).values(embeddings_version=version + 1))


class CodesVersion(NamedTuple):
    """Version of the codes of a bank by one embedder, to validate caches."""

    #: id of the embedder; None if it has never stored a code
    embedder: int | None
    #: incremented when codes of older messages change; codes of newer messages are only appended
    version: int


def version(connection: Connection, bank_id: int, name: str, dimensions: int) -> CodesVersion:
    """Returns the version of the codes of a bank by the embedder of that name."""
    banks = schema.banks.c
    query = select(_embedder(name, dimensions).scalar_subquery(), banks.embeddings_version).where(banks.id == bank_id)
    row = connection.execute(query).one()
    return CodesVersion(row[0], row[1])


def codes_after(connection: Connection, bank_id: int, embedder: int, message_id: int) -> list[StoredCode]:
    """Returns the codes of messages with higher ids, by id, without empty ones."""
    query = (
        select(_c.message_id, _c.code)
        .where(_c.bank_id == bank_id, _c.message_id > message_id, _c.embedder_id == embedder)
        .order_by(_c.message_id)
    )
    return [StoredCode(i, code) for i, code in connection.execute(query) if code]


def has_codes(connection: Connection, bank_id: int, name: str, dimensions: int) -> bool:
    """True if a message of a bank has a non-empty code of the embedder of that name."""
    embedder = _embedder(name, dimensions).scalar_subquery()
    query = select(_c.message_id).where(_c.bank_id == bank_id, _c.embedder_id == embedder, func.length(_c.code) > 0)
    return connection.execute(query.limit(1)).first() is not None


def has_any(connection: Connection, bank_id: int) -> bool:
    """True if a message of a bank has a code of any embedder."""
    return connection.execute(select(_c.message_id).where(_c.bank_id == bank_id).limit(1)).first() is not None


def newest(connection: Connection, bank_id: int, embedder: int | None) -> int:
    """Returns the highest id of a message of a bank with a code of the embedder; 0 if there is none."""
    query = select(_c.message_id).where(_c.bank_id == bank_id, _c.embedder_id == embedder)
    return int(connection.execute(query.order_by(_c.message_id.desc()).limit(1)).scalar() or 0)


def pending(connection: Connection, bank_id: int, embedder: int | None, after: int, limit: int) -> list[int]:
    """Returns the ids of up to `limit` messages above `after` without a code of the embedder. None: an embedder without
    any codes."""
    if not after and not count_pending(connection, bank_id, embedder):
        return []
    result: list[int] = []
    while len(result) < limit and (ids := messages.ids_after(connection, bank_id, after, _EXAMINED)):
        of_embedder = (_c.bank_id == bank_id, _c.embedder_id == (embedder or 0))
        between = (_c.message_id >= ids[0], _c.message_id <= ids[-1])
        coded = set(connection.execute(select(_c.message_id).where(*of_embedder, *between)).scalars())
        result += [i for i in ids if i not in coded]
        after = ids[-1]
    return result[:limit]


def count_pending(connection: Connection, bank_id: int, embedder: int | None) -> int:
    """Returns the number of messages without a code of the embedder."""
    coded = select(func.count()).where(_c.bank_id == bank_id, _c.embedder_id == (embedder or 0))
    return messages.count(connection, bank_id) - int(connection.execute(coded).scalar_one())


def total_bytes(connection: Connection, bank_id: int) -> int:
    """Returns the size of the codes of a bank with their rows, in bytes."""
    size = func.coalesce(func.sum(func.length(_c.code) + ROW_BYTES), 0)
    return int(connection.execute(select(size).where(_c.bank_id == bank_id)).scalar_one())
