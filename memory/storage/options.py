"""Database options: location, connection pool, timeouts, object storage."""

from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from foxing.memory.errors import StorageError

from .blobs.store import BlobStore

BLOBS = "foxing_blobs"  # execution option that holds the `BlobOptions`
BLOBS_MIN_BYTES = 16 << 10  # 16 KiB

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True)
class DatabaseOptions:
    """Location of a database, and options of its connections."""

    #: URL of a database (`postgresql://user@host/name`), path of a SQLite file, or None for the default file.
    database: str | Path | None = field(default=None, repr=False)
    #: Connections kept open; None for 5 with SQLite and 20 with PostgreSQL.
    pool_size: int | None = None
    #: Additional connections under load, closed afterwards; None for 60 with SQLite and 0 with PostgreSQL.
    max_overflow: int | None = None
    #: Timeout of waiting for a free connection, in seconds.
    pool_timeout_s: float = 30.0
    #: Timeout of waiting for a lock, in seconds.
    busy_timeout_s: float = 30.0
    #: PostgreSQL: timeout of opening a connection, in seconds.
    connect_timeout_s: float = 10.0
    #: PostgreSQL: timeout of a statement, in seconds; 0 for none.
    statement_timeout_s: float = 120.0
    #: PostgreSQL: timeout of an idle transaction, in seconds; 0 for none.
    idle_timeout_s: float = 120.0
    #: PostgreSQL: owner whose banks are visible; None for banks without an owner. Row-level security hides all others,
    #: so the role of the connections must be subject to it. Letters, digits and `. _ - : @`.
    owner: str | None = None
    #: URL of an object storage for large blobs, `s3://bucket/prefix` or `file:///folder`; None to keep them in the
    #: database.
    blobs_url: str | None = field(default=None, repr=False)
    #: Minimum size of a large blob, in bytes.
    blobs_min_bytes: int = BLOBS_MIN_BYTES
    #: True to create a database that does not exist; otherwise opening it raises `NoDatabase`.
    create: bool = True

    @property
    def blobs(self) -> "BlobOptions | None":
        """Object storage for large blobs; None if they are kept in the database."""
        return None if self.blobs_url is None else BlobOptions(BlobStore(self.blobs_url), self.blobs_min_bytes)

    @property
    def is_in_memory(self) -> bool:
        """True for a SQLite database that only this process can open. Raises `StorageError` for an invalid URL."""
        url = database_url(self.database)
        if url.get_backend_name() != "sqlite":
            return False
        return not url.database or url.database.startswith(":memory:") or url.query.get("mode") == "memory"


@dataclass(frozen=True)
class BlobOptions:
    """Object storage for blobs of at least `min_bytes` bytes."""

    store: BlobStore
    min_bytes: int


def default_database() -> Path:
    """Returns the path of the SQLite file in the user's data folder."""
    return user_data_path("foxing") / "foxing.db"


def database_url(database: str | Path | None) -> URL:
    """Returns the SQLAlchemy URL of `database`: a URL, the path of a SQLite file, or None for the default file.

    Raises `StorageError` if the URL is invalid, or names an unsupported kind of database.
    """
    if database is None:
        database = default_database()
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(Path(database).expanduser().resolve()))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError) as error:  # ValueError for an invalid port
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


def redacted(url: URL) -> str:
    """Returns the URL without passwords."""
    return url.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
