"""Row ids that are never reused. SQLite reuses the highest id of a table after its row was deleted; a process that
still works on the old row, such as a page being encoded, would then act on the new one."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select

from . import schema
from .dialects import dialect_of, insert_into

_c = schema.retired_ids.c


def next_id(connection: Connection, table: Table) -> int | None:
    """Returns an id above those of all rows that `table` has or had; None if the database guarantees that itself."""
    if not dialect_of(connection).reuses_ids:
        return None
    highest = select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery()
    retired = select(func.coalesce(func.max(_c.id), 0)).where(_c.table_name == table.name).scalar_subquery()
    last, deleted = connection.execute(select(highest, retired)).one()
    return 1 + max(int(last), int(deleted))


def with_id(connection: Connection, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns of a new row of `table`, with an id unless the database assigns one."""
    number = next_id(connection, table)
    return dict(values) if number is None else {"id": number, **values}


def retire(connection: Connection, table: Table, ids: Collection[int]) -> None:
    """Prevents the reuse of the ids of rows that are about to be deleted."""
    if not ids or not dialect_of(connection).reuses_ids:
        return
    statement = insert_into(connection, schema.retired_ids).values(table_name=table.name, id=max(ids))
    values = {"id": statement.excluded.id}
    higher = statement.excluded.id > _c.id
    connection.execute(statement.on_conflict_do_update(index_elements=["table_name"], set_=values, where=higher))
