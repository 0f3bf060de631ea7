"""Records of a bank, as adapters read and write them. A bank that does not exist yet has none."""

from collections.abc import Sequence
from typing import Any

from foxing.memory import Fields, FoundRecords, Namespaces, Record, RecordChanges, Records, RecordSearchFields

from .batches import MOST_IN_A_REQUEST
from .call_sequences import CallSequence, ask, ask_or

#: Limit on the records of one search, and of one write that an adapter divides.
MOST_AT_ONCE = 500

#: Namespace and key of a record.
Address = tuple[Sequence[str], str]


class BankRecords:
    """The records of one bank. Methods raise `FoxingError`."""

    def __init__(self, bank: str) -> None:
        self._bank = bank

    def search(self, fields: RecordSearchFields, max_records: int | None = None) -> CallSequence[list[Record]]:
        """Returns all records of a search, or the first `max_records`, from as many requests as necessary."""
        records: list[Record] = []
        cursor: str | None = None
        while max_records is None or len(records) < max_records:
            limit = MOST_AT_ONCE if max_records is None else min(MOST_AT_ONCE, max_records - len(records))
            part = yield from self.page({**fields, "limit": limit, "cursor": cursor})
            records += part.records
            cursor = part.next_cursor
            if cursor is None:
                break
        return records

    def page(self, fields: RecordSearchFields) -> CallSequence[Records]:
        """Returns what one request of a search answers."""
        nothing = Records(records=[], next_cursor=None)
        return ask_or(nothing, lambda memory: memory.records.search(self._bank, **fields))

    def get(self, addresses: Sequence[Address], *, refresh_ttl: bool = False) -> CallSequence[list[Record | None]]:
        """Returns the records at some addresses; None for those that do not exist."""
        records: list[Record | None] = []
        for start in range(0, len(addresses), MOST_IN_A_REQUEST):
            some = addresses[start : start + MOST_IN_A_REQUEST]
            keys: list[Fields] = [{"namespace": namespace, "key": key} for namespace, key in some]
            records += yield from self._get(keys, refresh_ttl)
        return records

    def namespaces(self, prefix: Sequence[str]) -> CallSequence[list[Sequence[str]]]:
        """Returns the namespaces that begin with some labels."""
        namespaces: list[Sequence[str]] = []
        cursor: str | None = None
        while True:
            part = yield from self._namespaces(prefix=prefix, limit=MOST_AT_ONCE, cursor=cursor)
            namespaces += part.namespaces
            cursor = part.next_cursor
            if cursor is None:
                return namespaces

    def write(self, writes: Sequence[Fields], key: str | None = None) -> CallSequence[RecordChanges]:
        """Makes writes, all or none. `key`: with which the call may be repeated."""
        return ask(lambda memory: memory.records.write(self._bank, writes, idempotency_key=key))

    def clear(self, namespace: Sequence[str]) -> CallSequence[RecordChanges | None]:
        """Removes the records in and below a namespace."""
        clear: Fields = {"op": "clear", "namespace": namespace}
        return ask_or(None, lambda memory: memory.records.write(self._bank, [clear]))

    def _get(self, keys: Sequence[Fields], refresh_ttl: bool) -> CallSequence[list[Record | None]]:
        missing = FoundRecords(records=[None] * len(keys))
        answer = yield from ask_or(
            missing, lambda memory: memory.records.get(self._bank, keys, refresh_ttl=refresh_ttl)
        )
        return answer.records

    def _namespaces(self, **fields: Any) -> CallSequence[Namespaces]:
        nothing = Namespaces(namespaces=[], next_cursor=None)
        return ask_or(nothing, lambda memory: memory.records.namespaces(self._bank, **fields))
