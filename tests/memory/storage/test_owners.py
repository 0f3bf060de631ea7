"""PostgreSQL's row-level security keeps the banks of each owner from all others, in every table."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Table, make_url, text
from sqlalchemy.exc import ProgrammingError
from support.databases import PostgresServer, execute
from support.images import encoded

from foxing.memory import Conflict, DatabaseOptions, Memory, MemoryOptions, NotFound, StorageError, StoreResult
from foxing.memory.ingest.calls import StoreCall
from foxing.memory.ingest.importers.importer import ImportOptions, check_file
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import (
    bank_jobs,
    banks,
    embeddings,
    facts,
    folds,
    idempotency,
    images,
    integrity,
    jobs,
    messages,
    model_calls,
    open_messages,
    pages,
    postings,
    quarantine,
    recall_weights,
    records,
    schedule,
    trash,
)

pytestmark = pytest.mark.usefixtures("message_ages")

ROLE = "tenant"
TENANT = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO tenant"
SAID = [
    {
        "role": "user",
        "content": f"Titan ships from Hamburg on day {n}, see https://example.org/orders/{n}?of=titan.",
        "id": f"m{n}",
        "name": "Mina",
    }
    for n in range(60)
]
RECORD = {"op": "put", "namespace": ["a"], "key": "k", "value": {"colour": "red"}}
OWNED = [table for table in schema.metadata.sorted_tables if table.name not in schema.SHARED_TABLES]


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database whose tables a role may use that owns none of them."""
    url = postgres_server.new_database()
    with suppress(ProgrammingError):
        execute(url, f"CREATE ROLE {ROLE} LOGIN")
    execute(url, f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    execute(url, TENANT)
    yield url
    execute(url, f"DROP OWNED BY {ROLE}")
    execute(url, f"DROP ROLE {ROLE}")


def options(url: str, owner: str | None, role: str = ROLE) -> DatabaseOptions:
    return DatabaseOptions(make_url(url).set(username=role).render_as_string(hide_password=False), owner=owner)


@pytest.fixture(scope="module")
def filled(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database in which Ana has a bank with rows in every table, and Ben a bank of one message."""
    path = tmp_path_factory.mktemp("history") / "a.jsonl"
    path.write_text('{"role": "user", "content": "Titan ships."}')
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    recorded = MemoryOptions(audit="all")
    with Memory(options(url, "ana"), clock=lambda: clock[0], options=recorded) as memory:
        memory.store("notes", SAID, thread="orders", idempotency_key="once")
        memory.seal("notes")
        memory.recall("notes", "Titan")
        memory.records.write("notes", [RECORD])
        clock[0] += timedelta(days=40)
        memory.age("notes")
        memory.store("notes", [{"role": "user", "content": "Titan is late.", "id": "new"}])
        photo = {"type": "image", "data": encoded()}
        memory.store("notes", [{"role": "user", "content": [photo], "id": "photo"}])
        memory.store("notes", [{"role": "user", "content": "Never mind.", "id": "erased"}])
        memory.erase_message("notes", "erased")
        memory.message("notes", "m1")
        memory.operations.jobs.fill(memory.now())
        memory.operations.imports.add("notes", check_file(path, ImportOptions()))
        memory.operations.keys.create({"name": "Ana", "role": "read"})
    with Memory(options(url, "ben")) as memory:
        memory.store("diary", [{"role": "user", "content": "Hello.", "id": "m1"}])
    bank = execute(url, "SELECT id FROM banks WHERE name = 'notes'")[0][0]
    blob = f"'00-00', '\\x00', {bank}, 1, 1, 'ana'"
    execute(url, f"INSERT INTO blobs (name, digest, bank, size, uses, owner) VALUES ({blob})")
    key = rf"'\x{'00' * 16}'"
    fold = f"{bank}, {key}, 1, NULL, 'orders', 4, {key}, 8, '\\x', 10, 90, 0, 1.5, '\\x', now()"
    execute(url, f"INSERT INTO folds VALUES ({fold})")
    names = "bank_id, key, thread, role, created_at, rule, digest, arrived_at, message"
    row = rf"{bank}, 'q', 'main', 'tool', now(), 'r', '\x', now(), '{{}}'"
    execute(url, f"INSERT INTO quarantine ({names}) VALUES ({row})")
    call = f"1, {bank}, 'c', now(), now(), 's', '', 'm', true, true, true, true, 0, 1, 1, 1, 1, 1, 1, 1, 1"
    execute(url, f"INSERT INTO model_calls VALUES ({call})")
    dropped = f"{bank}, (SELECT id FROM images), 'image/png', 1, 1, 1, '\\x00', now()"
    names = "bank_id, image_id, media_type, width, height, bytes, content, purge_at"
    execute(url, f"INSERT INTO image_trash ({names}) VALUES ({dropped})")
    execute(url, f"INSERT INTO recall_weights VALUES ({bank}, 1, 1) ON CONFLICT DO NOTHING")
    fact = f"{bank}, 1, 0, 4, 'goal', false, now(), '\\x00'"
    names = "bank_id, message_id, start, stop, kind, changes, said_at, marks"
    execute(url, f"INSERT INTO facts ({names}) VALUES ({fact}) ON CONFLICT DO NOTHING")
    execute(url, f"INSERT INTO message_expiries VALUES ({bank}, 1, now())")
    held = f"'h', {bank}, 'case', now(), 'ana'"
    execute(url, f"INSERT INTO holds (key, bank_id, reason, since, owner) VALUES ({held})")
    execute(
        url,
        "INSERT INTO jobs (bank_id, kind, state, run_after, created_at) "
        f"VALUES ({bank}, 'embed', 'waiting', now(), now()) ON CONFLICT DO NOTHING",
    )
    return url


def test_every_table_with_rows_of_a_bank_has_a_policy(url: str) -> None:
    secured = execute(url, "SELECT relname FROM pg_class WHERE relrowsecurity AND relkind = 'r'")
    policies = execute(url, "SELECT tablename FROM pg_policies WHERE cmd = 'ALL' AND permissive = 'PERMISSIVE'")
    names = {table.name for table in OWNED} | {"tenants", "usage_days"}  # by tenant
    assert ({name for (name,) in secured}, {name for (name,) in policies}) == (names, names)


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
@pytest.mark.parametrize("owner", ["ben", None])
def test_rows_of_another_owner_are_neither_read_nor_written(filled: str, table: Table, owner: str | None) -> None:
    columns = [column.name for column in table.columns]
    if (table.name, "owner") in schema.POLICY_COLUMNS:
        columns.append("owner")
    names, key = ", ".join(columns), table.primary_key.columns.keys()
    ours = _rows_of_ana(filled, table, names)
    assert ours
    database = Database(options(filled, owner))
    try:
        with database.engine.connect() as connection:
            where = " AND ".join(f"{name} = :{name}" for name in key)
            for row in ours:
                at = {name: value for name, value in row.items() if name in key}
                found = connection.execute(text(f"SELECT count(*) FROM {table.name} WHERE {where}"), at).scalar_one()
                changed = connection.execute(text(f"UPDATE {table.name} SET {key[0]} = {key[0]} WHERE {where}"), at)
                deleted = connection.execute(text(f"DELETE FROM {table.name} WHERE {where}"), at)
                assert (found, changed.rowcount, deleted.rowcount) == (0, 0, 0)
            copied = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(f':{name}' for name in columns)})"
            with pytest.raises(ProgrammingError, match="row-level security policy"):
                connection.execute(text(copied), ours[0])
    finally:
        database.close()
    assert _rows_of_ana(filled, table, names) == ours


def _rows_of_ana(url: str, table: Table, names: str) -> list[dict[str, Any]]:
    """Rows of her bank as the owner of the tables sees them, JSON as text."""
    bank = "(SELECT id FROM banks WHERE owner = 'ana')"
    if "bank_id" in table.c:
        condition = f"bank_id IN {bank}"
    elif "page_id" in table.c:
        condition = f"page_id IN (SELECT id FROM pages WHERE bank_id IN {bank})"
    else:
        condition = "owner = 'ana'"
    json = ("policy", "layout", "answer", "metadata", "job", "options")
    selected = ", ".join(f"{name}::text" if name in json else name for name in names.split(", "))
    rows = execute(url, f"SELECT {selected} FROM {table.name} WHERE {condition} ORDER BY 1, 2")
    return [dict(zip(names.split(", "), row, strict=True)) for row in rows]


def test_repositories_find_nothing_of_another_owner(filled: str) -> None:
    now = datetime.now(UTC)
    [(bank,)] = execute(filled, "SELECT id FROM banks WHERE owner = 'ana'")
    threads = [number for (number,) in execute(filled, f"SELECT id FROM threads WHERE bank_id = {bank}")]
    ids = [number for (number,) in execute(filled, "SELECT message_id FROM message_keys WHERE owner = 'ana'")]
    [(job,)] = execute(filled, "SELECT key FROM bank_jobs")
    on = [number for (number,) in execute(filled, f"SELECT id FROM pages WHERE bank_id = {bank}")]
    finders: dict[str, Callable[[Connection], Any]] = {
        "banks": lambda connection: banks.find(connection, "notes"),
        "threads": lambda connection: banks.thread_names(connection, threads),
        "messages": lambda connection: messages.by_ids(connection, bank, ids),
        "keys": lambda connection: messages.by_keys(connection, bank, ["m1", "new"]),
        "erased messages": lambda connection: messages.erased(connection, bank, range(1, 1000)),
        "open messages": lambda connection: open_messages.count(connection, bank),
        "pages": lambda connection: pages.by_ids(connection, on),
        "contents": lambda connection: pages.contents(connection, on),
        "manifests": lambda connection: messages.on_pages(connection, on),
        "keepsakes": lambda connection: pages.keepsakes_of(connection, on),
        "images": lambda connection: images.of_messages(connection, bank, ids),
        "image files": lambda connection: images.contents(connection, bank, range(1, 100)),
        "folds": lambda connection: folds.of_conversation(connection, bank, bytes(16)),
        "quarantine": lambda connection: quarantine.list_after(connection, bank, 0, 1, now),
        "model calls": lambda connection: model_calls.last_of(connection, bank, "s", ""),
        "recent postings": lambda connection: postings.recent(connection, bank),
        "postings": lambda connection: postings.segments(connection, bank),
        "embeddings": lambda connection: embeddings.codes_after(connection, bank, 1, 0),
        "packed embeddings": lambda connection: list(integrity.code_segments(connection, bank)),
        "recall_weights": lambda connection: recall_weights.strengths(connection, bank, ids, now),
        "facts": lambda connection: facts.newest(connection, bank, None, 1),
        "trash": lambda connection: trash.entries(connection, bank),
        "answers": lambda connection: idempotency.find_answer(connection, bank, "once", now - timedelta(days=999)),
        "records": lambda connection: list(records.every(connection, records.RecordFilter(bank, (), False, now), None)),
        "schedule": lambda connection: schedule.find(connection, bank, "seal"),
        "jobs": lambda connection: jobs.length(connection).waiting,
        "jobs of the bank": lambda connection: bank_jobs.find_in_bank(connection, bank, job),
        "any job": lambda connection: bank_jobs.find(connection, job),
    }
    found: dict[str, list[str]] = {}
    for owner in ("ana", "ben"):
        database = Database(options(filled, owner))
        with database.read() as connection:
            found[owner] = [name for name, find in finders.items() if find(connection)]
        database.close()
    assert found == {"ana": list(finders), "ben": []}


def test_a_bank_of_another_owner_is_not_locked(filled: str) -> None:
    [(bank,)] = execute(filled, "SELECT id FROM banks WHERE owner = 'ana'")
    database = Database(options(filled, "ben"))
    with pytest.raises(NotFound), database.write() as connection:
        banks.lock(connection, bank)
    database.close()


def test_owners_have_memories_of_their_own(filled: str) -> None:
    with Memory(options(filled, "ben")) as ben, Memory(options(filled, "ana")) as ana:
        assert [bank.id for bank in ben.banks().banks] == ["diary"]
        assert [bank.id for bank in ana.banks().banks] == ["notes"]
        hidden = ben.recall("notes", "Titan")
        assert (hidden.spans, hidden.notes) == (
            [],
            ["there is no bank 'notes'; a bank is created with its first message or its policy"],
        )
        with pytest.raises(Conflict, match="another owner's bank"):
            ben.store("notes", [{"role": "user", "content": "mine?"}])
        assert ana.recall("notes", "Titan").spans
        assert ben.recall("diary", "Hello").spans
        before = ana.bank("notes")
        ben.tick()
        assert ana.bank("notes") == before
        ben.erase_bank("diary")
        with pytest.raises(NotFound):
            ben.bank("diary")
        assert ana.message("notes", "new").text == "Titan is late."


def test_a_name_that_another_owner_has_fails_alone(filled: str) -> None:
    with Memory(options(filled, "carla")) as memory:
        calls = [StoreCall(bank, [{"role": "user", "content": "mine?"}]) for bank in ("notes", "letters")]
        taken, stored = memory.operations.store_each(calls)
    assert isinstance(taken, Conflict)
    assert isinstance(stored, StoreResult)
    assert stored.stored == 1


def test_without_an_owner_there_are_the_banks_that_are_nobodys(filled: str) -> None:
    with Memory(options(filled, None)) as memory:
        assert memory.banks().banks == []
        memory.store("ours", [{"role": "user", "content": "Hello."}])
    with Memory(options(filled, "ana")) as memory, pytest.raises(NotFound):
        memory.bank("ours")
    with Memory(filled) as memory:  # as the owner of the tables
        assert {"notes", "letters", "ours"} <= {bank.id for bank in memory.banks().banks}


def test_a_role_that_row_level_security_does_not_apply_to_is_refused(filled: str) -> None:
    role = make_url(filled).username or ""
    with pytest.raises(StorageError, match="does not apply to this role"):
        Memory(options(filled, "ana", role))


def test_an_empty_database_is_not_migrated_for_an_owner(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database(migrated=False)
    with pytest.raises(StorageError, match="there are no tables yet"):
        Memory(options(url, "ana", make_url(url).username or ""))


def test_an_owner_needs_postgresql_and_a_plain_name(filled: str, tmp_path: Any) -> None:
    with pytest.raises(StorageError, match="bank owners require PostgreSQL"):
        Memory(DatabaseOptions(tmp_path / "foxing.db", owner="ana"))
    with pytest.raises(StorageError, match="an owner must be"):
        Memory(options(filled, "ana -c role=postgres"))
