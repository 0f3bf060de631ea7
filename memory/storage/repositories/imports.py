"""Imports that services carry out, with their progress and their reports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from foxing.memory.storage import schema

KEPT = 100  # imports of a bank, the newest
_c = schema.imports.c


@dataclass(frozen=True)
class ImportRow:
    """Row of an import."""

    key: str
    state: str
    #: Whether it is to end.
    cancelled: bool
    lease_until: datetime
    #: The other fields of `ImportJob`, as JSON.
    job: dict[str, Any]


def add(connection: Connection, bank_id: int, row: ImportRow, owner: str) -> None:
    """Adds an import, and deletes the oldest ones of the bank if it has more than `KEPT`."""
    values = {
        "key": row.key,
        "bank_id": bank_id,
        "state": row.state,
        "lease_owner": owner,
        "lease_until": row.lease_until,
        "job": row.job,
    }
    connection.execute(schema.imports.insert().values(values))
    newest = select(_c.id).where(_c.bank_id == bank_id).order_by(_c.id.desc())
    oldest_kept = connection.execute(newest.offset(KEPT - 1).limit(1)).scalar()
    if oldest_kept is not None:
        connection.execute(schema.imports.delete().where(_c.bank_id == bank_id, _c.id < oldest_kept))


def find(connection: Connection, bank_id: int, key: str) -> ImportRow | None:
    """Returns an import of a bank; None if there is none with that id."""
    query = select(_c.key, _c.state, _c.cancelled, _c.lease_until, _c.job)
    row = connection.execute(query.where(_c.bank_id == bank_id, _c.key == key)).first()
    return None if row is None else ImportRow(*row)


def cancel(connection: Connection, bank_id: int, key: str) -> None:
    """Asks an import to end."""
    connection.execute(schema.imports.update().where(_c.bank_id == bank_id, _c.key == key).values(cancelled=True))


def update(connection: Connection, owner: str, row: ImportRow) -> bool:
    """Writes the state and the fields of an import, and renews its lease. Returns False if it is not there any more, as
    when its bank was erased, or belongs to another process."""
    values = {"state": row.state, "lease_until": row.lease_until, "job": row.job}
    changed = schema.imports.update().where(_c.key == row.key, _c.lease_owner == owner).values(values)
    return connection.execute(changed).rowcount == 1


def extend(connection: Connection, owner: str, until: datetime) -> None:
    """Renews the leases of a process on its unfinished imports."""
    mine = schema.imports.update().where(_c.lease_owner == owner, _c.state.in_(("waiting", "running")))
    connection.execute(mine.values(lease_until=until))
