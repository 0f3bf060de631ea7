"""Measures a scheduler tick when nothing is due in any of many banks.

python -m benchmarks.idle_banks --banks 20000 --postgresql --json
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, String, Table, cast, func, insert, literal, select, text

from foxing.memory import Memory
from foxing.memory.index.postings import Postings
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.manifest import PageManifest
from foxing.memory.storage.packed_codes import pack_codes, unpack_codes
from foxing.memory.storage.secrets import index_key
from foxing.memory.text.passages import document_key

from .command_line import Advance, command, measuring, write_result
from .postgresql import PostgresServer

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = START + timedelta(days=10)
SENTENCE = "We agreed that message {} goes out on Friday, after the figures of March have been looked at again."
MESSAGES = 40  # per bank and kind: aged, sealed and open

#: Columns that must differ between banks, in addition to ids.
_UNIQUE_TEXTS = {("banks", "name"), ("pages", "key")}
#: Tables shared by all banks.
_SHARED = schema.SHARED_TABLES | {"blobs"}
#: Columns that hold message ids without a foreign key.
_MESSAGES = frozenset({"message_id", "first_message", "last_message"})


@dataclass(frozen=True)
class IdleTick:
    """Duration in ms of ticks without due work. Every bank has aged, sealed and open messages, and a trash."""

    #: Name of the database.
    database: str
    banks: int
    pages: int
    messages: int
    open_messages: int
    ticks: int
    p50_ms: float
    max_ms: float


def measure_idle_tick(place: Path | str, number: int, ticks: int, progress: Advance | None = None) -> IdleTick:
    """Creates `number` banks in a new database at a path or URL, and times `ticks` ticks. Raises `RuntimeError` if a
    tick finds work."""
    with Memory(place, clock=lambda: NOW) as memory:
        _make_bank(memory)
        bank = memory.bank("bench")
    copy_bank(place, number, progress)
    times_ms: list[float] = []
    with Memory(place, clock=lambda: NOW) as memory:
        for _ in range(ticks):
            started = time.perf_counter()
            report = memory.tick()
            times_ms.append((time.perf_counter() - started) * 1e3)
            if report.sealed_pages or report.moved_pages or report.purged or report.failed_banks:
                raise RuntimeError(f"the banks were not idle: {report}")
    return IdleTick(
        database="SQLite" if isinstance(place, Path) else "PostgreSQL",
        banks=number,
        pages=number * bank.pages,
        messages=number * bank.messages,
        open_messages=number * bank.open_messages,
        ticks=ticks,
        p50_ms=round(median(times_ms), 2),
        max_ms=round(max(times_ms), 2),
    )


def _make_bank(memory: Memory) -> None:
    """Creates a bank with a page aged once, a fresh page, and open messages. Nothing in it is due."""
    memory.set_policy("bench", {"age_from": "message"})
    for name, day in (("aged", 0), ("sealed", 8), ("open", 9)):
        at = START + timedelta(days=day)
        memory.store(
            "bench",
            [
                {"role": "user", "content": SENTENCE.format(n), "created_at": at + timedelta(minutes=n)}
                for n in range(MESSAGES)
            ],
            thread=name,
        )
        if name != "open":
            memory.seal("bench", now=at + timedelta(hours=1))
    memory.age("bench")
    memory.tick()


def copy_bank(place: Path | str, number: int, progress: Advance | None = None) -> None:
    """Copies the only bank of the database at a path or URL until there are `number` banks; each copy has a name of its
    own. Raises `ValueError` if messages of the bank have ids given by their sender."""
    database = Database(place)
    tables = [table for table in schema.metadata.sorted_tables if table.name not in _SHARED]
    with database.write() as connection:
        if connection.execute(select(func.count()).select_from(schema.message_keys)).scalar_one():
            raise ValueError("messages of a bank that is copied must not have ids of their own")
        bank_id = connection.execute(select(schema.banks.c.id)).scalar_one()
        # each copy has the index of the bank, and so its key
        connection.execute(schema.banks.update().values(index_key=index_key(connection, bank_id)))
        rows_per_bank = {table.name: _highest_id(connection, table) for table in tables}
        newest = select(func.max(schema.message_ranges.c.last_message))
        rows_per_bank["messages"] = max(rows_per_bank["messages"], connection.execute(newest).scalar() or 0)
        copied = 1
        while copied < number:  # doubles
            count = min(copied, number - copied)
            for table in tables:
                _copy_rows(connection, table, rows_per_bank, copied, count)
            for copy in range(copied, copied + count):
                _shift_packed(connection, rows_per_bank, copy, copied)
            copied += count
            if progress is not None:
                progress(copied, number)
        _advance_ids(connection, tables, rows_per_bank["messages"] * copied)
    database.close()


def _advance_ids(connection: Connection, tables: Sequence[Table], newest_message: int) -> None:
    """Advances the id counters of the database past the copied ids. Sealed messages have no row with their id."""
    if connection.dialect.name == "sqlite":  # continues after the last row, except in the table of messages
        advance = text("UPDATE sqlite_sequence SET seq = :seq WHERE name = 'messages'")
        connection.execute(advance, {"seq": newest_message})
        return
    for table in tables:
        if "id" not in table.c:
            continue
        messages = table is schema.messages
        highest = newest_message if messages else connection.scalar(select(func.max(table.c.id)))
        if highest:
            connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), highest)))


def _highest_id(connection: Connection, table: Table) -> int:
    """Highest id of a table in a database with one bank; 0 for a table without ids."""
    return connection.execute(select(func.max(table.c.id))).scalar() or 0 if "id" in table.c else 0


def _copy_rows(connection: Connection, table: Table, rows_per_bank: Mapping[str, int], copied: int, count: int) -> None:
    """Copies the rows of the first `count` of `copied` banks; the new ids continue the existing ones."""
    columns: list[ColumnElement[Any]] = []
    for column in table.columns:
        owner = _owner(column)
        if owner is not None:
            columns.append(column + rows_per_bank[owner] * copied)
        elif (table.name, column.name) in _UNIQUE_TEXTS:
            # The texts of copies of copies would not fit into the column if each kept what it had.
            columns.append(literal("copy-").concat(cast(table.c.id + rows_per_bank[table.name] * copied, String)))
        else:
            columns.append(column)
    first = next(column for column in table.columns if _owner(column) is not None)
    rows = select(*columns).where(first <= rows_per_bank[str(_owner(first))] * count)
    connection.execute(insert(table).from_select(table.columns.keys(), rows))


def _shift_packed(connection: Connection, rows_per_bank: Mapping[str, int], copy: int, copied: int) -> None:
    """Shifts the message and thread ids in the packed rows of bank `copy`, a copy of the bank `copied` before it."""
    messages, threads = rows_per_bank["messages"] * copied, rows_per_bank["threads"] * copied
    manifests, segments = schema.page_manifests, schema.posting_segments
    pages = rows_per_bank["pages"]
    of_copy = manifests.c.page_id.between(pages * copy + 1, pages * (copy + 1))
    for page_id, packed in connection.execute(select(manifests.c.page_id, manifests.c.manifest).where(of_copy)):
        held = PageManifest.unpack(packed)
        shifted = replace(held, ids=held.ids + messages, threads=held.threads + threads).pack()
        values = {"stamp": secrets.randbits(62), "manifest": shifted}
        connection.execute(manifests.update().where(manifests.c.page_id == page_id).values(**values))
    of_bank = segments.c.bank_id == copy + 1
    for segment_id, packed in connection.execute(select(segments.c.id, segments.c.postings).where(of_bank)):
        found = Postings.unpack(packed)
        shifted = replace(found, documents=found.documents + document_key(messages, 0)).pack()
        values = {"stamp": secrets.randbits(62), "postings": shifted}
        connection.execute(segments.update().where(segments.c.id == segment_id).values(**values))
    codes = schema.embedding_segments
    for segment_id, packed in connection.execute(select(codes.c.id, codes.c.codes).where(codes.c.bank_id == copy + 1)):
        moved = pack_codes({i + messages: code for i, code in unpack_codes(packed).items()})
        connection.execute(codes.update().where(codes.c.id == segment_id).values(codes=moved))


def _owner(column: Column[Any]) -> str | None:
    """Table whose ids a column holds; None for other columns."""
    if column.name == "id":
        return str(column.table.name)
    if column.name == "bank_id":
        return "banks"
    if column.name in _MESSAGES:
        return "messages"
    owners = (key.column.table.name for key in column.foreign_keys)
    return next((owner for owner in owners if owner not in _SHARED), None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command(
        "idle_banks",
        "Measure a scheduler tick over banks in which nothing is due, on a new database: SQLite by default.",
        ("banks", 1, 5000, "Banks"),
        ("ticks", 1, 20, "Ticks"),
    )
    parser.add_argument("--postgresql", action="store_true", help="On a PostgreSQL server that it starts.")
    options = parser.parse_args(arguments)
    with measuring("copying banks") as (folder, progress), ExitStack() as stack:
        server = stack.enter_context(PostgresServer(folder)) if options.postgresql else None
        place = folder / "bench.db" if server is None else server.url
        result = measure_idle_tick(place, options.banks, options.ticks, progress)
    write_result(options, result)


if __name__ == "__main__":
    main()
