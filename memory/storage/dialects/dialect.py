"""What a database must be able to do for Foxing, in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

from foxing.memory.storage.options import DatabaseOptions

Upsert = postgresql.Insert | sqlite.Insert


class SchemaObject(NamedTuple):
    """A table, an index, a trigger or a view."""

    kind: str
    name: str
    table: str
    #: Whether it has no place in the file, as a view or a virtual table.
    virtual: bool = False

    def __str__(self) -> str:
        where = "" if self.name == self.table else f" on {self.table}"
        return f"the {'virtual ' * (self.virtual and self.kind == 'table')}{self.kind} {self.name}{where}"


class Dialect(ABC):
    """A kind of database."""

    #: As SQLAlchemy names it.
    name: ClassVar[str]
    #: As users name it.
    label: ClassVar[str]
    #: Connections that stay open, and further ones under load, unless the options say otherwise.
    pool: ClassVar[tuple[int, int]]
    #: Whether one transaction at a time can write, whichever rows it writes.
    one_writer: ClassVar[bool]
    #: Whether each statement is a message to a server and back.
    has_server: ClassVar[bool]
    #: Whether the highest id of a table is given again after its row was deleted; see `ids`.
    reuses_ids: ClassVar[bool]

    @abstractmethod
    def open_engine(self, url: URL, options: DatabaseOptions) -> Engine:
        """An engine whose connections follow `options`; none is opened yet. Raises `StorageError` without a driver."""

    def file_of(self, url: URL) -> Path | None:
        """The file of a database; None if it is not one file that is known by its path."""
        return None

    @abstractmethod
    def begin_read(self, connection: Connection) -> Connection:
        """Begins a read-only transaction of one consistent snapshot; returns its connection."""

    @abstractmethod
    def begin_write(self, connection: Connection) -> None:
        """Begins a transaction that may write."""

    @abstractmethod
    def lock(self, connection: Connection, key: int) -> None:
        """Lets one transaction at a time have the lock `key`, until it ends."""

    @abstractmethod
    def lift_time_limits(self, connection: Connection) -> None:
        """Lets the transaction take any time."""

    def empty_log(self, connection: Connection, within_ms: int) -> bool:
        """Empties the log, which still holds what was deleted; False if a transaction of another connection needs it.
        Writers wait meanwhile."""
        return True

    @abstractmethod
    def insert(self, table: Table) -> Upsert:
        """An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""

    @abstractmethod
    def id_table(self, ids: ColumnElement[Any]) -> Any:
        """The ids of a `columns.IdList` as the column of a table, to join with."""

    @abstractmethod
    def fetch_numbers(
        self, connection: Connection, query: Select[Any], parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """The rows of a query for whole numbers, in no order. `query`: made once, and kept."""

    @abstractmethod
    def reserve_message_ids(self, connection: Connection, number: int) -> list[int]:
        """Ids for messages that are about to be inserted, ascending. No other message has had one of them."""

    def snapshot_barrier(self, connection: Connection) -> str | None:
        """What tells transactions that began before this moment from later ones; None if there is none to wait for."""
        return None

    def is_older_running(self, connection: Connection, barrier: str) -> bool:
        """Whether a transaction is running that may have begun before a barrier."""
        return False

    def hides_rows(self, connection: Connection) -> bool:
        """Whether the connection sees the rows of one owner only."""
        return False

    def file_damage(self, connection: Connection, most: int) -> list[str]:
        """What the database finds wrong with its file, up to `most` lines; none where it has programs for that."""
        return []

    @abstractmethod
    def schema_objects(self, connection: Connection) -> list[SchemaObject]:
        """What is in the schema and might act or be in the way."""
