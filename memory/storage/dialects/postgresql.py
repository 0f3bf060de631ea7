"""PostgreSQL dialect: a server, concurrent writers, row-level security by bank owner."""

import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    column,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from foxing.memory.errors import InvalidInput, StorageError
from foxing.memory.storage import schema
from foxing.memory.storage.options import BLOBS, DatabaseOptions

from .dialect import Dialect, SchemaObject

#: Oldest supported server version, in libpq's numbering.
MIN_SERVER_VERSION = 140_000
IDLE_S = 5.0  # before a pooled connection is tested on checkout, because the server may have closed it

_OWNER = re.compile(r"[A-Za-z0-9._:@-]{1,200}")
_BARRIER = text("SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS xid) AS text)")
_OLDER = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_xmin IS NOT NULL AND age(backend_xmin) > age(CAST(CAST(:barrier AS text) AS xid))"
)
_BLOCK = text(
    "SELECT setval(s.name, greatest(CAST(:first AS bigint), nextval(s.name)) + :number - 1) "
    "FROM (SELECT CAST(pg_get_serial_sequence('messages', 'id') AS regclass) AS name) s"
)
_OBJECTS = text(
    "SELECT 'trigger', t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace UNION ALL "
    "SELECT 'rule', rulename, tablename FROM pg_rules WHERE schemaname = current_schema()"
)


class PostgreSQL(Dialect):
    """PostgreSQL, through psycopg."""

    name = "postgresql"
    label = "PostgreSQL"
    pool = (20, 0)  # a server allows 100 connections by default; opening one takes 100 ms
    single_writer = False
    has_server = True

    def open_engine(self, url: URL, options: DatabaseOptions) -> Engine:
        """Returns an engine whose connections check the server, and the owner if there is one."""
        if options.owner is not None and not _OWNER.fullmatch(options.owner):
            raise StorageError(
                "an owner must be 1 to 200 characters long and may contain ASCII letters, digits and . _ - : @"
            ).naming("database_owner")
        if find_spec("psycopg") is None:
            raise StorageError("PostgreSQL needs a driver; install it with: pip install 'foxing[postgresql]'")
        engine = create_engine(
            url,
            connect_args=_arguments(url, options),
            hide_parameters=True,  # parameters contain users' messages
            execution_options={BLOBS: options.blobs},
            pool_size=self.pool[0] if options.pool_size is None else options.pool_size,
            max_overflow=self.pool[1] if options.max_overflow is None else options.max_overflow,
            pool_timeout=options.pool_timeout_s,
            pool_use_lifo=True,  # keeps few connections busy under low load, instead of many idle ones
        )
        event.listen(engine, "connect", _check_server, insert=True)  # before SQLAlchemy queries the server
        if options.owner is not None:
            event.listen(engine, "connect", partial(_check_owner, options.owner))
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _try_idle_connection)
        return engine

    def begin_read(self, connection: Connection) -> Connection:
        """Begins a REPEATABLE READ, READ ONLY transaction."""
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def begin_write(self, connection: Connection) -> None:
        """Begins a READ COMMITTED transaction."""
        connection.begin()  # otherwise a transaction without statements would end without a commit event

    def lock(self, connection: Connection, key: int) -> None:
        """Acquires a transaction-level advisory lock."""
        connection.execute(select(func.pg_advisory_xact_lock(key)))

    def lock_table(self, connection: Connection, table: str) -> None:
        """Acquires an ACCESS EXCLUSIVE lock."""
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))

    def limit_lock_waits(self, connection: Connection, within_ms: int) -> None:
        """Sets the lock timeout."""
        connection.execute(text(f"SET LOCAL lock_timeout = {within_ms}"))

    def disable_timeouts(self, connection: Connection) -> None:
        """Disables the timeouts of locks, statements and idle transactions."""
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {limit} = 0"))

    def insert(self, table: Table) -> postgresql.Insert:
        """Returns PostgreSQL's INSERT … ON CONFLICT."""
        return postgresql.insert(table)

    def id_table(self, ids: ColumnElement[Any]) -> Any:
        """Returns `unnest` of the array of ids."""
        return func.unnest(ids).table_valued(column("value", BigInteger)).render_derived().c.value

    def fetch_numbers(
        self, connection: Connection, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Returns the rows of the query."""
        return connection.execute(query, parameters).all()

    def reserve_message_ids(self, connection: Connection, number: int) -> list[int]:
        """Returns values of the sequence of messages, ascending."""
        sequence = text("SELECT nextval(pg_get_serial_sequence('messages', 'id')) FROM generate_series(1, :number)")
        return sorted(connection.execute(sequence, {"number": number}).scalars())

    def reserve_message_block(self, connection: Connection, first: int, number: int) -> int:
        """Moves the sequence of messages behind the block, in one statement, since others may use it meanwhile."""
        return int(connection.execute(_BLOCK, {"first": first, "number": number}).scalar_one()) - number + 1

    def snapshot_barrier(self, connection: Connection) -> str | None:
        """Returns the xmax of the current snapshot."""
        return str(connection.execute(_BARRIER).scalar_one())

    def is_older_running(self, connection: Connection, barrier: str) -> bool:
        """True if another backend has a snapshot older than `barrier`."""
        return bool(connection.execute(_OLDER, {"barrier": barrier}).scalar_one())

    def size(self, connection: Connection) -> int:
        """Returns the size of the whole database."""
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())

    def limit_to_tenant(self, connection: Connection, tenant: str) -> None:
        """Sets the tenant that the policies compare, until the transaction ends."""
        connection.execute(_LIMIT, {"tenant": tenant})

    def grant_tables(self, connection: Connection, role: str) -> None:
        """Grants the tables and sequences to a role that is subject to the policies. Raises `InvalidInput` for one that
        does not exist or is not."""
        row = connection.execute(_ROLE, {"role": role}).first()
        if row is None:
            raise InvalidInput(f"there is no role '{role[:100]}'; create it first: CREATE ROLE … LOGIN PASSWORD …")
        if row.exempt:
            raise InvalidInput(
                f"row-level security does not apply to the role '{role}': it owns the tables, is a superuser or has "
                "BYPASSRLS; name another"
            )
        quoted = connection.dialect.identifier_preparer.quote_identifier(role)
        for grant in _GRANTS:
            connection.execute(text(grant.format(role=quoted)))

    def hides_rows(self, connection: Connection) -> bool:
        """True if row-level security applies to this role."""
        return bool(connection.execute(text("SELECT row_security_active('blobs')")).scalar_one())

    def schema_objects(self, connection: Connection) -> list[SchemaObject]:
        """Returns triggers and rules of Foxing's tables. Tables of other programs are ignored."""
        objects = (SchemaObject(*row) for row in connection.execute(_OBJECTS))
        return [item for item in objects if item.table in schema.metadata.tables]


_LIMIT = text("SELECT set_config('foxing.tenant', :tenant, true)")
_ROLE = text(
    "SELECT rolsuper OR rolbypassrls OR pg_has_role(rolname, (SELECT relowner FROM pg_class WHERE oid = "
    "to_regclass('banks')), 'USAGE') AS exempt FROM pg_roles WHERE rolname = :role"
)
_GRANTS = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
)


