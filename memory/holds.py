"""Legal holds: set, release and list them."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from .access import Access
from .audit import audited
from .errors import Conflict, Forbidden, NotFound
from .storage.database import Database
from .storage.repositories import banks, holds
from .storage.repositories.holds import HoldRow
from .values.holds import Hold, HoldRequest, Holds

_ID_BYTES = 4
_BANKS_AT_ONCE = 500


@audited(lambda owner: owner._database)
class LegalHolds:
    """The legal holds of a database. A hold keeps words: nothing that it concerns is erased, by hand or by rules, nor
    aged or purged."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def set(self, request: HoldRequest | Mapping[str, Any]) -> Hold:
        """Sets a hold and returns it. Raises `InvalidInput`, `NotFound` for a bank that does not exist, or was erased
        while the hold waited for the erasure, and `Conflict` if the bank or the person is held already."""
        request = request if isinstance(request, HoldRequest) else HoldRequest.from_fields(request)
        caller = Access.current()
        with self._database.write() as connection:
            bank = None if request.bank is None else banks.get(connection, request.bank)
            bank_id = None if bank is None else bank.id
            if bank_id is not None:
                banks.lock(connection, bank_id)
            for row, _ in holds.list_all(connection):
                same_person = row.person is not None and row.person.casefold() == (request.person or "").casefold()
                if row.tenant == caller.tenant and (same_person or (bank_id is not None and row.bank_id == bank_id)):
                    raise Conflict(f"the hold {row.key} keeps this already; release it to set another")
            fields = (caller.tenant, bank_id, request.person, request.reason, self._now(), caller.key_id)
            row = HoldRow(secrets.token_hex(_ID_BYTES), *fields)
            while not holds.insert(connection, row):
                row = HoldRow(secrets.token_hex(_ID_BYTES), *fields)
        return _hold(row, None if bank is None else bank.name)

    def release(self, hold_id: str) -> Hold:
        """Releases a hold and returns it; what it has suspended is then due. Raises `NotFound`, and `Forbidden` for a
        hold that the operator has set on a bank of a tenant."""
        caller = Access.current()
        with self._database.write() as connection:
            matches = [item for item in holds.list_all(connection) if item[0].key == hold_id]
            if not matches:
                raise NotFound(f"there is no hold '{hold_id}'; `foxing hold list` and GET /v1/holds list them")
            [(row, bank)] = matches
            if caller.tenant is not None and row.tenant != caller.tenant:
                raise Forbidden(f"the operator has set the hold {row.key}; ask them to release it")
            holds.delete(connection, row.key)
            if row.bank_id is not None:
                holds.resume(connection, [row.bank_id])
            else:
                for part in _all_banks(connection):
                    holds.resume(connection, [item.id for item in part])
        return _hold(row, bank)

    def list(self) -> Holds:
        """Returns the holds of the caller, in the order in which they were set."""
        with self._database.read() as connection:
            return Holds(holds=[_hold(row, bank) for row, bank in holds.list_all(connection)])


def _all_banks(connection: Connection) -> "Iterator[list[banks.Bank]]":
    """Yields the banks of the caller, by name."""
    after: str | None = None
    while part := banks.list_after(connection, after, _BANKS_AT_ONCE):
        yield part
        after = part[-1].name


def _hold(row: HoldRow, bank: str | None) -> Hold:
    name = None if bank is None else Access.current().own_name(bank)
    return Hold(id=row.key, bank=name, person=row.person, reason=row.reason, since=row.since, key_id=row.key_id)
