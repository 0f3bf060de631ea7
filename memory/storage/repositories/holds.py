"""Legal holds on banks and on persons."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from foxing.memory.access import Access
from foxing.memory.storage import schema
from foxing.memory.storage.dialects import insert_into

from . import messages, quarantine, schedule

_c = schema.holds.c
_b = schema.banks.c


@dataclass(frozen=True)
class HoldRow:
    """Row of a hold."""

    #: Public id.
    key: str
    #: Tenant that set it, whose banks a hold on a person concerns; None for an operator, and all banks.
    tenant: str | None
    bank_id: int | None
    person: str | None
    reason: str
    since: datetime
    #: Id of the key that set it.
    key_id: str | None


@dataclass(frozen=True)
class BankHolds:
    """The holds that concern a bank."""

    #: The hold on the whole bank, if any.
    whole: HoldRow | None
    #: Folded name → hold on a person.
    persons: dict[str, HoldRow]

    def on_name(self, name: str | None) -> HoldRow | None:
        """Returns the hold on the speaker of that name, if any."""
        return None if name is None else self.persons.get(name.casefold())


_columns = [_c[name] for name in HoldRow.__dataclass_fields__]


def insert(connection: Connection, row: HoldRow) -> bool:
    """Inserts a hold. Returns False if there is one with its public id."""
    statement = insert_into(connection, schema.holds).values(asdict(row)).on_conflict_do_nothing().returning(_c.id)
    return connection.execute(statement).first() is not None


def list_all(connection: Connection) -> list[tuple[HoldRow, str | None]]:
    """Returns the holds of the caller, each with the full name of its bank, in the order in which they were set."""
    query = select(*_columns, _b.name).join_from(schema.holds, schema.banks, _b.id == _c.bank_id, isouter=True)
    tenant = Access.current().tenant
    if tenant is not None:
        query = query.where(or_(_c.tenant == tenant, _b.tenant == tenant))
    return [(HoldRow(*row[:-1]), row[-1]) for row in connection.execute(query.order_by(_c.id))]


def delete(connection: Connection, key: str) -> None:
    """Deletes a hold."""
    connection.execute(schema.holds.delete().where(_c.key == key))


def of_bank(connection: Connection, bank_id: int) -> BankHolds:
    """Returns the holds that concern a bank."""
    tenant = select(_b.tenant).where(_b.id == bank_id).scalar_subquery()
    on_person = and_(_c.bank_id.is_(None), or_(_c.tenant.is_(None), _c.tenant == tenant))
    query = select(*_columns).where(or_(_c.bank_id == bank_id, on_person)).order_by(_c.id)
    rows = [HoldRow(*row) for row in connection.execute(query)]
    persons = {row.person.casefold(): row for row in reversed(rows) if row.person is not None}
    return BankHolds(next((row for row in rows if row.bank_id is not None), None), persons)


def that_keeps(connection: Connection, bank_id: int) -> HoldRow | None:
    """Returns a hold for which a bank has to stay as it is: on the bank, or on a person who speaks in it."""
    rows = of_bank(connection, bank_id)
    if rows.whole is not None or not rows.persons:
        return rows.whole
    names = messages.speakers(connection, bank_id) | quarantine.speakers(connection, bank_id)
    return next((row for folded, row in rows.persons.items() if folded in names), None)


def resume(connection: Connection, bank_ids: Collection[int]) -> None:
    """Makes the work due that a hold has suspended in these banks."""
    for bank_id in sorted(bank_ids):
        for kind in schedule.SUSPENDED:
            schedule.bring_forward(connection, bank_id, kind)
