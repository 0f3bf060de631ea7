"""The records of all banks: written all or none, read exactly, listed and searched."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar, Unpack

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from foxing.memory.audit import audited
from foxing.memory.errors import InvalidInput
from foxing.memory.index.vectors import MessageVectors
from foxing.memory.ingest.validate import check_bank_name, check_idempotency_key
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, idempotency, records, schedule
from foxing.memory.storage.repositories.records import RecordFilter, RecordRow
from foxing.memory.storage.secrets import DIGEST_BYTES, digest_key, keyed_digest
from foxing.memory.values.base import first_error
from foxing.memory.values.policy import default_fields
from foxing.memory.values.records import (
    MAX_WRITES,
    FoundRecords,
    Namespaces,
    PutRecord,
    RecordChanges,
    RecordKey,
    Records,
    RecordSearch,
    RecordSearchFields,
    RecordWrite,
)
from foxing.renderer.clock import later

from .listing import list_namespaces, record_of, search_records
from .vectors import QueryVector, RecordEmbedder, given_question
from .writer import RecordWriter

_WRITES: TypeAdapter[list[RecordWrite]] = TypeAdapter(list[RecordWrite])
_KEYS: TypeAdapter[list[RecordKey]] = TypeAdapter(list[RecordKey])

V = TypeVar("V")


@audited(lambda owner: owner._database)
class RecordStore:
    """The records of a memory. Methods that read raise `NotFound` if there is no such bank; `write` creates it."""

    def __init__(self, database: Database, vectors: MessageVectors, now: Callable[[], datetime]) -> None:
        """`vectors`: gives the embedder."""
        self._database = database
        self._vectors = vectors
        self._embedder = RecordEmbedder(vectors.source)
        self._now = now

    def write(
        self,
        bank: str,
        writes: Iterable[RecordWrite | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
    ) -> RecordChanges:
        """Stores and deletes records in the order given, all or none.

        `idempotency_key`: repeating a call with the same key returns the first result. Raises `InvalidInput`, and
        `Conflict` if a record does not have the version asked for or the key was used for something else.
        """
        check_bank_name(bank)
        valid = _validated(_WRITES, writes, "writes")
        check_idempotency_key(idempotency_key)
        digest = keyed_digest(self._digest_key, _request_digest(valid))
        vectors = self._embedder.of_writes(valid)
        now = self._now()  # a first call loads the embedder, during which the time to live has not begun
        with self._database.write() as connection:
            bank_id = banks.get_or_create(connection, bank, now, default_fields()).id

            def write() -> RecordChanges:
                records.delete_expired(connection, now)
                if self._vectors.source.enabled and _are_pending(valid, vectors):
                    schedule.bring_forward(connection, bank_id, "embed")
                return RecordChanges(changes=RecordWriter(connection, bank_id, valid, vectors, now).write())

            if idempotency_key is None:
                result = write()
            else:
                use = idempotency.Use(idempotency_key, digest, now)
                result = idempotency.answered_once(connection, bank_id, use, RecordChanges, write)
        if any(change.deleted for change in result.changes):
            self._database.postpone_purge()
        return result

    def get(
        self, bank: str, keys: Iterable[RecordKey | Mapping[str, Any]], *, refresh_ttl: bool = False
    ) -> FoundRecords:
        """The records under these keys. `refresh_ttl`: whether they live for their `ttl_s` from now on. Raises
        `NotFound`, `InvalidInput`."""
        valid = _validated(_KEYS, keys, "records")
        now = self._now()
        with self._database.write() if refresh_ttl else self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            if refresh_ttl:
                banks.lock(connection, bank_id)
            stored = records.find_many(connection, bank_id, [(key.namespace, key.key) for key in valid])
            alive = {address: row for address, row in stored.items() if row.is_alive(now)}
            if refresh_ttl:
                refresh(connection, list(alive.values()), now)
        rows = [alive.get((key.namespace, key.key)) for key in valid]
        return FoundRecords(records=[None if row is None else record_of(row) for row in rows])

    def search(self, bank: str, search: RecordSearch | None = None, **fields: Unpack[RecordSearchFields]) -> Records:
        """The records of some namespaces: all of them, those that meet conditions, or those that match a query.

        `fields`: those of a `RecordSearch`, which they replace. Raises `NotFound`, `InvalidInput`, `InvalidCursor`.
        """
        values = (search or RecordSearch()).model_dump() | fields
        valid = RecordSearch.from_fields(values)
        now = self._now()
        question = self._question(valid)
        with self._database.write() if valid.refresh_ttl else self._database.read() as connection:
            bank_id = banks.get(connection, bank).id
            if valid.refresh_ttl:
                banks.lock(connection, bank_id)
            scope = RecordFilter(bank_id, valid.namespace, valid.exact, now)
            rows, result = search_records(connection, scope, valid, question)
            if valid.refresh_ttl:
                refresh(connection, rows, now)
        return result

    def namespaces(
        self, bank: str, *, prefix: Sequence[str] = (), limit: int = 100, cursor: str | None = None
    ) -> Namespaces:
        """The namespaces that hold records and begin with `prefix`. `limit`: 1 to 500. Raises `NotFound`,
        `InvalidInput`, `InvalidCursor`."""
        labels = RecordSearch.from_fields({"namespace": list(prefix)}).namespace
        with self._database.read() as connection:
            scope = RecordFilter(banks.get(connection, bank).id, labels, False, self._now())
            return list_namespaces(connection, scope, limit, cursor)

    def _question(self, search: RecordSearch) -> QueryVector | None:
        if search.vector is not None:
            return given_question(search.vector)
        question = self._vectors.question(search.query or "")
        return None if question.vector is None else QueryVector(question.embedder, question.vector)

    @cached_property
    def _digest_key(self) -> bytes:
        with self._database.read() as connection:
            return digest_key(connection)


def _validated(adapter: TypeAdapter[list[V]], items: Iterable[Any], name: str) -> list[V]:
    """The items of a call, 1 to `MAX_WRITES` of them. Raises `InvalidInput`."""
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise InvalidInput(f"{name} must be a list, not {type(items).__name__}")
    plain = [dict(item) if isinstance(item, Mapping) else item for item in items]
    if not 1 <= len(plain) <= MAX_WRITES:
        raise InvalidInput(f"a call has 1 to {MAX_WRITES:,} {name}, not {len(plain):,}")
    try:
        return adapter.validate_python(plain)
    except ValidationError as error:
        raise InvalidInput(f"{name}.{first_error(error)[1]}") from error
    except RecursionError as error:
        raise InvalidInput(f"{name}: values are nested too deeply; give them as a string") from error


def _are_pending(writes: Sequence[RecordWrite], vectors: Mapping[int, object]) -> bool:
    """Returns True if a record has text to search and no vectors."""
    puts = ((number, write) for number, write in enumerate(writes) if isinstance(write, PutRecord))
    return any(put.text != "" and number not in vectors for number, put in puts)


def refresh(connection: Connection, rows: Sequence[RecordRow], now: datetime) -> None:
    """Lets records that expire live for their `ttl_s` from now on."""
    for row in rows:
        if row.ttl_s is not None:
            records.extend(connection, row.id, later(now, timedelta(seconds=row.ttl_s)))


def _request_digest(writes: Sequence[RecordWrite]) -> bytes:
    content = json.dumps(["records", [write.model_dump(mode="json") for write in writes]])
    return hashlib.sha256(content.encode()).digest()[:DIGEST_BYTES]
