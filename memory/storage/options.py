"""Which database, and how connections to it are held."""

from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from foxing.memory.errors import StorageError

from .blobs.store import BlobStore

BLOBS = "foxing_blobs"  # option of connections: their `BlobPlace`
BLOBS_MIN_BYTES = 16 << 10  # 16 KiB

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True)
class DatabaseOptions:
    """A database, how connections to it are held, and how long to wait for what others hold."""

    #: URL of a database (`postgresql://user@host/name`), path of a SQLite file, or None for the default file.
    database: str | Path | None = field(default=None, repr=False)
    #: Connections that stay open; None for 5 with SQLite and 20 with PostgreSQL.
    pool_size: int | None = None
    #: Further connections that are opened under load and closed afterwards; None for 60 with SQLite and none with
    #: PostgreSQL.
    max_overflow: int | None = None
    #: Seconds that a transaction waits for a free connection.
    pool_timeout_s: float = 30.0
    #: Seconds that a writer waits for a lock that another one holds.
    busy_timeout_s: float = 30.0
    #: PostgreSQL: seconds that the server may take to accept a connection.
    connect_timeout_s: float = 10.0
    #: PostgreSQL: seconds that a statement may take; 0 for no limit.
    statement_timeout_s: float = 120.0
    #: PostgreSQL: seconds that a transaction may wait for this process; 0 for no limit.
    idle_timeout_s: float = 120.0
    #: PostgreSQL: whose banks there are; None for those that are nobody's. Row-level security keeps all others from
    #: the connections, whose role must be one that it applies to. Letters, digits and `. _ - : @`.
    owner: str | None = None
    #: URL of an object storage for large blobs, `s3://bucket/prefix` or `file:///folder`; None to keep them here.
    blobs_url: str | None = field(default=None, repr=False)
    #: Bytes from which on a blob is large.
    blobs_min_bytes: int = BLOBS_MIN_BYTES
    #: Whether a database that does not exist is created; otherwise opening it raises `NoDatabase`.
    create: bool = True

    @property
    def blobs(self) -> "BlobPlace | None":
        """Where large blobs go."""
        return None if self.blobs_url is None else BlobPlace(BlobStore(self.blobs_url), self.blobs_min_bytes)


@dataclass(frozen=True)
class BlobPlace:
    """Where large blobs go, in place of the database."""

    store: BlobStore
    #: Bytes from which on a blob is large.
    min_bytes: int


def default_database() -> Path:
    """The path of the SQLite file in the user's data folder."""
    return user_data_path("foxing") / "foxing.db"


def database_url(database: str | Path | None) -> URL:
    """The SQLAlchemy URL of `database`: a URL, the path of a SQLite file, or None for the default file.

    Raises `StorageError` if it is none, or names a kind of database that is not supported.
    """
    if database is None:
        database = default_database()
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(Path(database).expanduser().resolve()))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise _unsupported("this is not a database URL") from error
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise _unsupported(f"'{url.drivername}' is not a supported kind of database")
    return url


def _unsupported(reason: str) -> StorageError:
    return StorageError(
        f"{reason}; write it like sqlite:////path/to/file.db or postgresql://user@host/database"
    ).naming("database_url")


def shown(url: URL) -> str:
    """The URL without passwords, wherever they stand in it."""
    return url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
