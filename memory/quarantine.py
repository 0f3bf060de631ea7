"""Quarantine of a bank: list, release and erase messages that recall, pages, context and folds do not reach."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from .access import Access
from .audit import audited
from .cursors import decode_cursor, encode_cursor, number_position
from .errors import NotFound
from .lifecycle.erase import erase_quarantined
from .storage.database import Database
from .storage.repositories import banks, quarantine
from .storage.repositories.quarantine import QuarantineRow
from .values.base import check_limit
from .values.messages import StoreResult
from .values.quarantine import QuarantinedMessage, QuarantineList
from .values.reports import ErasureReport

if TYPE_CHECKING:
    from .ingest.store import MessageStore


@audited(lambda owner: owner._database)
class Quarantine:
    """The quarantined messages of a memory."""

    def __init__(self, database: Database, store: "MessageStore", now: Callable[[], datetime]) -> None:
        self._database = database
        self._store = store
        self._now = now

    def list(self, bank: str, *, limit: int = 50, cursor: str | None = None) -> QuarantineList:
        """Returns quarantined messages of a bank in the order of their arrival. `limit`: 1 to 500. `cursor`:
        `next_cursor` of the previous call. Raises `NotFound`, `InvalidInput`, `InvalidCursor`."""
        check_limit(limit)
        with self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            name = f"quarantine:{bank_id}"
            after = number_position(decode_cursor(cursor, name)) if cursor else 0
            rows = quarantine.list_after(connection, bank_id, after, limit + 1, self._now())
        following = encode_cursor(name, [rows[limit - 1].id]) if len(rows) > limit else None
        return QuarantineList(messages=[_info(row) for row in rows[:limit]], next_cursor=following)

    def count(self, bank: str) -> int:
        """Returns the number of quarantined messages of a bank. Raises `NotFound`."""
        with self._database.read() as connection:
            return quarantine.count(connection, banks.get(connection, bank).id)

    def waiting(self) -> dict[str, int]:
        """Returns full name of a bank → number of its quarantined messages, for the banks of the caller that have
        some."""
        sees = Access.current().sees
        with self._database.read() as connection:
            return {bank: number for bank, number in quarantine.count_by_bank(connection).items() if sees(bank)}

    def release(self, bank: str, message_id: str) -> StoreResult:
        """Stores a quarantined message under its id, with its class, its mark and its times, whatever the policy says,
        and removes it from the quarantine, in one transaction. Raises `NotFound`."""
        now = self._now()
        with self._database.read() as connection:
            bank_row = banks.get(connection, bank)
            row = _get(connection, bank_row.id, bank, message_id)
        if row.expires_at is not None and row.expires_at <= now:
            raise _absent(bank, message_id)
        return self._store.release(bank_row.name, bank_row.id, row.message, now)

    def erase(self, bank: str, message_id: str) -> ErasureReport:
        """Permanently erases a quarantined message. Raises `NotFound`, and `Held` if a legal hold keeps it."""
        with self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            row = _get(connection, bank_id, bank, message_id)
        if not erase_quarantined(self._database, bank_id, [row.key]):
            raise _absent(bank, message_id)
        size = len(row.json.encode())
        return ErasureReport(
            bank=bank,
            messages=1,
            pages=[],
            bytes_before=size,
            bytes_after=0,
            log_erased=self._database.purge_deleted(),
        )


def _get(connection: Connection, bank_id: int, bank: str, key: str) -> QuarantineRow:
    row = quarantine.by_keys(connection, bank_id, [key]).get(key)
    if row is None:
        raise _absent(bank, key)
    return row


def _absent(bank: str, key: str) -> NotFound:
    return NotFound(f"there is no message '{key[:200]}' in the quarantine of bank '{bank}'; list it")


def _info(row: QuarantineRow) -> QuarantinedMessage:
    message = row.message
    return QuarantinedMessage(
        message_id=row.key,
        thread=row.thread,
        role=message.role,
        name=message.name,
        trust=message.trust_class,
        rule=row.rule,
        created_at=message.created_at or row.arrived_at,
        arrived_at=row.arrived_at,
        expires_at=row.expires_at,
        text=message.text,
        metadata=dict(message.metadata or {}),
    )
