"""Row-level security by tenant: what a role that owns no table sees of other tenants, whatever the query asks."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import ProgrammingError
from support.databases import PostgresServer, execute

from foxing.memory import Access, DatabaseOptions, InvalidInput, Maintenance, Memory, StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database

ROLE = "service"
SAID = [{"role": "user", "content": f"Titan ships from Hamburg on day {n}.", "id": f"m{n}"} for n in range(40)]


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a role that was granted the tables by `Maintenance.grant`, of which it owns none."""
    url = postgres_server.new_database()
    with suppress(ProgrammingError):
        execute(url, f"CREATE ROLE {ROLE} LOGIN")
    with Maintenance(url) as maintenance:
        maintenance.migrate()
        maintenance.grant(ROLE)
    yield make_url(url).set(username=ROLE).render_as_string(hide_password=False)
    execute(url, f"DROP OWNED BY {ROLE}")
    execute(url, f"DROP ROLE {ROLE}")


def test_a_transaction_of_a_tenant_sees_no_row_of_another(url: str) -> None:
    with Memory(DatabaseOptions(url)) as memory:
        for tenant in ("acme", "globex"):
            with Access(tenant=tenant).limiting():
                memory.store("plans", SAID, thread="t")
                memory.seal("plans")
                memory.operations.keys.create({"name": "n", "role": "read"})
        memory.store("plans", SAID[:1])
        with Access(tenant="acme").limiting():
            assert len(memory.recall("plans", "Titan", limit=50).spans) == 40
            assert [bank.id for bank in memory.banks().banks] == ["acme~plans"]
    with Database(DatabaseOptions(url)) as database:
        counts = {}
        for tenant in ("acme", "globex", "initech", None):
            with Access(tenant=tenant).limiting(), database.read() as connection:
                counts[tenant] = [
                    len(connection.execute(select(table)).all())
                    for table in schema.metadata.sorted_tables
                    if {"bank_id", "page_id"} & set(table.c.keys()) or table.name in ("banks", "api_keys")
                ]
        assert min(sum(counts["acme"]), sum(counts["globex"])) > 10
        assert not any(counts["initech"])
        # an operator sees all, also on a connection that a tenant has used
        for everything, *own in zip(counts[None], counts["acme"], counts["globex"], strict=True):
            assert everything >= sum(own)


def test_a_transaction_of_a_tenant_writes_no_row_of_another(url: str) -> None:
    with Memory(DatabaseOptions(url)) as memory, Access(tenant="acme").limiting():
        memory.store("plans", SAID)
    with Database(DatabaseOptions(url)) as database:
        with Access(tenant="acme").limiting(), database.write() as connection:
            changed = connection.execute(schema.banks.update().values(policy={}))
            erased = connection.execute(text("DELETE FROM page_contents WHERE page_id IN (SELECT id FROM pages)"))
            assert (changed.rowcount, erased.rowcount) != (0, 0)
            connection.rollback()
        with (
            pytest.raises(StorageError, match="permissions"),
            Access(tenant="acme").limiting(),
            database.write() as connection,
        ):
            connection.execute(schema.banks.update().where(schema.banks.c.name == "acme~plans").values(tenant="globex"))


def test_tables_are_granted_to_roles_that_are_subject_to_the_policies(
    postgres_server: PostgresServer, database_path: Path
) -> None:
    owner = postgres_server.new_database()
    with Maintenance(owner) as maintenance:
        maintenance.migrate()
        with pytest.raises(InvalidInput, match="there is no role 'nobody-\\$'"):
            maintenance.grant("nobody-$")
        with pytest.raises(InvalidInput, match="row-level security does not apply"):
            maintenance.grant(make_url(owner).username or "postgres")
    with Maintenance(database_path) as maintenance:
        maintenance.migrate()
        with pytest.raises(InvalidInput, match="SQLite has no roles"):
            maintenance.grant("service")
