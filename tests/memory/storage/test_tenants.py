"""Row-level security by tenant: what a role that owns no table sees of other tenants, whatever the query asks."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import ProgrammingError
from support.databases import PostgresServer, execute

from foxing.memory import (
    Access,
    DatabaseOptions,
    Held,
    InvalidInput,
    Maintenance,
    Memory,
    MemoryOptions,
    NotFound,
    StorageError,
)
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


def filled_by_tenants(url: str) -> Memory:
    """A memory with limits, usage, audit events and holds of two tenants and of the operator."""
    memory = Memory(DatabaseOptions(url), options=MemoryOptions(audit="all", embedder="none"))
    holds = memory.operations.holds
    for tenant in ("acme", "globex"):
        memory.operations.limits.set(tenant, {"requests_per_s": 1000})
        access = Access(tenant=tenant, key_id=f"{tenant:.4}0000")
        memory.operations.limits.admit(access)
        with access.limiting():
            memory.store("held", [{"role": "user", "name": "Mina", "content": "hello"}], thread="t")
            memory.recall("held", "hello")
            if not holds.list().holds:
                holds.set({"person": f"of {tenant}", "reason": "case"})
    if len(holds.list().holds) < 4:
        holds.set({"bank": "globex~held", "reason": "of the operator, on a bank"})
        holds.set({"person": "Rosa", "reason": "of the operator, on a person"})
    memory.operations.limits.write()
    memory.operations.audit.flush()
    return memory


def test_limits_usage_audit_and_holds_are_those_of_the_tenant(url: str) -> None:
    filled_by_tenants(url).close()
    names = {"tenants": "name", "usage_days": "tenant", "audit_events": "tenant", "holds": "tenant"}
    with Database(DatabaseOptions(url)) as database:
        rows = {}
        for tenant in ("acme", "initech", None):
            with Access(tenant=tenant).limiting(), database.read() as connection:
                rows[tenant] = {
                    table: set(connection.execute(text(f"SELECT {column} FROM {table}")).scalars())
                    for table, column in names.items()
                }
                chains = connection.execute(text("SELECT count(*) FROM audit_chain")).scalar_one()
                assert chains == (1 if tenant is None else 0)
        assert rows["acme"] == {table: {"acme"} for table in names} | {"holds": {"acme", None}}
        assert rows["initech"] == {table: set() for table in names} | {"holds": {None}}
        assert all({"acme", "globex"} <= values for values in rows[None].values())
        with Access(tenant="acme").limiting(), database.read() as connection:
            reasons = set(connection.execute(text("SELECT reason FROM holds")).scalars())
        assert reasons == {"case", "of the operator, on a person"}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tenants (name, created_at, limits) VALUES ('globex2', now(), '{}')",
        "INSERT INTO usage_days (day, tenant, key_id) VALUES (current_date, 'globex2', '')",
        "INSERT INTO audit_events (at, tenant, door, action, outcome) VALUES (now(), 'globex', 'http', 'x', 'done')",
        "INSERT INTO holds (key, tenant, person, reason, since) VALUES ('x', NULL, 'p', 'r', now())",
        "INSERT INTO audit_chain (number, hash, purged, purged_hash) VALUES (0, '', 0, '')",
        "UPDATE usage_days SET tenant = 'globex3' WHERE tenant = 'acme'",
    ],
)
def test_a_tenant_writes_no_such_row_of_another(url: str, statement: str) -> None:
    filled_by_tenants(url).close()
    with (
        Database(DatabaseOptions(url)) as database,
        pytest.raises(StorageError, match="permissions"),
        Access(tenant="acme").limiting(),
        database.write() as connection,
    ):
        connection.execute(text(statement))


def test_a_tenant_neither_changes_nor_deletes_holds_of_the_operator(url: str) -> None:
    filled_by_tenants(url).close()
    statements = ("UPDATE holds SET reason = 'x'", "DELETE FROM holds", "DELETE FROM usage_days")
    with (
        Database(DatabaseOptions(url)) as database,
        Access(tenant="acme").limiting(),
        database.write() as connection,
    ):
        for statement in statements:
            assert connection.execute(text(f"{statement} WHERE tenant IS DISTINCT FROM 'acme'")).rowcount == 0


def test_the_service_does_its_work_under_the_policies(url: str) -> None:
    """Limits, usage, the audit log and holds work for a tenant, and for the operator."""
    with filled_by_tenants(url) as memory:
        limits = memory.operations.limits
        acme, globex = (Access(tenant=tenant, key_id=f"{tenant:.4}0000") for tenant in ("acme", "globex"))
        limits.admit(globex)
        with acme.limiting():
            assert limits.get("acme").requests_per_s == 1000
            assert {row.tenant for row in limits.usage().rows} == {"acme"}  # and writes what globex was counted
            assert {event.tenant for event in memory.operations.audit.list().events} == {"acme"}
            with pytest.raises(NotFound):
                memory.erase_message("held", "none")
            memory.store("own", [{"role": "user", "name": "rosa", "content": "hi", "id": "r"}])
            with pytest.raises(Held, match="Rosa"):
                memory.erase_message("own", "r")
            memory.store("own", [{"role": "user", "name": "Carl", "content": "hi", "id": "c"}])
            assert memory.erase_message("own", "c").messages == 1
            assert memory.operations.audit.verify().intact
        with globex.limiting(), pytest.raises(Held):
            memory.erase_bank("held")
        assert {"acme", "globex"} <= {row.tenant for row in limits.usage().rows}
        assert memory.operations.audit.verify().intact


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
