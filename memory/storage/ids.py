"""Row ids that are given once. SQLite gives the highest id of a table again after its row was deleted; what another
process knows of the old row, such as a page that it is encoding, would then be taken for the new one's."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, select

from . import schema
from .dialects import dialect_of, insert_into

_c = schema.retired_ids.c


def next_id(connection: Connection, table: Table) -> int | None:
    """An id above those of all rows that `table` has or had; None where the database sees to that itself."""
    if not dialect_of(connection).reuses_ids:
        return None
    highest = select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery()
    retired = select(func.coalesce(func.max(_c.id), 0)).where(_c.table_name == table.name).scalar_subquery()
    held, deleted = connection.execute(select(highest, retired)).one()
    return 1 + max(int(held), int(deleted))


def with_id(connection: Connection, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a new row of `table`, with an id unless the database gives it one."""
    number = next_id(connection, table)
    return dict(values) if number is None else {"id": number, **values}


def retire(connection: Connection, table: Table, ids: Collection[int]) -> None:
    """Keeps the ids of rows that are about to be deleted from being given again."""
    if not ids or not dialect_of(connection).reuses_ids:
        return
    statement = insert_into(connection, schema.retired_ids).values(table_name=table.name, id=max(ids))
    values = {"id": statement.excluded.id}
    higher = statement.excluded.id > _c.id
    connection.execute(statement.on_conflict_do_update(index_elements=["table_name"], set_=values, where=higher))
