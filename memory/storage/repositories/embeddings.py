"""Codes of embeddings: one for each message, made by one embedder."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from foxing.memory.storage import columns, schema
from foxing.memory.storage.dialects import insert_into

from . import messages

_c = schema.embeddings.c
_EXAMINED = 1_000  # messages that are looked at together for codes that are missing

ROW_BYTES = 12  # of a row besides its code


class StoredCode(NamedTuple):
    """The code of a message; empty if there is nothing to embed."""

    message_id: int
    code: bytes


def find_embedder(connection: Connection, name: str, dimensions: int) -> int | None:
    """The id of an embedder that has made codes; None if it has not."""
    return connection.execute(_embedder(name, dimensions)).scalar_one_or_none()


def _embedder(name: str, dimensions: int) -> Select[Any]:
    c = schema.embedders.c
    return select(c.id).where(c.name == name, c.dimensions == dimensions)


def embedder_id(connection: Connection, name: str, dimensions: int) -> int:
    """The id of an embedder, which is added if it is new."""
    known = find_embedder(connection, name, dimensions)
    if known is not None:
        return known
    statement = insert_into(connection, schema.embedders).values(name=name, dimensions=dimensions)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["name", "dimensions"]))
    found = find_embedder(connection, name, dimensions)
    assert found is not None
    return found


def add(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Adds the codes of messages that have just been inserted: message id → code."""
    rows = [{"bank_id": bank_id, "message_id": i, "embedder_id": embedder, "code": code} for i, code in codes.items()]
    if rows:
        connection.execute(schema.embeddings.insert(), rows)


def replace(connection: Connection, bank_id: int, embedder: int, codes: Mapping[int, bytes]) -> None:
    """Sets the codes of messages, whether or not they have one; what they have already is not written again."""
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
    """Those of the codes that are not stored."""
    query = select(_c.message_id, _c.code).where(_c.bank_id == bank_id, _c.embedder_id == embedder)
    stored = {i: code for i, code in connection.execute(query.where(columns.among(_c.message_id, list(codes))))}
    return {i: code for i, code in codes.items() if stored.get(i) != code}


def remove(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Removes the codes of messages; those without one are ignored."""
    if not message_ids:
        return
    of_messages = columns.among(_c.message_id, list(message_ids))
    connection.execute(schema.embeddings.delete().where(_c.bank_id == bank_id, of_messages))
    version = schema.banks.c.embeddings_version
    connection.execute(schema.banks.update().where(schema.banks.c.id == bank_id).values(embeddings_version=version + 1))


class CodesVersion(NamedTuple):
    """Which codes of a bank an embedder has made."""

    #: id of the embedder, None if it has made none of any bank
    embedder: int | None
    #: changes when codes of messages do that are older than others with a code; those of newer ones are only added
    version: int


def version(connection: Connection, bank_id: int, name: str, dimensions: int) -> CodesVersion:
    """Which codes of a bank the embedder of that name has made."""
    banks = schema.banks.c
    query = select(_embedder(name, dimensions).scalar_subquery(), banks.embeddings_version).where(banks.id == bank_id)
    row = connection.execute(query).one()
    return CodesVersion(row[0], row[1])


def codes_after(connection: Connection, bank_id: int, embedder: int, message_id: int) -> list[StoredCode]:
    """The codes that an embedder made of the messages with higher ids, by id, without empty ones."""
    query = (
        select(_c.message_id, _c.code)
        .where(_c.bank_id == bank_id, _c.message_id > message_id, _c.embedder_id == embedder)
        .order_by(_c.message_id)
    )
    return [StoredCode(i, code) for i, code in connection.execute(query) if code]


def has_codes(connection: Connection, bank_id: int, name: str, dimensions: int) -> bool:
    """Whether any message of a bank has a code of the embedder of that name, and not an empty one."""
    embedder = _embedder(name, dimensions).scalar_subquery()
    query = select(_c.message_id).where(_c.bank_id == bank_id, _c.embedder_id == embedder, func.length(_c.code) > 0)
    return connection.execute(query.limit(1)).first() is not None


def has_any(connection: Connection, bank_id: int) -> bool:
    """Whether any message of a bank has a code."""
    return connection.execute(select(_c.message_id).where(_c.bank_id == bank_id).limit(1)).first() is not None


def newest(connection: Connection, bank_id: int, embedder: int | None) -> int:
    """The highest id of a message of a bank with a code of the embedder, 0 if there is none."""
    query = select(_c.message_id).where(_c.bank_id == bank_id, _c.embedder_id == embedder)
    return int(connection.execute(query.order_by(_c.message_id.desc()).limit(1)).scalar() or 0)


def pending(connection: Connection, bank_id: int, embedder: int | None, after: int, limit: int) -> list[int]:
    """Ids of up to `limit` messages above `after` without a code of the embedder, which may never have made one."""
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
    """How many messages have no code of the embedder."""
    coded = select(func.count()).where(_c.bank_id == bank_id, _c.embedder_id == (embedder or 0))
    return messages.count(connection, bank_id) - int(connection.execute(coded).scalar_one())


def total_bytes(connection: Connection, bank_id: int) -> int:
    """Bytes of the codes of a bank, with their rows."""
    size = func.coalesce(func.sum(func.length(_c.code) + ROW_BYTES), 0)
    return int(connection.execute(select(size).where(_c.bank_id == bank_id)).scalar_one())
