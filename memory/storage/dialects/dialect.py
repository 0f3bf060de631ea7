"""Interface of SQL dialects."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

from foxing.memory.errors import InvalidInput
from foxing.memory.storage.options import DatabaseOptions

Upsert = postgresql.Insert | sqlite.Insert


class SchemaObject(NamedTuple):
    """A table, an index, a trigger or a view."""

    kind: str
    name: str
    table: str
    #: True if it has no storage in the file, like a view or a virtual table.
    virtual: bool = False

    def __str__(self) -> str:
        where = "" if self.name == self.table else f" on {self.table}"
        return f"the {'virtual ' * (self.virtual and self.kind == 'table')}{self.kind} {self.name}{where}"


class Dialect(ABC):
    """Kind of database."""

    #: Name in SQLAlchemy.
    name: ClassVar[str]
    #: Name for users.
    label: ClassVar[str]
    #: Defaults for connections kept open, and additional ones under load.
    pool: ClassVar[tuple[int, int]]
    #: True if only one transaction can write at a time.
    single_writer: ClassVar[bool]
    #: True if each statement takes a network round trip.
    has_server: ClassVar[bool]

    @abstractmethod
    def open_engine(self, url: URL, options: DatabaseOptions) -> Engine:
        """Returns an engine with these `options`. Opens no connection yet. Raises `StorageError` if the driver is
        missing."""

    def file_of(self, url: URL) -> Path | None:
        """Returns the file of a database; None if it is not a file with a path."""
        return None

    @abstractmethod
    def begin_read(self, connection: Connection) -> Connection:
        """Begins a read-only transaction on one consistent snapshot. Returns its connection."""

    @abstractmethod
    def begin_write(self, connection: Connection) -> None:
        """Begins a transaction that may write."""

    @abstractmethod
    def lock(self, connection: Connection, key: int) -> None:
        """Acquires the exclusive lock `key` until the end of the transaction."""

    def lock_table(self, connection: Connection, table: str) -> None:
        """Waits until no transaction uses a table, and keeps others from it until the end of this one."""
        return

    def limit_lock_waits(self, connection: Connection, within_ms: int) -> None:
        """Makes the transaction fail with `LockTimeout` if it waits longer for a lock, behind which others wait."""
        return

    @abstractmethod
    def disable_timeouts(self, connection: Connection) -> None:
        """Disables all timeouts for the transaction."""

    def empty_log(self, connection: Connection, within_ms: int) -> bool:
        """Empties the log, which still holds deleted data. Returns False if a transaction of another connection
        prevents it for `within_ms` milliseconds, during which writers are blocked."""
        return True

    @abstractmethod
    def insert(self, table: Table) -> Upsert:
        """Returns an INSERT that supports `on_conflict_do_nothing` and `on_conflict_do_update`."""

    @abstractmethod
    def id_table(self, ids: ColumnElement[Any]) -> Any:
        """Returns the ids of a `columns.IdList` as a table column, for joins."""

    @abstractmethod
    def fetch_numbers(
        self, connection: Connection, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Returns the rows of a query that selects integers, in no particular order. `query` must be built once and
        reused."""

    @abstractmethod
    def reserve_message_ids(self, connection: Connection, number: int) -> list[int]:
        """Returns unused ids for messages to insert, ascending. No other message has had any of them."""

    @abstractmethod
    def reserve_message_block(self, connection: Connection, first: int, number: int) -> int:
        """Reserves `number` consecutive ids and returns the first: `first`, if no message has had any of those ids."""

    def snapshot_barrier(self, connection: Connection) -> str | None:
        """Returns a marker that separates transactions that began earlier from later ones; None if none can run
        concurrently."""
        return None

    def is_older_running(self, connection: Connection, barrier: str) -> bool:
        """True if a transaction is running that may have begun before `barrier`."""
        return False

    @abstractmethod
    def size(self, connection: Connection) -> int:
        """Returns the size of the database in bytes."""

    def limit_to_tenant(self, connection: Connection, tenant: str) -> None:
        """Hides the banks of other tenants from the transaction, where the database has row-level security."""
        return

    def grant_tables(self, connection: Connection, role: str) -> None:
        """Lets a role of the database use the tables, subject to row-level security. Raises `InvalidInput`."""
        raise InvalidInput("SQLite has no roles; row-level security needs PostgreSQL")

    def hides_rows(self, connection: Connection) -> bool:
        """True if the connection sees the rows of one owner only."""
        return False

    def file_damage(self, connection: Connection, limit: int) -> list[str]:
        """Returns up to `limit` problems that the database finds in its file; empty where other programs check it."""
        return []

    @abstractmethod
    def schema_objects(self, connection: Connection) -> list[SchemaObject]:
        """Returns the objects in the schema that could run code or conflict with Foxing's."""