def _arguments(url: URL, options: DatabaseOptions) -> dict[str, Any]:
    """Returns libpq's parameters that are not in the URL, which takes precedence."""
    settings: dict[str, str | int] = {
        "timezone": "UTC",  # in another time zone the earliest timestamps would be out of range
        "lock_timeout": round(options.busy_timeout_s * 1000),
        "statement_timeout": round(options.statement_timeout_s * 1000),
        "idle_in_transaction_session_timeout": round(options.idle_timeout_s * 1000),
    }
    if options.owner is not None:
        settings["foxing.owner"] = options.owner
    options_in_url = url.query.get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments = {
        "options": " ".join(
            (ours, *((options_in_url,) if isinstance(options_in_url, str) else options_in_url))
        ).strip(),
        "connect_timeout": max(2, round(options.connect_timeout_s)),  # libpq treats 1 as 2
        "application_name": "foxing",
    }
    return {name: value for name, value in arguments.items() if name == "options" or name not in url.query}


def _check_server(connection: Any, _: ConnectionPoolEntry) -> None:
    """Raises `StorageError` for a server that is too old, or a database that cannot store every text."""
    version = connection.info.server_version
    if version < MIN_SERVER_VERSION:
        raise StorageError(
            f"PostgreSQL {version // 10_000} is too old; foxing needs {MIN_SERVER_VERSION // 10_000} or newer"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StorageError(f"the encoding of this database is {encoding}; create one with ENCODING 'UTF8'")


def _check_owner(owner: str, connection: Any, _: ConnectionPoolEntry) -> None:
    """Raises `StorageError` for a connection that would see the banks of other owners."""
    secured = "SELECT row_security_active(to_regclass('banks')), current_setting('foxing.owner', true)"
    active, present = connection.execute(secured).fetchone()
    connection.rollback()
    if present != owner:
        raise StorageError(
            f"the owner {owner} is not set on this connection; configure the connection pooler to pass 'options'"
        )
    if not active:
        raise StorageError(
            "row-level security does not apply to this role: it owns the tables or is a superuser, or there are no "
            "tables yet. Run foxing db upgrade as the owner of the tables and without database_owner, and connect as "
            "a role that has been granted the tables"
        ).naming("database_owner")


def _note_use(_: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["used_at"] = time.monotonic()


def _try_idle_connection(connection: Any, entry: ConnectionPoolEntry, _: Any) -> None:
    """Makes the pool replace a connection that the server has closed while idle."""
    if time.monotonic() - entry.info.get("used_at", time.monotonic()) < IDLE_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:  # errors of a driver that is not imported here
        raise DisconnectionError from error
