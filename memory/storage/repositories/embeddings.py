"""Codes of embeddings: one for each message, made by one embedder."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select

from foxing.memory.storage import schema

from .batches import batched
from .upsert import insert_into

_c = schema.embeddings.c
_m = schema.messages.c

ROW_BYTES = 12  # of a row besides its code


class StoredCode(NamedTuple):
    """The code of a message; empty if there is nothing to embed."""

    message_id: int
    code: bytes


def find_embedder(connection: Connection, name: str, dimensions: int) -> int | None:
    """The id of an embedder that has made codes; None if it has not."""
    c = schema.embedders.c
    query = select(c.id).where(c.name == name, c.dimensions == dimensions)
    return connection.execute(query).scalar_one_or_none()


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
    """Sets the codes of messages, whether or not they have one."""
    if not codes:
        return
    newest = connection.execute(select(func.max(_c.message_id)).where(_c.bank_id == bank_id)).scalar_one()
    if newest is None or min(codes) > newest:
        add(connection, bank_id, embedder, codes)
        return
    remove(connection, bank_id, codes)
    add(connection, bank_id, embedder, codes)


def remove(connection: Connection, bank_id: int, message_ids: Collection[int]) -> None:
    """Removes the codes of messages; those without one are ignored."""
    for part in batched(list(message_ids)):
        connection.execute(schema.embeddings.delete().where(_c.bank_id == bank_id, _c.message_id.in_(part)))
    if message_ids:
        version = schema.banks.c.embeddings_version
        connection.execute(
            schema.banks.update().where(schema.banks.c.id == bank_id).values(embeddings_version=version + 1)
        )


def version(connection: Connection, bank_id: int) -> int:
    """Changes when codes of messages do that are older than others with a code. Those of newer ones are only added."""
    query = select(schema.banks.c.embeddings_version).where(schema.banks.c.id == bank_id)
    return int(connection.execute(query).scalar_one())


def codes_after(connection: Connection, bank_id: int, embedder: int, message_id: int) -> list[StoredCode]:
    """The codes that an embedder made of the messages with higher ids, by id, without empty ones."""
    query = (
        select(_c.message_id, _c.code)
        .where(_c.bank_id == bank_id, _c.message_id > message_id, _c.embedder_id == embedder)
        .order_by(_c.message_id)
    )
    return [StoredCode(i, code) for i, code in connection.execute(query) if code]


def has_any(connection: Connection, bank_id: int) -> bool:
    """Whether any message of a bank has a code."""
    return connection.execute(select(_c.message_id).where(_c.bank_id == bank_id).limit(1)).first() is not None


def pending(connection: Connection, bank_id: int, embedder: int | None, after: int, limit: int) -> list[int]:
    """Ids of up to `limit` messages above `after` without a code of the embedder, which may never have made one."""
    query = _pending(bank_id, embedder).add_columns(_m.id).where(_m.id > after)
    return list(connection.execute(query.order_by(_m.id).limit(limit)).scalars())


def count_pending(connection: Connection, bank_id: int, embedder: int | None) -> int:
    """How many messages have no code of the embedder."""
    return int(connection.execute(_pending(bank_id, embedder).add_columns(func.count())).scalar_one())


def _pending(bank_id: int, embedder: int | None) -> Select[Any]:
    of_embedder = and_(_c.bank_id == _m.bank_id, _c.message_id == _m.id, _c.embedder_id == (embedder or 0))
    joined = schema.messages.outerjoin(schema.embeddings, of_embedder)
    return select().select_from(joined).where(_m.bank_id == bank_id, _c.message_id.is_(None))


def total_bytes(connection: Connection, bank_id: int) -> int:
    """Bytes of the codes of a bank, with their rows."""
    size = func.coalesce(func.sum(func.length(_c.code) + ROW_BYTES), 0)
    return int(connection.execute(select(size).where(_c.bank_id == bank_id)).scalar_one())
