"""The writes of one call, in their order, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from foxing.memory.compact_json import compact_json
from foxing.memory.errors import Conflict
from foxing.memory.storage.repositories import records
from foxing.memory.storage.repositories.records import RecordFilter, RecordRow
from foxing.memory.values.records import (
    CheckRecord,
    ClearRecords,
    DeleteRecord,
    PutRecord,
    RecordChange,
    RecordWrite,
)
from foxing.renderer.clock import later

from .vectors import RecordVectors


class RecordWriter:
    """Writes records of a bank. It reads at once what the writes are about, because other writers wait meanwhile."""

    def __init__(
        self,
        connection: Connection,
        bank_id: int,
        writes: Sequence[RecordWrite],
        vectors: Mapping[int, RecordVectors],
        now: datetime,
    ) -> None:
        """`vectors`: index of a write → vectors of the record that it stores."""
        self._connection = connection
        self._bank_id = bank_id
        self._writes = writes
        self._vectors = vectors
        self._now = now
        addressed = [(write.namespace, write.key) for write in writes if not isinstance(write, ClearRecords)]
        #: What is stored under each address, as the writes so far have left it.
        self._held = records.find_many(connection, bank_id, addressed)
        puts = sum(isinstance(write, PutRecord) for write in writes)
        self._version = records.reserve_versions(connection, bank_id, puts) if puts else 0

    def write(self) -> list[RecordChange]:
        """Does all writes; what each did. Raises `Conflict` if a record does not have the version that is expected."""
        return [self._write(write, self._vectors.get(number)) for number, write in enumerate(self._writes)]

    def _write(self, write: RecordWrite, vectors: RecordVectors | None) -> RecordChange:
        if isinstance(write, ClearRecords):
            return RecordChange(version=None, deleted=self._clear(write.namespace))
        address = (write.namespace, write.key)
        row = self._held.get(address)
        if row is not None and not row.is_alive(self._now):
            records.delete(self._connection, row.id)
            row = None
        _check_version(row, write)
        if isinstance(write, CheckRecord):
            return RecordChange(version=None if row is None else row.version, deleted=0)
        if isinstance(write, PutRecord):
            self._held[address] = row = self._put(row, write, vectors)
            return RecordChange(version=row.version, deleted=0)
        if row is not None:
            records.delete(self._connection, row.id)
        self._held.pop(address, None)
        return RecordChange(version=None, deleted=int(row is not None))

    def _clear(self, namespace: tuple[str, ...]) -> int:
        self._held = {address: row for address, row in self._held.items() if address[0][: len(namespace)] != namespace}
        return records.clear(self._connection, RecordFilter(self._bank_id, namespace, False, self._now))

    def _put(self, row: RecordRow | None, write: PutRecord, vectors: RecordVectors | None) -> RecordRow:
        """Stores the record; as it is stored now."""
        self._version += 1
        new = RecordRow(
            id=0 if row is None else row.id,
            namespace=write.namespace,
            key=write.key,
            value=compact_json(write.value),
            text=write.text,
            ordinal=self._version if row is None else row.ordinal,
            version=self._version,
            created_at=self._now if row is None else row.created_at,
            updated_at=self._now,
            ttl_s=write.ttl_s,
            expires_at=None if write.ttl_s is None else later(self._now, timedelta(seconds=write.ttl_s)),
        )
        if vectors is None:
            return records.write(self._connection, self._bank_id, new)
        embedder = vectors.embedder_id(self._connection)
        return records.write(self._connection, self._bank_id, new, vectors.packed, embedder)


def _check_version(row: RecordRow | None, write: PutRecord | DeleteRecord | CheckRecord) -> None:
    """Raises `Conflict` if the record is not the one that the writer has read."""
    stored = 0 if row is None else row.version
    if write.if_version is None or write.if_version == stored:
        return
    expectation = f"version {write.if_version} of it" if write.if_version else "that there is none"
    state = f"it has version {stored}" if stored else "there is none"
    raise Conflict(
        f"the record '{write.key}' in {'/'.join(write.namespace)} was changed by another writer: this write expects "
        f"{expectation}, but {state}; read it and try again"
    )
