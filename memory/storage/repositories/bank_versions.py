"""Versions of the data of a bank, which validate caches."""

from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, func, select

from foxing.memory.storage import schema, snapshot
from foxing.memory.storage.snapshot import BankVersions

_b = schema.banks.c
_last_sealed = select(schema.message_ranges.c.last_message).where(schema.message_ranges.c.bank_id == _b.id)
_last_sealed = _last_sealed.order_by(schema.message_ranges.c.first_message.desc()).limit(1).correlate(schema.banks)
_last_open = select(func.max(schema.messages.c.id))
#: columns of `note`: those of `BankVersions`, and the highest ids of an open message of any bank and of a sealed one
COLUMNS = (
    _b.id,
    _b.embeddings_version,
    _b.ranges_added,
    _b.ranges_changed,
    _last_open.scalar_subquery().label("last_open"),
    _last_sealed.scalar_subquery().label("last_sealed"),
)
_versions = select(*COLUMNS).where(_b.id == bindparam("bank", type_=BigInteger))


def of_bank(connection: Connection, bank_id: int) -> BankVersions:
    """Returns the versions of a bank, which a transaction that only reads reads once; zeros if it does not exist."""
    read = snapshot.of(connection)
    version = None if read is None else read.versions.get(bank_id)
    if version is not None:
        return version
    row = connection.execute(_versions, {"bank": bank_id}).first()
    return BankVersions(0, (0, 0), 0) if row is None else note(connection, row)


def note(connection: Connection, row: Any) -> BankVersions:
    """Returns the versions in a row with `COLUMNS`, and remembers them until the transaction ends if it only reads."""
    newest = max(row.last_open or 0, row.last_sealed or 0)
    versions = BankVersions(row.embeddings_version, (row.ranges_added, row.ranges_changed), newest)
    read = snapshot.of(connection)
    if read is not None:
        read.versions[row.id] = versions
    return versions
